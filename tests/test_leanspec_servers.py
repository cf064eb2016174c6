"""All configured servers together, as a daemon follows them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from lib import servers
from lib.leanspec_servers import Servers
from lib.model import Evidence, ServerRow, Session
from lib.servers import ServerSetting
from lib.settings import PROJECT_FOLDER, Settings
from lib.store import Batch, Store
from tests.leanspec_server import LeanSpecServer, running_server
from tests.test_leanspec_poll import wait_for


@pytest.fixture
def config(tmp_path: Path) -> Settings:
    folder = tmp_path / "data"
    folder.mkdir()
    return Settings(f"sqlite:///{tmp_path / 'store.db'}", folder, "desk")


@pytest.fixture
def followed(file_store: Store, config: Settings, tmp_path: Path) -> Generator[Servers]:
    following = Servers(file_store, config, {"HOME": str(tmp_path)})
    following.thread.start()
    yield following
    following.close()


def row_of(store: Store, url: str) -> ServerRow | None:
    return next((row for row in store.servers() if row.url == url), None)


def wait_for_state(store: Store, url: str, state: str) -> None:
    def reached() -> bool:
        row = row_of(store, url)
        return row is not None and row.state == state

    wait_for(reached, lambda: row_of(store, url))


def turns(store: Store) -> dict[str, str]:
    """Session to the newest claim on its process."""
    return {claim.session_id: claim.process for claim in store.evidence()}


def test_a_server_is_followed_as_soon_as_it_is_saved_until_it_is_removed(
    leanspec_server: LeanSpecServer, followed: Servers, file_store: Store, config: Settings
) -> None:
    made = leanspec_server.run("sleep 300")
    setting = ServerSetting(url=leanspec_server.url, name="harbour")
    servers.save(config, setting)
    wait_for_state(file_store, setting.url, "ok")
    wait_for(lambda: turns(file_store).get(made.id) == "alive")
    servers.save(config, ServerSetting(url=setting.url, name="harbour", on=False))
    wait_for_state(file_store, setting.url, "off")
    wait_for(lambda: turns(file_store)[made.id] == "unknown")
    servers.save(config, setting)
    wait_for(lambda: turns(file_store)[made.id] == "alive")
    servers.remove(config, setting.url)
    wait_for(lambda: row_of(file_store, setting.url) is None)
    assert turns(file_store)[made.id] == "unknown"


def test_a_proxy_that_can_not_be_used_is_told_on_the_server(
    followed: Servers, file_store: Store, config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "ftp://proxy:1")
    servers.save(config, ServerSetting(url="http://harbour.test", name="harbour"))
    wait_for_state(file_store, "http://harbour.test", "unreachable")
    assert "names a proxy" in str(getattr(row_of(file_store, "http://harbour.test"), "error", None))


def test_what_a_killed_daemon_left_running_is_unknown_when_nobody_follows_its_server(
    file_store: Store, config: Settings, tmp_path: Path
) -> None:
    url = "http://127.0.0.1:9"
    session = Session(
        key="leanspec:s",
        agent="leanspec",
        session_id="s",
        machine="desk",
        server=url,
        turn="running",
    )
    claim = Evidence(
        session_key="leanspec:s",
        source="leanspec-server",
        agent="leanspec",
        session_id="s",
        machine="desk",
        process="alive",
    )
    file_store.write(Batch(sessions=[session], evidence=[claim]))
    file_store.save_servers("desk", [ServerRow(machine="desk", url=url, name="gone", state="ok")])
    following = Servers(file_store, config, {"HOME": str(tmp_path)})
    following.thread.start()
    wait_for(lambda: turns(file_store) == {"s": "unknown"}, lambda: turns(file_store))
    following.close()


def test_a_session_that_two_addresses_of_one_server_tell_of_belongs_to_one(
    leanspec_server: LeanSpecServer, followed: Servers, file_store: Store, config: Settings
) -> None:
    other = leanspec_server.url.replace("127.0.0.1", "localhost")
    for url in (leanspec_server.url, other):
        servers.save(config, ServerSetting(url=url, name=url))
        wait_for_state(file_store, url, "ok")
    leanspec_server.run("sleep 300")
    wait_for(lambda: len(file_store.sessions()) == 1)
    time.sleep(1)
    version = file_store.version()
    time.sleep(6)
    assert file_store.version() == version
    assert len({row.server for row in file_store.sessions()}) == 1


def test_a_daemon_follows_two_servers_and_leaves_them_when_it_ends(tmp_path: Path) -> None:
    with (
        running_server(tmp_path / "one", token="open-sesame") as one,
        running_server(tmp_path / "two") as two,
    ):
        environ = {
            **os.environ,
            "HOME": str(tmp_path),
            "QUARTERDECK_DATA_FOLDER": str(tmp_path / "data"),
            "QUARTERDECK_STORE_URL": f"sqlite:///{tmp_path / 'store.db'}",
            "QUARTERDECK_LEANSPEC_SERVERS": f"{one.url} {two.url}",
            "QUARTERDECK_LEANSPEC_TOKEN": "open-sesame",
        }
        made = [one.run("print ahoy; sleep 300"), two.run("sleep 300")]
        with open(tmp_path / "daemon.log", "wb") as log:
            command = [sys.executable, "-m", "lib.daemon"]
            daemon = subprocess.Popen(command, env=environ, cwd=PROJECT_FOLDER, stderr=log)
        try:
            store = Store.open(environ["QUARTERDECK_STORE_URL"])
            wait_for(lambda: set(turns(store).values()) == {"alive"} and len(turns(store)) == 2)
            assert turns(store).keys() == {session.id for session in made}
        finally:
            daemon.send_signal(signal.SIGTERM)
            status = daemon.wait(30)
        assert status == 0
        assert set(turns(store).values()) == {"unknown"}
        store.close()
    assert "open-sesame" not in (tmp_path / "daemon.log").read_text(encoding="utf-8")


def test_a_daemon_without_servers_imports_nothing_that_talks_to_them() -> None:
    code = (
        "import sys, lib.daemon\n"
        "sys.exit(' '.join(sorted({'httpx', 'websockets'} & sys.modules.keys())) or 0)"
    )
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, cwd=PROJECT_FOLDER, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")


def test_a_session_stays_with_the_server_that_had_it_before_a_restart(
    file_store: Store, config: Settings, tmp_path: Path
) -> None:
    urls = ["http://127.0.0.1:7/", "http://127.0.0.1:9"]
    for url in urls:
        servers.save(config, ServerSetting(url=url, name=url))
    known = Session(key="leanspec:a", agent="leanspec", session_id="a", machine="desk")
    known.server = urls[1]
    file_store.write(Batch(sessions=[known]))
    following = Servers(file_store, config, {"HOME": str(tmp_path)})
    following.thread.start()
    wait_for_state(file_store, urls[1], "unreachable")
    assert not following._is_ours("leanspec:a", "http://127.0.0.1:7")
    assert following._is_ours("leanspec:a", urls[1])
    following.close()
