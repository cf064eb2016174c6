"""What the reader of Qwen Code promises, on small files of our own."""

from pathlib import Path

import pytest

from lib.readers import qwen
from lib.readers.genai import TOTAL_MISMATCH
from lib.readers.qwen_usage import MISSING_MODEL
from lib.readers.values import IMPLAUSIBLE_TOKENS, NOT_JSON, TOO_DEEP, as_time
from tests.readers.genai_records import (
    ALPHA,
    OTHER,
    SESSION,
    Json,
    lines_of,
    moment,
    owned,
    tokens,
    told,
    uuid,
)
from tests.readers.qwen_records import (
    AGENT_ID,
    META,
    MODEL,
    answer,
    call,
    failure,
    line,
    of_subagent,
    prompt,
    report,
    result,
    settled,
    telemetry,
    used,
    write,
    write_subagent,
)


def test_the_kinds_of_tokens_are_told_apart(tmp_path: Path) -> None:
    facts = qwen.read(write(tmp_path, [prompt(1, "Hi"), report(2), answer(3)]), None)
    assert tokens(facts) == [(40, 15, 60, 5)]
    assert (facts.requests[0].model, facts.requests[0].key) == (MODEL, f"qwen:{uuid(2)}")
    assert (facts.state.usage_records, facts.state.repeated_records) == (2, 1)
    assert (told(facts).context_tokens, told(facts).turn_requests) == (115, 1)
    assert told(facts).flags == []


def test_thoughts_outside_the_output_are_known_by_the_total(tmp_path: Path) -> None:
    outside = {**used(), "totalTokenCount": 120}
    facts = qwen.read(write(tmp_path, [answer(3, usageMetadata=outside)]), None)
    assert tokens(facts) == [(40, 20, 60, 5)]
    assert told(facts).flags == []


def test_counts_that_contradict_their_total_are_flagged(tmp_path: Path) -> None:
    wrong = {**used(), "totalTokenCount": 999}
    facts = qwen.read(write(tmp_path, [answer(3, usageMetadata=wrong)]), None)
    assert told(facts).flags == [TOTAL_MISMATCH]


def test_without_telemetry_the_answers_count(tmp_path: Path) -> None:
    facts = qwen.read(write(tmp_path, [prompt(1, "Hi"), answer(2), answer(3)]), None)
    assert [one.key for one in facts.requests] == [f"qwen:{uuid(2)}", f"qwen:{uuid(3)}"]


def test_requests_of_the_cli_itself_count_too(tmp_path: Path) -> None:
    records = [prompt(1, "Hi"), report(2, 9_000), report(3), answer(4)]
    facts = qwen.read(write(tmp_path, records), None)
    assert tokens(facts) == [(8_940, 15, 60, 5), (40, 15, 60, 5)]
    assert (told(facts).turn_requests, told(facts).context_tokens) == (1, 115)


def test_an_answer_far_behind_its_report_is_the_same_call(tmp_path: Path) -> None:
    between = telemetry(3, "tool_call")
    records = [report(2), between, answer(4), report(5), between, answer(6, parentUuid=None)]
    assert len(qwen.read(write(tmp_path, records), None).requests) == 2


def test_an_answer_without_a_report_is_a_call_of_its_own(tmp_path: Path) -> None:
    records = [report(1), answer(2), prompt(3, "More"), answer(5)]
    assert len(qwen.read(write(tmp_path, records), None).requests) == 2


def test_equal_calls_are_not_taken_for_one(tmp_path: Path) -> None:
    records = [report(1, response_id="x"), answer(2), report(3, response_id="x"), answer(4)]
    assert len(qwen.read(write(tmp_path, records), None).requests) == 2


@pytest.mark.parametrize("began", [60, 0])  # 0: the clock was set back in between.
def test_a_fork_owns_only_what_it_added(tmp_path: Path, began: int) -> None:
    history = [prompt(1, "Hi", 9), report(2), answer(3, second=9), of_subagent(4, 0, second=9)]
    origin = {"sessionId": SESSION, "messageUuid": uuid(1)}
    copied = [{**one, "sessionId": OTHER, "forkedFrom": origin} for one in history]
    added = [{**one, "sessionId": OTHER} for one in (report(5, 300, began), answer(6, second=61))]
    fork = write(tmp_path, [*copied, *added], OTHER)
    calls = owned(qwen, fork, write(tmp_path, history))
    owners = {key.split(":")[1][:8]: one.session_key for key, one in calls.items()}
    assert len(calls) == 3
    assert owners[uuid(2)[:8]] == f"qwen:{SESSION}"
    assert owners[SESSION[:8]] == f"qwen:{SESSION}"
    assert owners[uuid(5)[:8]] == f"qwen:{OTHER}"
    facts = qwen.read(fork, None)
    assert [one.owner_rank[0] for one in facts.requests] == ["2", "3", "0"]
    session = told(facts)
    assert (session.key, session.forked_from) == (f"qwen:{OTHER}", f"qwen:{SESSION}")
    assert session.started_at == as_time(moment(began))


def test_a_subagent_owns_the_calls_that_its_session_reports(tmp_path: Path) -> None:
    extractor = f"{SESSION}#memory-1#0"
    main = [of_subagent(1, 0), of_subagent(2, 1), report(3, subagent_id="m", prompt_id=extractor)]
    sub = [answer(5, agentRound=1, model=None), answer(6, agentRound=2, model=None)]
    path = write_subagent(tmp_path, [prompt(4, "Sub"), *sub], META)
    calls = owned(qwen, path, write(tmp_path, main))
    assert sorted(one.session_key for one in calls.values()) == [
        f"qwen:{SESSION}",
        f"qwen:{SESSION}/{AGENT_ID}",
        f"qwen:{SESSION}/{AGENT_ID}",
    ]
    assert {one.model for one in calls.values()} == {MODEL}
    session = told(qwen.read(path, None))
    assert (session.parent_key, session.title) == (f"qwen:{SESSION}", "general-purpose: Compute")
    assert (session.turns, session.turn) == (1, "idle")


def test_a_subagent_without_its_description_says_what_is_missing(tmp_path: Path) -> None:
    path = write_subagent(tmp_path, [answer(5, agentRound=1, model=None)])
    facts = qwen.read(path, None)
    assert (len(facts.requests), told(facts).flags) == (1, [MISSING_MODEL])


def test_a_resumed_subagent_counts_its_rounds_anew(tmp_path: Path) -> None:
    again = answer(6, agentRound=1, usageMetadata=used(500))
    path = write_subagent(tmp_path, [answer(5, agentRound=1), again])
    assert len(qwen.read(path, None).requests) == 2


@pytest.mark.parametrize(
    ("records", "turn", "detail"),
    [
        ([prompt(1, "Hi")], "running", None),
        ([prompt(1, "Hi"), answer(2)], "idle", None),
        (
            [prompt(1, "Hi"), answer(2, call(command="make\n test"))],
            "running",
            "run_shell_command: make test",
        ),
        ([prompt(1, "Hi"), answer(2, call()), result(3)], "running", None),
        ([prompt(1, "Hi"), answer(2, call()), prompt(3, "Again")], "running", None),
        ([prompt(1, "Hi"), answer(2, call("ask_user_question"))], "waiting", "an answer"),
        ([prompt(1, "Hi"), answer(2, call()), result(3, status="cancelled")], "stopped", None),
        ([prompt(1, "Hi"), failure(2, 503)], "retrying", "retry after error 1: boom"),
        (
            [prompt(1, "Hi"), failure(2, 503), failure(3, 429)],
            "retrying",
            "retry after error 2: boom",
        ),
        ([prompt(1, "Hi"), failure(2, None)], "retrying", "retry after error 1: boom"),
        ([prompt(1, "Hi"), failure(2, 503), report(3)], "running", None),
        ([prompt(1, "Hi"), failure(2, 401)], "failed", None),
        ([prompt(1, "Hi"), failure(2, 401), prompt(3, "Again")], "running", None),
        ([prompt(1, "Hi"), failure(2, None, error_type="AbortError")], "stopped", None),
        ([prompt(1, "Hi"), answer(2), failure(3, 500)], "idle", None),
        ([prompt(1, "Hi"), answer(2), failure(3, 500, subagent_id="m")], "idle", None),
        ([prompt(1, "Hi"), failure(2, 500, subagent_id="m")], "running", None),
        ([prompt(1, "Hi"), answer(2, call()), settled(3, "completed")], "idle", None),
        ([prompt(1, "Hi"), failure(2, 500), settled(3, "cancelled")], "stopped", None),
        ([prompt(1, "Hi"), settled(3, "error", error={"message": "boom"})], "failed", None),
        ([prompt(1, "Hi"), failure(2, 500), settled(3, "error")], "failed", None),
        ([prompt(1, "Hi"), settled(3, "hologram")], "running", None),
        ([prompt(1, "Hi"), line(2, "hologram")], "running", None),
        ([prompt(1, "Hi"), line(2, "system", subtype="rewind")], "idle", None),
        (
            [prompt(1, "Hi"), answer(2, call("x", "a"), call("y", "b")), result(3, "b")],
            "running",
            "x",
        ),
    ],
)
def test_the_state_of_the_newest_turn(
    tmp_path: Path, records: list[Json], turn: str, detail: str | None
) -> None:
    session = told(qwen.read(write(tmp_path, records), None))
    assert (session.turn, session.turn_detail) == (turn, detail)
    assert (session.error_message is not None) == (turn in ("failed", "retrying"))


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (401, "", "authentication"),
        (429, "slow down", "rate_limit"),
        (504, "", "timeout"),
        (400, "the context length is exceeded", "context_overflow"),
        (None, "Invalid API key", "authentication"),
        (500, "boom", "api"),
    ],
)
def test_errors_are_classed(tmp_path: Path, status: int, message: str, kind: str) -> None:
    session = told(qwen.read(write(tmp_path, [prompt(1, "Hi"), failure(2, status, message)]), None))
    assert session.error_class == kind
    assert session.error_message


def test_only_prompts_of_the_user_are_prompts(tmp_path: Path) -> None:
    records = [
        prompt(1, "Hi"),
        answer(2),
        prompt(3, "<task-notification>", provenance="system", subtype="notification"),
        prompt(4, "By the way", subtype="mid_turn_user_message"),
        answer(5),
        prompt(6, "Second", provenance=None),
    ]
    session = told(qwen.read(write(tmp_path, records), None))
    assert (session.turns, session.first_prompt, session.title) == (2, "Hi", "Hi")


def test_where_and_what_is_known_of_a_session(tmp_path: Path) -> None:
    title = line(2, "system", 5, subtype="custom_title", systemPayload={"customTitle": "Repair"})
    records = [prompt(1, "Hi"), title, answer(3, gitBranch="feature/login")]
    session = told(qwen.read(write(tmp_path, records), None))
    assert (session.project_path, session.branch) == (ALPHA, "feature/login")
    assert (session.agent_version, session.title) == ("0.24.4", "Repair")
    assert (session.started_at, session.last_activity_at) == (
        as_time(moment(0)),
        as_time(moment(5)),
    )


@pytest.mark.parametrize(
    ("session", "second", "ended"), [(SESSION, 3, True), (SESSION, 1, False), (OTHER, 3, False)]
)
def test_the_end_mark_counts_when_it_is_the_last_word(
    tmp_path: Path, session: str, second: int, ended: bool
) -> None:
    mark = {"version": 1, "sessionId": session, "timestamp": as_time(moment(second))}
    junk = f'{{"x":"{SESSION}"'.encode()
    (tmp_path / "usage_record.jsonl").write_bytes(lines_of([mark, junk]))
    facts = qwen.read(write(tmp_path, [prompt(1, "Hi"), answer(2)]), None)
    assert told(facts).ended_cleanly is ended


def test_folders_named_by_the_environment_are_looked_at() -> None:
    assert qwen.roots({"HOME": "/h"}) == [Path("/h/.qwen/projects")]
    assert qwen.roots({"HOME": "/h", "QWEN_HOME": "/q"}) == [Path("/q/projects")]
    runtime = {"HOME": "/h", "QWEN_RUNTIME_DIR": "/r"}
    assert qwen.roots(runtime) == [Path("/r/projects"), Path("/h/.qwen/projects")]
    named = {"HOME": "/h", "QWEN_DATA_DIR": "/a, /b/projects,/a"}
    assert qwen.roots(named) == [Path("/a/projects"), Path("/b/projects")]


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        (f"chats/{SESSION}.jsonl", True),
        (f"chats/archive/{SESSION}.jsonl", True),
        (f"chats/{SESSION}.runtime.json", False),
        (f"subagents/{SESSION}/agent-x.jsonl", True),
        (f"subagents/{SESSION}/agent-x.meta.json", False),
        ("extract-cursor.json", False),
        ("other.jsonl", False),
    ],
)
def test_session_files_are_known_by_name(name: str, is_one: bool) -> None:
    assert qwen.is_session_file(Path("/h/.qwen/projects/-p") / name) is is_one


def test_an_impossible_count_costs_the_call_and_is_named(tmp_path: Path) -> None:
    broken = answer(2, usageMetadata={**used(), "promptTokenCount": -1})
    facts = qwen.read(write(tmp_path, [prompt(1, "Hi"), broken, answer(3)]), None)
    assert facts.state.skipped == {IMPLAUSIBLE_TOKENS: 1}
    assert [one.key for one in facts.requests] == [f"qwen:{uuid(3)}"]


def test_a_record_cut_off_by_a_kill_costs_no_other(tmp_path: Path) -> None:
    cut = lines_of([answer(2)])[:80] + lines_of([answer(3)]).rstrip(b"\n")
    facts = qwen.read(write(tmp_path, [prompt(1, "Hi"), cut]), None)
    assert facts.state.skipped == {NOT_JSON: 1}
    assert [one.key for one in facts.requests] == [f"qwen:{uuid(3)}"]


def test_deep_nesting_is_skipped_with_a_reason(tmp_path: Path) -> None:
    deep = b'{"uuid":"x","type":"assistant","message":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    facts = qwen.read(write(tmp_path, [deep, answer(3)]), None)
    assert facts.state.skipped == {TOO_DEEP: 1}
    assert len(facts.requests) == 1
