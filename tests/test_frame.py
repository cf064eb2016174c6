"""Rows of the sessions frame: loaded once, kept up, and adding up."""

import threading
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib import frame, heard
from lib.figures import Figures
from lib.frame import load_sessions, load_usage, today_totals
from lib.model import NO_LOCAL_TOKENS, DaemonRow, Evidence, Request, Session, owner_rank
from lib.store import Batch, Store
from tests.trees import MODEL, at_ms

NOW = at_ms(600)
DAY = 86_400_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    yield store
    store.close()


def a_session(name: str, **facts: Any) -> Session:
    known: dict[str, Any] = {
        "key": f"claude-code:{name}",
        "agent": "claude-code",
        "session_id": name,
        "machine": "here",
        "source_path": f"/{name}.jsonl",
        "registered": True,
        "turn": "idle",
        "turns": 1,
        "started_at": at_ms(0),
        "last_activity_at": at_ms(60),
        "model": MODEL,
    }
    return Session(**(known | facts))


def a_claim(session: str, **facts: Any) -> Evidence:
    known: dict[str, Any] = {
        "session_key": f"claude-code:{session}",
        "source": "claude-registry",
        "agent": "claude-code",
        "session_id": session,
        "machine": "here",
        "process": "alive",
        "pid": 1,
    }
    return Evidence(**(known | facts))


def a_call(session: str, number: int = 1, **facts: Any) -> Request:
    key = f"claude-code:{session}"
    known: dict[str, Any] = {
        "key": f"claude-code:msg_{session}_{number}",
        "session_key": key,
        "owner_rank": owner_rank(0, at_ms(0), key),
        "at": at_ms(30),
        "model": MODEL,
        "input_tokens": 1_000_000,
    }
    return Request(**(known | facts))


def row_of(store: Store, name: str, now: int = NOW) -> "pd.Series[Any]":
    rows = load_sessions(store, now)
    return rows[rows["session_id"] == name].iloc[0]


def test_an_empty_store_gives_an_empty_frame_with_all_columns(store: Store) -> None:
    empty = load_sessions(store, NOW)
    store.write(Batch(sessions=[a_session("s1")]))
    assert empty.empty
    assert list(empty.columns) == list(load_sessions(store, NOW).columns)


def test_money_is_tokens_times_the_price_of_the_day(store: Store) -> None:
    store.write(Batch(sessions=[a_session("s1")], requests=[a_call("s1")]))
    assert row_of(store, "s1")["cost_usd"] == pytest.approx(4.0)


def test_an_unpriced_call_is_no_zero_and_is_flagged(store: Store) -> None:
    calls = [a_call("s1", model="nobody-knows-it"), a_call("s2", model=None), a_call("s2", 2)]
    store.write(Batch(sessions=[a_session("s1"), a_session("s2")], requests=calls))
    unpriced, partly = row_of(store, "s1"), row_of(store, "s2")
    assert pd.isna(unpriced["cost_usd"])
    assert (unpriced["unpriced_requests"], unpriced["flags"]) == (1, ["unpriced"])
    assert partly["cost_usd"] == pytest.approx(4.0)
    assert (partly["unpriced_requests"], partly["flags"]) == (1, ["unpriced"])


def test_fast_answers_cost_what_fast_answers_cost(store: Store) -> None:
    calls = [a_call("s1", model="claude-opus-4-8"), a_call("s2", model="claude-opus-4-8")]
    calls[1].speed = "fast"
    store.write(Batch(sessions=[a_session("s1"), a_session("s2")], requests=calls))
    assert row_of(store, "s2")["cost_usd"] == pytest.approx(2 * row_of(store, "s1")["cost_usd"])


def test_a_session_whose_agent_keeps_its_tokens_elsewhere_costs_no_zero(store: Store) -> None:
    flagged = a_session("s1", flags=[NO_LOCAL_TOKENS])
    store.write(Batch(sessions=[flagged]))
    assert pd.isna(row_of(store, "s1")["cost_usd"])
    store.write(Batch(requests=[a_call("s1")]))
    assert row_of(store, "s1")["cost_usd"] == pytest.approx(4.0)


def test_a_session_without_calls_costs_nothing(store: Store) -> None:
    store.write(Batch(sessions=[a_session("s1")]))
    assert row_of(store, "s1")["cost_usd"] == 0


def test_what_changes_in_the_store_changes_in_the_frame(store: Store) -> None:
    store.write(Batch(sessions=[a_session("s1"), a_session("s2")], requests=[a_call("s1")]))
    assert row_of(store, "s1")["requests"] == 1
    store.write(Batch(requests=[a_call("s1", 2)]))
    assert (row_of(store, "s1")["requests"], row_of(store, "s2")["requests"]) == (2, 0)


def test_a_call_that_changes_hands_leaves_the_loser(store: Store) -> None:
    key = "claude-code:copy"
    copied = a_call("s1", session_key=key, owner_rank=owner_rank(2, at_ms(0), key))
    store.write(Batch(sessions=[a_session("copy")], requests=[copied]))
    assert row_of(store, "copy")["requests"] == 1
    store.write(Batch(sessions=[a_session("s1")], requests=[a_call("s1")]))
    assert (row_of(store, "copy")["requests"], row_of(store, "s1")["requests"]) == (0, 1)


def test_new_evidence_of_a_parent_moves_its_subagents_too(store: Store) -> None:
    parent = a_session("s1", turn="running")
    child = a_session("s1/a", key="claude-code:s1/a", parent_key=parent.key, turn="running")
    store.write(Batch(sessions=[parent, child]))
    assert row_of(store, "s1/a")["status"] == "failed"
    claim = Evidence(
        session_key=parent.key,
        source="claude-registry",
        agent="claude-code",
        session_id="s1",
        machine="here",
        process="alive",
        turn="running",
    )
    store.write(Batch(evidence=[claim]))
    assert row_of(store, "s1/a")["status"] == "running"


def test_what_nobody_looks_at_is_unknown_and_not_running(store: Store) -> None:
    claim = Evidence(
        session_key="claude-code:s1",
        source="claude-registry",
        agent="claude-code",
        session_id="s1",
        machine="here",
        process="alive",
        turn="running",
    )
    store.write(Batch(sessions=[a_session("s1", turn="running")], evidence=[claim]))
    store.save_daemon(DaemonRow(machine="here", pid=1, started_at=NOW, beat_at=NOW))
    assert row_of(store, "s1")["status"] == "running"
    later = NOW + heard.SILENT_MS + 1
    assert row_of(store, "s1", later)["status"] == "unknown"
    assert "no longer looks" in row_of(store, "s1", later)["reason"]
    store.save_daemon(DaemonRow(machine="here", pid=1, started_at=NOW, beat_at=later))
    assert row_of(store, "s1", later)["status"] == "running"


def test_a_subagent_stands_for_itself_until_its_parent_is_known(store: Store) -> None:
    child = a_session("s1/a", key="claude-code:s1/a", parent_key="claude-code:s1")
    store.write(Batch(sessions=[child]))
    assert load_sessions(store, NOW)["parent_key"].tolist() == [None]
    store.write(Batch(sessions=[a_session("s1")]))
    rows = load_sessions(store, NOW).set_index("key")
    assert rows["parent_key"].to_dict() == {"claude-code:s1": None, child.key: "claude-code:s1"}


def test_a_parent_row_sums_its_subagents_beside_its_own(store: Store) -> None:
    child = a_session("a", key="claude-code:s1/a", parent_key="claude-code:s1")
    call = a_call("a", session_key="claude-code:s1/a")
    store.write(Batch(sessions=[a_session("s1")], requests=[a_call("s1")]))
    row_of(store, "s1")
    store.write(Batch(sessions=[child], requests=[call]))
    row = row_of(store, "s1")
    assert (row["requests"], row["subagents"], row["subagent_tokens"]) == (1, 1, 1_000_000)
    assert row["subagent_cost_usd"] == pytest.approx(4.0)


def test_a_subagents_subagents_are_its_parents_too_also_when_they_move(store: Store) -> None:
    keys = {name: f"claude-code:{name}" for name in ("s1", "s2", "s1/a", "s1/a/b")}
    below = a_session("b", key=keys["s1/a/b"], parent_key=keys["s1/a"])
    child = a_session("a", key=keys["s1/a"], parent_key=keys["s1"])
    call = a_call("b", session_key=keys["s1/a/b"])
    store.write(Batch(sessions=[below, a_session("s1"), a_session("s2")], requests=[call]))
    assert row_of(store, "s1")["subagents"] == 0
    store.write(Batch(sessions=[child]))
    row = row_of(store, "s1")
    assert (row["subagents"], row["subagent_cost_usd"]) == (2, pytest.approx(4.0))
    child.parent_key, child.last_activity_at = keys["s2"], at_ms(61)
    store.write(Batch(sessions=[child]))
    assert [row_of(store, name)["subagents"] for name in ("s1", "s2")] == [0, 2]


def test_recent_becomes_older_when_its_day_is_over(store: Store) -> None:
    store.write(Batch(sessions=[a_session("s1")]))
    assert row_of(store, "s1")["section"] == "recent"
    assert row_of(store, "s1", at_ms(60) + DAY + 60_000)["section"] == "older"


def test_removed_rows_leave_the_frame(store: Store) -> None:
    store.write(Batch(sessions=[a_session("s1"), a_session("s2", machine="sample")]))
    assert sorted(load_sessions(store, NOW)["sample"]) == [False, True]
    store.remove_machine("sample")
    assert load_sessions(store, NOW)["session_id"].tolist() == ["s1"]


def test_progress_is_known_only_with_a_plan(store: Store) -> None:
    planned = a_session("s1", todo_done=1, todo_total=4)
    store.write(Batch(sessions=[planned, a_session("s2")]))
    assert row_of(store, "s1")["progress"] == 0.25
    assert pd.isna(row_of(store, "s2")["progress"])


def test_a_context_beyond_its_window_is_not_told_as_a_share(store: Store) -> None:
    fits = a_session("s1", context_tokens=50, context_window=200)
    beyond = a_session("s2", context_tokens=300, context_window=200)
    store.write(Batch(sessions=[fits, beyond]))
    assert row_of(store, "s1")["context_share"] == 0.25
    assert pd.isna(row_of(store, "s2")["context_share"])


def test_projects_of_one_name_are_told_apart(store: Store) -> None:
    paths = {"s1": "/home/dev/a/web", "s2": "/home/dev/b/web", "s3": "/home/dev/api", "s4": None}
    store.write(Batch(sessions=[a_session(key, project_path=p) for key, p in paths.items()]))
    rows = load_sessions(store, NOW).set_index("session_id")["project"]
    assert rows[["s1", "s2", "s3"]].tolist() == ["a/web", "b/web", "api"]
    assert pd.isna(rows["s4"])


def test_a_duration_is_never_negative(store: Store) -> None:
    store.write(Batch(sessions=[a_session("s1", started_at=at_ms(60), last_activity_at=at_ms(0))]))
    assert row_of(store, "s1")["duration_ms"] == 0


def test_today_begins_at_midnight_of_the_time_zone(store: Store) -> None:
    # 15:00 UTC is 20:45 in Kathmandu, whose midnight lies on a quarter hour.
    midnight = at_ms(0) - (20 * 60 + 45) * 60_000
    calls = [a_call("s1", 1, at=midnight), a_call("s1", 2, at=midnight - 1), a_call("s1", 3)]
    store.write(Batch(sessions=[a_session("s1")], requests=calls))
    assert today_totals(store, ZoneInfo("Asia/Kathmandu"), NOW).requests == 2
    assert today_totals(store, UTC, NOW).requests == 1


def test_frames_of_two_stores_do_not_mix(store: Store, tmp_path: Path) -> None:
    other = Store.open(f"sqlite:///{tmp_path / 'other.db'}")
    store.write(Batch(sessions=[a_session("s1")]))
    other.write(Batch(sessions=[a_session("s2")]))
    assert load_sessions(store, NOW)["session_id"].tolist() == ["s1"]
    assert load_sessions(other, NOW)["session_id"].tolist() == ["s2"]
    other.close()


calls = st.builds(
    a_call,
    session=st.sampled_from(["s1", "s2", "s3"]),
    number=st.integers(1, 30),
    at=st.one_of(st.none(), st.integers(at_ms(0) - 5 * DAY, at_ms(0))),
    model=st.sampled_from([MODEL, "gpt-5.5", "nobody-knows-it", None]),
    input_tokens=st.integers(0, 10**6),
    output_tokens=st.integers(0, 10**6),
    cache_read_tokens=st.integers(0, 10**6),
    cache_write_1h_tokens=st.integers(0, 10**6),
)


@given(st.lists(calls, max_size=30))
@settings(max_examples=30)
def test_every_sum_is_the_same_everywhere(
    tmp_path_factory: pytest.TempPathFactory, made: list[Request]
) -> None:
    store = Store.open(f"sqlite:///{tmp_path_factory.mktemp('sums') / 'store.db'}")
    store.write(Batch(sessions=[a_session("s1"), a_session("s2"), a_session("s3")]))
    for number in range(0, len(made), 7):
        store.write(Batch(requests=made[number : number + 7]))
        load_sessions(store, NOW)
    sessions, usage = load_sessions(store, NOW), load_usage(store, NOW)
    fresh = frame.Known(store)
    fresh.refresh(NOW)
    assert fresh.frame is not None
    for name in [*Figures._fields, "total_tokens"]:
        if name in usage:
            assert sessions[name].sum() == pytest.approx(usage[name].sum())
        assert sessions[name].sum() == pytest.approx(fresh.frame[name].sum())
    assert sessions["requests"].sum() == len({call.key for call in made})
    store.close()


def test_short_ids_of_one_minute_differ(store: Store) -> None:
    ids = ["01a203d1-f033-7dd0-9d94-0143ba7fb6e9", "01a203d1-f0e5-7d90-991d-27b5a59d29df"]
    random = "2dbdedab-57a5-455d-9860-ea753ba4ed0b"
    store.write(Batch(sessions=[a_session(name) for name in [*ids, random]]))
    shown = load_sessions(store, NOW).set_index("session_id")["short_id"]
    assert [shown[name] for name in [*ids, random]] == ["ba7fb6e9", "a59d29df", "2dbdedab"]


def test_usage_that_is_kept_up_is_the_same_as_usage_that_is_loaded_anew(
    store: Store, tmp_path: Path
) -> None:
    store.write(Batch(sessions=[a_session("s1"), a_session("s2")], requests=[a_call("s1")]))
    first = load_usage(store, NOW)
    assert load_usage(store, NOW) is first
    later = [a_call("s1", 2, at=None), a_call("s2", output_tokens=7), a_call("s2", 2, model="?")]
    store.write(Batch(requests=later))
    kept_up = load_usage(store, NOW).sort_values(["session_key", "model", "at"])
    fresh = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    anew = load_usage(fresh, NOW).sort_values(["session_key", "model", "at"])
    fresh.close()
    assert len(anew) == 4
    pd.testing.assert_frame_equal(kept_up.reset_index(drop=True), anew.reset_index(drop=True))


def test_usage_of_a_removed_machine_is_gone(store: Store) -> None:
    store.write(Batch(sessions=[a_session("s1")], requests=[a_call("s1")]))
    assert len(load_usage(store, NOW)) == 1
    store.remove_machine("here")
    assert load_usage(store, NOW).empty


def test_a_dismissal_ends_when_its_session_goes_on_and_the_next_end_is_news(store: Store) -> None:
    store.write(Batch(sessions=[a_session("s1")]))
    store.dismiss("claude-code:s1", at_ms(90))
    assert row_of(store, "s1")["dismissed_at"] is not pd.NaT
    claim = a_claim("s1", turn="waiting")
    store.write(Batch(evidence=[claim]))
    row = row_of(store, "s1")
    assert (row["status"], row["dismissed_at"]) == ("waiting", pd.NaT)
    later = a_session("s1", last_activity_at=at_ms(120))
    gone = msgspec.structs.replace(claim, process="dead", turn=None)
    store.write(Batch(sessions=[later], evidence=[gone]))
    row = row_of(store, "s1")
    assert (row["section"], row["dismissed_at"]) == ("recent", pd.NaT)
    store.dismiss("claude-code:s1", at_ms(130))
    assert row_of(store, "s1")["dismissed_at"] == pd.Timestamp(at_ms(130), unit="ms", tz="UTC")


def test_of_two_machines_that_see_a_session_the_one_that_sees_it_run_counts(store: Store) -> None:
    seen = a_claim("s1", turn="running")
    elsewhere = msgspec.structs.replace(seen, machine="there", process="unknown", turn=None)
    store.write(Batch(sessions=[a_session("s1", turn="running")], evidence=[seen, elsewhere]))
    assert row_of(store, "s1")["status"] == "running"
    store.write(Batch(evidence=[msgspec.structs.replace(elsewhere, since=NOW)]))
    assert row_of(store, "s1")["status"] == "running"


def test_relatives_are_found_while_others_load_sessions(store: Store) -> None:
    def grow() -> None:
        for number in range(150):
            store.write(Batch(sessions=[a_session(f"n{number}")]))
            load_sessions(store, NOW)

    store.write(Batch(sessions=[a_session("s1"), a_session("s2", parent_key="claude-code:s1")]))
    growing = threading.Thread(target=grow)
    growing.start()
    while growing.is_alive():
        assert frame.relatives(store, "claude-code:s1", NOW) == {"Subagents": ["claude-code:s2"]}
    growing.join()
