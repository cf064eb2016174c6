"""Whatever a transcript of Qwen Code holds, and however it grows: the same facts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.readers import qwen
from tests.readers.genai_records import (
    OTHER,
    Json,
    Place,
    anything,
    assert_plausible,
    changed,
    lines_of,
    places,
    read_in_pieces,
    uuid,
)
from tests.readers.qwen_records import (
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

FULL: list[Json] = [
    prompt(1, "Fix it", forkedFrom={"sessionId": OTHER, "messageUuid": uuid(1)}),
    report(2),
    answer(3, {"text": "hm", "thought": True}, {"text": "I will."}, call(command="make test")),
    telemetry(4, "tool_call", 3, call_id="c1", function_name="run_shell_command"),
    result(5),
    report(6, 200),
    answer(7, call("todo_write", "c2", todos=[{"status": "completed"}, {}]), parentUuid="x"),
    result(8, "c2", "cancelled"),
    of_subagent(9, 0),
    line(10, "system", 5, subtype="custom_title", systemPayload={"customTitle": "Repair"}),
    prompt(11, "More", 6),
    failure(12, 500),
    failure(13, 401, "Bad key"),
    report(14, 300),
    answer(15, usageMetadata=used(300), second=9),
    settled(16, "error", error={"message": "boom"}),
    line(17, "system", 9, subtype="rewind", systemPayload={}),
]
WHOLE = lines_of(FULL)
PLACES = [place for place in places(FULL) if place]


@given(st.lists(st.tuples(st.sampled_from(PLACES), anything), min_size=1, max_size=4))
def test_any_value_in_any_field_is_borne(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[Place, object]]
) -> None:
    records = changed(FULL, changes)
    folder = tmp_path_factory.mktemp("any")
    whole = lines_of(records)
    path = write(folder, [whole.rstrip(b"\n")])
    facts = qwen.read(path, None)
    assert_plausible(facts)
    assert facts.state.records + sum(facts.state.skipped.values()) == len(records)
    pieces, requests = read_in_pieces(qwen, path, whole, [len(whole) // 3, len(whole) // 2])
    assert pieces.session == facts.session
    assert requests == {one.key: one for one in facts.requests}
    assert_plausible(qwen.read(write_subagent(folder, records, records[0]), None))


@given(st.lists(st.integers(0, len(WHOLE)), max_size=6))
def test_reading_in_pieces_tells_what_reading_at_once_does(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    path = write(tmp_path_factory.mktemp("cuts"), FULL)
    facts = qwen.read(path, None)
    pieces, requests = read_in_pieces(qwen, path, WHOLE, cuts)
    assert pieces.session == facts.session
    assert requests == {one.key: one for one in facts.requests}
    for name in ("records", "usage_records", "repeated_records", "session_key", "line", "offset"):
        assert getattr(pieces.state, name) == getattr(facts.state, name)


@given(st.binary(max_size=200), st.integers(0, len(WHOLE)))
def test_any_bytes_anywhere_are_borne(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, position: int
) -> None:
    path = write(tmp_path_factory.mktemp("noise"), [])
    path.write_bytes(WHOLE[:position] + noise + WHOLE[position:] + b"\n")
    facts = qwen.read(path, None)
    assert_plausible(facts)
    assert facts.state.offset == len(WHOLE) + len(noise) + 1
