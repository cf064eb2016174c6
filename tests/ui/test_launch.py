"""The New session page: what it offers, what it asks for, and that a link starts nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from lib import servers
from lib.model import Action, ServerProject, ServerRow, ServerRunner
from lib.servers import ServerSetting
from lib.settings import settings
from lib.store import Store
from lib.store_actions import ActionFilter
from lib.ui import access, launch
from tests.leanspec_server import LeanSpecServer
from tests.ui import pages
from tests.ui.pages import again, click, now_ms, said

PAGE = "pages/launch.py"
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with pages.store_of_the_app(tmp_path, monkeypatch) as opened:
        yield opened
    launch.forget_offers()


def a_row(**facts: Any) -> ServerRow:
    fields: dict[str, Any] = {
        "machine": settings().machine,
        "url": NOWHERE,
        "name": "harbour",
        "state": "ok",
        "projects": [ServerProject(id="p", name="Quay", path="/w/quay")],
        "runners": [
            ServerRunner(id="claude", name="Claude Code", available=True),
            ServerRunner(id="aider", name="Aider", available=False),
            ServerRunner(id="codex", name="Codex", available=True),
            ServerRunner(id="vs", name="VS", available=None),
        ],
        "default_runner": "codex",
        **facts,
    }
    return ServerRow(**fields)


def connect(store: Store, server: LeanSpecServer) -> ServerRow:
    """Configure a real server, and write its row as the daemon does."""
    servers.save(settings(), ServerSetting(url=server.url, name="harbour"))
    with server.client() as client:
        row = a_row(url=server.url, projects=client.projects())
    store.save_servers(row.machine, [row])
    return row


def asked_for(store: Store) -> list[Action]:
    return store.actions.listed(ActionFilter(), 10)


def box(app: AppTest, label: str) -> Any:
    return next(one for one in app.selectbox if one.label == label)


def specs(app: AppTest) -> Any:
    return next(one for one in app.multiselect if one.label == "Specs")


def test_without_a_server_the_page_says_how_to_get_one(store: Store) -> None:
    store.save_servers("a", [a_row(machine="a", state="off"), a_row(url="http://b", projects=[])])
    assert "none with a project is connected yet" in said(pages.run(PAGE))


def test_the_server_itself_says_what_there_is_to_choose(
    store: Store, leanspec_server: LeanSpecServer
) -> None:
    connect(store, leanspec_server)
    app = pages.run(PAGE)
    assert specs(app).options == [
        "003-tide-table · Tide table · planned",
        "002-mooring · Mooring · in-progress",
        "001-lighthouse · Lighthouse · complete",
    ]
    assert {"Scripted", "Scripted (ACP)"} <= set(box(app, "Runner").options)
    assert "Antigravity" not in box(app, "Runner").options
    assert f"in {leanspec_server.project}" in said(app).replace("\\", "")


def test_what_is_chosen_is_asked_for_once(store: Store, leanspec_server: LeanSpecServer) -> None:
    row = connect(store, leanspec_server)
    app = pages.run(PAGE)
    specs(app).select("003-tide-table").select("002-mooring")
    box(app, "Runner").select("scripted")
    box(app, "Mode").select("guided")
    app.text_area[0].input("  print hello\n")
    click(app, "Start session")
    (action,) = asked_for(store)
    assert (action.kind, action.machine, action.state) == ("create", row.machine, "requested")
    assert action.target == "harbour on harbour"
    assert action.arguments == {
        "server": leanspec_server.url,
        "project_path": str(leanspec_server.project),
        "specs": ["003-tide-table", "002-mooring"],
        "runner": "scripted",
        "mode": "guided",
        "prompt": "print hello",
    }
    assert next(one for one in app.button if one.label == "Start session").disabled
    again(app)
    assert len(asked_for(store)) == 1


def test_a_session_needs_something_to_work_on(store: Store) -> None:
    store.save_servers("a", [a_row()])
    app = pages.run(PAGE)
    app.text_area[0].input("  ")
    click(app, "Start session")
    assert "Choose a spec or write a prompt" in said(app)
    assert asked_for(store) == []


def finish(store: Store, app: AppTest, state: Any, outcome: str, key: str | None = None) -> AppTest:
    app.text_area[0].input("do it")
    click(app, "Start session")
    action = asked_for(store)[0]
    assert store.actions.claim(action.id, now_ms())
    store.actions.finish(action.id, state, outcome, key, now_ms())
    return again(app)


def test_a_started_session_is_linked_and_another_can_be_started(store: Store) -> None:
    store.save_servers("a", [a_row()])
    app = finish(store, pages.run(PAGE), "done", "Running.", "leanspec:abc")
    assert "The session was started." in said(app)
    (link,) = app.get("page_link")
    assert "q=abc" in str(link.proto)
    click(app, "Start another")
    assert app.text_area[0].value == ""
    finish(store, app, "done", "Running.", "leanspec:def")
    assert len(asked_for(store)) == 2


def test_a_request_that_nobody_takes_up_is_told(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save_servers("a", [a_row()])
    app = pages.run(PAGE)
    app.text_area[0].input("do it")
    click(app, "Start session")
    assert "It starts in a moment." in said(app)
    monkeypatch.setattr(launch, "PATIENCE_MS", 0)
    app = again(app)
    assert "nobody has taken it up" in said(app)
    assert "It starts in a moment." not in said(app)


def test_a_refusal_is_told_and_can_be_tried_again_with_the_same_words(store: Store) -> None:
    store.save_servers("a", [a_row()])
    app = finish(store, pages.run(PAGE), "refused", "No such runner *here*.")
    assert "The session was not started." in said(app)
    assert "No such runner *here*." in [text.value for text in app.text]
    click(app, "Try again")
    assert app.text_area[0].value == "do it"
    click(app, "Start session")
    assert [action.state for action in asked_for(store)] == ["requested", "refused"]


def test_a_link_chooses_and_starts_nothing(store: Store, leanspec_server: LeanSpecServer) -> None:
    row = connect(store, leanspec_server)
    store.save_servers(row.machine, [a_row(name="a first one"), row])
    query = {"server": ["harbour"], "project": ["harbour"], "spec": ["002-mooring", "../etc"]}
    app = pages.run(PAGE, **query)
    assert box(app, "Server").value.endswith(leanspec_server.url)
    assert specs(app).value == ["002-mooring"]
    assert "no spec “../etc”" in said(app)
    assert asked_for(store) == []
    box(app, "Server").select_index(0).run()
    again(app)
    assert box(app, "Server").value.endswith(NOWHERE)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"server": ["nowhere"]}, "no server “nowhere”"),
        ({"project": ["nowhere"]}, "no project “nowhere” on harbour"),
    ],
)
def test_a_link_to_what_does_not_exist_is_told(
    query: dict[str, list[str]], told: str, store: Store
) -> None:
    store.save_servers("a", [a_row()])
    app = pages.run(PAGE, **query)
    assert told in said(app)
    assert box(app, "Project").options == ["Quay"]


def test_a_server_that_does_not_answer_leaves_what_the_daemon_knows(store: Store) -> None:
    servers.save(settings(), ServerSetting(url=NOWHERE, name="harbour"))
    store.save_servers(settings().machine, [a_row(state="unreachable")])
    app = pages.run(PAGE)
    assert "specs can't be listed" in said(app)
    assert box(app, "Server").options == ["harbour · ❌ unreachable"]
    assert box(app, "Runner").options == ["Claude Code", "Codex"]
    assert box(app, "Runner").value == "codex"


def test_the_server_of_another_machine_is_not_asked_from_here(store: Store) -> None:
    servers.save(settings(), ServerSetting(url=NOWHERE, name="another at this address"))
    store.save_servers("there", [a_row(machine="there")])
    app = pages.run(PAGE)
    assert "Only there can ask this server for its specs" in said(app)
    app.text_area[0].input("do it")
    click(app, "Start session")
    assert asked_for(store)[0].machine == "there"


def test_without_a_runner_nothing_can_be_started(store: Store) -> None:
    store.save_servers("a", [a_row(runners=[])])
    app = pages.run(PAGE)
    assert "finds no program that it could start" in said(app)
    assert next(one for one in app.button if one.label == "Start session").disabled


def test_a_viewer_who_may_only_look_starts_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save_servers("a", [a_row()])
    monkeypatch.setenv(access.PUBLIC_VARIABLE, "1")
    app = pages.run(PAGE)
    assert "Sessions can't be started from here" in said(app)
    assert not app.text_area


def test_filters_are_kept_by_a_page_without_them(store: Store) -> None:
    app = pages.run("pages/sessions.py", tool=["codex"], sort=["cost"])
    app.switch_page(PAGE)
    again(app)
    assert not app.multiselect
    app.switch_page("pages/sessions.py")
    again(app)
    assert box(app, "Sort by").value == "cost"


def test_who_comes_again_by_a_link_finds_a_fresh_form_and_its_choice(store: Store) -> None:
    store.save_servers("a", [a_row(), a_row(url="http://b", name="second")])
    app = pages.run(PAGE, server=["second"])
    finish(store, app, "done", "Running.", "leanspec:abc")
    app.switch_page("pages/settings.py")
    again(app)
    app.switch_page(PAGE)
    again(app)
    assert box(app, "Server").value.endswith("http://b")
    assert "was started" not in said(app)
    assert not next(one for one in app.button if one.label == "Start session").disabled
