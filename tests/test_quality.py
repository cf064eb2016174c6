"""Accounts of figures, costs that agents report, and one number wherever one looks."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib import costs, frame, quality
from lib.ledger import DIMENSIONS, grouped, ledger
from lib.readers import READERS
from lib.store import Store
from tests import traps
from tests.collecting import NOW, collect
from tests.readers import codex_rollouts as codex
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


Calls = list[tuple[int, int, int]]
calls = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 300_000), st.integers(0, 5_000)), max_size=8
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(calls, calls, calls, st.sampled_from([traps.OPUS, "claude-opus-99"]))
def test_one_number_everywhere(first: Calls, second: Calls, rollout: Calls, model: str) -> None:
    """Trees of two agents, with copies of calls within and between their files."""
    with TemporaryDirectory() as folder:
        home = Path(folder)
        for session, made in ((traps.ALPHA, first), (traps.BETA, second)):
            records = [
                traps.said(f"m{call}", traps.usage(given, output), number, model=model)
                for number, (call, given, output) in enumerate(made, 1)
            ]
            traps.claude(home, *records, session=session)
        total, counted = [0, 0], [codex.meta(codex.PARENT), codex.context()]
        for _, given, output in rollout:
            total = [total[0] + given, total[1] + output]
            counted.append(codex.count(codex.usage(total[0], 0, total[1])))
        traps.rollout(home, codex.PARENT, *counted)
        store = Store.open(f"sqlite:///{home / 'store.db'}")
        collect(store, home)
        sums = traps.figures(store)
        rows = ledger(frame.load_usage(store, NOW), frame.load_sessions(store, NOW))
        headline = costs.headline(rows)
        assert (headline.requests, headline.input_tokens, headline.output_tokens) == sums[:3]
        assert headline.cost_usd == pytest.approx(sums[-1])
        for column in DIMENSIONS.values():
            table = grouped(rows, [column])
            assert (table["requests"].sum(), table["input_tokens"].sum()) == sums[:2]
            assert table["cost_usd"].sum() == pytest.approx(sums[-1] or 0.0)
        store.close()
