"""Counting of Codex's calls: each once, with the right tokens, whatever copies lie about."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.readers import codex
from lib.readers.values import IMPLAUSIBLE_TOKENS
from tests.readers.codex_rollouts import (
    CHILD,
    PARENT,
    Json,
    call_record,
    context,
    count,
    event,
    meta,
    read_all,
    tokens,
    told,
    usage,
    write,
)

CORPUS = Path(__file__).resolve().parents[2].parent / "shared" / "corpus" / "codex"
MISSING = {"interactive": {"input": 18, "output": 16, "cache_read": 5402, "reasoning": 0}}
"""Requests for a title, which the terminal interface makes and no rollout records."""
KINDS = ("input", "output", "cache_read", "reasoning")


def scenarios() -> list[str]:
    return sorted(folder.name for folder in CORPUS.iterdir()) if CORPUS.is_dir() else []


@pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus of real files at {CORPUS}")
class TestRealFiles:
    @pytest.mark.parametrize("scenario", scenarios())
    def test_tokens_by_kind_and_model_are_those_that_the_server_sent(self, scenario: str):
        expected = json.loads((CORPUS / scenario / "expected.json").read_text())
        sent: dict[str, dict[str, int]] = {}
        for answer in expected["responses_completed"]:
            kinds = sent.setdefault(answer["model"], dict.fromkeys(KINDS, 0))
            for kind in KINDS:
                kinds[kind] += answer["usage"][kind]
        if (missing := MISSING.get(scenario)) is not None:
            for kind in KINDS:
                sent["gpt-5.5"][kind] -= missing[kind]

        read: dict[str, dict[str, int]] = {}
        for call in read_all(*(CORPUS / scenario / "home").rglob("rollout-*.jsonl")).values():
            kinds = read.setdefault(call.model or "", dict.fromkeys(KINDS, 0))
            kinds["input"] += call.input_tokens
            kinds["output"] += call.output_tokens
            kinds["cache_read"] += call.cache_read_tokens
            kinds["reasoning"] += call.reasoning_tokens
        assert read == sent

    def test_what_is_known_to_be_missing_is_flagged(self):
        (path,) = (CORPUS / "interactive" / "home").rglob("rollout-*.jsonl")
        assert "hidden_requests" in told(codex.read(path, None)).flags

    def test_each_subagents_calls_are_its_own(self):
        expected = json.loads((CORPUS / "subagent" / "expected.json").read_text())
        output: dict[bool, int] = {}
        for path in (CORPUS / "subagent" / "home").rglob("rollout-*.jsonl"):
            facts = codex.read(path, None)
            called = sum(call.output_tokens for call in facts.requests)
            output[told(facts).parent_key is not None] = called
        threads = expected["totals_sent_by_thread"]
        assert output == {False: threads["main"]["output"], True: threads["sub"]["output"]}

    def test_old_events_alone_come_to_the_same(self, tmp_path: Path):
        """Without its newer records a rollout is as an older version would have written it."""
        compared = 0
        for path in CORPUS.glob("*/home/**/rollout-*.jsonl"):
            kept = [
                text
                for text in path.read_bytes().splitlines()
                if b'"type":"token_usage_record"' not in text
            ]
            old = write(tmp_path, CHILD, kept)
            if tokens(old):
                recorded = tokens(path)[: len(tokens(old))]
                assert tokens(old) == recorded
                compared += 1
        assert compared > 5


class TestTotals:
    def test_a_call_is_what_was_added_to_the_total(self, tmp_path: Path):
        path = write(
            tmp_path,
            PARENT,
            [
                meta(PARENT),
                context(),
                count(usage(100, 60, 10, 4), usage(100, 60, 10, 4)),
                count(usage(350, 260, 30, 4), usage(250, 200, 20)),
            ],
        )
        assert tokens(path) == [(40, 10, 60, 4), (50, 20, 200, 0)]

    def test_x02_totals_alone_are_enough(self, tmp_path: Path):
        records = [meta(PARENT), context(), count(usage(100, 0, 10)), count(usage(300, 50, 15))]
        assert tokens(write(tmp_path, PARENT, records)) == [(100, 10, 0, 0), (150, 5, 50, 0)]

    def test_last_usage_alone_is_enough_and_equal_turns_are_two(self, tmp_path: Path):
        records = [
            meta(PARENT),
            context(),
            count(None, usage(9, 0, 1)),
            count(None, usage(9, 0, 1)),
        ]
        path = write(tmp_path, PARENT, records)
        assert tokens(path) == [(9, 1, 0, 0), (9, 1, 0, 0)]
        assert len(read_all(path)) == 2

    def test_x03_an_unchanged_total_is_no_call(self, tmp_path: Path):
        same = usage(100, 0, 10)
        records = [meta(PARENT), context(), count(same, same), count(same, same), count(same)]
        facts = codex.read(write(tmp_path, PARENT, records), None)
        assert len(facts.requests) == 1
        assert (facts.state.usage_records, facts.state.repeated_records) == (3, 2)

    def test_a_smaller_total_is_a_counter_that_began_anew(self, tmp_path: Path):
        records = [
            meta(PARENT),
            context(),
            count(usage(500, 0, 50)),
            count(usage(120, 0, 12), usage(20, 0, 2)),
            count(usage(50, 0, 5)),
        ]
        assert [call[:2] for call in tokens(write(tmp_path, PARENT, records))] == [
            (500, 50),
            (20, 2),
            (50, 5),
        ]

    def test_x05_a_call_without_model_is_counted_and_flagged(self, tmp_path: Path):
        facts = codex.read(write(tmp_path, PARENT, [meta(PARENT), count(usage(7, 0, 1))]), None)
        assert [call.model for call in facts.requests] == [None]
        assert "missing_model" in told(facts).flags

    def test_x09_a_count_before_any_message_is_a_call(self, tmp_path: Path):
        records = [
            meta(PARENT),
            context(),
            count(usage(7, 0, 1)),
            event("agent_message", message="x"),
        ]
        assert tokens(write(tmp_path, PARENT, records)) == [(7, 1, 0, 0)]

    def test_a_model_counts_from_where_it_was_set(self, tmp_path: Path):
        settings = event("thread_settings_applied", thread_settings={"model": "gpt-5.4"})
        records = [
            meta(PARENT),
            context("gpt-5.5"),
            count(usage(1, 0, 1)),
            settings,
            count(usage(2, 0, 2)),
        ]
        facts = codex.read(write(tmp_path, PARENT, records), None)
        assert [call.model for call in facts.requests] == ["gpt-5.5", "gpt-5.4"]
        assert told(facts).model == "gpt-5.4"


class TestContradictions:
    @pytest.mark.parametrize(
        "used",
        [
            {**usage(10, 0, 5), "total_tokens": 99},
            usage(10, 30, 5),
            usage(10, 0, 5, reasoning=8),
        ],
    )
    def test_are_counted_and_flagged(self, tmp_path: Path, used: Json):
        records = [meta(PARENT), context(), call_record("resp_1", used)]
        facts = codex.read(write(tmp_path, PARENT, records), None)
        assert len(facts.requests) == 1
        assert facts.requests[0].input_tokens >= 0
        assert told(facts).flags == ["total_mismatch"]

    @pytest.mark.parametrize("impossible", [-1, 10**13, 10**40, -(10**40), 1e300])
    def test_impossible_counts_are_skipped_with_a_reason(self, tmp_path: Path, impossible: float):
        used = {**usage(10, 0, 5), "output_tokens": impossible}
        records = [meta(PARENT), context(), call_record("resp_1", used), count(used)]
        facts = codex.read(write(tmp_path, PARENT, records), None)
        assert facts.requests == []
        assert facts.state.skipped == {IMPLAUSIBLE_TOKENS: 2}

    def test_numbers_in_text_and_nulls_beside_them_are_read(self, tmp_path: Path):
        used: Json = {
            "input_tokens": "100",
            "cached_input_tokens": None,
            "output_tokens": 7.0,
            "total_tokens": [],
        }
        records = [meta(PARENT), context(), call_record("resp_1", used, {"input_tokens": {}})]
        assert tokens(write(tmp_path, PARENT, records)) == [(100, 7, 0, 0)]


class TestResponseIds:
    def test_once_calls_have_ids_the_totals_count_nothing(self, tmp_path: Path):
        one, two = usage(10, 0, 1), usage(30, 0, 3)
        records = [
            meta(PARENT),
            context(),
            call_record("resp_1", one, one),
            count(one, one),
            call_record("resp_2", usage(20, 0, 2), two),
            count(two, usage(20, 0, 2)),
        ]
        facts = codex.read(write(tmp_path, PARENT, records), None)
        assert [call.key for call in facts.requests] == ["codex:resp_1", "codex:resp_2"]
        assert (facts.state.usage_records, facts.state.repeated_records) == (4, 2)

    def test_calls_with_ids_and_without_totals_are_counted_once(self, tmp_path: Path):
        one = usage(10, 0, 1)
        records = [meta(PARENT), context(), call_record("resp_1", one), count(one, one)]
        assert tokens(write(tmp_path, PARENT, records)) == [(10, 1, 0, 0)]

    def test_a_session_that_a_newer_version_resumed_counts_both_ways(self, tmp_path: Path):
        old, new = usage(10, 0, 1), usage(30, 0, 3)
        records = [
            meta(PARENT),
            context(),
            count(old, old),
            count(old, old),
            call_record("resp_1", usage(20, 0, 2), new),
            count(new, usage(20, 0, 2)),
        ]
        assert tokens(write(tmp_path, PARENT, records)) == [(10, 1, 0, 0), (20, 2, 0, 0)]

    def test_without_an_id_the_totals_of_the_thread_identify_the_call(self, tmp_path: Path):
        one = usage(10, 0, 1)
        records = [meta(PARENT), context(), call_record(None, one, one), count(one, one)]
        assert tokens(write(tmp_path, PARENT, records)) == [(10, 1, 0, 0)]

    def test_a_call_of_another_thread_is_owned_by_that_thread(self, tmp_path: Path):
        used = call_record("resp_1", usage(10, 0, 1), thread_id=PARENT)
        parent = write(tmp_path, PARENT, [meta(PARENT, 50), context(), used])
        fork = write(tmp_path, CHILD, [meta(CHILD, 10), context(), used])
        (call,) = read_all(fork, parent).values()
        assert call.session_key == f"codex:{PARENT}"


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.booleans()
        ),
        max_size=12,
    )
)
def test_the_calls_of_a_growing_total_add_up_to_it(steps: list[tuple[int, int, int, bool]]):
    records: list[Json] = [meta(PARENT), context()]
    given_tokens = cached = output = 0
    for fresh, from_cache, answered, repeat in steps:
        given_tokens, cached = given_tokens + fresh + from_cache, cached + from_cache
        output += answered
        records += [count(usage(given_tokens, cached, output))] * (1 + repeat)
    with tempfile.TemporaryDirectory() as folder:
        calls = codex.read(write(Path(folder), PARENT, records), None).requests
    assert sum(call.input_tokens for call in calls) == given_tokens - cached
    assert sum(call.cache_read_tokens for call in calls) == cached
    assert sum(call.output_tokens for call in calls) == output
    assert len({call.key for call in calls}) == len(calls)
