"""What Copilot's files are known to do to those who count their tokens."""

from pathlib import Path

import pytest

from lib.model import FileFacts
from lib.readers import copilot
from lib.readers.copilot_usage import AGGREGATE, MISSING_MODEL, NOT_YET_TOLD, TOTAL_MISMATCH
from tests.readers.copilot_records import (
    MODEL,
    OTHER,
    SESSION,
    answer,
    event,
    events_file,
    metrics,
    prompt,
    shutdown,
    start,
    used,
)
from tests.readers.json_lines import Json, moment_ms, owned, tokens, told

OLD = start(version="0.0.400")


def read(folder: Path, *records: Json) -> FileFacts:
    return copilot.read(events_file(folder, list(records)), None)


def counts(facts: FileFacts) -> dict[str, tuple[int, int, int, int, int]]:
    return {request.model or "": tokens(request) for request in facts.requests}


def test_everything_cached_is_inside_the_input(tmp_path: Path):
    facts = read(tmp_path, start(), used(given=180, cacheWriteTokens=30, reasoningTokens=4))
    (call,) = facts.requests
    assert tokens(call) == (50, 10, 100, 30, 4)
    assert (call.key, call.model, call.at) == ("copilot:a", MODEL, moment_ms(2))
    session = told(facts)
    assert (session.context_tokens, session.context_window) == (190, 128_000)


def test_cached_tokens_beyond_the_input_are_a_mismatch(tmp_path: Path):
    facts = read(tmp_path, start(), used(given=90))
    assert told(facts).flags == [TOTAL_MISMATCH]
    assert facts.requests[0].input_tokens == 0


def test_a_repeated_record_is_one_call(tmp_path: Path):
    facts = read(tmp_path, start(), prompt(), used("a"), used("a"), used("b"))
    assert sorted(call.key for call in facts.requests) == ["copilot:a", "copilot:b"]
    assert (facts.state.usage_records, facts.state.repeated_records) == (3, 1)
    assert told(facts).turn_requests == 2


def test_a_call_without_an_id_is_known_by_its_place_in_the_account(tmp_path: Path):
    facts = read(tmp_path, start(), used(None), used(None))
    assert [call.key for call in facts.requests] == [f"copilot:{SESSION}:1"]


def test_a_copied_history_belongs_to_the_session_that_made_it(tmp_path: Path):
    first = events_file(tmp_path, [start(), used("a")])
    records = [start(), used("a"), used("b", source=OTHER)]
    second = events_file(tmp_path, records, OTHER)
    session = told(copilot.read(second, None))
    assert (session.key, session.forked_from) == (f"copilot:{OTHER}", f"copilot:{SESSION}")
    for order in ((first, second), (second, first)):
        calls = owned(copilot, *order)
        assert {key: call.session_key for key, call in calls.items()} == {
            "copilot:a": f"copilot:{SESSION}",
            "copilot:b": f"copilot:{OTHER}",
        }


def test_totals_count_nothing_beside_usage_records(tmp_path: Path):
    facts = read(tmp_path, start(), used(), shutdown(m=metrics(110, 10, 100)))
    assert len(facts.requests) == 1
    assert told(facts).flags == []
    facts = read(tmp_path, start(), used(), shutdown(m=metrics(500, 10, 100)))
    assert len(facts.requests) == 1
    assert told(facts).flags == [TOTAL_MISMATCH]


def test_totals_are_counted_where_there_are_no_records(tmp_path: Path):
    facts = read(tmp_path, OLD, answer(), shutdown(m=metrics(100, 10, 60, 5, 2), n=metrics(7, 1)))
    assert counts(facts) == {"m": (35, 10, 60, 5, 2), "n": (7, 1, 0, 0, 0)}
    assert {call.at for call in facts.requests} == {moment_ms(9)}
    assert told(facts).flags == [AGGREGATE]


def test_a_model_without_tokens_in_the_totals_is_no_call(tmp_path: Path):
    facts = read(tmp_path, OLD, answer(), shutdown(m=metrics(100, 10), n=metrics(0, 0)))
    assert counts(facts) == {"m": (100, 10, 0, 0, 0)}


def test_both_shapes_of_totals_are_read(tmp_path: Path):
    new = event("session.shutdown", 9, accountingSnapshot={"modelMetrics": {"m": metrics(5, 1)}})
    assert counts(read(tmp_path, OLD, new)) == {"m": (5, 1, 0, 0, 0)}


@pytest.mark.parametrize(
    ("began", "expected"),
    [((0, 0), 300), ((0, 5), 400), ((None, None), 300)],
    ids=["of the session", "of the process", "unsaid and growing"],
)
def test_totals_of_a_resumed_session_count_once(
    tmp_path: Path, began: tuple[float | None, float | None], expected: int
):
    totals = [shutdown(4, began[0], m=metrics(100, 1)), shutdown(9, began[1], m=metrics(300, 3))]
    assert counts(read(tmp_path, OLD, *totals))["m"][0] == expected


def test_unsaid_totals_that_fall_have_begun_anew(tmp_path: Path):
    totals = [shutdown(4, None, m=metrics(100, 9)), shutdown(9, None, m=metrics(300, 3))]
    assert counts(read(tmp_path, OLD, *totals))["m"][:2] == (400, 12)


def test_totals_from_before_an_update_stay_beside_the_records_after_it(tmp_path: Path):
    facts = read(
        tmp_path, OLD, shutdown(4, m=metrics(100, 1)), used(), shutdown(9, m=metrics(210, 11))
    )
    assert sum(call.output_tokens for call in facts.requests) == 11
    assert told(facts).flags == [AGGREGATE]


def test_what_no_record_tells_yet_is_said(tmp_path: Path):
    assert told(read(tmp_path, OLD, prompt(), answer())).flags == [NOT_YET_TOLD]
    ended = [OLD, prompt(), answer(), shutdown(m=metrics(5, 1))]
    assert told(read(tmp_path, *ended)).flags == [AGGREGATE]
    assert told(read(tmp_path, *ended, answer(second=12))).flags == [AGGREGATE, NOT_YET_TOLD]
    assert told(read(tmp_path, start(), used(model=None))).flags == [MISSING_MODEL]


def test_an_impossible_count_is_skipped_with_its_reason(tmp_path: Path):
    facts = read(tmp_path, start(), used(given=-1), used("b"))
    assert [call.key for call in facts.requests] == ["copilot:b"]
    assert facts.state.skipped == {"implausible token count": 1}
