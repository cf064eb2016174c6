"""Whatever a log of Kimi holds, and however it grows: the reader stands."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.model import FileFacts
from lib.readers import kimi, lines
from lib.readers.values import NOT_JSON, TOO_DEEP
from tests.readers import kimi_records as one
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

CODE: list[Json] = [
    one.header(),
    one.record("profile.bind", 0, modelAlias="kimi/k2", environmentDisclosure={"cwd": "/x"}),
    one.prompt(),
    *one.call(2, "s1"),
    one.said("Running."),
    one.tool(command="make"),
    one.request(),
    one.resolved(),
    one.result(),
    one.record("tools.update_store", 5, key="todo", value=[{"status": "done"}]),
    *one.call(6, "s2", given=3),
    one.used(6, "session", given=900),
    one.record("turn.step.retrying", 7, nextAttempt=2, maxAttempts=3, statusCode=429),
    one.ended(),
    one.prompt("More", 8),
    one.ended("failed", 9, error={"code": "x", "message": "529", "details": {"statusCode": 529}}),
]
CLI: list[Json] = [
    {"type": "metadata", "protocol_version": "1.10"},
    one.message("TurnBegin", 1, user_input=[{"type": "text", "text": "Fix it"}]),
    one.message("StepBegin", 1, n=1),
    one.old_tool("Shell", command="make"),
    one.message("ApprovalRequest", 2, id="r1", description="Run it"),
    one.message("ApprovalResponse", 2, request_id="r1", response="approve"),
    one.status(3),
    one.old_result("t1", 4, {"type": "todo", "items": [{"status": "done"}]}),
    one.nested(one.status(5, "m2"), 5),
    one.message("StepRetry", 6, next_attempt=2, max_attempts=3, error_type="X", status_code=429),
    one.message("ContentPart", 7, type="text", text="Done."),
    one.message("QuestionRequest", 7, id="q1", questions=[{"question": "Which?"}]),
    one.message("StepInterrupted", 8),
    one.message("TurnEnd", 9),
]


class Case(NamedTuple):
    """One kind of log: its records and where they are written."""

    records: list[Json]
    write: Callable[..., Path]


CASES = {"code": Case(CODE, one.wire_file), "cli": Case(CLI, one.old_wire_file)}
PLACES: dict[str, list[Place]] = {
    name: [place for place in places(case.records) if place] for name, case in CASES.items()
}
both = pytest.mark.parametrize("name", CASES)


def check(facts: FileFacts) -> None:
    """What holds of any facts: counts are not negative, and every word can be stored."""
    for call in facts.requests:
        counts = (call.input_tokens, call.output_tokens, call.cache_read_tokens)
        assert min(*counts, call.cache_write_5m_tokens) >= 0
        assert call.key.encode()
        assert call.session_key.encode()
    if facts.session is not None:
        session = facts.session
        for word in (session.key, session.title, session.turn_detail, session.error_message):
            assert word is None or word.encode("utf-8")


@both
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
        facts = kimi.read(path, None)
        pieces, _, requests = in_pieces(kimi, path, whole, [len(whole) // 3, len(whole) // 2])
    check(facts)
    assert facts.state.offset == len(whole)
    assert facts.state.records + sum(facts.state.skipped.values()) == len(records)
    assert pieces.session == facts.session
    assert requests == {request.key: request for request in facts.requests}


@both
@given(state=anything)
def test_any_file_beside_is_borne(name: str, state: object):
    case = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        path = case.write(Path(folder), case.records)
        for above in (path.parent, path.parent.parent.parent):
            (above / "state.json").write_text(json.dumps(state))
        (Path(folder) / "kimi.json").write_text(json.dumps({"work_dirs": state}))
        check(kimi.read(path, None))


@both
@given(data=st.data())
def test_reading_in_pieces_tells_what_reading_at_once_does(name: str, data: st.DataObject):
    case = CASES[name]
    whole = lines_of(case.records)
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=6))
    with tempfile.TemporaryDirectory() as folder:
        path = case.write(Path(folder), case.records)
        facts = kimi.read(path, None)
        pieces, _, requests = in_pieces(kimi, path, whole, cuts)
    assert pieces.session == facts.session
    assert requests == {request.key: request for request in facts.requests}
    for field in ("records", "usage_records", "repeated_records", "session_key", "line", "offset"):
        assert getattr(pieces.state, field) == getattr(facts.state, field)


@both
@given(noise=st.binary(max_size=200), data=st.data())
def test_any_bytes_anywhere_are_borne(name: str, noise: bytes, data: st.DataObject):
    case = CASES[name]
    whole = lines_of(case.records)
    position = data.draw(st.integers(0, len(whole)))
    with tempfile.TemporaryDirectory() as folder:
        path = case.write(Path(folder), [])
        path.write_bytes(whole[:position] + noise + whole[position:] + b"\n")
        facts = kimi.read(path, None)
    check(facts)
    assert facts.state.offset == len(whole) + len(noise) + 1


@both
def test_hostile_lines_are_skipped_with_a_reason(name: str, tmp_path: Path):
    case = CASES[name]
    deep = b'{"type":"turn.prompt","input":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    long = b'{"type":"turn.prompt","input":"' + b"x" * (17 << 20) + b'"}'
    other = [b"[1,2]", b"\x00\x00", b"\xff\xfe"]
    facts = kimi.read(case.write(tmp_path, [*case.records, deep, long, *other]), None)
    assert facts.state.skipped[TOO_DEEP] == 1
    assert facts.state.skipped[lines.TOO_LONG] == 1
    assert sum(facts.state.skipped.values()) == 5
    assert told(facts) == told(kimi.read(case.write(tmp_path, case.records), None))


@both
def test_an_impossible_count_costs_its_record_only(name: str, tmp_path: Path):
    case = CASES[name]
    wrong = one.used(3, given=-4) if name == "code" else one.status(3, "m9", given=-4)
    facts = kimi.read(case.write(tmp_path, [*case.records, wrong]), None)
    known = kimi.read(case.write(tmp_path, case.records), None)
    assert facts.state.skipped == {"implausible token count": 1}
    assert facts.requests == known.requests


def test_a_record_cut_off_by_a_kill_costs_no_other(tmp_path: Path):
    texts = [json.dumps(record, separators=(",", ":")).encode() for record in CODE]
    glued = [*texts[:4], texts[4][:60] + texts[5], *texts[6:]]
    facts = kimi.read(one.wire_file(tmp_path, glued), None)
    assert facts.state.skipped == {NOT_JSON: 1}
    assert facts.state.records == len(texts) - 1


@both
def test_an_empty_file_is_no_session(name: str, tmp_path: Path):
    facts = kimi.read(CASES[name].write(tmp_path, []), None)
    assert (facts.session, facts.requests, facts.more_sessions) == (None, [], [])


@both
def test_a_file_that_is_gone_is_an_error_of_the_system(name: str, tmp_path: Path):
    path = CASES[name].write(tmp_path, [])
    path.unlink()
    with pytest.raises(FileNotFoundError):
        kimi.read(path, None)
