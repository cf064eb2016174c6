"""The client: with a real server where that can show it, with a hostile one where it can't."""

import gzip
import itertools
import socket
import time
import tracemalloc
from collections.abc import Generator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from lib import leanspec
from lib.leanspec import Client, LeanSpecError
from lib.model import ServerProject
from tests.hostile_server import HostileServer, content_of, hostile_server, json_of
from tests.leanspec_server import LeanSpecServer, running_server

SESSION = {"id": "one", "project_path": "/srv/harbour", "status": "running"}


@pytest.fixture
def hostile() -> Generator[HostileServer]:
    with hostile_server() as server:
        yield server


def failure_of(url: str, token: str | None = None) -> LeanSpecError:
    with Client(url, token, seconds=1.0) as client, pytest.raises(LeanSpecError) as caught:
        client.version()
    return caught.value


def test_a_real_server_tells_its_version_projects_and_runners(
    leanspec_server: LeanSpecServer,
) -> None:
    with leanspec_server.client() as client:
        assert client.version() == "0.2.28"
        (project,) = client.projects()
        assert (project.name, project.path) == ("harbour", str(leanspec_server.project))
        runners = {one.id: one.available for one in client.runners(project.path).runners}
        unseen = client.runners(project.path, look=False)
    assert runners["scripted"] is True
    assert runners["aider"] is False
    assert {one.available for one in unseen.runners} == {None}
    assert unseen.default == "claude"


def test_a_real_session_is_created_paused_resumed_stopped_and_deleted(
    leanspec_server: LeanSpecServer,
) -> None:
    with leanspec_server.client() as client:
        specs = ["001-lighthouse", "002-mooring"]
        path = str(leanspec_server.project)
        created = client.create(path, specs, "sleep 60", "scripted", "guided")
        assert (created.status, created.mode, created.spec_ids) == ("pending", "guided", specs)
        client.start(created.id)
        leanspec_server.wait_for_status(created.id, "running")
        process = leanspec_server.process_of(created.id)
        assert client.pause(created.id).status == "paused"
        leanspec_server.wait_for(lambda: process.status() == "stopped")
        assert client.resume(created.id).status == "running"
        leanspec_server.wait_for(lambda: process.status() != "stopped")
        assert client.stop(created.id).status == "cancelled"
        leanspec_server.wait_for(lambda: not process.is_running())
        client.delete(created.id)
        assert client.sessions().sessions == []


def test_a_real_session_that_fails_leaves_its_log(leanspec_server: LeanSpecServer) -> None:
    session = leanspec_server.run("print all well; error out of rope; fail 7")
    leanspec_server.wait_for_status(session.id, "failed")
    with leanspec_server.client() as client:
        lines = [(line.level, line.message) for line in client.logs(session.id)]
        archived = client.archive(session.id)
    assert ("stdout", "all well") in lines
    assert ("stderr", "out of rope") in lines
    assert "out of rope" in Path(archived).read_text(encoding="utf-8")


def test_specs_of_a_real_server_come_with_content_and_dependencies(
    leanspec_server: LeanSpecServer,
) -> None:
    with leanspec_server.client() as client:
        (project,) = client.projects()
        specs = client.specs(project.id)
        spec = client.spec(project.id, "002-mooring")
        raw = client.raw_spec(project.id, "002-mooring")
        graph = client.dependencies(project.id)
    names = {"001-lighthouse", "002-mooring", "003-tide-table"}
    assert {one["specName"] for one in specs} == names
    assert (spec["status"], spec["dependsOn"]) == ("in-progress", ["001-lighthouse"])
    assert raw["content"].startswith("---\n")
    assert len(graph["edges"]) == 1


def test_a_refusal_is_told_in_the_servers_own_words(leanspec_server: LeanSpecServer) -> None:
    with leanspec_server.client() as client:
        session = client.create(str(leanspec_server.project), [], "sleep 60", "scripted")
        with pytest.raises(LeanSpecError, match="Cannot pause session with status: Pending") as no:
            client.pause(session.id)
        with pytest.raises(LeanSpecError, match="Session not found") as gone:
            client.session("nothing")
        with pytest.raises(LeanSpecError, match="Unknown runner: parrot"):
            client.create(str(leanspec_server.project), [], "sleep 60", "parrot")
    assert (no.value.kind, gone.value.kind) == ("rejected", "not-found")


def test_a_server_with_a_key_wants_the_right_token(tmp_path: Path) -> None:
    with running_server(tmp_path / "leanspec", token="open-sesame") as server:
        with server.client() as client:
            assert len(client.projects()) == 1
        with Client(server.url) as client, pytest.raises(LeanSpecError, match="wants a token"):
            client.projects()
        with Client(server.url, "guess") as client, pytest.raises(LeanSpecError) as caught:
            client.projects()
    assert caught.value.kind == "refused"
    assert "does not accept the token" in str(caught.value)


def test_a_real_server_that_is_frozen_times_out(leanspec_server: LeanSpecServer) -> None:
    leanspec_server.suspend()
    failure = failure_of(leanspec_server.url)
    leanspec_server.wake()
    assert failure.kind == "timeout"


def test_nothing_listening_is_unreachable(leanspec_server: LeanSpecServer) -> None:
    leanspec_server.kill()
    assert failure_of(leanspec_server.url).kind == "unreachable"


def test_a_host_that_does_not_exist_is_unreachable() -> None:
    assert failure_of("http://no-such-host.invalid").kind in ("unreachable", "timeout")


def test_plain_http_where_tls_is_expected_is_named(hostile: HostileServer) -> None:
    failure = failure_of(hostile.url.replace("http:", "https:"))
    assert failure.kind == "unreachable"
    assert "No TLS connection" in str(failure)


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (b"<!doctype html><title>Router</title>", "text/html; charset=utf-8", "text/html"),
        (b"{", "application/json", "truncated"),
        (b"[]", "application/json", "no LeanSpec server"),
        (b"{}", "application/json", "its health is none"),
        (b'{"status": "ok", "version": 3}', "application/json", "no LeanSpec server"),
        (b"[" * 100_000, "application/json", "no LeanSpec server"),
        (b"\xff\xfe", "application/json", "no LeanSpec server"),
        (b"", "", "instead of JSON"),
    ],
)
def test_something_else_is_no_leanspec_server(
    hostile: HostileServer, content: bytes, kind: str, words: str
) -> None:
    hostile.answer("/health", content_of(content, kind))
    failure = failure_of(hostile.url)
    assert failure.kind == "no-leanspec"
    assert words in str(failure)


def test_an_error_page_is_a_rejection_without_its_markup(hostile: HostileServer) -> None:
    hostile.answer("/health", content_of(b"<h1>oops</h1>", "text/html", 500))
    failure = failure_of(hostile.url)
    assert failure.kind == "rejected"
    assert str(failure) == f"{hostile.url} answers 500 Internal Server Error."


def _endless_body(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "application/json")
    request.end_headers()
    for _ in itertools.count():
        request.wfile.write(b" ")
        request.wfile.flush()
        time.sleep(0.01)


def _endless_headers(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in itertools.count():
        request.wfile.write(f"X-{number}: x\r\n".encode())
        request.wfile.flush()
        time.sleep(0.05)


def _flood(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "application/json")
    request.end_headers()
    for _ in itertools.count():
        request.wfile.write(b" " * 65_536)


def test_an_answer_that_never_ends_is_given_up(hostile: HostileServer) -> None:
    hostile.answer("/health", _endless_body)
    assert failure_of(hostile.url).kind == "timeout"


def test_headers_that_never_end_are_given_up(hostile: HostileServer) -> None:
    hostile.answer("/health", _endless_headers)
    assert failure_of(hostile.url).kind == "timeout"


def test_a_flood_is_given_up_before_it_fills_the_memory(
    hostile: HostileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leanspec, "LARGEST_BODY", 2 * 1024**2)
    hostile.answer("/health", _flood)
    failure = failure_of(hostile.url)
    assert failure.kind == "too-large"
    assert "larger than 2 MB" in str(failure)


def test_a_small_answer_that_unpacks_to_any_size_is_not_unpacked(hostile: HostileServer) -> None:
    packed = gzip.compress(gzip.compress(bytes(64 * 1024**2)))
    assert len(packed) < 1024
    answer = content_of(packed, "application/json", 200, **{"Content-Encoding": "gzip, gzip"})
    hostile.answer("/health", answer)
    tracemalloc.start()
    failure = failure_of(hostile.url)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert failure.kind == "no-leanspec"
    assert most < 16 * 1024**2


def test_an_answer_that_is_packed_once_is_read(hostile: HostileServer) -> None:
    packed = gzip.compress(b'{"status": "ok", "version": "9"}')
    answer = content_of(packed, "application/json", 200, **{"Content-Encoding": "gzip"})
    hostile.answer("/health", answer)
    with Client(hostile.url) as client:
        assert client.version() == "9"


def test_an_answer_that_breaks_off_is_not_the_same_as_no_server(hostile: HostileServer) -> None:
    def hang_up(request: BaseHTTPRequestHandler) -> None:
        request.close_connection = True

    hostile.answer("/health", hang_up)
    assert failure_of(hostile.url).kind == "broken-off"


@pytest.mark.parametrize("proxy", ["ftp://sesame@proxy:1", "http://[::1", "socks5://proxy:1"])
def test_a_proxy_that_can_not_be_used_is_told_without_its_password(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with pytest.raises(LeanSpecError) as caught:
        Client("http://harbour.test")
    assert caught.value.kind == "unreachable"
    assert "names a proxy" in str(caught.value)
    assert "sesame" not in str(caught.value)


def test_a_silent_server_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        failure = failure_of(f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert failure.kind == "timeout"


def test_a_redirect_to_another_host_is_not_followed_and_carries_no_token(
    hostile: HostileServer,
) -> None:
    with hostile_server() as other:
        hostile.answer("/health", json_of({}, 302, Location=f"{other.url}/health"))
        failure = failure_of(hostile.url, "open-sesame")
        assert other.seen == []
    assert failure.kind == "no-leanspec"
    assert "redirects elsewhere" in str(failure)


def test_a_redirect_on_the_same_server_is_followed(hostile: HostileServer) -> None:
    hostile.answer("/healthy", hostile.answers["/health"])
    hostile.answer("/health", json_of({}, 307, Location="/healthy"))
    with Client(hostile.url, "open-sesame") as client:
        assert client.version() == "0.2.28"
    assert hostile.seen[-1] == ("/healthy", "Bearer open-sesame")


def test_a_redirect_in_a_circle_ends(hostile: HostileServer) -> None:
    hostile.answer("/health", json_of({}, 302, Location="/health"))
    assert "redirects without end" in str(failure_of(hostile.url))


def test_a_server_that_repeats_the_token_does_not_get_it_into_a_message(
    hostile: HostileServer,
) -> None:
    hostile.answer("/health", json_of({"message": "no use for Bearer open-sesame"}, 400))
    assert str(failure_of(hostile.url, "open-sesame")) == "no use for Bearer …"


def test_no_part_of_a_repeated_token_gets_into_a_message_that_is_cut(
    hostile: HostileServer,
) -> None:
    hostile.answer("/health", json_of({"message": f"{'x' * 290} open-sesame-open-sesame"}, 400))
    assert "open" not in str(failure_of(hostile.url, "open-sesame-open-sesame"))


def test_a_token_that_is_none_is_refused_without_naming_it() -> None:
    with pytest.raises(LeanSpecError) as caught:
        Client("http://127.0.0.1", "open\nsesame")
    assert "sesame" not in str(caught.value)


def test_a_clock_that_no_server_can_have_is_not_believed(hostile: HostileServer) -> None:
    absurd = "Fri, 31 Dec 9999 23:59:59 GMT"
    hostile.answer("/health", json_of({"status": "ok", "version": "1"}, Date=absurd))
    with Client(hostile.url) as client:
        client.version()
        assert client.clock_offset_ms is None


def test_a_wrong_clock_is_noticed(hostile: HostileServer) -> None:
    ahead = formatdate(time.time() + 3600, usegmt=True)
    hostile.answer("/health", json_of({"status": "ok", "version": "1"}, Date=ahead))
    with Client(hostile.url) as client:
        client.version()
        offset = client.clock_offset_ms
    assert offset is not None
    assert abs(offset - 3_600_000) < 2_000


def test_sessions_with_missing_unknown_and_odd_fields_are_shown(hostile: HostileServer) -> None:
    odd = [
        SESSION,
        {"id": "two", "status": "levitating", "colour": "red"},
        {"id": "three", "status": 7, "token_count": "many", "prompt": "hoist"},
        {"status": "running"},
        "no object",
    ]
    hostile.answer("/api/sessions", json_of(odd))
    with Client(hostile.url) as client:
        answer = client.sessions()
    assert [(one.id, one.status) for one in answer.sessions] == [
        ("one", "running"),
        ("two", "levitating"),
        ("three", None),
    ]
    assert answer.sessions[2].prompt == "hoist"
    assert answer.unreadable == {
        "status of an unexpected kind": 1,
        "token_count of an unexpected kind": 1,
        "a session without an id": 2,
    }


def test_five_thousand_sessions_come_in_one_answer(hostile: HostileServer) -> None:
    many = [{**SESSION, "id": str(number), "prompt": "x" * 500} for number in range(5_000)]
    hostile.answer("/api/sessions", json_of(many))
    with Client(hostile.url) as client:
        assert len(client.sessions().sessions) == 5_000


def test_where_one_call_for_all_does_not_work_there_is_one_a_project(
    hostile: HostileServer,
) -> None:
    def by_project(request: BaseHTTPRequestHandler) -> None:
        project = request.path.partition("project_id=")[2]
        if project == "broken":
            json_of({"message": "no"}, 500)(request)
        elif project:
            json_of([{**SESSION, "id": project}])(request)
        else:
            json_of({"message": "project_id is required"}, 400)(request)

    hostile.answer("/api/sessions", by_project)
    projects = [ServerProject(id=name, name=name, path="/") for name in ("a", "b")]
    broken = ServerProject(id="broken", name="broken", path="/")
    with Client(hostile.url) as client:
        answer = client.sessions(projects)
        partial = client.sessions([*projects, broken])
        with pytest.raises(LeanSpecError, match="project_id is required"):
            client.sessions()
    assert ([one.id for one in answer.sessions], answer.complete) == (["a", "b"], True)
    assert ([one.id for one in partial.sessions], partial.complete) == (["a", "b"], False)


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_can_not_leave_its_place_in_the_path(hostile: HostileServer, name: str) -> None:
    with Client(hostile.url) as client, pytest.raises(LeanSpecError):
        client.session(name)
    assert hostile.seen == []


def test_a_name_with_slashes_stays_one_segment(hostile: HostileServer) -> None:
    with Client(hostile.url) as client, pytest.raises(LeanSpecError):
        client.session("../projects?x=1")
    assert hostile.seen[0][0] == "/api/sessions/..%2Fprojects%3Fx%3D1"
