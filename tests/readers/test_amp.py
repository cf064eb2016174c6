"""What the documents of Amp's threads tell, and what they can't."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.model import NO_LOCAL_TOKENS
from lib.readers import amp
from lib.readers.amp_usage import MISSING_MODEL, REMOVED_MESSAGES, SIDE_CALLS, TOTAL_MISMATCH
from lib.readers.documents import TOO_LARGE
from lib.readers.values import NOT_AN_OBJECT
from tests.readers.json_lines import (
    Json,
    anything,
    moment,
    moment_ms,
    owned,
    places,
    replaced,
    tokens,
    told,
)

THREAD = "T-01890000-0000-7000-8000-000000000001"
FORK = "T-01890000-0000-7000-8000-000000000002"
SUBAGENT = "T-01890000-0000-7000-8000-000000000003"
CLAUDE = "claude-opus-4-5-20251101"


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def prompt(words: str = "Fix it", second: float = 1, **more: object) -> Json:
    sent = {"role": "user", "content": [text(words)], "meta": {"sentAt": moment_ms(second)}}
    return sent | more


def usage(
    given: int = 10,
    output: int = 5,
    read: int = 100,
    written: int = 40,
    model: str | None = CLAUDE,
    **more: object,
) -> Json:
    counted: Json = {
        "inputTokens": given,
        "outputTokens": output,
        "cacheReadInputTokens": read,
        "cacheCreationInputTokens": written,
        "totalInputTokens": given + read + written,
        "maxInputTokens": 168_000,
    }
    return counted | ({} if model is None else {"model": model}) | more


def answer(
    number: int = 1, *blocks: Json, stop: str = "end_turn", used: Json | None = None, **more: object
) -> Json:
    message: Json = {
        "role": "assistant",
        "messageId": number,
        "content": list(blocks) or [text("Done.")],
        "state": {"type": "complete", "stopReason": stop},
        "usage": usage() if used is None else used,
    }
    return message | more


def tool(name: str = "Bash", call: str = "t1", **given: object) -> Json:
    return {"type": "tool_use", "id": call, "name": name, "input": given}


def result(status: str = "done", call: str = "t1", **more: object) -> Json:
    block = {"type": "tool_result", "toolUseID": call, "run": {"status": status} | more}
    return {"role": "user", "content": [block]}


def event(number: int | None = 1, second: float = 2, **more: object) -> Json:
    told_of: Json = {
        "id": f"e{number}-{second}",
        "timestamp": moment(second),
        "model": CLAUDE,
        "tokens": {"input": 10, "output": 5},
        "operationType": "inference",
        "toMessageId": number,
    }
    return told_of | more


def thread(*messages: object, events: list[Json] | None = None, **more: object) -> Json:
    tree = {
        "displayName": "alpha",
        "uri": "file:///home/dev/alpha%20one",
        "repository": {"type": "git", "ref": "refs/heads/feature/x"},
    }
    platform = {"client": "CLI", "clientVersion": "0.0.1767830505"}
    document: Json = {
        "v": 9,
        "created": moment_ms(0),
        "title": "Repair",
        "messages": list(messages),
        "env": {"initial": {"trees": [tree], "platform": platform}},
    }
    return document | ({} if events is None else {"usageLedger": {"events": events}}) | more


def write(folder: Path, document: object, name: str = THREAD) -> Path:
    path = folder / "threads" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def test_a_thread_is_told(tmp_path: Path):
    path = write(tmp_path, thread(prompt(), answer(1), events=[event(1, 2)]))
    facts = amp.read(path, None)
    session = told(facts)
    assert (session.key, session.title) == (f"amp:{THREAD}", "Repair")
    assert (session.project_path, session.branch) == ("/home/dev/alpha one", "feature/x")
    assert (session.agent_version, session.entrypoint) == ("0.0.1767830505", "CLI")
    assert (session.turn, session.turns, session.turn_requests) == ("idle", 1, 1)
    assert (session.first_prompt, session.last_message) == ("Fix it", "Done.")
    assert (session.context_tokens, session.context_window) == (150, 168_000)
    assert (session.started_at, session.last_activity_at) == (moment_ms(0), moment_ms(2))
    (call,) = facts.requests
    assert tokens(call) == (10, 5, 100, 40, 0)
    assert (call.model, call.at) == (CLAUDE, moment_ms(2))
    assert facts.state.usage_records == 1


def test_of_other_models_what_is_called_written_to_the_cache_is_fresh_input(tmp_path: Path):
    used = usage(0, 5, 100, 40, "gpt-5.2")
    facts = amp.read(write(tmp_path, thread(prompt(), answer(used=used))), None)
    assert tokens(facts.requests[0]) == (40, 5, 100, 0, 0)


def test_calls_without_a_model_or_with_odd_totals_are_flagged(tmp_path: Path):
    unnamed = answer(1, used=usage(model=None))
    odd = answer(2, used=usage(totalInputTokens=7))
    facts = amp.read(write(tmp_path, thread(prompt(), unnamed, prompt(), odd)), None)
    assert {MISSING_MODEL, TOTAL_MISMATCH} <= set(told(facts).flags)
    assert len(facts.requests) == 2


def test_without_events_a_call_is_dated_by_its_usage_or_by_its_prompt(tmp_path: Path):
    dated = answer(2, used=usage(timestamp=moment(9)))
    facts = amp.read(write(tmp_path, thread(prompt(second=5), answer(1), dated)), None)
    assert [call.at for call in facts.requests] == [moment_ms(5), moment_ms(9)]


def test_the_events_of_titles_and_tools_are_calls_of_their_own(tmp_path: Path):
    title = event(None, 3, operationType="title-generation", model="claude-haiku-4-5")
    oracle = event(None, 4, operationType="oracle", toolUseID="t1", model="gpt-5.2")
    events = [event(1), title, oracle]
    facts = amp.read(write(tmp_path, thread(prompt(), answer(1), events=events)), None)
    assert [tokens(call)[:2] for call in facts.requests] == [(10, 5)] * 3
    assert SIDE_CALLS in told(facts).flags


def test_a_subagent_with_a_thread_of_its_own_is_counted_there(tmp_path: Path):
    inside = event(None, 4, operationType="subagent", subagentThreadID=SUBAGENT)
    path = write(tmp_path, thread(prompt(), answer(1), events=[inside]))
    assert len(amp.read(path, None).requests) == 2
    child = thread(prompt(), answer(0), mainThreadID=THREAD)
    child_path = write(tmp_path, child, SUBAGENT)
    assert len(amp.read(path, None).requests) == 1
    facts = amp.read(child_path, None)
    assert told(facts).parent_key == f"amp:{THREAD}"
    assert facts.requests[0].owner_rank.startswith("1")


def test_a_fork_counts_its_copies_for_the_thread_that_made_them(tmp_path: Path):
    history = [prompt(), answer(1), prompt("B"), answer(3)]
    first = write(tmp_path, thread(*history, events=[event(1), event(3, 4)]))
    # A fork's own messages are numbered from zero again.
    more = [prompt("C", 20, messageId=0), answer(1, used=usage(7))]
    fork = thread(
        *history[:2], *more, originThreadID=THREAD, forkPointIndex=1, events=[event(1, 21)]
    )
    second = write(tmp_path, fork, FORK)
    again = thread(*fork["messages"], originThreadID=FORK, forkPointIndex=3)
    third = write(tmp_path, again, SUBAGENT)
    assert told(amp.read(second, None)).forked_from == f"amp:{THREAD}"
    for order in ((first, second, third), (third, second, first)):
        owners = sorted(call.session_key for call in owned(amp, *order).values())
        assert owners == [f"amp:{THREAD}", f"amp:{THREAD}", f"amp:{FORK}"]


def test_a_call_outlives_the_message_that_an_edit_removed(tmp_path: Path):
    events = [event(1), event(3, 4)]
    before = amp.read(
        write(tmp_path, thread(prompt(), answer(1), prompt(), answer(3), events=events)), None
    )
    after = amp.read(write(tmp_path, thread(prompt(), answer(1), events=events)), None)
    assert {call.key for call in after.requests} == {call.key for call in before.requests}
    assert REMOVED_MESSAGES in told(after).flags
    assert tokens(after.requests[1]) == (10, 5, 0, 0, 0)


def test_two_events_of_one_answer_are_two_calls(tmp_path: Path):
    events = [event(1, 2), event(1, 3)]
    facts = amp.read(write(tmp_path, thread(prompt(), answer(1), events=events)), None)
    assert sorted(tokens(call) for call in facts.requests) == [
        (10, 5, 0, 0, 0),
        (10, 5, 100, 40, 0),
    ]


@pytest.mark.parametrize(
    ("last", "turn", "detail"),
    [
        ([], "idle", None),
        ([prompt("More")], "running", None),
        ([prompt("More"), answer(2, text("H"), state={"type": "streaming"})], "running", None),
        (
            [prompt("More"), answer(2, tool(cmd="make"), stop="tool_use")],
            "running",
            "Bash: make",
        ),
        (
            [answer(2, tool(cmd="make"), stop="tool_use"), result("in-progress")],
            "running",
            "Bash: make",
        ),
        ([answer(2, tool(cmd="make"), stop="tool_use"), result()], "running", None),
        (
            [answer(2, tool(cmd="make"), stop="tool_use"), result("blocked-on-user")],
            "waiting",
            "permission to run Bash: make",
        ),
        ([prompt("More"), answer(2, state={"type": "cancelled"})], "stopped", None),
        ([prompt("More", interrupted=True)], "stopped", None),
    ],
)
def test_what_the_newest_message_makes_of_the_turn(
    tmp_path: Path, last: list[Json], turn: str, detail: str | None
):
    session = told(amp.read(write(tmp_path, thread(prompt(), answer(1), *last)), None))
    assert (session.turn, session.turn_detail) == (turn, detail)


@pytest.mark.parametrize(
    ("error", "turn", "kind"),
    [
        ({"message": "429 rate limit"}, "rate_limited", "rate_limit"),
        ({"message": "invalid api key"}, "failed", "authentication"),
        ({}, "failed", "api"),
    ],
)
def test_an_error_ends_the_turn(tmp_path: Path, error: Json, turn: str, kind: str):
    failed = answer(2, state={"type": "error", "error": error})
    session = told(amp.read(write(tmp_path, thread(prompt(), failed)), None))
    assert (session.turn, session.error_class) == (turn, kind)
    assert session.error_message == error.get("message")


def test_the_list_of_todos_is_the_plan(tmp_path: Path):
    todos = [{"status": "completed"}, {"status": "in-progress"}, {"status": "todo"}]
    planned = answer(1, tool("todo_write", todos=todos), stop="tool_use")
    session = told(amp.read(write(tmp_path, thread(prompt(), planned, result())), None))
    assert (session.todo_done, session.todo_total) == (1, 3)


def test_a_thread_kept_on_the_server_says_so(tmp_path: Path):
    facts = amp.read(write(tmp_path, {"id": THREAD, "created": moment_ms(0), "v": 1}), None)
    session = told(facts)
    assert NO_LOCAL_TOKENS in session.flags
    assert (session.turn, facts.requests) == ("unknown", [])


def test_an_impossible_count_costs_its_call_only(tmp_path: Path):
    wrong = answer(2, used=usage(-3))
    facts = amp.read(write(tmp_path, thread(prompt(), answer(1), wrong, "odd")), None)
    assert facts.state.skipped == {"implausible token count": 1, NOT_AN_OBJECT: 1}
    assert len(facts.requests) == 1


def test_what_is_new_is_counted_by_name(tmp_path: Path):
    strange = answer(1, used=usage(quantum=1))
    facts = amp.read(write(tmp_path, thread(prompt(), strange, {"role": "ghost"})), None)
    assert facts.state.unknown == {"usage field: quantum": 1, "role: ghost": 1}
    assert len(facts.requests) == 1


def test_half_a_document_keeps_what_was_read(tmp_path: Path):
    path = write(tmp_path, thread(prompt(), answer(1)))
    first = amp.read(path, None)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    half = amp.read(path, first.state)
    assert (half.session, half.state.usage_records) == (None, 1)
    assert half.state.error
    path.write_bytes(whole)
    assert amp.read(path, half.state).requests == first.requests


def test_a_document_too_large_to_hold_is_an_error_with_words(tmp_path: Path):
    path = write(tmp_path, thread())
    with path.open("ab") as file:
        file.truncate(65 << 20)
    assert amp.read(path, None).state.error == TOO_LARGE


def test_a_name_in_a_thread_is_no_path(tmp_path: Path):
    (tmp_path / "secret.json").write_text(json.dumps(thread(prompt(), answer(1))))
    inside = event(None, 4, operationType="subagent", subagentThreadID="T-/../../secret")
    path = write(tmp_path, thread(prompt(), answer(1), events=[inside]))
    assert len(amp.read(path, None).requests) == 2


EVERYTHING = thread(
    prompt(),
    answer(1, text("Go"), tool(cmd="make"), stop="tool_use"),
    result("blocked-on-user"),
    answer(3, state={"type": "error", "error": {"message": "x", "status": 500}}),
    events=[event(1), event(7), event(None, 4, operationType="oracle", subagentThreadID=SUBAGENT)],
    originThreadID=FORK,
    forkPointIndex=0,
    mainThreadID=SUBAGENT,
)


@given(
    st.lists(
        st.tuples(st.sampled_from([place for place in places(EVERYTHING) if place]), anything),
        min_size=1,
        max_size=4,
    )
)
def test_any_value_in_any_field_is_borne(changes: list[Any]):
    document: Any = EVERYTHING
    for place, new in changes:
        document = replaced(document, place, new)
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), document)
        first = amp.read(path, None)
        again = amp.read(path, first.state)
    assert first.requests == again.requests
    for call in first.requests:
        assert min(call.input_tokens, call.output_tokens, call.cache_read_tokens) >= 0
        assert call.key.encode()
    if first.session is not None:
        told_of = first.session
        for word in (told_of.title, told_of.turn_detail, told_of.error_message, told_of.branch):
            assert word is None or word.encode("utf-8")


@given(st.binary(max_size=300), st.floats(0, 1))
def test_any_bytes_anywhere_are_borne(noise: bytes, place: float):
    whole = json.dumps(EVERYTHING).encode()
    at = int(place * len(whole))
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), {})
        path.write_bytes(whole[:at] + noise + whole[at:])
        facts = amp.read(path, None)
    assert facts.state.error or facts.session


def test_where_it_looks(tmp_path: Path):
    home = {"HOME": str(tmp_path)}
    assert amp.roots(home) == [tmp_path / ".local" / "share" / "amp" / "threads"]
    assert amp.roots(home | {"XDG_DATA_HOME": "/x"}) == [Path("/x/amp/threads")]
    named = {"AMP_DATA_DIR": "~/a", "AMP_DIR": "/b/threads"}
    assert amp.roots(home | named) == [tmp_path / "a" / "threads", Path("/b/threads")]
    assert amp.is_session_file(Path(f"/b/threads/{THREAD}.json"))
    assert not amp.is_session_file(Path("/b/threads/session.json"))


def test_calls_tell_the_specs_whose_files_they_touch(tmp_path: Path) -> None:
    used = answer(1, tool(path="/w/specs/168-a/README.md"), stop="tool_use")
    session = told(amp.read(write(tmp_path, thread(prompt(), used)), None))
    assert session.specs == ["168-a"]
