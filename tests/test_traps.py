"""What other trackers get wrong: each trap a small file, its figures the same everywhere.

A figure is `(calls, input, output, cache write, cache read, US dollars)`. It is read from the
sessions frame, the totals report and a grouped report, which must agree, before it is compared.
The names in brackets are those of the cases in which trackers were seen to fail.
"""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lib import frame
from lib.collector import Collector
from lib.readers import READERS
from lib.report import Scope, grouped_report, totals_report, why_report
from lib.store import Store
from tests.collecting import NOW, collect
from tests.readers import codex_rollouts as codex
from tests.readers.codex_rollouts import PARENT, TURN_1, TURN_2
from tests.traps import (
    ALPHA,
    BETA,
    OPUS,
    SONNET,
    UTC,
    Json,
    claude,
    figures,
    moment,
    rollout,
    said,
    usage,
    usd,
    write,
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


class TestOneCallIsCountedOnce:
    def test_of_a_streamed_call_the_fullest_record_counts_whole(  # c02
        self, file_store: Store, home: Path
    ) -> None:
        parts = [said("m", usage(10, 1)), said("m", usage(10, 500), 2), said("m", usage(10, 3), 3)]
        claude(home, *parts)
        collect(file_store, home)
        assert figures(file_store) == (1, 10, 500, 0, 0, usd(0.01004))

    @pytest.mark.parametrize("requests", [("r1", "r2"), (None, None), ("r1", None)])
    def test_a_message_is_one_call_whatever_its_request_is_called(  # c03, c04, e05
        self, file_store: Store, home: Path, requests: tuple[str | None, str | None]
    ) -> None:
        first, second = requests
        claude(home, said("m", usage(600, 0), request=first))
        claude(home, said("m", usage(600, 0), 2, request=second), session=BETA)
        collect(file_store, home)
        assert figures(file_store)[:2] == (1, 600)

    def test_a_parent_s_message_replayed_in_a_side_chain_stays_the_parent_s(  # c05
        self, file_store: Store, home: Path
    ) -> None:
        parent = said("m1", usage(50_000, 600), 1)
        claude(home, parent)
        agent = home / f".claude/projects/-home-dev-alpha/{ALPHA}/subagents/agent-a1.jsonl"
        side: Json = {"sessionId": ALPHA, "isSidechain": True, "agentId": "a1"}
        write(agent, [{**parent, **side}, {**said("m2", usage(2_000, 60), 2), **side}])
        collect(file_store, home)
        assert figures(file_store)[:3] == (2, 52_000, 660)
        own = frame.load_sessions(file_store, NOW).set_index("key")["input_tokens"].to_dict()
        assert own == {
            f"claude-code:{ALPHA}": 50_000,
            f"claude-code:{ALPHA}/agent-a1": 2_000,
        }

    def test_copies_by_resume_and_fork_belong_to_the_first_session(  # c06
        self, file_store: Store, home: Path
    ) -> None:
        old = said("m1", usage(600, 0), 1)
        claude(home, {**old, "requestSessionId": ALPHA}, said("m2", usage(16, 0), 9), session=BETA)
        claude(home, old)
        collect(file_store, home)
        assert figures(file_store)[:2] == (2, 616)
        own = frame.load_sessions(file_store, NOW).set_index("key")["input_tokens"].to_dict()
        assert own == {f"claude-code:{ALPHA}": 600, f"claude-code:{BETA}": 16}
        assert why_report(file_store, None, NOW)["records"]["copied"] == 1
        assert why_report(file_store, f"claude-code:{BETA}", NOW)["records"]["copied"] == 1

    def test_a_subagent_of_a_workflow_belongs_to_its_session(  # d06
        self, file_store: Store, home: Path
    ) -> None:
        claude(home, said("m1", usage(100, 0)))
        folder = home / f".claude/projects/-home-dev-alpha/{ALPHA}/subagents/workflows/wf1"
        side: Json = {"sessionId": ALPHA, "isSidechain": True}
        write(folder / "agent-a1.jsonl", [{**said("m2", usage(50, 0), 2), **side}])
        collect(file_store, home)
        assert figures(file_store)[:2] == (2, 150)
        parents = frame.load_sessions(file_store, NOW).set_index("input_tokens")["parent_key"]
        assert parents[50] == f"claude-code:{ALPHA}"

    def test_a_subagent_s_call_in_its_parent_s_progress_is_the_same_call(  # c15
        self, file_store: Store, home: Path
    ) -> None:
        inner = said("m2", usage(70, 7), 2)
        nested = {"timestamp": moment(2), "requestId": "req_m2", "message": inner["message"]}
        report = {
            "type": "progress",
            "timestamp": moment(2),
            "data": {"type": "agent_progress", "message": nested},
        }
        claude(home, said("m1", usage(100, 0)), report)
        agent = home / f".claude/projects/-home-dev-alpha/{ALPHA}/subagents/agent-a1.jsonl"
        write(agent, [{**inner, "sessionId": ALPHA, "isSidechain": True}])
        collect(file_store, home)
        assert figures(file_store)[:3] == (2, 170, 7)

    def test_a_second_config_folder_and_a_second_machine_add_nothing(
        self, file_store: Store, home: Path
    ) -> None:
        claude(home, said("m", usage(100, 10)))
        claude(home, said("m", usage(100, 10)), root=".config/claude")
        claude(home / "other", said("m", usage(100, 10)))
        for machine, folder in (("one", home), ("two", home / "other")):
            collector = Collector(file_store, READERS, {"HOME": str(folder)}, machine)
            collector.collect(collector.sweep())
        assert figures(file_store) == (1, 100, 10, 0, 0, usd(0.0006))

    def test_two_calls_of_equal_figures_are_two(self, file_store: Store, home: Path) -> None:
        claude(home, said("m1", usage()), said("m2", usage(), 2))
        records = [codex.meta(PARENT), codex.context()]
        for turn, total in ((TURN_1, 100), (TURN_2, 200)):
            records.append(codex.event("task_started", turn_id=turn))
            records.append(codex.count(codex.usage(total), codex.usage(100)))
        rollout(home, PARENT, *records)
        collect(file_store, home)
        assert figures(file_store)[:2] == (4, 400)

    def test_the_agent_s_own_messages_are_no_calls(  # c12
        self, file_store: Store, home: Path
    ) -> None:
        claude(home, said("m", usage(999, 999), model="<synthetic>"), said("n", usage(5, 0), 2))
        collect(file_store, home)
        assert figures(file_store)[:3] == (1, 5, 0)

    def test_facts_outlive_their_file(self, file_store: Store, home: Path) -> None:
        path = claude(home, said("m", usage()))
        collect(file_store, home)
        before = figures(file_store)
        path.unlink()
        collect(file_store, home)
        assert figures(file_store) == before
        assert why_report(file_store, None, NOW)["records"]["gone"] == 1


class TestMoney:
    def cost(self, store: Store, home: Path, tokens: Json, model: str = OPUS, **more: Any) -> Any:
        claude(home, said("m", tokens, model=model, **more))
        collect(store, home)
        return figures(store)[-1]

    def test_a_cache_write_for_an_hour_costs_twice_the_input(  # c07, e01
        self, file_store: Store, home: Path
    ) -> None:
        split = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 100_000}
        tokens = usage(0, 0, cache_creation_input_tokens=100_000, cache_creation=split)
        assert self.cost(file_store, home, tokens, SONNET) == usd(0.60)

    @pytest.mark.parametrize(
        ("model", "read", "dollars"),
        [
            (SONNET, 199_000, 0.3 * 0.199 + 3 * 0.001 + 15 * 0.001),
            (SONNET, 199_001, 0.6 * 0.199001 + 6 * 0.001 + 22.5 * 0.001),
            ("claude-sonnet-4-6", 199_001, 0.3 * 0.199001 + 3 * 0.001 + 15 * 0.001),
        ],
    )
    def test_a_long_context_changes_the_price_of_the_whole_call(  # c08
        self, file_store: Store, home: Path, model: str, read: int, dollars: float
    ) -> None:
        tokens = usage(1_000, 1_000, cache_read_input_tokens=read)
        assert self.cost(file_store, home, tokens, model) == usd(dollars)

    @pytest.mark.parametrize(
        ("model", "factor"), [("claude-opus-4-6", 6), ("claude-opus-4-8", 2), ("claude-opus-5", 2)]
    )
    def test_fast_mode_has_its_price(  # c09
        self, file_store: Store, home: Path, model: str, factor: int
    ) -> None:
        tokens = usage(1_000, 1_000, speed="fast")
        assert self.cost(file_store, home, tokens, model) == usd(factor * 0.03)

    def test_the_price_of_the_answering_region_and_tier(
        self, file_store: Store, home: Path
    ) -> None:
        us = usage(1_000, 1_000, inference_geo="us", service_tier="priority")
        assert self.cost(file_store, home, us) == usd(1.1 * 0.024)

    def test_searches_are_billed_where_only_the_tool_s_result_counts_them(  # c10, e06
        self, file_store: Store, home: Path
    ) -> None:
        search = said("m", usage(0, 0, server_tool_use={"web_search_requests": 0}))
        block = {"type": "tool_use", "id": "toolu_1", "name": "WebSearch", "input": {"query": "x"}}
        search["message"] |= {"content": [block], "stop_reason": "tool_use"}
        result = {
            **said("m", {}, 2),
            "type": "user",
            "message": {
                "role": "user",
                "content": [{"tool_use_id": "toolu_1", "type": "tool_result", "content": "x"}],
            },
            "toolUseResult": {"query": "x", "searchCount": 3},
        }
        claude(home, search, result)
        collect(file_store, home)
        assert figures(file_store)[-1] == usd(0.03)

    def test_searches_in_the_usage_are_billed(self, file_store: Store, home: Path) -> None:
        tokens = usage(0, 0, server_tool_use={"web_search_requests": 2})
        assert self.cost(file_store, home, tokens) == usd(0.02)

    def test_an_advisor_s_calls_inside_a_call_are_billed_at_their_own_price(
        self, file_store: Store, home: Path
    ) -> None:
        inside = [
            {"type": "message", **usage(1_000, 0)},
            {"type": "advisor_message", "model": "claude-haiku-4-5", **usage(1_000, 1_000)},
        ]
        tokens = usage(1_000, 0, iterations=inside)
        claude(home, said("m", tokens))
        collect(file_store, home)
        assert figures(file_store) == (2, 2_000, 1_000, 0, 0, usd(0.004 + 0.006))

    def test_a_price_that_the_agent_wrote_stands_beside_ours(  # c16
        self, file_store: Store, home: Path
    ) -> None:
        assert self.cost(file_store, home, usage(1_000, 0), costUSD=9.99) == usd(0.004)
        (compared,) = why_report(file_store, None, NOW)["reported_by_the_agent"]
        assert compared["reported_usd"] == usd(9.99)
        assert compared["ours_usd"] == usd(0.004)

    def test_an_unknown_model_is_unpriced_and_not_free(  # c11
        self, file_store: Store, home: Path
    ) -> None:
        assert self.cost(file_store, home, usage(), "claude-opus-99") is None
        assert totals_report(file_store, Scope(UTC), NOW)["records"]["unpriced"] == {
            "claude-opus-99": 1
        }

    @pytest.mark.parametrize(
        ("model", "dollars"),
        [
            ("claude-sonnet-4-5-20250929", 0.3),
            ("claude-sonnet-4-5@20250929", 0.3),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", 0.33),
            ("anthropic/claude-sonnet-4.5", 0.3),
            ("claude-sonnet-4-5[1m]", 0.3),
            ("Claude Sonnet 4.5", 0.3),
            ("claude-sonnet-4-20250514", 0.3),
        ],
    )
    def test_a_model_has_its_price_by_every_name(  # c17
        self, file_store: Store, home: Path, model: str, dollars: float
    ) -> None:
        assert self.cost(file_store, home, usage(100_000, 0), model) == usd(dollars)


class TestOddRecords:
    """Records that the best-known tracker drops without a word."""

    @pytest.mark.parametrize(
        "odd",
        [
            {"requestId": None},
            {"costUSD": None},
            {"version": None},
            {"version": "nightly"},
            {"cwd": None},
            {"toolUseResult": {"id": None, "model": None}},
        ],
        ids=str,
    )
    def test_a_null_somewhere_costs_no_call(self, file_store: Store, home: Path, odd: Json) -> None:
        claude(home, {**said("m", usage()), **odd})
        collect(file_store, home)
        assert figures(file_store)[:3] == (1, 100, 10)

    def test_counts_may_be_strings_and_null(self, file_store: Store, home: Path) -> None:
        tokens = usage("100", "10", cache_read_input_tokens=None, speed=None)
        claude(home, said("m", tokens))
        collect(file_store, home)
        assert figures(file_store)[:3] == (1, 100, 10)

    def test_an_absurd_count_is_skipped_and_named(self, file_store: Store, home: Path) -> None:
        claude(home, said("m", usage(-5, 10)), said("n", usage(10**15, 1), 2), said("o", usage()))
        collect(file_store, home)
        assert figures(file_store)[:3] == (1, 100, 10)
        assert sum(why_report(file_store, None, NOW)["records"]["skipped"].values()) == 2

    def test_a_session_over_midnight_is_split_by_call(self, file_store: Store, home: Path) -> None:
        claude(home, said("m", usage(1, 0), 0), said("n", usage(2, 0), 1_800))
        collect(file_store, home)
        # 15:00 and 15:30 in UTC are 23:45 and 00:15 in Eucla.
        rows = grouped_report(file_store, "daily", Scope(ZoneInfo("Australia/Eucla")), NOW)["rows"]
        assert {row["date"]: row["input_tokens"] for row in rows} == {
            "2026-11-22": 1,
            "2026-11-23": 2,
        }
