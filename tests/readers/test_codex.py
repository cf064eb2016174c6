"""What a rollout says of its session: identity, texts, plan, turn, errors, limits."""

import json
from pathlib import Path
from typing import Any

import pytest

from lib.model import Session
from lib.readers import codex
from tests.readers.codex_rollouts import (
    CHILD,
    PARENT,
    TURN_1,
    Json,
    call_record,
    context,
    count,
    event,
    item,
    line,
    meta,
    told,
    usage,
    write,
)

CORPUS = Path(__file__).resolve().parents[2].parent / "shared" / "corpus" / "codex"
STARTED = event("task_started", 1, turn_id=TURN_1, model_context_window=258_400)


def session_of(folder: Path, *records: Json) -> Session:
    return told(codex.read(write(folder, PARENT, [meta(PARENT), context(), *records]), None))


def call(arguments: Json | str, name: str = "exec_command", call_id: str = "call_1") -> Json:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return item("function_call", 2, name=name, arguments=text, call_id=call_id)


def output(call_id: str = "call_1") -> Json:
    return item("function_call_output", 3, call_id=call_id, output="done")


def said(text: str) -> Json:
    return event("agent_message", 4, message=text)


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

    def test_a_compressed_rollout_says_why_it_is_not_read(self, tmp_path: Path):
        path = tmp_path / f"rollout-2026-03-01T12-00-00-{PARENT}.jsonl.zst"
        path.write_bytes(b"\x28\xb5\x2f\xfd")
        with pytest.raises(OSError, match="zstd"):
            codex.read(path, None)


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


class TestTurn:
    def test_runs_from_its_start(self, tmp_path: Path):
        session = session_of(tmp_path, STARTED)
        assert (session.turn, session.turn_detail, session.turns) == ("running", None, 1)
        assert session.turn_started_at is not None
        assert session.turn_started_at - (session.started_at or 0) == 1_000

    @pytest.mark.parametrize(
        ("record", "detail"),
        [
            (call({"cmd": "sleep 30", "yield_time_ms": 1}), "exec_command: sleep 30"),
            (call({"command": ["bash", "-lc", "ls -l"]}, "shell"), "shell: ls -l"),
            (call({"command": ["git", "status"]}, "shell"), "shell: git status"),
            (call("not json", "wait"), "wait"),
            (
                item("local_shell_call", call_id="c", action={"type": "exec", "command": ["ls"]}),
                "shell: ls",
            ),
            (
                item(
                    "custom_tool_call",
                    name="apply_patch",
                    call_id="c",
                    input="*** Begin Patch\n*** Update File: src/a.py\n@@",
                ),
                "apply_patch: src/a.py",
            ),
            (call({"cmd": "x" * 5_000}), f"exec_command: {'x' * 119}…"),
        ],
    )
    def test_shows_the_tool_that_runs(self, tmp_path: Path, record: Json, detail: str):
        session = session_of(tmp_path, STARTED, record)
        assert (session.turn, session.turn_detail) == ("running", detail)

    def test_an_output_ends_its_tool_only(self, tmp_path: Path):
        first, second = call({"cmd": "one"}), call({"cmd": "two"}, call_id="call_2")
        session = session_of(tmp_path, STARTED, first, second, output("call_2"))
        assert session.turn_detail == "exec_command: one"
        session = session_of(tmp_path, STARTED, first, second, output("call_2"), output())
        assert (session.turn, session.turn_detail) == ("running", None)

    def test_a_question_to_the_user_waits_for_the_answer(self, tmp_path: Path):
        asked = {"questions": [{"id": "a", "question": "Which one?"}]}
        session = session_of(tmp_path, STARTED, call(asked, "request_user_input"))
        assert (session.turn, session.turn_detail) == ("waiting", "an answer: Which one?")

    def test_is_idle_when_complete(self, tmp_path: Path):
        done = event("task_complete", last_agent_message="ok", error=None)
        session = session_of(tmp_path, STARTED, call({"cmd": "x"}), done)
        assert (session.turn, session.turn_detail, session.last_message) == ("idle", None, "ok")

    def test_is_stopped_when_interrupted(self, tmp_path: Path):
        aborted = event("turn_aborted", reason="interrupted")
        session = session_of(tmp_path, STARTED, call({"cmd": "x"}), aborted)
        assert (session.turn, session.turn_detail) == ("stopped", None)
        assert session.flags == ["broken_streams"]

    def test_a_broken_stream_is_retried_until_it_answers(self, tmp_path: Path):
        broken = event("stream_error", message="stream disconnected; retrying 1/5")
        session = session_of(tmp_path, STARTED, broken)
        assert session.turn == "retrying"
        assert session.turn_detail == "stream disconnected; retrying 1/5"
        assert session_of(tmp_path, STARTED, broken, said("here")).turn == "running"

    def test_a_new_turn_forgets_the_error(self, tmp_path: Path):
        failed = event("task_complete", error={"message": "no", "codex_error_info": "other"})
        session = session_of(tmp_path, STARTED, failed, STARTED)
        assert (session.turn, session.error_class, session.error_message) == ("running", None, None)

    def test_without_marks_an_answer_may_or_may_not_end_the_turn(self, tmp_path: Path):
        asked = event("user_message", 1, message="Fix")
        assert session_of(tmp_path, asked).turn == "running"
        assert session_of(tmp_path, asked, said("ok")).turn == "unknown"
        assert session_of(tmp_path, asked, said("ok"), call({"cmd": "x"})).turn == "running"
        assert session_of(tmp_path, asked, said("ok")).flags == ["no_turn_marks"]


class TestErrors:
    @pytest.mark.parametrize(
        ("info", "message", "turn", "error_class"),
        [
            (
                {"http_connection_failed": {"http_status_code": 401}},
                "no",
                "failed",
                "authentication",
            ),
            (
                {"http_connection_failed": {"http_status_code": 403}},
                "no",
                "failed",
                "authentication",
            ),
            (
                {"response_too_many_failed_attempts": {"http_status_code": 429}},
                "no",
                "rate_limited",
                "rate_limit",
            ),
            ("usage_limit_exceeded", "no", "rate_limited", "rate_limit"),
            ("context_window_exceeded", "no", "failed", "context_overflow"),
            ("unauthorized", "no", "failed", "authentication"),
            ("internal_server_error", "high demand", "failed", "api"),
            ("other", "unexpected status 401 Unauthorized", "failed", "authentication"),
            (None, "You've hit your usage limit.", "rate_limited", "rate_limit"),
            (
                None,
                "Codex ran out of room in the model's context window.",
                "failed",
                "context_overflow",
            ),
            (17, "stream disconnected", "failed", "api"),
        ],
    )
    def test_classes(self, tmp_path: Path, info: Any, message: str, turn: str, error_class: str):
        error: Json = {"message": message, "codex_error_info": info}
        for records in (
            [STARTED, event("task_complete", last_agent_message=None, error=error)],
            [STARTED, event("error", **error), event("task_complete", last_agent_message=None)],
        ):
            session = session_of(tmp_path, *records)
            told_error = (session.turn, session.error_class, session.error_message)
            assert told_error == (turn, error_class, message)

    def test_an_error_that_is_plain_text(self, tmp_path: Path):
        session = session_of(tmp_path, STARTED, event("task_complete", error="boom"))
        assert (session.turn, session.error_message) == ("failed", "boom")

    def test_an_error_before_an_answer_is_over(self, tmp_path: Path):
        done = event("task_complete", last_agent_message="ok")
        session = session_of(tmp_path, STARTED, event("error", message="hm"), done)
        assert (session.turn, session.error_class) == ("idle", None)


class TestRateLimits:
    def limits(self, **primary: object) -> Json:
        return event(
            "token_count", 10, info=None, rate_limits={"primary": primary, "secondary": None}
        )

    def test_a_used_up_limit_ends_at_a_moment(self, tmp_path: Path):
        session = session_of(tmp_path, self.limits(used_percent=100.0, resets_at=1_772_370_000))
        assert session.resets_at == 1_772_370_000_000

    def test_or_after_seconds(self, tmp_path: Path):
        session = session_of(tmp_path, self.limits(used_percent=101, resets_in_seconds=60))
        assert session.resets_at == (session.last_activity_at or 0) + 60_000

    def test_a_limit_with_room_ends_nothing(self, tmp_path: Path):
        used_up = self.limits(used_percent=100, resets_in_seconds=60)
        session = session_of(tmp_path, used_up, self.limits(used_percent=3, resets_in_seconds=60))
        assert session.resets_at is None


@pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus of real files at {CORPUS}")
class TestRealFiles:
    @pytest.mark.parametrize(
        ("scenario", "turn", "error_class"),
        [
            ("api_401", "failed", "authentication"),
            ("api_429", "rate_limited", "rate_limit"),
            ("api_500", "failed", "api"),
            ("denied_readonly", "idle", None),
            ("hooks", "idle", None),
            ("hooks_apierror", "failed", "api"),
            ("interactive", "stopped", None),
            ("plan", "idle", None),
            ("sigkill_midtool", "running", None),
            ("sigkill_native_midtool", "running", None),
            ("sigterm_midtool", "running", None),
            ("sigterm_midtool_node20", "running", None),
            ("sigterm_native_midtool", "running", None),
            ("success_tool", "idle", None),
            ("tool_fail", "idle", None),
        ],
    )
    def test_turn_and_error_class(self, scenario: str, turn: str, error_class: str | None):
        (path,) = (CORPUS / scenario / "home").rglob("rollout-*.jsonl")
        session = told(codex.read(path, None))
        assert (session.turn, session.error_class, session.registered) == (turn, error_class, True)

    def test_a_killed_tool_is_still_the_current_one(self):
        (path,) = (CORPUS / "sigkill_midtool" / "home").rglob("rollout-*.jsonl")
        session = told(codex.read(path, None))
        assert session.turn_detail == "exec_command: echo start; sleep 30; echo end"

    def test_while_it_ran(self):
        (path,) = (CORPUS / "success_tool" / "home_mid0_1").rglob("rollout-*.jsonl")
        session = told(codex.read(path, None))
        assert session.turn == "running"
        assert (session.turn_detail or "").startswith("exec_command: echo hi; sleep 4;")

    def test_the_plan(self):
        (path,) = (CORPUS / "plan" / "home").rglob("rollout-*.jsonl")
        session = told(codex.read(path, None))
        assert (session.title, session.todo_done, session.todo_total) == ("Fix calc", 1, 2)

    def test_resuming_goes_on_in_the_same_session_and_forking_does_not(self):
        paths = sorted((CORPUS / "resumed" / "home").rglob("rollout-*.jsonl"))
        resumed, fork = (told(codex.read(path, None)) for path in paths)
        assert (resumed.turns, resumed.last_message) == (3, "Third answer.")
        assert (fork.turns, fork.forked_from, fork.parent_key) == (1, resumed.key, None)

    def test_nothing_of_them_is_skipped(self):
        for path in CORPUS.rglob("rollout-*.jsonl"):
            state = codex.read(path, None).state
            assert (state.skipped, state.offset) == ({}, path.stat().st_size)


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
