"""A server that does what a real LeanSpec server can't be made to do."""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec

Answer = Callable[[BaseHTTPRequestHandler], None]
HEALTH = {"status": "ok", "version": "0.2.28"}


class HostileServer:
    """Answers each path by a function of the test; keeps what it was sent."""

    def __init__(self, server: ThreadingHTTPServer):
        self.answers: dict[str, Answer] = {}
        self.seen: list[tuple[str, str | None]] = []
        """Path and Authorization header of every request."""
        self.url = f"http://127.0.0.1:{server.server_address[1]}"

    def answer(self, path: str, answer: Answer) -> None:
        """Answer `path` by `answer`."""
        self.answers[path] = answer


def json_of(value: object, status: int = 200, **headers: str) -> Answer:
    """An answer with `value` as JSON."""
    return content_of(msgspec.json.encode(value), "application/json", status, **headers)


def content_of(content: bytes, kind: str, status: int = 200, **headers: str) -> Answer:
    """An answer with any content."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response_only(status)
        if "Date" not in headers:
            request.send_header("Date", request.date_time_string())
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content))}.items():
            request.send_header(name, value)
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content)

    return answer


@contextmanager
def hostile_server() -> Generator[HostileServer]:
    """A server for the time of the block, on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            mine.seen.append((self.path, self.headers.get("Authorization")))
            answer = mine.answers.get(self.path.partition("?")[0], json_of({}, 404))
            try:
                answer(self)
            except OSError:
                self.close_connection = True  # The client had enough.

        do_GET = do_POST = do_DELETE = handle_one  # noqa: N815 - the library's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    mine = HostileServer(server)
    mine.answer("/health", json_of(HEALTH))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield mine
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
