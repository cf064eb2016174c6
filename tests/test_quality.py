"""Accounts of figures, costs that agents report, and calls that are not their provider's total."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lib import frame, quality
from lib.readers import READERS
from lib.report import Scope, totals_report, why_report
from lib.store import Store
from tests import traps
from tests.collecting import NOW, collect
from tests.readers import codex_rollouts as codex
from tests.readers import (
    copilot_records,
    goose_records,
    opencode_records,
    pi_records,
    qwen_records,
)
from tests.trees import Claude


def account_of(store: Store, key: str) -> quality.Account:
    sessions, usage = frame.load_sessions(store, NOW), frame.load_usage(store, NOW)
    return quality.session_account(key, store.files(), usage, sessions)


def test_an_account_of_a_session_tells_of_its_own_records_only(
    file_store: Store, tmp_path: Path
) -> None:
    Claude(tmp_path, "s1").prompt("hello").say("hi", call="a").say("hi", call="a")
    Claude(tmp_path, "s2").prompt("hello").say("hi", model="nobody-knows-it")
    collect(file_store, tmp_path)
    one, two = (account_of(file_store, f"claude-code:{name}") for name in ("s1", "s2"))
    assert (one.files, one.records, one.usage_records, one.repeated, one.requests) == (
        1, 3, 2, 1, 1,
    )  # fmt: skip
    assert (two.records, two.requests, two.unpriced) == (2, 1, {"nobody-knows-it": 1})
    assert two.flags == {"claude-code:unpriced": 1}


def test_an_agent_s_own_total_is_compared_only_while_it_is_the_newest_word(
    file_store: Store, tmp_path: Path
) -> None:
    session = Claude(tmp_path, "s1").prompt("hello").say("hi").exit()
    collect(file_store, tmp_path)
    compared = quality.comparison(frame.load_sessions(file_store, NOW).iloc[0].to_dict())
    assert compared is not None
    assert (compared.reported_usd, compared.is_off) == (0.1, True)
    session.prompt("more", 5).say("again", 6)
    collect(file_store, tmp_path)
    assert quality.comparison(frame.load_sessions(file_store, NOW).iloc[0].to_dict()) is None


@pytest.mark.parametrize(
    ("reported", "ours", "is_off"),
    [
        (1.0, 1.0, False),
        (1.0, 1.009, False),
        (1.0, 1.011, True),
        (1.0, 0.98, True),
        (1.0, None, True),
    ],
)
def test_a_difference_of_more_than_a_hundredth_is_shown(
    reported: float, ours: float | None, is_off: bool
) -> None:
    assert quality.Comparison(reported, ours).is_off == is_off


def test_every_flag_that_a_reader_declares_has_a_sentence() -> None:
    for reader in READERS:
        for flag in (*reader.CANNOT_KNOW, "subscription", "unpriced", "clock_ahead", "new_word"):
            assert quality.sentence(reader.AGENT, flag).endswith(".")


def claude_code(home: Path) -> None:
    split = {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 2}
    counts = traps.usage(100, 10, cache_creation_input_tokens=50, cache_creation=split)
    fits = traps.usage(100, 10, cache_creation_input_tokens=3, cache_creation=split)
    traps.claude(home, traps.said("a", counts), traps.said("a", counts), traps.said("b", fits, 2))


def codex_cli(home: Path) -> None:
    off = {**codex.usage(1_000, 0, 50), "total_tokens": 1_060}
    then = {**codex.usage(3_000, 0, 60), "total_tokens": 3_070}
    records = [codex.meta(codex.PARENT), codex.context(), codex.count(off), codex.count(then)]
    traps.rollout(home, codex.PARENT, *records)


def gemini(home: Path) -> None:
    header = {"sessionId": traps.ALPHA, "startTime": traps.moment(0), "kind": "main"}
    counts = {"input": 100, "output": 10, "cached": 0, "thoughts": 0, "tool": 0}
    answers = [
        {
            "id": f"{number}3333333-3333-4333-8333-333333333333",
            "timestamp": traps.moment(number),
            "type": "gemini",
            "model": "gemini-2.5-pro",
            "tokens": {**counts, "total": total},
        }
        for number, total in ((1, 160), (2, 110))
    ]
    path = home / ".gemini/tmp/alpha/chats/session-2026-11-22T15-00-11111111.jsonl"
    traps.write(path, [header, *answers, answers[0]])


def qwen(home: Path) -> None:
    used = {**qwen_records.used(100, 0, 10, 0), "totalTokenCount": 160}
    answers = [qwen_records.answer(1, usageMetadata=used), qwen_records.answer(3)]
    qwen_records.write(home / ".qwen", answers)


def copilot(home: Path) -> None:
    calls = [copilot_records.used("a", 60, 10), copilot_records.used("b", 110, 10, 3)]
    copilot_records.events_file(home / ".copilot", [copilot_records.start(), *calls])


def pi(home: Path) -> None:
    off = pi_records.usage(100, 10, 0) | {"totalTokens": 160}
    answers = [pi_records.answer(2, call="a", used=off), pi_records.answer(3, call="b")]
    pi_records.session_file(home / ".pi" / "agent", [pi_records.header(), *answers])
    copied = [pi_records.header(pi_records.FORK, 9), *answers]
    pi_records.session_file(home / ".pi" / "agent", copied, pi_records.FORK)


def opencode(home: Path) -> None:
    database = opencode_records.Database(home / ".local" / "share" / "opencode", wal=False)
    database.session("s1")
    off = opencode_records.tokens(100, 10) | {"total": 160}
    for number, counted in enumerate((off, opencode_records.tokens(100, 10))):
        database.message("s1", f"m{number}", opencode_records.answer(number, counted))
    database.close()


def goose(home: Path) -> None:
    database = goose_records.Database(home / ".local" / "share" / "goose")
    session = database.session()
    database.count(session, 1, 100, 10, 0, total_tokens=160)
    database.count(session, 2)


def amp(home: Path) -> None:
    messages = [
        {
            "role": "assistant",
            "messageId": number,
            "usage": {"model": "m", "inputTokens": 100, "outputTokens": 10, **total},
        }
        for number, total in ((1, {"totalInputTokens": 150}), (2, {"totalInputTokens": 100}))
    ]
    path = home / ".local/share/amp/threads" / f"T-{traps.ALPHA}.json"
    traps.write(path, [{"v": 9, "created": 1_795_359_600_000, "messages": messages}])


@pytest.mark.parametrize(
    ("make", "agent", "total"),
    [
        (claude_code, "claude-code", 160),
        (codex_cli, "codex", 1_060),
        (gemini, "gemini", 160),
        (qwen, "qwen", 160),
        (copilot, "copilot", 70),
        (pi, "pi", 160),
        (opencode, "opencode", 160),
        (goose, "goose", 160),
        (amp, "amp", 160),
    ],
)
def test_a_call_whose_parts_are_not_its_total_is_told_once_and_no_other_is(
    file_store: Store, tmp_path: Path, make: Callable[[Path], None], agent: str, total: int
) -> None:
    make(tmp_path)
    collect(file_store, tmp_path)
    calls = frame.load_requests(file_store)
    assert list(calls["provider_total"].dropna()) == [total]
    assert len(calls) == 2
    records = why_report(file_store, None, NOW)["records"]
    assert (records["mismatched"], records["flags"][f"{agent}:total_mismatch"]) == (
        1,
        1 + (make is pi),
    )
    assert totals_report(file_store, Scope(traps.UTC), NOW)["records"]["mismatched"] == 1
    usage = frame.load_usage(file_store, NOW)
    assert list(usage.groupby("agent")["mismatched_requests"].sum()) == [1]
