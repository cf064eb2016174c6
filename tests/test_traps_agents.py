"""The trap cases of the other agents than Claude Code, as `tests.test_traps` has that one's."""

from pathlib import Path

import pytest

from lib.report import Scope, totals_report, why_report
from lib.store import Store
from tests.collecting import NOW, collect
from tests.readers import codex_rollouts as codex
from tests.readers.codex_rollouts import CHILD, PARENT, SIBLING, TURN_1
from tests.traps import ALPHA, BETA, UTC, Json, figures, moment, rollout, usd, write


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


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
