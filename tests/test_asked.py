"""What a card shows of the actions on its session."""

from typing import Any

import pytest

from lib.asked import PATIENCE_MS, SHOWN_MS, Asked, asked, request
from lib.frame import load_sessions
from lib.model import Action, DaemonRow, Evidence, Session
from lib.store import Batch, Store

NOW = 1_795_000_000_000


def an_action(**values: Any) -> Action:
    known: dict[str, Any] = {
        "id": "1",
        "at": NOW - 1_000,
        "kind": "stop",
        "by": "me",
        "machine": "here",
        "session_key": "leanspec:s",
        "updated_at": NOW - 1_000,
    }
    return Action(**(known | values))


def test_nothing_was_asked_for() -> None:
    assert asked([], NOW) == Asked([])


def test_what_is_under_way_is_named_once() -> None:
    actions = [an_action(kind="pause", state="running"), an_action(), an_action()]
    assert asked(actions, NOW) == Asked(["pause", "stop"], None, NOW - 1_000 + PATIENCE_MS)


@pytest.mark.parametrize(
    ("state", "note"),
    [
        ("done", None),
        ("refused", "Stop refused: Cannot stop it"),
        ("failed", "Stop failed: Cannot stop it"),
        ("unverified", "Stop requested. Cannot stop it"),
    ],
)
def test_what_did_not_come_to_pass_is_told_for_a_while(state: Any, note: str | None) -> None:
    action = an_action(state=state, outcome="Cannot stop it")
    assert asked([action], NOW).note == note
    assert asked([action], NOW - 1_000 + SHOWN_MS).note is None


def test_what_came_to_pass_later_ends_an_older_note() -> None:
    refused = an_action(state="refused", outcome="no", updated_at=NOW - 3_000)
    assert asked([refused, an_action(state="done")], NOW) == Asked([])
    assert asked([refused, an_action(state="done", updated_at=NOW - 5_000)], NOW).note


def test_a_request_that_nobody_takes_up_is_told() -> None:
    assert asked([an_action(at=NOW - PATIENCE_MS)], NOW) == Asked(
        ["stop"], "Stop requested. The daemon of here has not taken it up."
    )


def a_running_session(store: Store) -> None:
    key, server = "leanspec:s", "http://127.0.0.1:3000"
    session = Session(
        key=key, agent="leanspec", session_id="s", machine="here", turn="running", server=server
    )
    claim = Evidence(
        session_key=key,
        source="leanspec-server",
        agent="leanspec",
        session_id="s",
        machine="here",
        process="alive",
        turn="running",
    )
    store.write(Batch(sessions=[session], evidence=[claim]))


def control_of(store: Store, now: int = NOW) -> tuple[list[str], list[str], str | None]:
    row = load_sessions(store, now).iloc[0]
    return row["permitted"], row["under_way"], row["note"]


def test_rows_follow_what_is_asked_for_and_what_becomes_of_it(file_store: Store) -> None:
    a_running_session(file_store)
    assert control_of(file_store) == (["pause", "stop"], [], None)
    file_store.actions.request(an_action())
    assert control_of(file_store) == (["pause", "stop"], ["stop"], None)
    file_store.actions.claim("1", NOW)
    file_store.actions.finish("1", "refused", "no", None, NOW)
    assert control_of(file_store) == (["pause", "stop"], [], "Stop refused: no")
    assert control_of(file_store, NOW + SHOWN_MS + 60_000)[2] is None


def test_nothing_may_be_asked_for_where_no_daemon_looks(file_store: Store) -> None:
    a_running_session(file_store)
    beat = NOW - 600_000
    file_store.save_daemon(DaemonRow(machine="here", pid=1, started_at=beat, beat_at=beat))
    assert control_of(file_store)[0] == []


def test_a_request_is_for_the_daemon_that_knows_the_session(file_store: Store) -> None:
    a_running_session(file_store)
    row = load_sessions(file_store, NOW).to_dict("records")[0]
    asked_for = request("click", "pause", row, "me", NOW)
    assert (asked_for.machine, asked_for.session_key) == ("here", "leanspec:s")
    assert (asked_for.state, asked_for.target) == ("requested", "#s Untitled session")


def test_what_the_status_does_not_permit_is_refused_at_once_and_logged(file_store: Store) -> None:
    a_running_session(file_store)
    row = load_sessions(file_store, NOW).to_dict("records")[0]
    file_store.actions.request(request("click", "delete", row, "me", NOW))
    assert file_store.actions.requested("here") == []
    assert control_of(file_store)[2] == "Delete refused: It is running, which does not allow it."


def test_what_is_under_way_is_not_asked_for_a_second_time(file_store: Store) -> None:
    a_running_session(file_store)
    file_store.actions.request(an_action())
    row = load_sessions(file_store, NOW).to_dict("records")[0]
    again = request("another viewer's click", "stop", row, "me", NOW)
    assert (again.state, again.outcome) == (
        "refused",
        "It was asked for already, and is under way.",
    )
    assert request("click", "pause", row, "me", NOW).state == "requested"
