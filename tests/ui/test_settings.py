"""The Settings page: servers are asked, saved, changed and removed, and no token comes out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from lib import servers
from lib.model import ServerProject, ServerRow
from lib.servers import SERVERS_VARIABLE, ServerSetting, settings_path
from lib.settings import settings
from lib.store import Store
from lib.ui import access
from tests.leanspec_server import LeanSpecServer
from tests.ui import pages
from tests.ui.pages import click, now_ms, said

PAGE = "pages/settings.py"
SECRET = "hunter2-hunter2"
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with pages.store_of_the_app(tmp_path, monkeypatch) as opened:
        yield opened


def fill(app: AppTest, **values: str) -> AppTest:
    for field in app.text_input:
        if field.label.lower() in values:
            field.input(values[field.label.lower()])
    return app


def saved() -> list[ServerSetting]:
    return servers.configured(settings(), {"HOME": "/nonexistent"}, Path("/nonexistent")).servers


def buttons(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def a_setting(**more: Any) -> ServerSetting:
    fields: dict[str, Any] = {"url": NOWHERE, "name": "harbour", **more}
    return ServerSetting(**fields)


def test_a_server_is_asked_before_it_is_saved(
    store: Store, leanspec_server: LeanSpecServer
) -> None:
    app = click(pages.run(PAGE), "Add a server")
    fill(app, url=f"{leanspec_server.url}/", name="Harbour")
    assert next(one for one in app.button if one.label == "Save").disabled
    click(app, "Check")
    assert "LeanSpec 0.2.28 answers, with 1 project." in said(app)
    assert saved() == []
    click(app, "Save")
    assert saved() == [ServerSetting(url=leanspec_server.url, name="Harbour")]
    assert "not asked yet" in said(app)
    assert "Save" not in buttons(app)


def test_a_server_that_is_down_can_still_be_saved(store: Store) -> None:
    app = click(pages.run(PAGE), "Add a server")
    click(fill(app, url=NOWHERE), "Check")
    assert "This does not work yet." in said(app)
    click(app, "Save anyway")
    assert saved() == [ServerSetting(url=NOWHERE, name="127.0.0.1:9")]


def test_what_changed_since_the_check_is_checked_before_it_is_saved(
    store: Store, leanspec_server: LeanSpecServer
) -> None:
    app = click(pages.run(PAGE), "Add a server")
    click(fill(app, url=leanspec_server.url), "Check")
    click(fill(app, url=NOWHERE), "Save")
    assert saved() == []
    assert "This does not work yet." in said(app)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"url": "localhost:3000"}, "http://"),
        ({"url": f"http://me:{SECRET}@h"}, "there is a token"),
        ({"url": "http://h", "token": f"{SECRET} {SECRET}"}, "only ASCII and no blanks"),
        ({"url": f"{NOWHERE}/"}, "already"),
    ],
)
def test_what_cannot_be_used_is_told_and_not_saved(
    values: dict[str, str], told: str, store: Store
) -> None:
    servers.save(settings(), a_setting())
    app = click(pages.run(PAGE), "Add a server")
    click(fill(app, **values), "Check")
    assert told in said(app)
    assert SECRET not in said(app)
    assert next(one for one in app.button if one.label == "Save").disabled
    assert saved() == [a_setting()]


def test_an_edit_keeps_the_token_for_the_same_url_only(store: Store) -> None:
    servers.save(settings(), a_setting(token=SECRET))
    app = click(pages.run(PAGE), "Edit")
    assert [field.value for field in app.text_input] == [NOWHERE, "harbour", ""]
    click(click(fill(app, name="Quay"), "Check"), "Save anyway")
    assert saved() == [a_setting(name="Quay", token=SECRET)]
    app = click(app, "Edit")
    click(click(fill(app, url=f"{NOWHERE}0"), "Check"), "Save anyway")
    assert saved() == [ServerSetting(url=f"{NOWHERE}0", name="Quay")]


def test_a_token_can_be_forgotten(store: Store) -> None:
    servers.save(settings(), a_setting(token=SECRET))
    app = click(pages.run(PAGE), "Edit")
    app.checkbox[0].check()
    click(click(app, "Check"), "Save anyway")
    assert saved() == [a_setting()]


def test_a_token_is_asked_with_and_never_shown(
    store: Store, leanspec_server: LeanSpecServer
) -> None:
    app = click(pages.run(PAGE), "Add a server")
    click(fill(app, url=leanspec_server.url, token=SECRET), "Check")
    assert SECRET not in said(app)
    click(app, "Save")
    assert saved()[0].token == SECRET
    click(app, "Edit")
    sent = "".join(str(element.proto) for element in app.main)
    assert leanspec_server.url in sent
    assert SECRET not in sent


def test_a_server_is_turned_off_and_removed(store: Store) -> None:
    servers.save(settings(), a_setting(token=SECRET))
    app = click(pages.run(PAGE), "Turn off")
    assert "⏸️ off" in said(app)
    assert [(one.on, one.token) for one in saved()] == [(False, SECRET)]
    click(app, "Turn on")
    assert saved()[0].on
    click(app, "Remove it")
    assert saved() == []


def test_each_server_is_shown_as_the_daemon_of_this_machine_found_it(store: Store) -> None:
    servers.save(settings(), a_setting())
    row = ServerRow(
        machine=settings().machine,
        url=NOWHERE,
        name="harbour",
        state="unreachable",
        error="Connection refused.",
        version="0.2.28",
        projects=[ServerProject(id="p", name="P", path="/p")],
        sessions=2,
        seen_at=now_ms() - 300_500,
    )
    store.save_servers(row.machine, [row])
    store.save_servers("~there", [ServerRow(machine="~there", url=NOWHERE, name="x")])
    words = said(pages.run(PAGE)).replace("\\", "")
    assert "❌ unreachable · LeanSpec 0.2.28 · 1 project · 2 sessions · last seen 5 min" in words
    assert "Connection refused." in words


def test_what_is_configured_elsewhere_is_shown_with_its_place_and_cannot_be_changed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SERVERS_VARIABLE, "http://h.example ftp://nothing")
    app = pages.run(PAGE)
    assert f"Set by {SERVERS_VARIABLE}" in said(app)
    assert f"{SERVERS_VARIABLE}, entry 2: A URL starts with" in said(app)
    assert not {"Edit", "Turn off", "Remove it"} & set(buttons(app))


def test_a_token_over_plain_http_to_another_machine_is_warned_of(store: Store) -> None:
    servers.save(settings(), a_setting(url="http://127.0.0.1:1", token=SECRET))
    servers.save(settings(), a_setting(url="https://h.example", token=SECRET))
    servers.save(settings(), a_setting(url="http://h.example"))
    assert "unencrypted" not in said(pages.run(PAGE))
    servers.save(settings(), a_setting(url="http://h.example", token=SECRET))
    assert said(pages.run(PAGE)).count("unencrypted") == 1


def test_a_file_that_cannot_be_written_is_told(store: Store) -> None:
    servers.save(settings(), a_setting())
    app = pages.run(PAGE)
    settings_path(settings()).write_text("precious")
    click(app, "Turn off")
    assert "The change could not be saved." in said(app)
    assert settings_path(settings()).read_text() == "precious"


def test_a_viewer_who_may_only_look_changes_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers.save(settings(), a_setting())
    monkeypatch.setenv(access.PUBLIC_VARIABLE, "1")
    app = pages.run(PAGE)
    assert "harbour" in said(app)
    assert NOWHERE not in said(app)
    assert buttons(app) == ["Refresh now"]
