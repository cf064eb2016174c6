"""Keeping what a server says: only news is written, and each session by one machine."""

import pytest

from lib.heard import SILENT_MS
from lib.leanspec_answers import ServerSession
from lib.leanspec_facts import Origin
from lib.leanspec_keep import FOREIGN_MS, Kept
from lib.leanspec_log import SessionLog
from lib.model import DaemonRow
from lib.store import Batch, Store, StoreError

URL = "http://server.example:3000"
NOW = 1_800_000_000_000


def kept(store: Store, machine: str = "desk") -> Kept:
    return Kept(store, URL, machine, lambda _key, _url: True)


def take(keeper: Kept, *told: ServerSession, machine: str = "desk", now: int = NOW) -> None:
    keeper.take(told, {}, Origin(URL, machine, now), complete=True)


def told(name: str = "one", status: str = "running") -> ServerSession:
    return ServerSession(id=name, status=status, project_path="/srv/harbour", prompt="Moor")


def beat(store: Store, machine: str, at: int, phase: str = "watching") -> None:
    store.save_daemon(DaemonRow(machine=machine, pid=1, started_at=at, beat_at=at, phase=phase))


def machine_of(store: Store) -> str:
    (row,) = store.sessions()
    return row.machine


def test_the_same_again_is_not_written(file_store: Store) -> None:
    keeper = kept(file_store)
    take(keeper, told())
    version = file_store.version()
    take(keeper, told(), now=NOW + 2_000)
    take(kept(file_store), told(), now=NOW + 4_000)
    assert file_store.version() == version


def test_a_log_that_stays_as_long_as_a_server_lets_it_is_news_by_its_newest_line(
    file_store: Store,
) -> None:
    keeper = kept(file_store)
    for second, words in enumerate(("first", "second")):
        log = SessionLog()
        log.add("stdout", words, f"2026-11-22T15:00:0{second}Z")
        keeper.take([told()], {"one": log}, Origin(URL, "desk", NOW + second), complete=True)
    assert file_store.sessions()[0].last_message == "second"


def test_the_first_sight_is_history_and_everything_after_it_an_event(file_store: Store) -> None:
    keeper = kept(file_store)
    take(keeper, told())
    take(keeper, told(status="completed"), told("two", "pending"), now=NOW + 2_000)
    kinds = {(event.session_key, event.kind) for event in file_store.events()}
    assert kinds == {("leanspec:one", "completed"), ("leanspec:two", "pending")}


def test_what_the_store_refused_is_written_the_next_time(
    file_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = kept(file_store)

    def refuse(_: Batch) -> bool:
        raise StoreError("The disk is full.")

    with monkeypatch.context() as broken:
        broken.setattr(file_store, "write", refuse)
        with pytest.raises(StoreError):
            take(keeper, told())
    take(keeper, told(), now=NOW + 2_000)
    assert len(file_store.sessions()) == 1


def test_a_session_that_another_machine_follows_is_left_to_it(file_store: Store) -> None:
    beat(file_store, "laptop", NOW)
    take(kept(file_store, "laptop"), told(), machine="laptop")
    keeper = kept(file_store)
    take(keeper, told(status="paused"), now=NOW + 1_000)
    assert machine_of(file_store) == "laptop"
    beat(file_store, "laptop", NOW + FOREIGN_MS)
    take(keeper, told(status="paused"), now=NOW + FOREIGN_MS + 1_000)
    assert machine_of(file_store) == "laptop"


@pytest.mark.parametrize("phase", ["watching", "stopped"])
def test_a_session_is_taken_over_from_a_machine_that_fell_silent(
    file_store: Store, phase: str
) -> None:
    beat(file_store, "laptop", NOW, phase)
    take(kept(file_store, "laptop"), told(), machine="laptop")
    later = NOW + SILENT_MS + 1
    take(kept(file_store), told(), now=later)
    assert machine_of(file_store) == "desk"


def test_a_session_that_is_gone_from_an_incomplete_answer_is_not_deleted(
    file_store: Store,
) -> None:
    keeper = kept(file_store)
    take(keeper, told())
    keeper.take([], {}, Origin(URL, "desk", NOW + 2_000), complete=False)
    assert file_store.sessions()[0].flags == []
    keeper.take([], {}, Origin(URL, "desk", NOW + 4_000), complete=True)
    assert file_store.sessions()[0].flags == ["deleted_on_server"]
    take(keeper, told(), now=NOW + 6_000)
    assert file_store.sessions()[0].flags == []
