"""Actions are asked for once, taken once, and kept."""

import threading
from typing import Any

import pytest

from lib.model import Action, Session
from lib.store import Batch, Store
from lib.store_actions import INTERRUPTED, ActionFilter

ALL = ActionFilter()


def an_action(action_id: str = "1", session_id: str | None = "a", **values: Any) -> Action:
    known: dict[str, Any] = {
        "at": 1_000,
        "kind": "stop",
        "by": "me@here",
        "machine": "here",
        "target": "#a Task",
        **values,
    }
    key = None if session_id is None else f"leanspec:{session_id}"
    return Action(id=action_id, session_key=key, **known)


def a_session(session_id: str = "a", **values: Any) -> Session:
    key = f"leanspec:{session_id}"
    return Session(key=key, agent="leanspec", session_id=session_id, machine="here", **values)


def outcome(store: Store, action_id: str = "1") -> tuple[str, str | None]:
    found = next(one for one in store.actions.listed(ALL, 100) if one.id == action_id)
    return found.state, found.outcome


def test_an_action_comes_back_as_it_was_asked_for(store: Store) -> None:
    asked = an_action(
        session_id=None,
        kind="create",
        arguments={
            "server": "http://x",
            "specs": ["1-a", "2-b"],
            "prompt": "nul \x00",
            "mode": None,
        },
        outcome="☃",
        updated_at=5,
    )
    assert store.actions.request(asked)
    assert store.actions.requested("here") == [asked]
    assert store.actions.listed(ALL, 10) == [asked]


def test_the_same_id_twice_is_one_action(store: Store) -> None:
    assert store.actions.request(an_action(kind="stop"))
    assert store.actions.claim("1", 2_000)
    assert not store.actions.request(an_action(kind="delete"))
    assert [(one.kind, one.state) for one in store.actions.listed(ALL, 10)] == [("stop", "running")]


def test_of_two_viewers_who_ask_the_same_in_one_instant_one_is_told_so(store: Store) -> None:
    asking = [
        threading.Thread(target=store.actions.request, args=(an_action(name, kind="retry"),))
        for name in ("mine", "yours")
    ]
    for one in asking:
        one.start()
    for one in asking:
        one.join()
    assert len(store.actions.requested("here")) == 1
    noted = store.actions.listed(ALL, 10)
    assert sorted(one.state for one in noted) == ["refused", "requested"]
    store.actions.request(an_action("other", kind="stop"))
    assert len(store.actions.requested("here")) == 2


def test_a_request_is_taken_once_however_many_try(store: Store) -> None:
    store.actions.request(an_action())
    taken: list[bool] = []
    tries = [
        threading.Thread(target=lambda: taken.append(store.actions.claim("1", 2_000)))
        for _ in range(8)
    ]
    for one in tries:
        one.start()
    for one in tries:
        one.join()
    assert sorted(taken) == [False] * 7 + [True]
    assert store.actions.requested("here") == []


def test_a_machine_gets_its_own_requests_in_their_order(store: Store) -> None:
    store.actions.request(an_action("3", "3", at=30))
    store.actions.request(an_action("2", "2", at=10))
    store.actions.request(an_action("1", "1", at=20))
    store.actions.request(an_action("4", "4", machine="there"))
    assert [one.id for one in store.actions.requested("here")] == ["2", "1", "3"]


def test_what_became_of_it_is_written_once(store: Store) -> None:
    store.actions.request(an_action())
    store.actions.finish("1", "done", "too early", None, 2_000)
    assert outcome(store) == ("requested", None)
    store.actions.claim("1", 2_000)
    store.actions.finish("1", "refused", "Not found", None, 3_000)
    store.actions.finish("1", "done", "later", None, 4_000)
    assert outcome(store) == ("refused", "Not found")
    assert not store.actions.claim("1", 5_000)


def test_what_a_dead_daemon_had_taken_is_unverified_and_not_done_again(store: Store) -> None:
    store.actions.request(an_action("1"))
    store.actions.request(an_action("2", "2"))
    store.actions.request(an_action("3", "3", machine="there"))
    store.actions.claim("1", 2_000)
    store.actions.claim("3", 2_000)
    assert store.actions.interrupted("here", 3_000)
    assert outcome(store, "1") == ("unverified", INTERRUPTED)
    assert outcome(store, "2") == ("requested", None)
    assert outcome(store, "3") == ("running", None)
    assert not store.actions.interrupted("here", 3_000)


def test_every_step_moves_the_version_and_the_session(store: Store) -> None:
    store.write(Batch(sessions=[a_session("a"), a_session("b")]))
    steps = [
        lambda: store.actions.request(an_action()),
        lambda: store.actions.claim("1", 2_000),
        lambda: store.actions.finish("1", "done", "stopped", None, 3_000),
    ]
    for step in steps:
        before = store.version()
        step()
        assert store.version() > before
        assert [row.key for row in store.sessions(before)] == ["leanspec:a"]


def test_nothing_new_moves_nothing(store: Store) -> None:
    store.actions.request(an_action())
    before = store.version()
    store.actions.request(an_action())
    store.actions.claim("other", 2_000)
    store.actions.finish("other", "done", None, None, 2_000)
    store.actions.interrupted("here", 2_000)
    assert store.version() == before


def test_a_retry_links_what_it_made_and_polling_keeps_the_link(store: Store) -> None:
    store.write(Batch(sessions=[a_session("a")]))
    store.actions.request(an_action(kind="retry"))
    store.actions.claim("1", 2_000)
    before = store.version()
    store.actions.finish("1", "done", "started", "leanspec:b", 3_000)
    store.write(Batch(sessions=[a_session("b")]))
    [made] = [row for row in store.sessions(before) if row.session_id == "b"]
    assert made.retry_of == "leanspec:a"

    store.write(Batch(sessions=[a_session("b", title="polled again", last_activity_at=5)]))
    links = {row.session_id: (row.title, row.retry_of) for row in store.sessions()}
    assert links == {"a": (None, None), "b": ("polled again", "leanspec:a")}


def test_a_link_that_comes_after_the_session_is_noticed(store: Store) -> None:
    store.write(Batch(sessions=[a_session("a"), a_session("b"), a_session("c", retry_of="x")]))
    store.actions.request(an_action(kind="retry"))
    store.actions.claim("1", 2_000)
    before = store.version()
    store.actions.finish("1", "done", "started", "leanspec:b", 3_000)
    changed = {row.session_id: row.retry_of for row in store.sessions(before)}
    assert changed == {"a": None, "b": "leanspec:a"}
    assert [row.retry_of for row in store.sessions() if row.session_id == "c"] == ["x"]


def test_the_recent_ones_are_under_way_or_changed_lately(store: Store) -> None:
    for action_id in ("1", "2", "3", "4"):
        store.actions.request(an_action(action_id, session_id=action_id, at=int(action_id)))
        if action_id != "4":
            store.actions.claim(action_id, 1_000)
    store.actions.finish("1", "done", None, None, 2_000)
    store.actions.finish("2", "refused", "no", None, 5_000)
    assert [one.id for one in store.actions.recent(2_000)] == ["2", "3", "4"]
    assert store.actions.recent(25 * 3_600_000) == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (ALL, ["4", "3", "2", "1"]),
        (ActionFilter(kinds=["pause", "retry"]), ["3", "2"]),
        (ActionFilter(states=["refused"]), ["4"]),
        (ActionFilter(target="BETA "), ["3", "2"]),
        (ActionFilter(target="cannot stop"), ["4"]),
        (ActionFilter(target="100%"), ["1"]),
        (ActionFilter(kinds=["pause"], states=["done"]), []),
    ],
)
def test_the_log_is_filtered_newest_first(
    store: Store, wanted: ActionFilter, found: list[str]
) -> None:
    store.actions.request(an_action("1", at=1, target="100% sure"))
    store.actions.request(an_action("2", at=2, kind="pause", target="#b Beta"))
    store.actions.request(an_action("3", at=3, kind="retry", target="#b Beta"))
    refused = an_action("4", at=4, target="100 sure", state="refused", outcome="Cannot stop it")
    store.actions.request(refused)
    assert [one.id for one in store.actions.listed(wanted, 10)] == found
    assert store.actions.count(wanted) == len(found)
    assert [one.id for one in store.actions.listed(wanted, 1, 1)] == found[1:2]
