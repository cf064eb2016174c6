"""What a rollout says of its session: identity, texts, plan, turn, errors, limits."""

from pathlib import Path

import pytest

from lib.readers import codex
from tests.readers.codex_rollouts import (
    CHILD,
    PARENT,
    STARTED,
    Json,
    call,
    call_record,
    context,
    count,
    event,
    item,
    line,
    meta,
    output,
    session_of,
    told,
    usage,
    write,
)


class TestPlaces:
    def test_the_home_folder_is_where_codex_keeps_it(self):
        roots = codex.roots({"HOME": "/home/dev"})
        assert [str(root) for root in roots] == [
            "/home/dev/.codex/sessions",
            "/home/dev/.codex/archived_sessions",
        ]

    def test_several_homes_and_a_folder_of_sessions_may_be_named(self):
        environ = {"CODEX_HOME": "/a, /b", "CODEX_SESSIONS_DIR": "/c", "HOME": "/home/dev"}
        assert [str(root) for root in codex.roots(environ)] == [
            "/c",
            "/a/sessions",
            "/a/archived_sessions",
            "/b/sessions",
            "/b/archived_sessions",
        ]

    def test_only_rollouts_are_session_files(self, tmp_path: Path):
        plain = tmp_path / f"rollout-2026-03-01T12-00-00-{PARENT}.jsonl"
        compressed = plain.with_name(plain.name + ".zst")
        assert codex.is_session_file(plain)
        assert codex.is_session_file(compressed)
        assert not codex.is_session_file(tmp_path / "history.jsonl")
        assert not codex.is_session_file(tmp_path / "rollout-x.json")
        plain.touch()
        assert not codex.is_session_file(compressed)


class TestIdentity:
    def test_the_first_meta_describes_the_file(self, tmp_path: Path):
        records = [meta(PARENT), meta(CHILD, 5, cwd="/elsewhere"), context("gpt-5.5", 90)]
        session = told(codex.read(write(tmp_path, PARENT, records), None))
        assert session.key == f"codex:{PARENT}"
        assert session.session_id == PARENT
        assert session.project_path == "/home/dev/alpha"
        assert session.branch == "main"
        assert session.agent_version == "0.98.0"
        assert session.entrypoint == "codex_cli_rs"
        assert session.model == "gpt-5.5"
        assert session.last_activity_at is not None
        assert session.started_at == session.last_activity_at - 90_000
        assert not session.registered

    def test_without_a_meta_the_files_name_tells_the_thread(self, tmp_path: Path):
        facts = codex.read(write(tmp_path, CHILD, [context(), count(usage(5, 0, 1))]), None)
        assert told(facts).key == f"codex:{CHILD}"
        assert [request.session_key for request in facts.requests] == [f"codex:{CHILD}"]

    def test_an_empty_file_is_no_session(self, tmp_path: Path):
        assert codex.read(write(tmp_path, PARENT, []), None).session is None

    @pytest.mark.parametrize(
        "origin",
        [
            {"parent_thread_id": PARENT},
            {"source": {"subagent": {"thread_spawn": {"parent_thread_id": PARENT, "depth": 1}}}},
        ],
    )
    def test_a_subagent_names_its_parent(self, tmp_path: Path, origin: Json):
        session = told(codex.read(write(tmp_path, CHILD, [meta(CHILD, **origin)]), None))
        assert session.parent_key == f"codex:{PARENT}"

    def test_a_fork_names_its_origin(self, tmp_path: Path):
        records = [meta(CHILD, forked_from_id=PARENT)]
        session = told(codex.read(write(tmp_path, CHILD, records), None))
        assert (session.forked_from, session.parent_key) == (f"codex:{PARENT}", None)

    def test_versions_that_hold_locks_are_registered(self, tmp_path: Path):
        records = [meta(PARENT, cli_version="0.169.0")]
        assert told(codex.read(write(tmp_path, PARENT, records), None)).registered

    def test_lines_of_2025_without_an_envelope_are_read(self, tmp_path: Path):
        texts = [{"type": "input_text", "text": "Old prompt"}]
        records: list[Json] = [
            {"id": PARENT, "timestamp": "2025-06-01T10:00:00.000Z", "instructions": None},
            {"record_type": "state"},
            {"type": "message", "role": "user", "content": texts},
        ]
        session = told(codex.read(write(tmp_path, PARENT, records), None))
        assert (session.key, session.first_prompt) == (f"codex:{PARENT}", "Old prompt")


class TestTexts:
    def test_the_first_real_prompt_is_prompt_and_title(self, tmp_path: Path):
        wrapped = [{"type": "input_text", "text": "<environment_context>\n <cwd>/x</cwd>"}]
        session = session_of(
            tmp_path,
            item("message", role="user", content=wrapped),
            event("user_message", message="<turn_aborted> by the user"),
            event("user_message", message="Fix\n  the build"),
            event("user_message", message="And the tests"),
        )
        assert session.first_prompt == "Fix\n  the build"
        assert session.title == "Fix the build"
        assert session.turns == 2

    def test_a_name_given_to_the_thread_is_its_title(self, tmp_path: Path):
        named = event("thread_name_updated", thread_name="Build repair")
        session = session_of(tmp_path, event("user_message", message="Fix"), named)
        assert (session.title, session.first_prompt) == ("Build repair", "Fix")

    def test_a_message_told_twice_is_one_prompt(self, tmp_path: Path):
        content = [{"type": "input_text", "text": "Fix"}]
        done = {"type": "UserMessage", "content": [{"type": "text", "text": "Fix"}]}
        session = session_of(
            tmp_path,
            item("message", role="user", content=content),
            event("item_completed", item=done),
        )
        assert (session.turns, session.first_prompt) == (1, "Fix")

    def test_raw_messages_count_where_there_are_no_events(self, tmp_path: Path):
        user = [{"type": "input_text", "text": "Fix"}]
        agent = [{"type": "output_text", "text": "Fixed"}]
        session = session_of(
            tmp_path,
            item("message", role="user", content=user),
            item("message", role="assistant", content=agent),
        )
        assert (session.turns, session.first_prompt, session.last_message) == (1, "Fix", "Fixed")

    @pytest.mark.parametrize(
        "record",
        [
            event("agent_message", message="All \x1b[31mdone"),
            event(
                "item_completed",
                item={"type": "AgentMessage", "content": [{"type": "Text", "text": "All done"}]},
            ),
            item(
                "message", role="assistant", content=[{"type": "output_text", "text": "All done"}]
            ),
            event("task_complete", last_agent_message="All done"),
        ],
    )
    def test_the_last_message_in_each_shape(self, tmp_path: Path, record: Json):
        assert session_of(tmp_path, record).last_message == "All done"

    def test_the_request_in_an_editors_message_is_the_prompt(self, tmp_path: Path):
        text = (
            "# Context from my IDE setup:\n\n## Active file: a.py\n\n## My request for Codex:\nFix"
        )
        assert session_of(tmp_path, event("user_message", message=text)).first_prompt == "Fix"

    def test_calls_since_the_last_prompt_are_counted(self, tmp_path: Path):
        session = session_of(
            tmp_path,
            event("user_message", message="one"),
            count(usage(1, 0, 1)),
            event("user_message", message="two"),
            count(usage(2, 0, 2)),
            count(usage(3, 0, 3)),
            count(usage(3, 0, 3)),
        )
        assert (session.turns, session.turn_requests) == (2, 2)


class TestContext:
    def test_the_newest_call_fills_the_context(self, tmp_path: Path):
        session = session_of(tmp_path, count(usage(900, 0, 90), usage(300, 200, 30)))
        assert (session.context_tokens, session.context_window) == (330, 200_000)

    def test_the_window_is_known_when_a_turn_starts(self, tmp_path: Path):
        session = session_of(tmp_path, STARTED, call_record("resp_1", usage(50, 40, 5)))
        assert (session.context_tokens, session.context_window) == (55, 258_400)


class TestPlan:
    def test_steps_of_the_newest_plan(self, tmp_path: Path):
        steps = [{"step": "a", "status": "completed"}, {"step": "b", "status": "in_progress"}]
        session = session_of(
            tmp_path,
            STARTED,
            call({"plan": [steps[1]]}, "update_plan"),
            output(),
            call({"plan": steps}, "update_plan", "call_2"),
        )
        assert (session.todo_done, session.todo_total) == (1, 2)


def test_styles_of_writing_tell_the_same(tmp_path: Path):
    records = [
        meta(PARENT),
        context(),
        STARTED,
        call({"cmd": "x"}),
        count(usage(5, 1, 1)),
        output(),
    ]
    reordered = [dict(reversed(record.items())) for record in records]
    compact = codex.read(write(tmp_path, PARENT, records), None)
    for written, style in (
        (records, {"separators": (", ", ": ")}),
        (reordered, {"separators": (",", ":")}),
        (records, {"indent": None, "ensure_ascii": False}),
    ):
        facts = codex.read(write(tmp_path, PARENT, written, **style), None)
        assert facts.session == compact.session
        assert facts.requests == compact.requests


def test_every_flag_has_a_sentence():
    flags = {"broken_streams", "hidden_requests", "missing_model", "no_turn_marks"}
    assert set(codex.CANNOT_KNOW) == flags | {"total_mismatch", "unknown_start"}


def test_a_record_of_an_unknown_kind_is_passed_over(tmp_path: Path):
    facts = codex.read(write(tmp_path, PARENT, [meta(PARENT), line("new_kind", {"a": 1})]), None)
    assert (facts.state.records, facts.state.skipped) == (2, {})
