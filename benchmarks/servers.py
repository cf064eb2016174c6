"""What following LeanSpec servers costs: a round over several of them with many sessions each.

    python -m benchmarks.servers [--servers 5] [--sessions 1000] [--rounds 20] [--delay 200]

The servers are processes of their own that answer as `@leanspec/http-server` 0.2.28 does; the last
of them waits `--delay` milliseconds before it answers. A round asks all of them at once, compares
what they say with what was known, and writes what is new. Times are printed, never asserted; exit
status 1 when a round in which nothing changed has written anything.
"""

import argparse
import contextlib
import multiprocessing
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from statistics import median
from typing import Any, NamedTuple

import msgspec

from benchmarks.measure import print_table
from lib.collector import now_ms
from lib.leanspec import Client
from lib.leanspec_facts import Origin
from lib.leanspec_keep import Kept
from lib.store import Store

CHANGED = 10
"""Sessions of each server that differ, in a round in which something changed."""


class Stub(NamedTuple):
    """One server process."""

    url: str
    changes: Any
    """Shared counter: another number, and so many sessions have another status."""


def serve(port: int, sessions: int, delay_ms: float, changes: Any) -> None:
    """Answer `GET /api/sessions` for ever."""
    told = [
        {
            "id": f"{port}-{number:08d}-0000-4000-8000-000000000000",
            "project_path": f"/srv/project-{number % 20}",
            "spec_ids": [f"{number % 300:03d}-some-spec"],
            "prompt": f"Implement part {number} of the spec. " + "Mind the tests. " * 20,
            "runner": "claude",
            "mode": "autonomous",
            "status": "completed",
            "started_at": "2026-01-01T10:00:00.123456789+00:00",
            "ended_at": "2026-01-01T10:30:00.123456789+00:00",
            "duration_ms": 1_800_000,
            "token_count": None,
            "protocol": "shell",
            "active_tool_call": None,
            "plan_progress": None,
        }
        for number in range(sessions)
    ]
    answers: dict[int, bytes] = {}

    def answer() -> bytes:
        turn = changes.value
        if turn not in answers:
            for one in told[:CHANGED]:
                one["status"] = ("completed", "failed")[turn % 2]
            answers.clear()
            answers[turn] = msgspec.json.encode(told)
        return answers[turn]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            time.sleep(delay_ms / 1000)
            content = answer()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


@contextlib.contextmanager
def stubs(servers: int, sessions: int, delay_ms: float) -> Generator[list[Stub]]:
    """So many servers, for the time of the block; the last one is slow."""
    context = multiprocessing.get_context("spawn")
    made: list[Stub] = []
    processes: list[Any] = []
    for number in range(servers):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        changes = context.Value("i", 0)
        delay = delay_ms if number == servers - 1 else 0
        process = context.Process(target=serve, args=(port, sessions, delay, changes), daemon=True)
        process.start()
        processes.append(process)
        made.append(Stub(f"http://127.0.0.1:{port}", changes))
    try:
        for stub in made:
            _wait_for(stub.url)
        yield made
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _wait_for(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    for _ in range(400):
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
            return
        time.sleep(0.05)
    raise SystemExit(f"{url} does not answer")


class Follower:
    """What a daemon does with one server in a round, in a thread of its own."""

    def __init__(self, store: Store, url: str):
        self.url = url
        self.pool = ThreadPoolExecutor(1)
        self.kept = Kept(store, url, "benchmark", lambda _key, _url: True)
        self.client: Client = self.pool.submit(Client, url).result()

    def asked(self) -> float:
        """Milliseconds until the server's answer is there, as bytes and read."""
        begin = time.perf_counter()
        self.client.sessions()
        return (time.perf_counter() - begin) * 1000

    def round(self, start: threading.Barrier) -> None:
        """Ask, compare and write."""
        start.wait()
        answer = self.client.sessions()
        origin = Origin(self.url, "benchmark", now_ms())
        self.kept.take(answer.sessions, {}, origin, complete=True)

    def close(self) -> None:
        """Close the connection in the thread that opened it."""
        self.pool.submit(self.client.close).result()
        self.pool.shutdown()


def round_ms(followers: list[Follower]) -> float:
    """Milliseconds of one round over all servers."""
    start = threading.Barrier(len(followers) + 1)
    running = [one.pool.submit(one.round, start) for one in followers]
    start.wait()
    begin = time.perf_counter()
    for one in running:
        one.result()
    return (time.perf_counter() - begin) * 1000


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.servers", description=__doc__)
    parser.add_argument("--servers", type=int, default=5)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--delay", type=float, default=200)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        stubs(options.servers, options.sessions, options.delay) as made,
    ):
        store = Store.open(f"sqlite:///{folder}/store.db")
        followers = [Follower(store, stub.url) for stub in made]
        alone = [median(one.pool.submit(one.asked).result() for _ in range(5)) for one in followers]
        first = round_ms(followers)
        version = store.version()
        unchanged = [round_ms(followers) for _ in range(options.rounds)]
        wrote = store.version() != version
        changed: list[float] = []
        for turn in range(1, options.rounds + 1):
            for stub in made:
                stub.changes.value = turn
            changed.append(round_ms(followers))
        for one in followers:
            one.close()
        store.close()
    slowest = max(alone)
    rows = [
        ("the slowest server alone", slowest, 0.0),
        ("first round, everything written", first, first - slowest),
        ("nothing changed, median", median(unchanged), median(unchanged) - slowest),
        ("nothing changed, worst", max(unchanged), max(unchanged) - slowest),
        (f"{CHANGED} changed on each, median", median(changed), median(changed) - slowest),
        (f"{CHANGED} changed on each, worst", max(changed), max(changed) - slowest),
    ]
    print(f"{options.servers} servers with {options.sessions:,} sessions each")
    print_table(
        ["round", "ms", "beyond the slowest, ms"],
        [[name, f"{took:,.0f}", f"{beyond:,.0f}"] for name, took, beyond in rows],
    )
    if wrote:
        print("a round without news wrote to the store", file=sys.stderr)
    return int(wrote)


if __name__ == "__main__":
    sys.exit(main())
