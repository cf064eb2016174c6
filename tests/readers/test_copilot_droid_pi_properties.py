"""Whatever a file of Copilot, Droid or pi holds, and however it grows: the readers stand."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.model import FileFacts
from lib.readers import copilot, droid, lines, pi
from lib.readers.values import NOT_JSON, TOO_DEEP
from tests.readers import copilot_records, droid_records, pi_records
from tests.readers.copilot_records import CHILD, events_file, metrics, used
from tests.readers.json_lines import (
    Json,
    Place,
    anything,
    in_pieces,
    lines_of,
    places,
    replaced,
    told,
)

COPILOT: list[Json] = [
    copilot_records.start(),
    copilot_records.prompt(),
    copilot_records.event("system.message", 1, role="system", content="You are"),
    copilot_records.event("assistant.turn_start", 2),
    used("a", second=2),
    copilot_records.answer("Delegating.", 3, tools=1),
    copilot_records.tool("task", "t1", 4, prompt="compute"),
    copilot_records.event(
        "subagent.started", 4, CHILD, toolCallId="t1", agentDisplayName="compute", model="m"
    ),
    copilot_records.prompt("Compute", 5, CHILD, source=f"agent-{CHILD}"),
    used("b", second=6, agent=CHILD, source="elsewhere"),
    copilot_records.tool("bash", "t2", 7, CHILD, command="make"),
    copilot_records.event(
        "permission.requested",
        7,
        CHILD,
        requestId="r",
        permissionRequest={"kind": "shell", "toolCallId": "t2"},
    ),
    copilot_records.event(
        "permission.completed", 8, CHILD, requestId="r", result={"kind": "approved"}
    ),
    copilot_records.result("t2", 8, CHILD),
    copilot_records.answer("42", 9, CHILD),
    copilot_records.event("subagent.completed", 9, CHILD, toolCallId="t1"),
    copilot_records.result("t1", 10),
    copilot_records.event("session.model_change", 10, newModel="other"),
    used("c", second=11),
    used("c", second=11),
    copilot_records.answer("It is 42.", 12),
    copilot_records.event("assistant.turn_end", 12),
    copilot_records.event("session.context_changed", 12, cwd="/home/dev/beta", branch="b"),
    copilot_records.shutdown(13, m=metrics(330, 30, 300)),
    copilot_records.event("session.resume", 14, context={"cwd": "/home/dev/alpha"}),
    copilot_records.prompt("More", 15),
    copilot_records.event(
        "session.error", 16, errorType="rate_limit", message="slow", statusCode=429
    ),
    copilot_records.event("abort", 17, reason="user_initiated"),
]
OLD_COPILOT: list[Json] = [
    copilot_records.start(version="0.0.400"),
    copilot_records.prompt(),
    copilot_records.answer("One.", 3),
    copilot_records.shutdown(4, began=0, m=metrics(100, 10, 50), n=metrics(1, 1)),
    copilot_records.event("session.resume", 5),
    copilot_records.answer("Two.", 6),
    copilot_records.shutdown(7, began=0, m=metrics(300, 30, 150), n=metrics(1, 1)),
    copilot_records.event("session.resume", 8),
    copilot_records.answer("Three.", 9),
    copilot_records.shutdown(10, began=8, m=metrics(40, 4, 20)),
]
DROID: list[Json] = [
    droid_records.header(callingSessionId=droid_records.OTHER),
    droid_records.prompt(),
    droid_records.answer("Running.", 2, droid_records.tool(command="make")),
    droid_records.result(),
    droid_records.answer(
        "Plan.", 4, droid_records.tool("TodoWrite", "t2", todos=[{"status": "completed"}])
    ),
    droid_records.result("t2", 5),
    droid_records.answer("Done.", 6),
    droid_records.outcome("completed"),
    droid_records.prompt("More", 7),
    droid_records.notice("Error: 429"),
    droid_records.outcome("model_rate_limit_failed"),
]
PI: list[Json] = [
    pi_records.header(pi_records.FORK, 5, parentSession=f"/x/1_{pi_records.SESSION}.jsonl"),
    pi_records.entry("model_change", 1, provider="anthropic", modelId="m"),
    pi_records.prompt(),
    pi_records.answer(2, {"type": "thinking"}, pi_records.tool(command="make"), stop="toolUse"),
    pi_records.result(),
    pi_records.answer(4, pi_records.text("Done."), call="r1"),
    pi_records.entry("compaction", 5, summary="x", tokensBefore=5),
    pi_records.prompt("More", 6),
    pi_records.answer(7, stop="error", errorMessage="529 overloaded", used=pi_records.usage(1, 0)),
    pi_records.entry("session_info", 8, name="Repair"),
    pi_records.answer(9, stop="aborted", used=pi_records.usage(3, 1)),
]


class Case(NamedTuple):
    """One agent's file: its reader, its records and where they are written."""

    reader: ModuleType
    records: list[Json]
    write: Callable[..., Path]


CASES = {
    "copilot": Case(copilot, COPILOT, events_file),
    "old copilot": Case(copilot, OLD_COPILOT, events_file),
    "droid": Case(droid, DROID, droid_records.transcript),
    "pi": Case(pi, PI, pi_records.session_file),
}
PLACES: dict[str, list[Place]] = {
    name: [place for place in places(case.records) if place] for name, case in CASES.items()
}
every_agent = pytest.mark.parametrize("name", CASES)


def check(facts: FileFacts) -> None:
    """What holds of any facts: counts are not negative, and every word can be stored."""
    for call in facts.requests:
        counts = (
            call.input_tokens,
            call.output_tokens,
            call.cache_read_tokens,
            call.cache_write_5m_tokens,
            call.cache_write_1h_tokens,
            call.reasoning_tokens,
        )
        assert min(counts) >= 0
        assert call.reasoning_tokens <= call.output_tokens
        assert call.key.encode()
        assert call.session_key.encode()
    for session in (facts.session, *facts.more_sessions):
        if session is not None:
            for word in (session.key, session.title, session.turn_detail, session.error_message):
                assert word is None or word.encode("utf-8")


@every_agent
@given(data=st.data())
def test_any_value_in_any_field_is_borne(name: str, data: st.DataObject):
    case = CASES[name]
    changes = st.tuples(st.sampled_from(PLACES[name]), anything)
    records: Any = case.records
    for place, new in data.draw(st.lists(changes, min_size=1, max_size=4)):
        records = replaced(records, place, new)
    whole = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    with tempfile.TemporaryDirectory() as folder:
        path = case.write(Path(folder), [])
        path.write_bytes(whole)
        facts = case.reader.read(path, None)
        cuts = [len(whole) // 3, len(whole) // 2]
        pieces, sessions, requests = in_pieces(case.reader, path, whole, cuts)
    check(facts)
    assert facts.state.offset == len(whole)
    assert facts.state.records + sum(facts.state.skipped.values()) == len(records)
    assert pieces.session == facts.session
    assert requests == {request.key: request for request in facts.requests}
    for session in facts.more_sessions:
        assert sessions[session.key] == session


@every_agent
@given(data=st.data())
def test_reading_in_pieces_tells_what_reading_at_once_does(name: str, data: st.DataObject):
    case = CASES[name]
    whole = lines_of(case.records)
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=6))
    with tempfile.TemporaryDirectory() as folder:
        path = case.write(Path(folder), case.records)
        facts = case.reader.read(path, None)
        pieces, sessions, requests = in_pieces(case.reader, path, whole, cuts)
    assert pieces.session == facts.session
    assert requests == {request.key: request for request in facts.requests}
    for session in facts.more_sessions:
        assert sessions[session.key] == session
    for field in ("records", "usage_records", "repeated_records", "session_key", "line", "offset"):
        assert getattr(pieces.state, field) == getattr(facts.state, field)


@every_agent
@given(noise=st.binary(max_size=200), data=st.data())
def test_any_bytes_anywhere_are_borne(name: str, noise: bytes, data: st.DataObject):
    case = CASES[name]
    whole = lines_of(case.records)
    position = data.draw(st.integers(0, len(whole)))
    with tempfile.TemporaryDirectory() as folder:
        path = case.write(Path(folder), [])
        path.write_bytes(whole[:position] + noise + whole[position:] + b"\n")
        facts = case.reader.read(path, None)
    check(facts)
    assert facts.state.offset == len(whole) + len(noise) + 1


@every_agent
@pytest.mark.parametrize("victim", [1, 2])
@pytest.mark.parametrize("kept", [-9, 60])
def test_a_record_cut_off_by_a_kill_costs_no_other(
    name: str, victim: int, kept: int, tmp_path: Path
):
    case = CASES[name]
    texts = [json.dumps(record, separators=(",", ":")).encode() for record in case.records]
    glued = [*texts[:victim], texts[victim][:kept] + texts[victim + 1], *texts[victim + 2 :]]
    facts = case.reader.read(case.write(tmp_path, glued), None)
    assert facts.state.skipped == {NOT_JSON: 1}
    assert facts.state.records == len(texts) - 1


@every_agent
def test_hostile_lines_are_skipped_with_a_reason(name: str, tmp_path: Path):
    case = CASES[name]
    deep = b'{"type":"message","data":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    long = b'{"type":"message","data":"' + b"x" * (17 << 20) + b'"}'
    other = [b"[1,2]", b"\x00\x00", b"\xff\xfe"]
    path = case.write(tmp_path, [*case.records, deep, long, *other])
    facts = case.reader.read(path, None)
    assert facts.state.skipped[TOO_DEEP] == 1
    assert facts.state.skipped[lines.TOO_LONG] == 1
    assert sum(facts.state.skipped.values()) == 5
    assert told(facts).turn == told(case.reader.read(case.write(tmp_path, case.records), None)).turn


@every_agent
def test_unknown_kinds_and_fields_cost_nothing(name: str, tmp_path: Path):
    case = CASES[name]
    known = case.reader.read(case.write(tmp_path, case.records), None)
    drifted: list[Json] = []
    for record in case.records:
        drifted += [record | {"new_field": {"a": [1]}}, {"type": "brand.new", "data": {"x": 1}}]
    facts = case.reader.read(case.write(tmp_path, drifted), None)
    assert facts.state.skipped == {}
    assert told(facts) == told(known)
    assert facts.requests == known.requests


@every_agent
def test_an_empty_file_is_no_session(name: str, tmp_path: Path):
    case = CASES[name]
    facts = case.reader.read(case.write(tmp_path, []), None)
    assert (facts.session, facts.requests, facts.more_sessions) == (None, [], [])


@every_agent
def test_a_file_that_is_gone_is_an_error_of_the_system(name: str, tmp_path: Path):
    case = CASES[name]
    path = case.write(tmp_path, [])
    path.unlink()
    with pytest.raises(FileNotFoundError):
        case.reader.read(path, None)
