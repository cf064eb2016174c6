"""Rows of sessions that LeanSpec servers run, from the store to the card."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lib import filters
from lib.cards import View, card
from lib.frame import load_sessions, load_usage
from lib.leanspec_facts import DELETED, SOURCE
from lib.model import Evidence, Request, ServerRow, ServerRunner, Session
from lib.sections import top_level
from lib.store import Batch, Store
from tests.board_rows import NOW, NOW_MS, VIEW
from tests.test_twins import local, served

URL = "http://127.0.0.1:3000"
RUNNING: dict[str, Any] = {"started_at": NOW_MS - 60_000, "last_activity_at": NOW_MS - 5_000}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(f"sqlite:///{tmp_path / 'store.db'}")


def claim(session: Session, process: Any = "alive", **facts: Any) -> Evidence:
    source = SOURCE if session.server else "claude-registry"
    return Evidence(
        session_key=session.key,
        source=source,
        agent=session.agent,
        session_id=session.session_id,
        machine="desk",
        observed_at=NOW_MS,
        process=process,
        **facts,
    )


def server(**facts: Any) -> ServerRow:
    known: dict[str, Any] = {
        "machine": "desk",
        "url": URL,
        "name": "dock",
        "state": "ok",
        "runners": [ServerRunner(id="scripted", name="Scripted")],
        "seen_at": NOW_MS - 1_000,
    }
    return ServerRow(**(known | facts))


def write(store: Store, *sessions: Session, process: Any = "alive") -> None:
    claims = [claim(one, process, turn="running") for one in sessions]
    store.write(Batch(sessions=list(sessions), evidence=claims))


def the_card(store: Store, key: str = "leanspec:s1", view: View = VIEW) -> dict[str, Any]:
    rows = load_sessions(store, NOW_MS)
    row = rows[rows["key"] == key].to_dict("records")[0]
    return dict(card(row, view))


def test_a_servers_session_stands_beside_the_local_ones_with_its_runner_as_tool(
    store: Store,
) -> None:
    store.save_servers("desk", [server()])
    mine = local(project_path="/srv/lagoon", **RUNNING)
    write(store, served(mode="guided", specs=["002-mooring"], **RUNNING), mine)
    shown = the_card(store)
    assert shown["tags"] == ["Claude Code", "harbour", "002-mooring", "on dock", "guided"]
    rows = load_sessions(store, NOW_MS)
    assert filters.values(rows, "tool") == ["claude-code"]
    chosen = filters.Filters(tool=("claude-code",))
    assert len(filters.apply(rows, chosen, NOW)) == 2


def test_a_runner_that_is_no_known_agent_has_the_servers_name_for_it(store: Store) -> None:
    store.save_servers("desk", [server()])
    write(store, served(runner="scripted", **RUNNING))
    assert the_card(store)["tags"][0] == "Scripted"


@pytest.mark.parametrize(
    ("tokens", "words"),
    [(12_345, "12,345 tokens as reported (unpriced)"), (None, "tokens unknown")],
)
def test_what_nobody_priced_is_never_nothing(store: Store, tokens: int | None, words: str) -> None:
    store.save_servers("desk", [server()])
    write(store, served(reported_tokens=tokens, **RUNNING))
    assert the_card(store)["meta"][0] == words
    assert pd.isna(load_sessions(store, NOW_MS).iloc[0]["cost_usd"])


def test_a_server_that_does_not_answer_says_since_when(store: Store) -> None:
    store.save_servers("desk", [server()])
    write(store, served(**RUNNING))
    assert the_card(store)["lastSeenAt"] is None
    store.save_servers("desk", [server(state="unreachable", seen_at=NOW_MS - 40_000)])
    write(store, served(**RUNNING), process="unknown")
    shown = the_card(store)
    assert (shown["status"], shown["lastSeenAt"]) == ("unknown", NOW_MS - 40_000)
    assert load_sessions(store, NOW_MS).iloc[0]["section"] == "running"


def test_a_new_name_of_a_server_shows_without_any_news_of_its_sessions(store: Store) -> None:
    store.save_servers("desk", [server()])
    write(store, served(**RUNNING))
    assert "on dock" in the_card(store)["tags"]
    store.save_servers("desk", [server(name="quay")])
    assert "on quay" in the_card(store)["tags"]


def test_an_answer_alone_makes_no_row_anew(store: Store) -> None:
    store.save_servers("desk", [server()])
    write(store, served(**RUNNING))
    before = load_sessions(store, NOW_MS)
    store.save_servers("desk", [server(seen_at=NOW_MS, checked_at=NOW_MS)])
    assert load_sessions(store, NOW_MS) is before


def test_what_its_server_deleted_says_so_and_takes_no_action(store: Store) -> None:
    store.save_servers("desk", [server()])
    write(store, served(turn="stopped", flags=[DELETED], **RUNNING), process="dead")
    assert "deleted on its server" in the_card(store)["tags"]
    assert load_sessions(store, NOW_MS).iloc[0]["permitted"] == []


def a_twin(**facts: Any) -> Session:
    return local(started_at=NOW_MS - 59_000, last_activity_at=NOW_MS - 2_000, **facts)


def test_a_session_seen_twice_is_shown_once_with_both_origins(store: Store) -> None:
    store.save_servers("desk", [server()])
    mine = a_twin(model="claude-sonnet-4-5", branch="main")
    call = Request(
        key="claude-code:m1",
        session_key=mine.key,
        owner_rank="0",
        at=NOW_MS - 30_000,
        model="claude-sonnet-4-5",
        input_tokens=100_000,
    )
    write(store, served(mode="guided", specs=["002-mooring"], **RUNNING), mine)
    store.write(Batch(requests=[call]))
    rows = load_sessions(store, NOW_MS)
    (row,) = top_level(rows).to_dict("records")
    assert (row["key"], row["twin"]) == ("leanspec:s1", mine.key)
    assert (row["total_tokens"], row["cost_usd"]) == (100_000, pytest.approx(0.3))
    tags = ["Claude Code", "harbour", "main", "002-mooring", "on dock", "guided"]
    assert the_card(store)["tags"] == [*tags, "also seen locally"]
    assert row["subagents"] == 0
    assert load_usage(store, NOW_MS)["cost_usd"].sum() == pytest.approx(0.3)


def test_what_a_session_seen_twice_waits_for_its_agent_knows(store: Store) -> None:
    store.save_servers("desk", [server()])
    mine, theirs = a_twin(), served(**RUNNING)
    write(store, theirs)
    waits = claim(mine, turn="waiting", detail="permission")
    store.write(Batch(sessions=[mine], evidence=[waits]))
    assert the_card(store)["status"] == "waiting"
    store.write(Batch(evidence=[claim(theirs, "suspended")]))
    assert the_card(store)["status"] == "paused"


def test_a_session_whose_server_is_silent_is_what_its_own_process_says(store: Store) -> None:
    mine, theirs = a_twin(), served(**RUNNING)
    claims = [claim(theirs, "unknown"), claim(mine, "alive", turn="waiting", detail="permission")]
    store.write(Batch(sessions=[mine, theirs], evidence=claims))
    assert the_card(store)["status"] == "waiting"
    store.write(Batch(evidence=[claim(mine, "unknown")]))
    assert the_card(store)["status"] == "unknown"
