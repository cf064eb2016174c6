"""What the logs of Kimi Code and of Kimi CLI tell, and what they can't."""

import json
from pathlib import Path

import pytest

from lib.readers import kimi
from lib.readers.kimi_cli import NO_ERRORS
from lib.readers.kimi_wire import MISSING_MODEL, NO_REASONING
from tests.readers.json_lines import Json, moment_ms, owned, tokens, told
from tests.readers.kimi_records import (
    FOLDER,
    FORK,
    MODEL,
    OLD,
    SESSION,
    asked,
    begin,
    call,
    ended,
    header,
    message,
    nested,
    old_result,
    old_tool,
    old_wire_file,
    prompt,
    record,
    request,
    resolved,
    result,
    said,
    state,
    status,
    step,
    tool,
    used,
    wire_file,
)


def test_a_session_of_kimi_code_is_told(tmp_path: Path):
    records = [header(), prompt(), *call(2, given=10, output=5, read=100, written=40)]
    path = wire_file(tmp_path, [*records, said("Done."), ended()], beside=state(title="Repair"))
    facts = kimi.read(path, None)
    session = told(facts)
    assert (session.key, session.title, session.project_path) == (
        f"kimi:{SESSION}",
        "Repair",
        FOLDER,
    )
    assert (session.turn, session.turns, session.turn_requests) == ("idle", 1, 1)
    assert (session.first_prompt, session.last_message) == ("Fix it", "Done.")
    assert (session.model, session.context_tokens) == (MODEL, 150)
    assert (session.started_at, session.last_activity_at) == (moment_ms(0), moment_ms(6))
    assert session.flags == [NO_REASONING]
    (one,) = facts.requests
    assert tokens(one) == (10, 5, 100, 40, 0)
    assert (one.model, one.at) == (MODEL, moment_ms(2))


def test_a_call_is_counted_once_though_three_records_tell_its_tokens(tmp_path: Path):
    counts = {"inputOther": 10, "output": 5, "inputCacheRead": 100, "inputCacheCreation": 0}
    mirrored = {"type": "agent.message.appended", "kind": "event", "time": moment_ms(5)}
    inner = {"role": "assistant", "content": [{"type": "text", "text": "Done."}]}
    again: Json = mirrored | {"message": {"message": inner, "meta": {"usage": counts}}}
    records = [header(), prompt(), *call(2), step("step.end", 4, usage=counts), again]
    facts = kimi.read(wire_file(tmp_path, records), None)
    assert (len(facts.requests), facts.state.usage_records) == (1, 1)


def test_calls_of_one_step_and_of_a_compaction_are_told_apart(tmp_path: Path):
    records = [header(), prompt(), *call(2), used(2), used(2, scope="session", given=900)]
    facts = kimi.read(wire_file(tmp_path, records), None)
    assert len({one.key for one in facts.requests}) == 3
    assert told(facts).context_tokens == 110


def test_a_name_of_the_configuration_is_no_model(tmp_path: Path):
    unnamed = [header(), prompt(), used(2, alias="mine")]
    assert kimi.read(wire_file(tmp_path, unnamed), None).requests[0].model == "mine"
    named = [header(), prompt(), asked(2, "mine", "k3"), used(2, alias="mine")]
    assert kimi.read(wire_file(tmp_path, named), None).requests[0].model == "k3"


def test_a_fork_counts_its_copies_for_the_session_that_made_them(tmp_path: Path):
    history = [header(), prompt(), *call(2, "s1"), ended()]
    first = wire_file(tmp_path, history)
    made = state(9, forkedFrom=SESSION, title="Fork: Repair")
    more = [*history, record("forked", 9), prompt("B", 10), *call(11, "s2")]
    second = wire_file(tmp_path, more, FORK, beside=made)
    session = told(kimi.read(second, None))
    assert (session.forked_from, session.started_at) == (f"kimi:{SESSION}", moment_ms(9))
    for order in ((first, second), (second, first)):
        owners = sorted(one.session_key for one in owned(kimi, *order).values())
        assert owners == [f"kimi:{SESSION}", f"kimi:{FORK}"]


def test_a_fork_whose_state_is_not_written_yet_claims_no_call(tmp_path: Path):
    history: list[Json] = [header(), prompt(), *call(2)]
    first, second = wire_file(tmp_path, history, FORK), wire_file(tmp_path, history, SESSION)
    (second.parent.parent.parent / "state.json").unlink()
    assert [one.session_key for one in owned(kimi, second, first).values()] == [f"kimi:{FORK}"]


def test_what_was_taken_over_from_kimi_cli_names_where_it_is_from(tmp_path: Path):
    custom = {"imported_from_kimi_cli": True, "kimi_cli_session_id": OLD}
    path = wire_file(tmp_path, [header(), prompt()], f"ses_{OLD}", beside=state(custom=custom))
    assert told(kimi.read(path, None)).forked_from == f"kimi:{OLD}"


def test_a_subagent_is_a_session_below_its_parent(tmp_path: Path):
    agents = {"agent-0": {"parentAgentId": "main"}, "agent-1": {"parentAgentId": "agent-0"}}
    beside = state(agents=agents)
    path = wire_file(tmp_path, [header(), prompt(), *call(2)], agent="agent-0", beside=beside)
    session = told(kimi.read(path, None))
    assert (session.key, session.parent_key) == (f"kimi:{SESSION}/agent-0", f"kimi:{SESSION}")
    path = wire_file(tmp_path, [header(), prompt()], agent="agent-1", beside=beside)
    assert told(kimi.read(path, None)).parent_key == f"kimi:{SESSION}/agent-0"


def test_the_current_tool_shows_until_its_result(tmp_path: Path):
    records = [header(), prompt(), *call(2), tool(command="make test")]
    session = told(kimi.read(wire_file(tmp_path, records), None))
    assert (session.turn, session.turn_detail) == ("running", "Bash: make test")
    session = told(kimi.read(wire_file(tmp_path, [*records, result()]), None))
    assert (session.turn, session.turn_detail) == ("running", None)


@pytest.mark.parametrize(
    ("asks", "words"),
    [
        (request(), "permission to run Bash: make clean"),
        (request("question", questions=[{"question": "Which one?"}]), "Which one?"),
        (request("plan"), "an answer"),
    ],
)
def test_a_question_waits_until_it_is_resolved(tmp_path: Path, asks: Json, words: str):
    records: list[Json] = [header(), prompt(), *call(2), asks]
    session = told(kimi.read(wire_file(tmp_path, records), None))
    assert (session.turn, session.turn_detail) == ("waiting", words)
    session = told(kimi.read(wire_file(tmp_path, [*records, resolved()]), None))
    assert (session.turn, session.turn_detail) == ("running", None)


def test_todos_are_counted_as_they_are_now(tmp_path: Path):
    todos = [{"title": "a", "status": "done"}, {"title": "b", "status": "in_progress"}]
    records = [header(), prompt(), record("tools.update_store", 3, key="todo", value=todos)]
    session = told(kimi.read(wire_file(tmp_path, records), None))
    assert (session.todo_done, session.todo_total) == (1, 2)


def test_a_failed_call_is_retried_until_something_comes(tmp_path: Path):
    failed = record(
        "turn.step.retrying",
        3,
        nextAttempt=2,
        maxAttempts=10,
        errorName="APIProviderRateLimitError",
        errorMessage="429 rate limit reached",
        statusCode=429,
    )
    records = [header(), prompt(), begin(), asked(), failed]
    session = told(kimi.read(wire_file(tmp_path, records), None))
    assert (session.turn, session.error_class) == ("retrying", "rate_limit")
    assert session.turn_detail == "attempt 2 of 10: 429 rate limit reached"
    session = told(kimi.read(wire_file(tmp_path, [*records, *call(5, "s2")]), None))
    assert (session.turn, session.error_class, session.turn_detail) == ("running", None, None)


@pytest.mark.parametrize(
    ("reason", "error", "turn", "kind"),
    [
        ("completed", None, "idle", None),
        ("cancelled", None, "stopped", None),
        ("blocked", None, "failed", "permission"),
        ("failed", (401, "provider.auth_error", "invalid key"), "failed", "authentication"),
        ("failed", (429, "provider.rate_limit", "slow down"), "rate_limited", "rate_limit"),
        ("failed", (None, "internal", "boom"), "failed", "api"),
        ("brand new", None, "unknown", None),
    ],
)
def test_how_a_turn_ended(
    tmp_path: Path,
    reason: str,
    error: tuple[int | None, str, str] | None,
    turn: str,
    kind: str | None,
):
    more: Json = {}
    if error is not None:
        status_code, code, words = error
        more = {"error": {"code": code, "message": words, "details": {"statusCode": status_code}}}
    records = [header(), prompt(), tool(command="x"), ended(reason, **more)]
    session = told(kimi.read(wire_file(tmp_path, records), None))
    assert (session.turn, session.error_class, session.turn_detail) == (turn, kind, None)


def test_a_new_title_shows_with_the_next_record(tmp_path: Path):
    path = wire_file(tmp_path, [header(), prompt()])
    first = kimi.read(path, None)
    assert told(first).title == "Fix it"
    wire_file(tmp_path, [header(), prompt(), ended()], beside=state(title="Repair"))
    assert told(kimi.read(path, first.state)).title == "Repair"


def test_a_session_of_kimi_cli_is_told(tmp_path: Path):
    todo: Json = {"type": "todo", "items": [{"status": "done"}, {"status": "pending"}]}
    records: list[Json] = [
        {"type": "metadata", "protocol_version": "1.10"},
        message("TurnBegin", 1, user_input=[{"type": "text", "text": "Fix it"}]),
        message("StepBegin", 1, n=1),
        old_tool("SetTodoList", todos=[]),
        status(3),
        old_result("t1", 4, todo),
        message("ContentPart", 5, type="text", text="Done."),
        message("TurnEnd", 6),
    ]
    path = old_wire_file(tmp_path, records)
    (path.parent / "state.json").write_text(json.dumps({"custom_title": "Repair"}))
    facts = kimi.read(path, None)
    session = told(facts)
    assert (session.key, session.title, session.project_path) == (f"kimi:{OLD}", "Repair", FOLDER)
    assert (session.turn, session.last_message) == ("idle", "Done.")
    assert (session.todo_done, session.todo_total) == (1, 2)
    assert (session.context_tokens, session.context_window) == (110, 262_144)
    assert session.flags == [MISSING_MODEL, NO_REASONING]
    (one,) = facts.requests
    assert (tokens(one), one.model) == ((10, 5, 100, 0, 0), None)


def test_a_call_in_the_logs_of_a_subagent_and_of_its_parent_is_the_subagents(tmp_path: Path):
    begun = message("TurnBegin", 1, user_input="Fix it")
    parent = old_wire_file(tmp_path, [begun, status(2, "m0"), nested(status(3.0004))])
    child = old_wire_file(tmp_path, [begun, status(3)], agent="a1")
    assert told(kimi.read(child, None)).parent_key == f"kimi:{OLD}"
    for order in ((parent, child), (child, parent)):
        owners = sorted(one.session_key for one in owned(kimi, *order).values())
        assert owners == [f"kimi:{OLD}", f"kimi:{OLD}/a1"]


def test_without_an_id_only_the_subagents_own_log_counts(tmp_path: Path):
    begun = message("TurnBegin", 1, user_input="Fix it")
    inner = status(3, None)
    path = old_wire_file(tmp_path, [begun, nested(inner, 3)])
    assert kimi.read(path, None).requests == []
    path = old_wire_file(tmp_path, [begun, nested(inner, 3, agent=None)])
    assert len(kimi.read(path, None).requests) == 1


def test_an_interrupted_step_of_kimi_cli_says_not_by_whom(tmp_path: Path):
    begun = message("TurnBegin", 1, user_input="Fix it")
    ends = [message("StepInterrupted", 3), message("TurnEnd", 4)]
    session = told(kimi.read(old_wire_file(tmp_path, [begun, *ends]), None))
    assert session.turn == "unknown"
    assert NO_ERRORS in session.flags
    retry = message("StepRetry", 2, next_attempt=3, max_attempts=3, error_type="APIStatusError")
    session = told(kimi.read(old_wire_file(tmp_path, [begun, retry, *ends]), None))
    assert (session.turn, session.error_class) == ("failed", "api")


def test_a_question_of_kimi_cli_waits_for_its_response(tmp_path: Path):
    begun = message("TurnBegin", 1, user_input="Fix it")
    asks = message("ApprovalRequest", 2, id="r1", description="Run command `make clean`")
    session = told(kimi.read(old_wire_file(tmp_path, [begun, asks]), None))
    assert (session.turn, session.turn_detail) == (
        "waiting",
        "permission to Run command `make clean`",
    )
    answers = message("ApprovalResponse", 3, request_id="r1", response="approve")
    session = told(kimi.read(old_wire_file(tmp_path, [begun, asks, answers]), None))
    assert session.turn == "running"


def test_where_it_looks(tmp_path: Path):
    home = {"HOME": str(tmp_path)}
    assert kimi.roots(home) == [
        tmp_path / ".kimi-code" / "sessions",
        tmp_path / ".kimi" / "sessions",
    ]
    named = {"KIMI_CODE_HOME": "~/a", "KIMI_SHARE_DIR": "/b", "KIMI_DIR": "/c/sessions"}
    assert kimi.roots(home | named) == [
        tmp_path / "a" / "sessions",
        Path("/c/sessions"),
        Path("/b/sessions"),
    ]


def test_what_is_new_is_counted_by_name_and_the_rest_still_counts(tmp_path: Path):
    strange = used(3) | {"usage": {"inputOther": 10, "output": 5, "quantum": 3}}
    records = [header(), prompt(), record("telepathy", 1), begin(), strange, ended("bored")]
    facts = kimi.read(wire_file(tmp_path, records), None)
    assert facts.state.unknown == {
        "record type: telepathy": 1,
        "usage field: quantum": 1,
        "reason: bored": 1,
    }
    assert len(facts.requests) == 1
    facts = kimi.read(old_wire_file(tmp_path, [message("Telepathy", 1), status(2)]), None)
    assert facts.state.unknown == {"message type: Telepathy": 1}
    assert len(facts.requests) == 1
