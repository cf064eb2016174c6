"""What a daemon does for as long as it lives, whatever the system refuses."""

import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib import follower, scan
from lib.follower import Follower
from lib.model import DaemonRow, Session
from lib.settings import Settings, settings
from lib.store import Batch, Store, StoreError


@pytest.fixture
def config(tmp_path: Path) -> Settings:
    home = tmp_path / "home"
    home.mkdir()
    return settings({"HOME": str(home), "QUARTERDECK_DATA_FOLDER": str(tmp_path)})


@pytest.fixture
def store(config: Settings) -> Iterator[Store]:
    opened = Store.open(config.store_url)
    yield opened
    opened.close()


def test_it_goes_on_where_the_system_refuses_a_thread(
    store: Store,
    config: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(follower, "RETRY_SECONDS", 0.01)
    refused: list[str] = []
    start = threading.Thread.start

    def reluctant(thread: threading.Thread) -> None:
        if thread.name not in refused and threading.current_thread() is following:
            refused.append(thread.name)
            raise RuntimeError("can't start new thread")
        start(thread)

    stopping = threading.Event()
    daemon = Follower(store, config, stopping)
    following = threading.Thread(target=daemon.run)
    monkeypatch.setattr(threading.Thread, "start", reluctant)
    following.start()
    deadline = time.monotonic() + 30
    while len(refused) < 3 or daemon._executing.ident is None:
        assert time.monotonic() < deadline
        stopping.wait(0.02)
    stopping.set()
    following.join()
    assert caplog.records[0].levelno == logging.ERROR
    assert "can't start new thread" in caplog.text
    assert [row.phase for row in store.daemons()] == ["stopped"]


def test_two_computers_of_one_name_are_told_until_one_has_another(
    store: Store, config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(follower, "LOOK_SECONDS", 0.02)
    stopping = threading.Event()
    following = threading.Thread(target=Follower(store, config, stopping).run)
    following.start()
    other = DaemonRow(machine=config.machine, pid=7, started_at=1, beat_at=1)

    def until_told(error: str | None, *, by_another: bool) -> None:
        deadline = time.monotonic() + 30
        while True:
            assert time.monotonic() < deadline
            if by_another:
                store.save_daemon(other)
            time.sleep(0.07)
            (row,) = store.daemons()
            if row.pid == os.getpid() and row.phase == "watching" and row.last_error == error:
                return

    until_told(None, by_another=False)
    until_told(follower.NAMESAKE, by_another=True)
    until_told(None, by_another=False)
    stopping.set()
    following.join()


def test_it_ends_where_the_file_that_it_writes_to_is_no_longer_the_store(
    store: Store, config: Settings
) -> None:
    stopping = threading.Event()
    daemon = Follower(store, config, stopping)
    threading.Timer(0.5, os.remove, [config.data_folder / "quarterdeck.db"]).start()
    with pytest.raises(StoreError, match="removed, replaced"):
        daemon.run()


def test_it_ends_where_an_older_state_of_the_store_was_brought_back(
    store: Store, config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(follower, "LOOK_SECONDS", 0.02)
    database = config.data_folder / "quarterdeck.db"
    session = Session(key="pi:s1", agent="pi", session_id="s1")

    def bring_back() -> None:
        with (
            contextlib.closing(sqlite3.connect(database)) as connection,
            contextlib.closing(sqlite3.connect(config.data_folder / "backup.db")) as backup,
        ):
            connection.backup(backup)
            store.write(Batch(sessions=[session]))
            time.sleep(0.5)
            backup.backup(connection)

    threading.Timer(0.5, bring_back).start()
    with pytest.raises(StoreError, match="older state"):
        Follower(store, config, threading.Event()).run()
