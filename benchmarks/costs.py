"""What the Costs page takes with a million model calls in the store.

    python -m benchmarks.costs [--requests 1000000] [--sessions 10000] [--runs 3]

Makes its own store in a temporary folder. Times are printed, never asserted.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.keep_up import daemon
from benchmarks.measure import CommandError, environ_of, output_json, print_table
from lib.model import Request, Session
from lib.store import Batch, Store

DAYS = 365
SECONDS_BETWEEN_CALLS = 45
SESSIONS_AT_ONCE = 200
AGENTS = {"claude-code": ["claude-sonnet-4-5", "claude-haiku-4-5"], "codex": ["gpt-5-codex"]}
CAUSES = [None, None, None, '{"skill":"review"}', '{"mcp_server":"files","mcp_tool":"read"}']


def session(number: int, calls: int, until: int) -> tuple[Session, list[Request]]:
    """One session of the last year before `until` (ms), with its calls: the same each time."""
    chance = random.Random(number)
    agent = chance.choice(list(AGENTS))
    key = f"{agent}:{number:06d}"
    length = calls * SECONDS_BETWEEN_CALLS * 1000
    start = until - length - chance.randrange(DAYS * 86_400_000)
    made = [
        Request(
            key=f"{key}-{call}",
            session_key=key,
            owner_rank="0",
            at=start + call * SECONDS_BETWEEN_CALLS * 1000,
            model=chance.choice(AGENTS[agent]),
            input_tokens=chance.randrange(2_000),
            output_tokens=chance.randrange(3_000),
            cache_read_tokens=min(call * 1_500, 190_000),
            cache_write_5m_tokens=chance.randrange(4_000),
            attribution=chance.choice(CAUSES) if agent == "claude-code" else None,
        )
        for call in range(calls)
    ]
    told = Session(
        key=key,
        agent=agent,
        session_id=f"{number:06d}",
        machine=f"machine-{number % 3}",
        project_path=f"/home/dev/project-{chance.randrange(60)}",
        branch=f"branch-{chance.randrange(20)}",
        specs=[f"{chance.randrange(40):03d}-spec"],
        title=f"Task {number}",
        started_at=start,
        last_activity_at=start + length,
        turn=chance.choice(["idle", "idle", "failed"]),
        turns=3,
    )
    return told, made


def fill(store: Store, requests: int, sessions: int) -> None:
    """Write so many calls of so many sessions."""
    until = time.time_ns() // 1_000_000
    for first in range(0, sessions, SESSIONS_AT_ONCE):
        numbers = range(first, min(first + SESSIONS_AT_ONCE, sessions))
        made = [session(number, requests // sessions, until) for number in numbers]
        calls = [call for _, some in made for call in some]
        store.write(Batch(sessions=[told for told, _ in made], requests=calls))


def measure(requests: int, sessions: int, runs: int) -> None:
    """Fill a store, look at it in a process of its own, print what that took."""
    with tempfile.TemporaryDirectory() as scratch:
        tree, store_path = Path(scratch) / "tree", Path(scratch) / "store" / "store.db"
        tree.mkdir()
        store_path.parent.mkdir()
        environ = environ_of(tree, store_path)
        with daemon(environ):
            store = Store.open(environ["QUARTERDECK_STORE_URL"])
            fill(store, requests, sessions)
            store.close()
            command = [sys.executable, "-m", "benchmarks.costs_page", str(runs)]
            found = output_json(command, environ)
    title = f"Costs page, {requests:,} calls, {sessions:,} sessions; ms"
    for part in ("loading", "views"):
        print_table((title, "median wall", "median CPU", "most CPU"), _rows(found[part]))


def _rows(times: dict[str, list[tuple[float, float]]]) -> list[tuple[str, str, str, str]]:
    rows: list[tuple[str, str, str, str]] = []
    for name, took in times.items():
        wall, cpu = zip(*took, strict=True)
        rows.append((name, f"{median(wall):.0f}", f"{median(cpu):.0f}", f"{max(cpu):.0f}"))
    return rows


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.costs")
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3, help="of each view")
    arguments = parser.parse_args()
    try:
        measure(arguments.requests, arguments.sessions, arguments.runs)
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
