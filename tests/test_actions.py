"""Requests are taken once and in their order, and none waits for another session's."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lib import actions
from lib.collector import now_ms
from lib.frame import load_sessions
from lib.leanspec_facts import deleted
from lib.model import ActionKind, Session
from lib.settings import settings
from lib.store import Batch, Store
from lib.store_actions import INTERRUPTED
from tests.acting import HERE, Desk, a_setting, pending
from tests.leanspec_server import LeanSpecServer, running_server
from tests.test_daemon import until

TOP = Path(__file__).parent.parent


@pytest.fixture
def desk(file_store: Store, leanspec_server: LeanSpecServer) -> Generator[Desk]:
    desk = Desk(file_store, [a_setting(leanspec_server.url)])
    with desk.at_work():
        yield desk


def test_what_can_not_be_asked_of_a_server_is_refused(
    desk: Desk, leanspec_server: LeanSpecServer
) -> None:
    known = desk.know("a", leanspec_server.url)
    refused = {
        "There is no such session.": desk.do("stop", "leanspec:nobody"),
        "Only sessions of a LeanSpec server can be acted upon.": desk.do(
            "stop", desk.know("b", None)
        ),
        "No server http://127.0.0.1:9 is configured on here.": desk.do(
            "stop", desk.know("c", "http://127.0.0.1:9")
        ),
        "Asked for 11 minutes ago, which is too long to do it now.": desk.do(
            "stop", known, at=now_ms() - 11 * 60_000
        ),
    }
    desk.servers = [a_setting(leanspec_server.url, on=False)]
    refused["The server harbour server is switched off on here."] = desk.do("stop", known)
    for words, action in refused.items():
        assert (action.state, action.outcome) == ("refused", words)


def test_a_server_that_hangs_delays_no_other(
    desk: Desk, leanspec_server: LeanSpecServer, tmp_path: Path
) -> None:
    with running_server(tmp_path / "second") as other:
        desk.servers = [a_setting(leanspec_server.url), a_setting(other.url)]
        hung = desk.know(leanspec_server.run("sleep 60").id, leanspec_server.url)
        prompt = desk.know(other.run("sleep 60").id, other.url)
        leanspec_server.suspend()
        desk.ask("stop", hung, "1")
        until(lambda: desk.found("1").state == "running")
        assert desk.do("pause", prompt).state == "done"
        assert desk.found("1").state == "running"
        late = desk.outcome("1")
        leanspec_server.wake()
    assert late.state == "unverified"
    assert "within 10 s" in str(late.outcome)


def test_actions_on_one_session_are_done_in_their_order(
    desk: Desk, leanspec_server: LeanSpecServer
) -> None:
    session_id = pending(leanspec_server)
    key = desk.know(session_id, leanspec_server.url)
    kinds: list[ActionKind] = ["start", "pause", "resume", "pause", "resume", "stop"]
    for number, kind in enumerate(kinds):
        desk.ask(kind, key, f"{number}", at=now_ms())
    outcomes = [desk.outcome(f"{number}").state for number in range(len(kinds))]
    assert outcomes == ["done"] * len(kinds)
    with leanspec_server.client() as client:
        lines = [line.message for line in client.logs(session_id) if line.level == "info"]
    assert lines[1:] == ["Session paused", "Session resumed"] * 2 + ["Session stopped by user"]


def test_an_action_asked_for_twice_is_done_once(
    desk: Desk, leanspec_server: LeanSpecServer
) -> None:
    key = desk.know(pending(leanspec_server), leanspec_server.url)
    for _ in range(3):
        desk.ask("retry", key, "the same click")
        desk.outcome("the same click")
    with leanspec_server.client() as client:
        assert len(client.sessions().sessions) == 2


def test_what_was_deleted_leaves_the_board(desk: Desk, leanspec_server: LeanSpecServer) -> None:
    key = desk.know(pending(leanspec_server), leanspec_server.url)
    other = desk.know(pending(leanspec_server), leanspec_server.url)
    assert desk.do("delete", key).state == "done"
    dismissed = {row.key: row.dismissed_at is not None for row in desk.store.sessions()}
    assert dismissed == {key: True, other: False}
    session = desk.store.session(key)
    assert session is not None
    # The server's poller hears of it after that.
    known = Session(**{name: getattr(session, name) for name in Session.__struct_fields__})
    gone, claim = deleted(known, now_ms() + 5_000)
    desk.store.write(Batch(sessions=[gone], evidence=[claim]))
    rows = load_sessions(desk.store, now_ms() + 6_000).set_index("key")
    assert rows["dismissed_at"].notna()[key]


def test_an_outcome_that_can_not_be_written_is_written_later(
    desk: Desk, leanspec_server: LeanSpecServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "RETRY_SECONDS", 0.1)
    finish, failures = desk.store.actions.finish, iter([True, True])

    def unsteady(*values: Any) -> None:
        if next(failures, False):
            raise actions.StoreError("disk full")
        finish(*values)

    monkeypatch.setattr(desk.store.actions, "finish", unsteady)
    key = desk.know(pending(leanspec_server), leanspec_server.url)
    assert desk.do("start", key).state == "done"


@pytest.fixture
def environ(tmp_path: Path, leanspec_server: LeanSpecServer) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "QUARTERDECK_DATA_FOLDER": str(tmp_path / "data"),
        "QUARTERDECK_MACHINE": HERE,
        "QUARTERDECK_LEANSPEC_SERVERS": leanspec_server.url,
    }


@contextmanager
def a_daemon(environ: dict[str, str]) -> Generator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen([sys.executable, "-m", "lib.daemon"], cwd=TOP, env=environ)
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def office(environ: dict[str, str]) -> Generator[Desk]:
    """The store of a daemon."""
    store = Store.open(settings(environ).store_url)
    yield Desk(store, [])
    store.close()


def test_a_daemon_does_what_is_asked_for(
    office: Desk, environ: dict[str, str], leanspec_server: LeanSpecServer
) -> None:
    session = leanspec_server.run("sleep 60")
    process = leanspec_server.process_of(session.id)
    with a_daemon(environ) as daemon:
        assert office.do("stop", office.know(session.id, leanspec_server.url)).state == "done"
        until(lambda: not process.is_running())
        daemon.terminate()
        assert daemon.wait(20) == 0


def test_a_daemon_that_is_killed_in_an_action_does_not_do_it_again(
    office: Desk, environ: dict[str, str], leanspec_server: LeanSpecServer
) -> None:
    key = office.know(pending(leanspec_server), leanspec_server.url)
    leanspec_server.suspend()
    with a_daemon(environ) as daemon:
        office.ask("retry", key)
        until(lambda: office.found().state == "running")
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
    leanspec_server.wake()
    with a_daemon(environ):
        interrupted = office.outcome()
        assert (interrupted.state, interrupted.outcome) == ("unverified", INTERRUPTED)
        assert office.do("stop", key).state == "done"
    with leanspec_server.client() as client:
        made = [one for one in client.sessions().sessions if one.status == "pending"]
    assert len(made) <= 1


def test_a_daemon_that_is_told_to_stop_ends_what_it_has_begun(
    office: Desk, environ: dict[str, str], leanspec_server: LeanSpecServer
) -> None:
    key = office.know(leanspec_server.run("sleep 60").id, leanspec_server.url)
    leanspec_server.suspend()
    with a_daemon(environ) as daemon:
        office.ask("stop", key)
        until(lambda: office.found().state == "running")
        daemon.terminate()
        leanspec_server.wake()
        assert daemon.wait(20) == 0
    assert office.found().state in ("done", "unverified")
