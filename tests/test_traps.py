"""What other trackers get wrong: each trap a small file, its figures the same everywhere.

A figure is `(calls, input, output, cache write, cache read, US dollars)`. It is read from the
sessions frame, the totals report and a grouped report, which must agree, before it is compared.
The names in brackets are those of the cases in which trackers were seen to fail.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lib import frame
from lib.collector import Collector
from lib.readers import READERS
from lib.report import Scope, grouped_report, sessions_report, totals_report, why_report
from lib.store import Store
from tests.collecting import NOW, collect
from tests.readers import codex_rollouts as codex
from tests.readers.codex_rollouts import CHILD, PARENT, SIBLING, TURN_1, TURN_2

Json = dict[str, Any]
UTC = ZoneInfo("UTC")
ALPHA, BETA = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
OPUS, SONNET = "claude-opus-5-5", "claude-sonnet-4-5"
FORMS = ("requests", "input_tokens", "output_tokens", "cache_write_tokens", "cache_read_tokens")


def figures(store: Store) -> tuple[int, int, int, int, int, float | None]:
    """Calls, tokens and money of everything in the store, wherever one may ask for them."""
    scope = Scope(UTC)
    total = totals_report(store, scope, NOW)["total"]
    sums = [tuple(total[name] for name in FORMS)]
    sessions = frame.load_sessions(store, NOW)
    sums.append(tuple(int(sessions[name].sum()) for name in FORMS))
    money = [total["cost_usd"] or 0.0, float(sessions["cost_usd"].sum())]
    told = sessions_report(store, scope, NOW)
    sums.append(tuple(sum(one[name] for one in told) for name in FORMS))
    money.append(sum(one["cost_usd"] or 0.0 for one in told))
    for name in ("daily", "monthly", "models", "tools", "projects", "branches"):
        rows = grouped_report(store, name, scope, NOW)["rows"]
        sums.append(tuple(sum(row[form] for row in rows) for form in FORMS))
        money.append(sum(row["cost_usd"] or 0.0 for row in rows))
    assert len(set(sums)) == 1
    assert money == [pytest.approx(money[0])] * len(money)
    return (*sums[0], total["cost_usd"])  # type: ignore[return-value]


def usd(amount: float) -> Any:
    return pytest.approx(amount, rel=1e-6)


def moment(second: float) -> str:
    return f"2026-11-22T15:{int(second) // 60:02}:{second % 60:06.3f}Z"


def usage(given: Any = 100, output: Any = 10, **more: Any) -> Json:
    return {"input_tokens": given, "output_tokens": output, **more}


def said(call: str | None, tokens: Json, second: float = 1, model: str = OPUS, **more: Any) -> Json:
    """An answer of Claude; `request` None leaves the request's id out."""
    request = more.pop("request", f"req_{call}")
    message = {
        "id": call,
        "model": model,
        "role": "assistant",
        "content": [{"type": "text", "text": "Done."}],
        "stop_reason": "end_turn",
        "usage": tokens,
    }
    return {
        "parentUuid": None,
        "isSidechain": False,
        "type": "assistant",
        "message": message,
        "uuid": f"{call}-{second}",
        "timestamp": moment(second),
        "cwd": "/home/dev/alpha",
        "gitBranch": "main",
        "version": "2.1.330",
        **({"requestId": request} if request else {}),
        **more,
    }


def claude(home: Path, *records: Json, session: str = ALPHA, root: str = ".claude") -> Path:
    """A transcript of this session; what names no session is of this one."""
    path = home / root / "projects" / "-home-dev-alpha" / f"{session}.jsonl"
    return write(path, [{"sessionId": session, **record} for record in records])


def write(path: Path, records: Iterable[Json]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def rollout(home: Path, thread: str, *records: Json, folder: str = "sessions/2026/03/01") -> Path:
    name = f"rollout-2026-03-01T12-00-00-{thread}.jsonl"
    return write(home / ".codex" / folder / name, records)


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


class TestCodex:
    def test_totals_alone_become_differences(  # x02
        self, file_store: Store, home: Path
    ) -> None:
        totals = [codex.usage(1_000, 400, 50), codex.usage(3_000, 2_000, 150, 20)]
        rollout(home, PARENT, codex.meta(PARENT), codex.context(), *map(codex.count, totals))
        collect(file_store, home)
        assert figures(file_store)[:5] == (2, 1_000, 150, 0, 2_000)

    def test_a_count_that_is_said_again_adds_nothing(  # x03
        self, file_store: Store, home: Path
    ) -> None:
        once = codex.count(codex.usage(1_000, 0, 50), codex.usage(1_000, 0, 50))
        rollout(home, PARENT, codex.meta(PARENT), codex.context(), once, once, once)
        collect(file_store, home)
        assert figures(file_store)[:3] == (1, 1_000, 50)
        assert totals_report(file_store, Scope(UTC), NOW)["records"]["duplicate"] == {
            "repeated_record": 2,
            "copied_call": 0,
        }

    @pytest.mark.parametrize("with_parent", [True, False])
    def test_a_fork_that_replays_its_parent_under_new_times_adds_its_own_only(  # x04
        self, file_store: Store, home: Path, with_parent: bool
    ) -> None:
        turn = [codex.event("task_started", turn_id=TURN_1), codex.context(turn_id=TURN_1)]
        old = [codex.meta(PARENT), *turn, codex.count(codex.usage(1_000, 0, 50))]
        new = codex.count(codex.usage(1_200, 0, 60), second=99)
        for child in (CHILD, SIBLING):
            fork = codex.meta(child, 90, forked_from_id=PARENT)
            moved = [{**record, "timestamp": fork["timestamp"]} for record in old]
            started = codex.event("task_started", 98, turn_id=child)
            rollout(home, child, fork, *moved, started, new)
        if with_parent:
            rollout(home, PARENT, *old)
        collect(file_store, home)
        assert figures(file_store)[:3] == (3, 1_400, 70)

    def test_an_archived_copy_adds_nothing(  # x13
        self, file_store: Store, home: Path
    ) -> None:
        records = [codex.meta(PARENT), codex.context(), codex.count(codex.usage(1_000, 0, 50))]
        rollout(home, PARENT, *records)
        rollout(home, PARENT, *records, folder="archived_sessions")
        collect(file_store, home)
        assert figures(file_store)[:3] == (1, 1_000, 50)

    def test_a_call_without_a_model_counts_and_is_unpriced(  # x05
        self, file_store: Store, home: Path
    ) -> None:
        rollout(home, PARENT, codex.meta(PARENT), codex.count(codex.usage(1_000, 0, 50)))
        collect(file_store, home)
        assert figures(file_store) == (1, 1_000, 50, 0, 0, None)

    def test_a_call_before_any_message_of_its_turn_counts(  # x09
        self, file_store: Store, home: Path
    ) -> None:
        started = codex.event("task_started", turn_id=TURN_1)
        records = [codex.meta(PARENT), codex.context(), started]
        rollout(home, PARENT, *records, codex.count(codex.usage(10, 0, 5)))
        collect(file_store, home)
        assert figures(file_store)[:3] == (1, 10, 5)

    def test_a_long_prompt_changes_the_price_of_the_whole_call(  # x06
        self, file_store: Store, home: Path
    ) -> None:
        counted = codex.count(codex.usage(300_000, 0, 1_000))
        rollout(home, PARENT, codex.meta(PARENT), codex.context("gpt-5.4"), counted)
        collect(file_store, home)
        assert figures(file_store)[-1] == usd(1.5225)

    def test_fast_mode_is_priced_from_where_the_thread_was_set_to_it(  # x07
        self, file_store: Store, home: Path
    ) -> None:
        fast = codex.event(
            "thread_settings_applied",
            thread_settings={"model": "gpt-5.4", "service_tier": "fast"},
        )
        first, second = (codex.count(codex.usage(given, 0, 0)) for given in (1_000, 2_000))
        start = [codex.meta(PARENT), codex.context("gpt-5.4")]
        # The catalogue knows this price since October 2026.
        dated = [{**record, "timestamp": moment(1)} for record in (*start, first, fast, second)]
        rollout(home, PARENT, *dated)
        collect(file_store, home)
        assert figures(file_store)[-1] == usd(0.0025 + 0.005)

    def test_a_total_that_falls_begins_anew(self, file_store: Store, home: Path) -> None:
        totals = [codex.usage(1_000), codex.usage(200), codex.usage(500)]
        counted = [codex.count(total) for total in totals]
        rollout(home, PARENT, codex.meta(PARENT), codex.context(), *counted)
        collect(file_store, home)
        assert figures(file_store)[:2] == (3, 1_500)

    def test_calls_on_a_plan_are_told_to_be_so(self, file_store: Store, home: Path) -> None:
        limits = {"primary": {"used_percent": 12.0, "window_minutes": 300, "resets_at": 1}}
        counted = codex.count(codex.usage(1_000), rate_limits=limits)
        rollout(home, PARENT, codex.meta(PARENT), codex.context(), counted)
        collect(file_store, home)
        why = why_report(file_store, f"codex:{PARENT}", NOW)
        assert "API-equivalent" in why["meaning"]["codex:subscription"]


class TestOtherAgents:
    def test_gemini_s_cached_tokens_are_part_of_its_input(
        self, file_store: Store, home: Path
    ) -> None:
        tokens = {
            "input": 1_000,
            "cached": 400,
            "output": 100,
            "thoughts": 50,
            "tool": 0,
            "total": 1_150,
        }
        answer = {
            "id": "33333333-3333-4333-8333-333333333333",
            "timestamp": moment(1),
            "type": "gemini",
            "model": "gemini-2.5-pro",
            "content": "Done.",
            "tokens": tokens,
        }
        header = {"sessionId": ALPHA, "projectHash": "p", "startTime": moment(0), "kind": "main"}
        path = home / ".gemini/tmp/alpha/chats/session-2026-11-22T15-00-11111111.jsonl"
        # Written again with its tools, as the CLI does.
        write(path, [header, answer, {**answer, "toolCalls": []}])
        collect(file_store, home)
        dollars = (600 * 1.25 + 400 * 0.125 + 150 * 10) / 1e6
        assert figures(file_store) == (1, 600, 150, 0, 400, usd(dollars))

    def test_qwen_s_parts_are_told_by_their_total(self, file_store: Store, home: Path) -> None:
        counts = {
            "promptTokenCount": 1_000,
            "cachedContentTokenCount": 400,
            "candidatesTokenCount": 100,
            "thoughtsTokenCount": 50,
            "totalTokenCount": 1_150,
        }
        record = {
            "uuid": "u1",
            "sessionId": ALPHA,
            "timestamp": moment(1),
            "type": "assistant",
            "model": "qwen3-coder",
            "message": {"parts": [{"text": "Done."}]},
            "usageMetadata": counts,
        }
        write(home / f".qwen/projects/-p/chats/{ALPHA}.jsonl", [record])
        collect(file_store, home)
        assert figures(file_store)[:5] == (1, 600, 150, 0, 400)

    def test_opencode_s_reasoning_counts_and_its_own_cost_is_kept(
        self, file_store: Store, home: Path
    ) -> None:
        storage = home / ".local/share/opencode/storage"
        created = 1_795_359_600_000
        session = {"id": "ses_1", "time": {"created": created, "updated": created}}
        message = {
            "id": "msg_1",
            "role": "assistant",
            "modelID": "claude-sonnet-4-5",
            "providerID": "anthropic",
            "cost": 0.5,
            "finish": "stop",
            "time": {"created": created, "completed": created + 1},
            "tokens": {"input": 100, "output": 20, "reasoning": 30, "cache": {"read": 5}},
        }
        write(storage / "session" / "p" / "ses_1.json", [session])
        write(storage / "message" / "ses_1" / "msg_1.json", [message])
        collect(file_store, home)
        dollars = (100 * 3 + 50 * 15 + 5 * 0.3) / 1e6
        assert figures(file_store) == (1, 100, 50, 0, 5, usd(dollars))
        (compared,) = why_report(file_store, None, NOW)["reported_by_the_agent"]
        assert (compared["reported_usd"], compared["ours_usd"]) == (0.5, usd(dollars))

    def test_copilot_s_totals_include_the_cache_and_grow(
        self, file_store: Store, home: Path
    ) -> None:
        def closed(second: int, given: int, read: int, output: int) -> Json:
            counts = {"inputTokens": given, "cacheReadTokens": read, "outputTokens": output}
            metrics = {"claude-sonnet-4.5": {"usage": counts}}
            data = {
                "shutdownType": "routine",
                "sessionStartTime": 1_795_359_600_000,
                "modelMetrics": metrics,
            }
            return {"type": "session.shutdown", "timestamp": moment(second), "data": data}

        start = {"type": "session.start", "timestamp": moment(0), "data": {"sessionId": ALPHA}}
        path = home / f".copilot/session-state/{ALPHA}/events.jsonl"
        write(path, [start, closed(1, 600, 400, 10), closed(9, 900, 500, 30)])
        collect(file_store, home)
        dollars = (400 * 3 + 500 * 0.3 + 30 * 15) / 1e6
        assert figures(file_store) == (1, 400, 30, 0, 500, usd(dollars))

    def test_droid_s_sums_hold_thinking_apart(self, file_store: Store, home: Path) -> None:
        counts = {
            "inputTokens": 100,
            "outputTokens": 20,
            "cacheReadTokens": 7,
            "cacheCreationTokens": 3,
            "thinkingTokens": 30,
        }
        folder = home / ".factory/sessions/-p"
        write(folder / f"{ALPHA}.jsonl", [{"type": "session_start", "id": ALPHA}])
        settings = {
            "model": "claude-sonnet-4-5",
            "providerLockTimestamp": moment(1),
            "tokenUsage": counts,
        }
        write(folder / f"{ALPHA}.settings.json", [settings])
        collect(file_store, home)
        assert figures(file_store)[:5] == (1, 100, 50, 3, 7)

    def test_a_fork_of_pi_copies_calls_and_counts_none(self, file_store: Store, home: Path) -> None:
        counts = {"input": 100, "output": 20, "cacheRead": 7, "cacheWrite": 3, "totalTokens": 130}
        answer = {
            "role": "assistant",
            "model": "claude-sonnet-4-5",
            "provider": "anthropic",
            "responseId": "resp_1",
            "stopReason": "stop",
            "content": [],
            "usage": {**counts, "cost": {"total": 0.25}},
        }
        entry = {"type": "message", "id": "e1", "timestamp": moment(1), "message": answer}
        folder = home / ".pi/agent/sessions/--p--"
        for second, name in ((0, ALPHA), (5, BETA)):
            header = {"type": "session", "id": name, "timestamp": moment(second), "version": 3}
            write(folder / f"2026_{name}.jsonl", [header, entry])
        collect(file_store, home)
        assert figures(file_store)[:5] == (1, 100, 20, 3, 7)
        (compared,) = why_report(file_store, None, NOW)["reported_by_the_agent"]
        assert (compared["key"], compared["reported_usd"]) == (f"pi:{ALPHA}", 0.25)
