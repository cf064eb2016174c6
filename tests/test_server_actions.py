"""Every action on sessions of a real server, whose runners are real processes."""

from collections.abc import Generator
from http.server import BaseHTTPRequestHandler

import psutil
import pytest

from lib import server_actions
from lib.store import Store
from tests.acting import Desk, a_setting, pending
from tests.hostile_server import HostileServer, hostile_server, json_of
from tests.leanspec_server import LeanSpecServer
from tests.test_daemon import until


@pytest.fixture
def desk(file_store: Store, leanspec_server: LeanSpecServer) -> Generator[Desk]:
    desk = Desk(file_store, [a_setting(leanspec_server.url)])
    with desk.at_work():
        yield desk


@pytest.fixture
def hostile() -> Generator[HostileServer]:
    with hostile_server() as server:
        yield server


def test_a_session_freezes_goes_on_and_is_stopped(
    desk: Desk, leanspec_server: LeanSpecServer
) -> None:
    session = leanspec_server.run("sleep 60")
    process = leanspec_server.process_of(session.id)
    key = desk.know(session.id, leanspec_server.url)

    paused = desk.do("pause", key)
    assert (paused.state, paused.outcome) == ("done", "Paused. The server says: paused.")
    assert process.status() == psutil.STATUS_STOPPED

    resumed = desk.do("resume", key)
    assert (resumed.state, resumed.outcome) == ("done", "Resumed. The server says: running.")
    assert process.status() != psutil.STATUS_STOPPED

    stopped = desk.do("stop", key)
    assert stopped.state == "done"
    assert str(stopped.outcome).startswith("Stopped. The server says: ")
    until(lambda: not process.is_running())
    assert desk.acted == [leanspec_server.url] * 3


def test_a_pending_session_is_started(desk: Desk, leanspec_server: LeanSpecServer) -> None:
    session_id = pending(leanspec_server)
    started = desk.do("start", desk.know(session_id, leanspec_server.url))
    assert (started.state, started.outcome) == ("done", "Started. The server says: running.")
    assert leanspec_server.process_of(session_id).is_running()


def test_a_session_that_the_server_leaves_pending_is_started_where_its_log_says_so(
    desk: Desk, leanspec_server: LeanSpecServer
) -> None:
    with leanspec_server.client() as client:
        made = client.create(str(leanspec_server.project), [], "ask Sail?", "scripted-acp").id
    started = desk.do("start", desk.know(made, leanspec_server.url))
    assert started.state == "done"


def test_a_word_that_is_no_end_is_not_taken_for_one(
    file_store: Store, hostile: HostileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_actions, "EFFECT_SECONDS", 0.5)
    hostile.answer("/api/sessions/a", json_of({"id": "a", "status": "stopping"}))
    hostile.answer("/api/sessions/a/stop", json_of({"id": "a", "status": "stopping"}))
    desk = Desk(file_store, [a_setting(hostile.url)])
    with desk.at_work():
        stopped = desk.do("stop", desk.know("a", hostile.url))
    assert (stopped.state, stopped.outcome) == ("unverified", "Still stopping after 0.5 s.")


def test_a_retry_is_a_new_session_with_the_same_task(
    desk: Desk, leanspec_server: LeanSpecServer
) -> None:
    session_id = pending(leanspec_server, "print again; fail 3")
    key = desk.know(session_id, leanspec_server.url)
    desk.do("start", key)
    leanspec_server.wait_for_status(session_id, "failed")

    retried = desk.do("retry", key)
    assert retried.state == "done"
    assert retried.result_key not in (None, key)
    new_id = str(retried.result_key).removeprefix(server_actions.key_of(""))
    with leanspec_server.client() as client:
        old, new = client.session(session_id), client.session(new_id)
    assert new.prompt == "print again; fail 3"
    assert (new.project_path, new.spec_ids) == (old.project_path, old.spec_ids)
    assert (new.runner, new.mode) == ("scripted", "guided")
    assert leanspec_server.wait_for_status(new_id, "failed").id == new_id

    desk.know(new_id, leanspec_server.url)
    links = {row.session_id: row.retry_of for row in desk.store.sessions()}
    assert links == {session_id: None, new_id: key}


def test_a_new_session_is_created_and_started(desk: Desk, leanspec_server: LeanSpecServer) -> None:
    arguments = {
        "server": leanspec_server.url,
        "project_path": str(leanspec_server.project),
        "specs": ["003-tide-table"],
        "runner": "scripted",
        "mode": "autonomous",
        "prompt": "sleep 60",
    }
    created = desk.do("create", None, arguments=arguments)
    assert (created.state, created.outcome) == ("done", "Started. The server says: running.")
    new_id = str(created.result_key).removeprefix(server_actions.key_of(""))
    with leanspec_server.client() as client:
        made = client.session(new_id)
    assert (made.status, made.spec_ids, made.prompt) == ("running", ["003-tide-table"], "sleep 60")


def test_a_session_is_archived_and_deleted(desk: Desk, leanspec_server: LeanSpecServer) -> None:
    session = leanspec_server.run("print one; print two")
    leanspec_server.wait_for_status(session.id, "completed")
    key = desk.know(session.id, leanspec_server.url)

    archived = desk.do("archive", key)
    [log] = (leanspec_server.project / ".leanspec" / "sessions").iterdir()
    assert archived.outcome == f"The server has written its log to {log}"
    assert "one" in log.read_text()

    deleted = desk.do("delete", key)
    assert (deleted.state, deleted.outcome) == ("done", "The server has deleted it with its log.")
    again = desk.do("delete", key)
    assert (again.state, again.outcome) == ("done", "The server had deleted it already.")
    gone = desk.do("retry", key)
    assert (gone.state, gone.outcome) == ("refused", "Session not found")


def test_what_runs_is_not_deleted(desk: Desk, leanspec_server: LeanSpecServer) -> None:
    session = leanspec_server.run("sleep 60")
    refused = desk.do("delete", desk.know(session.id, leanspec_server.url))
    assert refused.state == "refused"
    assert refused.outcome == "It is running. Stop it before you delete it."
    assert leanspec_server.process_of(session.id).is_running()


def test_a_refusal_is_told_in_the_servers_words(
    desk: Desk, leanspec_server: LeanSpecServer
) -> None:
    key = desk.know(pending(leanspec_server), leanspec_server.url)
    refused = desk.do("pause", key)
    assert refused.state == "refused"
    assert refused.outcome == "Validation error: Cannot pause session with status: Pending"

    unknown = desk.do("stop", desk.know("no-such-session", leanspec_server.url))
    assert unknown.state == "refused"
    assert "no-such-session" in str(unknown.outcome)


def test_what_the_server_would_not_create_is_refused(
    desk: Desk, leanspec_server: LeanSpecServer
) -> None:
    arguments = {"server": leanspec_server.url, "project_path": str(leanspec_server.project)}
    refused = desk.do("create", None, arguments={**arguments, "runner": "nobody"})
    assert refused.state == "refused"
    assert "Unknown runner: nobody" in str(refused.outcome)
    misspelt = desk.do("create", None, arguments={**arguments, "specs": "001"})
    assert misspelt.state == "refused"
    assert str(misspelt.outcome).startswith("This can't be created: ")


def test_a_server_that_is_down_is_told(desk: Desk, leanspec_server: LeanSpecServer) -> None:
    key = desk.know(pending(leanspec_server), leanspec_server.url)
    leanspec_server.kill()
    failed = desk.do("start", key)
    assert failed.state == "failed"
    assert f"{leanspec_server.url} can't be reached" in str(failed.outcome)


def test_an_effect_that_does_not_show_is_told(
    desk: Desk, hostile: HostileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_actions, "EFFECT_SECONDS", 0.5)
    desk.servers = [a_setting(hostile.url)]
    key = desk.know("s", hostile.url)
    hostile.answer("/api/sessions/s/stop", json_of({"id": "s", "status": "cancelled"}))
    hostile.answer("/api/sessions/s", json_of({"id": "s", "status": "running"}))
    still = desk.do("stop", key)
    assert still.state == "unverified"
    assert still.outcome == "Still running after 0.5 s."

    hostile.answer("/api/sessions/s/pause", json_of({"id": "s", "status": "paused"}))
    hostile.answer("/api/sessions/s", json_of({"id": "s", "status": "completed"}))
    late = desk.do("pause", key)
    assert (late.state, late.outcome) == ("failed", "It is completed.")

    hostile.answer("/api/sessions/s", json_of({"message": "no more"}, 404))
    gone = desk.do("stop", key)
    assert (gone.state, gone.outcome) == ("unverified", "How it is now can't be seen: no more")


def test_what_may_have_been_done_when_the_answer_broke_off_is_not_called_failed(
    desk: Desk, hostile: HostileServer
) -> None:
    def hang_up(request: BaseHTTPRequestHandler) -> None:
        request.close_connection = True

    desk.servers = [a_setting(hostile.url)]
    hostile.answer("/api/sessions", hang_up)
    created = desk.do("create", None, arguments={"server": hostile.url, "project_path": "/p"})
    assert created.state == "unverified"


def test_a_session_that_was_made_and_not_started_is_told(
    desk: Desk, hostile: HostileServer
) -> None:
    desk.servers = [a_setting(hostile.url)]
    hostile.answer("/api/sessions", json_of({"id": "new", "status": "pending"}))
    hostile.answer("/api/sessions/new/start", json_of({"message": "no room"}, 400))
    refused = desk.do("create", None, arguments={"server": hostile.url, "project_path": "/p"})
    assert refused.state == "refused"
    assert refused.outcome == "Created, but not started: no room"
    assert refused.result_key == server_actions.key_of("new")
