"""Model calls one by one: typed as documented, priced as everywhere, and only those asked for."""

import re
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lib.frame import load_requests, load_sessions, load_usage
from lib.model import Request, Session
from lib.session_row import SAMPLE_MACHINE
from lib.store import Batch, Store
from tests.trees import MODEL, at_ms


def a_session(name: str, **facts: Any) -> Session:
    known: dict[str, Any] = {
        "key": f"claude-code:{name}",
        "agent": "claude-code",
        "session_id": name,
        "machine": "here",
    }
    return Session(**(known | facts))


def a_call(session: str, number: int = 1, **facts: Any) -> Request:
    known: dict[str, Any] = {
        "key": f"claude-code:msg_{session}_{number}",
        "session_key": f"claude-code:{session}",
        "owner_rank": "0",
        "at": at_ms(number),
        "model": MODEL,
        "input_tokens": 1_000_000,
    }
    return Request(**(known | facts))


def moment(second: float) -> datetime:
    return datetime.fromtimestamp(at_ms(second) / 1000, UTC)


def numbers_of(frame: pd.DataFrame) -> list[str]:
    return [key.rpartition(":msg_")[2] for key in frame["key"]]


def documented() -> dict[str, str]:
    """The columns of the table in the docstring, with their dtypes."""
    rows = re.findall(r"^    \| (`.*?) \| (\S.*?) \|", load_requests.__doc__ or "", re.MULTILINE)
    return {name: kind for names, kind in rows for name in re.findall(r"`(\w+)`", names)}


@pytest.mark.parametrize("calls", [[], [a_call("s1"), a_call("s1", 2, at=None, model=None)]])
def test_every_column_is_documented_with_its_type(file_store: Store, calls: list[Request]) -> None:
    file_store.write(Batch(sessions=[a_session("s1")], requests=calls))
    found = load_requests(file_store)
    assert {name: str(kind) for name, kind in found.dtypes.items()} == documented()
    assert len(found) == len(calls)


def test_a_call_is_a_row_with_its_own_price(store: Store) -> None:
    calls = [
        a_call("s1", 2, model="nobody-knows-it", provider_total=1_000_007),
        a_call("s1", 1, cache_read_tokens=500_000, output_tokens=9, attribution='{"skill":"x"}'),
        a_call("s1", 3, at=None, model=None, reported_cost_usd=0.5),
    ]
    store.write(Batch(sessions=[a_session("s1")], requests=calls))
    found = load_requests(store)
    assert numbers_of(found) == ["s1_1", "s1_2", "s1_3"]
    first, unpriced, timeless = found.to_dict("records")
    assert (first["prompt_tokens"], first["total_tokens"]) == (1_500_000, 1_500_009)
    assert first["attribution"] == '{"skill":"x"}'
    assert first["at"] == pd.Timestamp(moment(1))
    assert first["cost_usd"] == pytest.approx(4 + 0.5 * 0.2 + 9 * 20 / 1e6)
    assert pd.isna(unpriced["cost_usd"])
    assert pd.isna(unpriced["cache_savings_usd"])
    assert unpriced["provider_total"] == 1_000_007
    assert pd.isna(timeless["at"])
    assert timeless["reported_cost_usd"] == 0.5


def test_only_the_calls_that_were_asked_for_are_read(store: Store) -> None:
    calls = [a_call("s1", 1), a_call("s1", 2), a_call("s2", 3), a_call("s2", 4, at=None)]
    store.write(Batch(sessions=[a_session("s1"), a_session("s2")], requests=calls))
    assert numbers_of(load_requests(store, ["claude-code:s2"])) == ["s2_3", "s2_4"]
    assert numbers_of(load_requests(store, since=moment(2))) == ["s1_2", "s2_3"]
    assert numbers_of(load_requests(store, until=moment(2))) == ["s1_1"]
    both = load_requests(store, ["claude-code:s1", "?"], moment(2), moment(3))
    assert numbers_of(both) == ["s1_2"]
    many = [f"claude-code:nobody{number}" for number in range(1200)]
    assert numbers_of(load_requests(store, [*many, "claude-code:s1"])) == ["s1_1", "s1_2"]
    assert load_requests(store, []).empty


def test_samples_and_calls_of_unknown_sessions_are_left_out(file_store: Store) -> None:
    sample = a_session("s1", machine=SAMPLE_MACHINE)
    calls = [a_call("s1"), a_call("s2"), a_call("gone")]
    file_store.write(Batch(sessions=[sample, a_session("s2")], requests=calls))
    assert numbers_of(load_requests(file_store)) == ["s2_1"]


def test_a_moment_without_a_time_zone_is_refused(file_store: Store) -> None:
    with pytest.raises(ValueError, match="time zone"):
        load_requests(file_store, since=datetime(2026, 3, 1))  # noqa: DTZ001


def test_the_frame_is_the_callers_own(file_store: Store) -> None:
    file_store.write(Batch(sessions=[a_session("s1")], requests=[a_call("s1")]))
    mine = load_requests(file_store)
    mine["cost_usd"] = 0.0
    assert load_requests(file_store)["cost_usd"].gt(0).all()


NO_SEARCH = "deepseek/deepseek-chat"
"""A model of which the price of a web search is not known."""
CALLS = st.builds(
    a_call,
    session=st.sampled_from(["s1", "s2"]),
    number=st.integers(1, 30),
    at=st.none() | st.integers(at_ms(-5 * 86_400), at_ms(0)),
    model=st.sampled_from([MODEL, "gpt-5.5", NO_SEARCH, "nobody-knows-it", None]),
    input_tokens=st.integers(0, 10**6),
    output_tokens=st.integers(0, 10**6),
    cache_read_tokens=st.integers(0, 10**6),
    cache_write_5m_tokens=st.integers(0, 10**6),
    web_search_requests=st.integers(0, 2),
)


@given(st.lists(CALLS, max_size=30))
@settings(max_examples=30)
@example(
    [a_call("s1", 1, model=NO_SEARCH), a_call("s1", 2, model=NO_SEARCH, web_search_requests=1)]
)
def test_single_calls_add_up_to_the_usage_of_every_session(
    tmp_path_factory: pytest.TempPathFactory, made: list[Request]
) -> None:
    opened = Store.open(f"sqlite:///{tmp_path_factory.mktemp('calls') / 'store.db'}")
    opened.write(Batch(sessions=[a_session("s1"), a_session("s2")], requests=made))
    single, usage, sessions = load_requests(opened), load_usage(opened), load_sessions(opened)
    opened.close()
    for name in ("input_tokens", "output_tokens", "cost_usd", "cache_savings_usd"):
        sums = single.groupby("session_key", observed=True)[name].sum().to_dict()
        assert sums == pytest.approx(usage.groupby("session_key")[name].sum().to_dict())
    unpriced = single["cost_usd"].isna().sum()
    assert unpriced == usage["unpriced_requests"].sum() == sessions["unpriced_requests"].sum()
    assert len(single) == usage["requests"].sum()
