"""What a daemon does for as long as it lives, whatever the system refuses."""

import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib import follower
from lib.follower import Follower
from lib.settings import Settings, settings
from lib.store import Store, StoreError


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


def test_it_ends_where_the_file_that_it_writes_to_is_no_longer_the_store(
    store: Store, config: Settings
) -> None:
    stopping = threading.Event()
    daemon = Follower(store, config, stopping)
    threading.Timer(0.5, os.remove, [config.data_folder / "quarterdeck.db"]).start()
    with pytest.raises(StoreError, match="removed or replaced"):
        daemon.run()
