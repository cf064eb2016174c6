"""The page that tells who asked for what."""

from typing import Any

import pytest

from lib.model import Action, Session
from lib.store import Batch, Store
from lib.ui import access
from tests.ui.test_app import now_ms, run, said, store

__all__ = ["store"]


def an_action(number: int, **values: Any) -> Action:
    known: dict[str, Any] = {
        "id": f"{number:04}",
        "at": now_ms() - 60_000 + number,
        "kind": "stop",
        "by": "me@here",
        "machine": "here",
        "session_key": "leanspec:gone",
        "target": f"#{number} Task",
    }
    return Action(**(known | values))


def test_an_empty_log_says_so(store: Store) -> None:
    assert "Nothing was asked for yet." in said(run("pages/actions.py"))


def test_the_log_is_newest_first_with_outcomes_and_links(store: Store) -> None:
    session = Session(key="leanspec:s", agent="leanspec", session_id="s", machine="here")
    store.write(Batch(sessions=[session]))
    store.actions.request(an_action(1, state="refused", outcome="Cannot stop it"))
    store.actions.request(an_action(2, kind="retry", session_key="leanspec:s", state="done"))
    table = run("pages/actions.py").dataframe[0].value
    assert list(table["Action"]) == ["Retry", "Stop"]
    assert list(table["State"]) == ["✅ done", "🚫 refused"]
    assert list(table["Outcome"]) == ["", "Cannot stop it"]
    assert list(table["Session"].dropna()) == ["session?session=leanspec%3As"]
    assert list(table["By"]) == ["me@here"] * 2


def test_the_log_is_filtered_and_paged(store: Store) -> None:
    for number in range(101):
        store.actions.request(an_action(number, kind="pause" if number == 7 else "stop"))
    app = run("pages/actions.py")
    assert "101 actions, newest first" in [one.value for one in app.caption]
    assert len(app.dataframe[0].value) == 100
    app.multiselect(key="action_kinds").select("pause").run()
    assert list(app.dataframe[0].value["Target"]) == ["#7 Task"]
    app.text_input(key="action_target").set_value("nobody").run()
    assert "Nothing matches." in said(app)


@pytest.mark.parametrize("public", [True, False])
def test_whoever_may_look_sees_the_log(
    store: Store, monkeypatch: pytest.MonkeyPatch, public: bool
) -> None:
    monkeypatch.setenv("QUARTERDECK_PUBLIC_READONLY", "1" if public else "0")
    store.actions.request(an_action(1))
    assert len(run("pages/actions.py").dataframe[0].value) == 1


def test_a_public_board_tells_no_addresses(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "http://10.0.0.7:3000"
    store.actions.request(
        an_action(1, target=f"harbour, {url}", outcome=f"{url} can't be reached.")
    )
    assert url in run("pages/actions.py").dataframe[0].value.to_csv()
    monkeypatch.setenv(access.PUBLIC_VARIABLE, "1")
    shown = run("pages/actions.py").dataframe[0].value
    assert (shown["Target"][0], shown["Outcome"][0]) == ("harbour, …", "… can't be reached.")
