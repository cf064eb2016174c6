"""Whatever a rollout holds, and however it grows: the reader stands, and tells the same facts."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.readers import codex, lines
from lib.readers.values import NOT_JSON, TOO_DEEP
from tests.readers.codex_rollouts import (
    CHILD,
    PARENT,
    TURN_1,
    TURN_2,
    Json,
    call_record,
    context,
    count,
    event,
    item,
    line,
    meta,
    read_in_pieces,
    told,
    usage,
    write,
)

FULL: list[Json] = [
    meta(CHILD, 1, forked_from_id=PARENT, source={"subagent": {"thread_spawn": {}}}),
    meta(PARENT, 1),
    line("world_state", {"full": True, "state": {"a": [1, 2]}}, 1),
    event("task_started", 2, turn_id=TURN_1, model_context_window=258_400),
    context(second=2, turn_id=TURN_1, approvals_reviewer="user"),
    item("message", 2, role="user", content=[{"type": "input_text", "text": "Fix it"}]),
    event("user_message", 2, message="Fix it"),
    count(usage(100, 60, 10), usage(100, 60, 10), 3),
    item("reasoning", 3, summary=[], encrypted_content="xyz"),
    item(
        "function_call",
        4,
        name="update_plan",
        call_id="a",
        arguments=json.dumps({"plan": [{"step": "x", "status": "completed"}]}),
    ),
    item("function_call_output", 5, call_id="a", output="Plan updated"),
    item(
        "function_call",
        5,
        name="exec_command",
        call_id="b",
        arguments=json.dumps({"cmd": "sleep 9", "sandbox_permissions": "require_escalated"}),
    ),
    count(
        usage(100, 60, 10),
        usage(100, 60, 10),
        6,
        rate_limits={
            "primary": {"used_percent": 100, "resets_in_seconds": 60},
            "secondary": {"used_percent": 7, "resets_at": 1_772_370_000},
        },
    ),
    item("function_call_output", 7, call_id="b", output='{"exit": 0}'),
    event("agent_message", 8, message="Half done"),
    count(usage(300, 160, 30), usage(200, 100, 20), 8),
    event("task_complete", 9, last_agent_message="Done", error=None),
    event("task_started", 20, turn_id=TURN_2),
    event(
        "item_completed",
        20,
        thread_id=CHILD,
        turn_id=TURN_2,
        item={"type": "UserMessage", "content": [{"type": "text", "text": "More"}]},
    ),
    call_record("resp_1", usage(50, 0, 5), usage(350, 160, 35), thread_id=CHILD),
    event("stream_error", 21, message="again"),
    item("custom_tool_call", 22, name="apply_patch", call_id="c", input="*** Update File: a.py"),
    event("error", 23, message="quota", codex_error_info="usage_limit_exceeded"),
    event("thread_name_updated", 24, thread_name="Repair"),
    event("turn_aborted", 25, reason="interrupted"),
]
WHOLE = b"".join(json.dumps(record, separators=(",", ":")).encode() + b"\n" for record in FULL)

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["-5", "12", "1e9", "\ud800", "\x00", "2026-03-01T12:00:00Z", PARENT]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value: object, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The place of everything in a JSON value, itself included."""
    found = [place]
    if isinstance(value, dict):
        for name, inner in value.items():
            found += places(inner, (*place, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found += places(inner, (*place, index))
    return found


PLACES = [place for place in places(FULL) if place]


def replaced(value: Any, place: tuple[str | int, ...], new: object) -> Any:
    if not place:
        return new
    copy = value.copy()
    copy[place[0]] = replaced(value[place[0]], place[1:], new)
    return copy


def changed(changes: list[tuple[tuple[str | int, ...], object]]) -> Any:
    """`FULL` with other values at some places, those that are still there."""
    records: Any = FULL
    for place, new in changes:
        try:
            records = replaced(records, place, new)
        except (KeyError, IndexError, TypeError, AttributeError):
            continue
    return records


@given(st.lists(st.tuples(st.sampled_from(PLACES), anything), max_size=4))
def test_what_is_known_by_its_first_bytes_tells_what_decoding_it_whole_does(
    changes: list[tuple[tuple[str | int, ...], object]],
):
    with tempfile.TemporaryDirectory() as folder:
        known, whole = (
            codex.read(write(Path(folder), CHILD, changed(changes), separators=separators), None)
            for separators in ((",", ":"), (", ", ": "))
        )
    assert known.requests == whole.requests
    assert known.session == whole.session
    for name in ("records", "usage_records", "repeated_records", "skipped", "unknown", "line"):
        assert getattr(known.state, name) == getattr(whole.state, name)


@given(st.lists(st.tuples(st.sampled_from(PLACES), anything), min_size=1, max_size=4))
def test_any_value_in_any_field_is_borne(changes: list[tuple[tuple[str | int, ...], object]]):
    records = changed(changes)
    with tempfile.TemporaryDirectory() as folder:
        whole = b"".join(json.dumps(record).encode() + b"\n" for record in records)
        path = write(Path(folder), CHILD, [])
        path.write_bytes(whole)
        facts = codex.read(path, None)
        pieces, requests = read_in_pieces(path, whole, [len(whole) // 3, len(whole) // 2])
    for call in facts.requests:
        assert (
            min(
                call.input_tokens, call.output_tokens, call.cache_read_tokens, call.reasoning_tokens
            )
            >= 0
        )
        assert call.key.encode()
        assert call.session_key.encode()
    assert facts.state.offset == len(whole)
    assert facts.state.records + sum(facts.state.skipped.values()) == len(records)
    assert (pieces.session, requests) == (facts.session, facts.requests)


@given(st.lists(st.integers(0, len(WHOLE)), max_size=6))
def test_reading_in_pieces_tells_what_reading_at_once_does(cuts: list[int]):
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), CHILD, [])
        path.write_bytes(WHOLE)
        facts = codex.read(path, None)
        pieces, requests = read_in_pieces(path, WHOLE, cuts)
    assert pieces.session == facts.session
    assert requests == facts.requests
    for name in ("records", "usage_records", "repeated_records", "session_key", "line", "offset"):
        assert getattr(pieces.state, name) == getattr(facts.state, name)


def test_every_prefix_by_records_differs_from_reading_at_once_in_nothing(tmp_path: Path):
    path = write(tmp_path, CHILD, FULL)
    facts = codex.read(path, None)
    ends = [index + 1 for index, byte in enumerate(WHOLE) if byte == ord("\n")]
    pieces, requests = read_in_pieces(path, WHOLE, ends)
    assert (pieces.session, requests) == (facts.session, facts.requests)
    assert [request.input_tokens for request in requests] == [40, 100, 50]


@given(st.binary(max_size=200), st.integers(0, len(WHOLE)))
def test_any_bytes_anywhere_are_borne(noise: bytes, position: int):
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), CHILD, [])
        path.write_bytes(WHOLE[:position] + noise + WHOLE[position:] + b"\n")
        facts = codex.read(path, None)
    assert facts.state.offset == len(WHOLE) + len(noise) + 1
    if position >= WHOLE.index(b"\n"):
        assert told(facts).session_id == CHILD


@pytest.mark.parametrize("victim", [1, 2, 7, 8, 10, 14])
@pytest.mark.parametrize("kept", [60, -1, -9])
def test_a_record_cut_off_by_a_kill_costs_no_other(tmp_path: Path, victim: int, kept: int):
    texts = [json.dumps(record, separators=(",", ":")).encode() for record in FULL]
    next_one = json.dumps(call_record("resp_2", usage(7, 0, 1)), separators=(",", ":")).encode()
    glued = [*texts[:victim], texts[victim][:kept] + next_one, *texts[victim + 1 :]]
    facts = codex.read(write(tmp_path, CHILD, glued), None)
    assert facts.state.skipped == {NOT_JSON: 1}
    assert facts.state.records == len(FULL)
    assert "codex:resp_2" in {request.key for request in facts.requests}


@pytest.mark.parametrize("victim", [2, 8, 10])
def test_a_damaged_record_without_facts_is_counted(tmp_path: Path, victim: int):
    texts = [json.dumps(record, separators=(",", ":")).encode() for record in FULL]
    texts[victim] = texts[victim][:-3]
    facts = codex.read(write(tmp_path, CHILD, texts), None)
    assert facts.state.skipped == {NOT_JSON: 1}


def test_invalid_utf8_costs_only_its_characters(tmp_path: Path):
    prompt = (
        b'{"timestamp":"x","type":"event_msg","payload":{"type":"user_message","message":"a\xffb"}}'
    )
    session = told(codex.read(write(tmp_path, PARENT, [meta(PARENT), prompt]), None))
    assert session.first_prompt == "a\ufffdb"


def test_deep_nesting_is_skipped_with_a_reason(tmp_path: Path):
    deep = b'{"type":"event_msg","payload":{"type":"error","error":' + b"[" * 200_000
    deep += b"]" * 200_000 + b"}}"
    facts = codex.read(write(tmp_path, PARENT, [meta(PARENT), deep, count(usage(5, 0, 1))]), None)
    assert facts.state.skipped == {TOO_DEEP: 1}
    assert len(facts.requests) == 1


def test_a_line_of_20_megabytes_is_skipped_with_a_reason(tmp_path: Path):
    long = item("function_call_output", call_id="a", output="x" * (20 << 20))
    facts = codex.read(write(tmp_path, PARENT, [meta(PARENT), long, count(usage(5, 0, 1))]), None)
    assert facts.state.skipped == {lines.TOO_LONG: 1}
    assert len(facts.requests) == 1


@pytest.mark.parametrize("size", [10, 15 << 20])
def test_long_records_up_to_the_limit_are_read(tmp_path: Path, size: int):
    long = event("agent_message", message="x" * size)
    facts = codex.read(write(tmp_path, PARENT, [meta(PARENT), context(), long]), None)
    assert (facts.state.records, facts.state.skipped) == (3, {})
    assert (told(facts).last_message or "").startswith("xxx")
