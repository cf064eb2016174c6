"""Following real servers: every status, crashes, two at once, and the log as it comes."""

import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from lib import leanspec_facts, leanspec_poll, status
from lib.leanspec_facts import DELETED
from lib.leanspec_live import Streams
from lib.leanspec_poll import Poller
from lib.model import ServerRow
from lib.servers import ServerSetting
from lib.store import SessionRow, Store
from tests.hostile_server import HostileServer, hostile_server, json_of
from tests.leanspec_server import LeanSpecServer, running_server

MACHINE = "desk"
SECONDS = 30


class Watch:
    """A poller and what it tells."""

    def __init__(self, store: Store, url: str, token: str | None = None):
        self.store = store
        self.rows: list[ServerRow] = []
        self.streams = Streams()
        setting = ServerSetting(url=url, name="harbour", token=token)
        row = ServerRow(machine=MACHINE, url=url, name="harbour")
        self.poller = Poller(
            store, setting, self.streams, row, self.rows.append, lambda _key, _url: True
        )
        self.poller.start()

    def close(self) -> None:
        self.poller.stop()
        self.poller.join()
        self.streams.close()

    def session(self, session_id: str) -> SessionRow | None:
        rows = {row.session_id: row for row in self.store.sessions()}
        return rows.get(session_id)

    def status(self, session_id: str) -> str | None:
        session = self.session(session_id)
        if session is None:
            return None
        claims = [one for one in self.store.evidence() if one.session_key == session.key]
        return status.derive(session, claims, time.time_ns() // 1_000_000).status

    def wait_for_status(self, session_id: str, expected: str) -> SessionRow:
        wait_for(lambda: self.status(session_id) == expected, lambda: self.status(session_id))
        session = self.session(session_id)
        assert session is not None
        return session

    def wait_for_state(self, expected: str) -> ServerRow:
        wait_for(lambda: bool(self.rows) and self.rows[-1].state == expected, lambda: self.rows)
        return self.rows[-1]


def wait_for(reached: Callable[[], bool], found: Callable[[], object] = lambda: None) -> None:
    deadline = time.monotonic() + SECONDS
    while not reached():
        assert time.monotonic() < deadline, found()
        time.sleep(0.05)


@pytest.fixture
def watch(file_store: Store, leanspec_server: LeanSpecServer) -> Generator[Watch]:
    watching = Watch(file_store, leanspec_server.url)
    watching.wait_for_state("ok")
    yield watching
    watching.close()


def test_a_session_is_followed_through_its_life(
    leanspec_server: LeanSpecServer, watch: Watch
) -> None:
    with leanspec_server.client() as client:
        made = client.create(str(leanspec_server.project), [], "print ahoy; until go", "scripted")
        watch.poller.soon()
        watch.wait_for_status(made.id, "pending")
        client.start(made.id)
        watch.wait_for_status(made.id, "running")
        client.pause(made.id)
        watch.poller.soon()
        watch.wait_for_status(made.id, "paused")
        client.resume(made.id)
        watch.wait_for_status(made.id, "running")
    (leanspec_server.project / "go").touch()
    session = watch.wait_for_status(made.id, "completed")
    assert (session.last_message, session.exit_code) == ("ahoy", 0)
    kinds = [event.kind for event in watch.store.events() if event.session_key == session.key]
    assert kinds == ["pending", "running", "paused", "running", "completed"]


def test_a_failed_session_says_why(leanspec_server: LeanSpecServer, watch: Watch) -> None:
    made = leanspec_server.run("error rope is out; sleep 0.5; fail 7")
    watch.wait_for_status(made.id, "failed")
    # Its log is read in the same round or in the next one.
    wait_for(lambda: _error(watch, made.id) == "rope is out\nExit code 7.")


def test_failures_of_before_are_read_too(
    file_store: Store, leanspec_server: LeanSpecServer
) -> None:
    made = [leanspec_server.run(f"error rope {number}; fail 7") for number in range(12)]
    for one in made:
        leanspec_server.wait_for_status(one.id, "failed")
    watch = Watch(file_store, leanspec_server.url)
    try:
        for number, one in enumerate(made):
            expected = f"rope {number}\nExit code 7."
            wait_for(lambda one=one, expected=expected: _error(watch, one.id) == expected)
    finally:
        watch.close()
    assert watch.store.events() == []


def _error(watch: Watch, session_id: str) -> str | None:
    session = watch.session(session_id)
    return session.error_message if session is not None else None


def test_a_stopped_session_stays_stopped_when_the_server_calls_it_failed(
    leanspec_server: LeanSpecServer, watch: Watch
) -> None:
    made = leanspec_server.run("sleep 60")
    watch.wait_for_status(made.id, "running")
    with leanspec_server.client() as client:
        client.stop(made.id)
    leanspec_server.wait_for_status(made.id, "failed")
    session = watch.wait_for_status(made.id, "cancelled")
    time.sleep(3)
    assert watch.status(made.id) == "cancelled"
    kinds = [event.kind for event in watch.store.events() if event.session_key == session.key]
    assert kinds[-1] == "cancelled"
    assert "failed" not in kinds


def test_a_session_that_asks_waits_and_tells_its_plan_and_tool(
    leanspec_server: LeanSpecServer, watch: Watch
) -> None:
    commands = "print Looking; plan 1 3; tool Read file; ask Delete ropes?"
    made = leanspec_server.run(commands, runner="scripted-acp")
    session = watch.wait_for_status(made.id, "waiting")
    assert session.turn_detail == "Delete ropes?"
    assert (session.todo_done, session.todo_total) == (1, 3)
    assert session.last_message == "Looking"
    with leanspec_server.client() as client:
        client.stop(made.id)


def test_the_log_of_a_running_session_comes_at_once(
    leanspec_server: LeanSpecServer, watch: Watch
) -> None:
    made = leanspec_server.run("print one; until go; print two; until end")
    wait_for(lambda: _message(watch, made.id) == "one")
    asked = len(watch.rows)
    (leanspec_server.project / "go").touch()
    wait_for(lambda: _message(watch, made.id) == "two")
    assert len(watch.rows) <= asked + 1
    (leanspec_server.project / "end").touch()
    watch.wait_for_status(made.id, "completed")


def _message(watch: Watch, session_id: str) -> str | None:
    session = watch.session(session_id)
    return session.last_message if session is not None else None


def test_a_server_that_dies_in_mid_session_leaves_it_unknown_and_comes_back_by_itself(
    leanspec_server: LeanSpecServer, watch: Watch
) -> None:
    made = leanspec_server.run("sleep 300")
    waits = leanspec_server.run("until never")
    with leanspec_server.client() as client:
        pending = client.create(str(leanspec_server.project), [], "sleep 1", "scripted")
    watch.wait_for_status(made.id, "running")
    watch.wait_for_status(pending.id, "pending")
    leanspec_server.kill()
    row = watch.wait_for_state("unreachable")
    assert row.seen_at is not None
    assert watch.status(made.id) == "running"
    watch.wait_for_status(made.id, "unknown")
    watch.wait_for_status(waits.id, "unknown")
    assert time.time_ns() // 1_000_000 - row.seen_at < 20_000
    assert watch.status(pending.id) == "pending"
    leanspec_server.start()
    watch.wait_for_state("ok")
    assert watch.status(made.id) in ("running", "failed")


def test_a_frozen_server_is_unreachable_and_its_sessions_unknown(
    leanspec_server: LeanSpecServer, watch: Watch
) -> None:
    made = leanspec_server.run("sleep 300")
    watch.wait_for_status(made.id, "running")
    leanspec_server.suspend()
    watch.wait_for_status(made.id, "unknown")
    assert "within" in (watch.wait_for_state("unreachable").error or "")
    leanspec_server.wake()
    watch.wait_for_status(made.id, "running")


def test_a_session_deleted_on_the_server_leaves_the_running_ones(
    leanspec_server: LeanSpecServer, watch: Watch
) -> None:
    made = leanspec_server.run("sleep 300")
    watch.wait_for_status(made.id, "running")
    with leanspec_server.client() as client:
        client.delete(made.id)
    session = watch.wait_for_status(made.id, "cancelled")
    assert session.flags == [DELETED]


def test_the_row_of_a_server_tells_version_projects_and_runners(
    leanspec_server: LeanSpecServer, watch: Watch
) -> None:
    row = watch.wait_for_state("ok")
    assert row.version == "0.2.28"
    assert row.projects[0].name == "harbour"
    assert row.default_runner == "claude"
    available = {one.id: one.available for one in row.runners}
    assert available["scripted"] is True
    assert available["aider"] is False
    assert {one.name for one in row.runners} >= {"Scripted", "Claude Code"}


def test_one_dead_server_delays_no_other(tmp_path: Path, file_store: Store) -> None:
    with (
        running_server(tmp_path / "one", token="open-sesame") as one,
        running_server(tmp_path / "two") as two,
    ):
        watches = [Watch(file_store, one.url, "open-sesame"), Watch(file_store, two.url)]
        try:
            first, second = one.run("sleep 300"), two.run("print ahoy; sleep 300")
            watches[0].wait_for_status(first.id, "running")
            watches[1].wait_for_status(second.id, "running")
            one.suspend()
            asked = len(watches[1].rows)
            time.sleep(5)
            assert len(watches[1].rows) >= asked + 2
            assert watches[1].status(second.id) == "running"
        finally:
            one.wake()
            for watch in watches:
                watch.close()


def test_the_wrong_token_is_told_and_nothing_is_asked_further(
    tmp_path: Path, file_store: Store
) -> None:
    with running_server(tmp_path / "one", token="open-sesame") as server:
        watch = Watch(file_store, server.url, "guess")
        try:
            row = watch.wait_for_state("refused")
        finally:
            watch.close()
    assert "does not accept the token" in (row.error or "")
    assert "guess" not in (row.error or "")


def test_what_did_not_change_is_not_written_again(
    leanspec_server: LeanSpecServer, watch: Watch
) -> None:
    made = leanspec_server.run("until go")
    watch.wait_for_status(made.id, "running")
    time.sleep(1)
    version = watch.store.version()
    asked = len(watch.rows)
    wait_for(lambda: len(watch.rows) >= asked + 3)
    assert watch.store.version() == version


def test_a_new_daemon_goes_on_where_the_old_one_ended(
    file_store: Store, leanspec_server: LeanSpecServer
) -> None:
    made = leanspec_server.run("error rope is out; fail 7")
    leanspec_server.wait_for_status(made.id, "failed")
    first = Watch(file_store, leanspec_server.url)
    wait_for(lambda: _error(first, made.id) is not None)
    first.close()
    version = file_store.version()
    second = Watch(file_store, leanspec_server.url)
    wait_for(lambda: len(second.rows) >= 2)
    second.close()
    assert file_store.version() == version


@pytest.fixture
def hostile() -> Generator[HostileServer]:
    with hostile_server() as server:
        server.answer("/api/projects", json_of({"projects": []}))
        server.answer("/api/sessions", json_of([]))
        yield server


def test_fields_that_can_not_be_read_are_told_on_the_server(
    hostile: HostileServer, file_store: Store
) -> None:
    odd = [{"id": "one", "status": "running", "token_count": []}, {"status": "running"}]
    hostile.answer("/api/sessions", json_of(odd))
    watch = Watch(file_store, hostile.url)
    row = watch.wait_for_state("ok")
    watch.wait_for_status("one", "running")
    watch.close()
    assert row.error == (
        "Not everything could be read: 1 × token_count of an unexpected kind; "
        "1 × a session without an id"
    )


def test_a_session_is_not_called_deleted_while_one_without_an_id_may_be_it(
    hostile: HostileServer, file_store: Store
) -> None:
    hostile.answer("/api/sessions", json_of([{"id": "one", "status": "running"}]))
    watch = Watch(file_store, hostile.url)
    watch.wait_for_status("one", "running")
    hostile.answer("/api/sessions", json_of([{"id": 1, "status": "running"}]))
    watch.poller.soon()
    wait_for(lambda: bool(watch.rows) and watch.rows[-1].error is not None)
    watch.close()
    assert DELETED not in getattr(watch.session("one"), "flags", [DELETED])


def test_a_log_that_can_not_be_read_hides_no_other(
    hostile: HostileServer, file_store: Store
) -> None:
    told = [{"id": name, "status": "running"} for name in ("bad", "good")]
    hostile.answer("/api/sessions", json_of(told))
    hostile.answer("/api/sessions/bad/logs", json_of({"message": "no log"}, 500))
    hostile.answer("/api/sessions/good/logs", json_of([{"level": "stdout", "message": "ahoy"}]))
    watch = Watch(file_store, hostile.url)
    wait_for(lambda: getattr(watch.session("good"), "last_message", None) == "ahoy")
    watch.close()


def test_a_clock_that_is_an_hour_off_leaves_durations_right(
    hostile: HostileServer, file_store: Store
) -> None:
    from email.utils import formatdate

    later = time.time() + 3600
    begun = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(later - 60))
    told = [{"id": "one", "status": "running", "started_at": begun}]
    date = formatdate(later, usegmt=True)
    hostile.answer("/api/sessions", json_of(told, Date=date))
    watch = Watch(file_store, hostile.url)
    session = watch.wait_for_status("one", "running")
    watch.close()
    assert session.started_at is not None
    assert abs(time.time() - 60 - session.started_at / 1000) < 10


def test_failures_are_tried_again_less_and_less_often(
    hostile: HostileServer, file_store: Store
) -> None:
    hostile.answer("/health", json_of({"message": "out of order"}, 500))
    watch = Watch(file_store, hostile.url)
    wait_for(lambda: len(watch.rows) >= 3)
    watch.close()
    assert {row.error for row in watch.rows} == {"out of order"}
    pauses = [(row.retry_at or 0) - row.checked_at for row in watch.rows[:3]]
    assert pauses == sorted(pauses)
    assert pauses[-1] > 5_000


def test_a_daemon_that_is_told_to_end_does_so_in_mid_wait(
    hostile: HostileServer, file_store: Store
) -> None:
    watch = Watch(file_store, hostile.url)
    watch.wait_for_state("ok")
    began = time.monotonic()
    watch.close()
    assert time.monotonic() - began < 3
    assert not [one for one in threading.enumerate() if one.name.startswith("leanspec")]


def test_a_session_that_says_nothing_for_long_is_running_as_long_as_its_server_says_so(
    leanspec_server: LeanSpecServer, file_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The server's own line comes every 30 seconds, and not by the stream.
    monkeypatch.setattr(leanspec_facts, "SILENT_LOG_MS", 34_000)
    monkeypatch.setattr(leanspec_poll, "QUIET_MS", 3_000)
    watching = Watch(file_store, leanspec_server.url)
    session = leanspec_server.run("print a; sleep 90")
    watching.wait_for_status(session.id, "running")
    until = time.monotonic() + 42
    seen: set[str | None] = set()
    while time.monotonic() < until:
        seen.add(watching.status(session.id))
        time.sleep(0.5)
    watching.close()
    assert seen == {"running"}
