"""What a rollout says of its turn: the current tool, waiting, errors and their classes, limits."""

from pathlib import Path
from typing import Any

import pytest

from lib.readers import codex
from tests.readers.codex_rollouts import (
    STARTED,
    Json,
    call,
    event,
    item,
    output,
    said,
    session_of,
    told,
)

CORPUS = Path(__file__).resolve().parents[2].parent / "shared" / "corpus" / "codex"


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
