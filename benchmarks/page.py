"""What the sessions page costs: one rerun, a browser's long tasks, and twenty viewers.

    python -m benchmarks.page [--sessions 2000] [--cards 500] [--viewers 20] [--seconds 30]
                              [--only rerun|browser|viewers]

Makes its own trees in a temporary folder, with sessions of the last day, and keeps appending to
them while a browser looks. Times are printed, never asserted.
"""

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from statistics import median
from typing import NamedTuple
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.keep_up import append_sessions, daemon
from benchmarks.measure import (
    ROOT,
    CommandError,
    environ_of,
    output_json,
    print_table,
    tree_cpu,
    tree_memory,
)
from benchmarks.tree import write_tree
from benchmarks.viewers import Viewers, viewers_of
from lib.store import Store
from tests.system_tools import chromium

BYTES_PER_FILE = 40_000
FILES_PER_SESSION = 1.35
"""Every fourth file or so is a subagent's, which has no card of its own."""
RECENT_DAYS = 0.4
SEARCHED = "e"
WATCH_LONG_TASKS = """
window.longTasks = [];
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) window.longTasks.push(entry.duration);
}).observe({type: 'longtask', buffered: true});
"""


class Board(NamedTuple):
    """A tree with its store, and a daemon that follows it."""

    tree: Path
    environ: dict[str, str]
    sessions: int


class Server(NamedTuple):
    """A running dashboard."""

    url: str
    pid: int


@contextlib.contextmanager
def board(sessions: int) -> Generator[Board]:
    """A board of about `sessions` sessions of the last hours in a temporary folder."""
    with tempfile.TemporaryDirectory() as scratch:
        tree, store_path = Path(scratch) / "tree", Path(scratch) / "store" / "store.db"
        tree.mkdir()
        store_path.parent.mkdir()
        files = int(sessions * FILES_PER_SESSION)
        until = time.time() - 60
        write_tree(tree, files * BYTES_PER_FILE, files, seed=3, until=until, days=RECENT_DAYS)
        environ = environ_of(tree, store_path)
        with daemon(environ):
            store = Store.open(environ["QUARTERDECK_STORE_URL"])
            found = sum(row.parent_key is None for row in store.sessions())
            store.close()
            yield Board(tree, environ, found)


@contextlib.contextmanager
def dashboard(environ: dict[str, str]) -> Generator[Server]:
    """The dashboard on a free port. Raises CommandError when it doesn't answer in a minute."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "dashboard.py"]
    options = [f"--server.port={port}", "--server.address=127.0.0.1", "--server.headless=true"]
    process = subprocess.Popen(
        command + options,
        cwd=ROOT,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_healthy(f"http://127.0.0.1:{port}/_stcore/health")
        yield Server(f"http://127.0.0.1:{port}", process.pid)
    finally:
        process.terminate()
        process.wait()


def _wait_until_healthy(url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(URLError, OSError), urlopen(url, timeout=2) as answer:  # noqa: S310 - our own server
            if answer.status == 200:
                return
        time.sleep(0.2)
    raise CommandError("the dashboard did not answer")


@contextlib.contextmanager
def browser() -> Generator[Browser]:
    """A headless Chromium."""
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium(), args=arguments)
        yield launched
        launched.close()


def measure_rerun(sessions: int) -> None:
    """Script time of one rerun, AppTest's own work included."""
    with board(sessions) as shown:
        result = output_json([sys.executable, "-m", "benchmarks.rerun", "40"], shown.environ)
    rows = [("first run", f"{result['first']:.0f}", "")]
    for name, label in (("unchanged", "nothing changed"), ("changed", "3 sessions changed")):
        times = result[name]
        rows.append((f"{label}, of {len(times)}", f"{median(times):.0f}", f"{max(times):.0f}"))
    print_table((f"rerun of the page, {shown.sessions} sessions", "median, ms", "slowest"), rows)


def open_page(launched: Browser, url: str) -> Page:
    """A tab of its own browser context with the board drawn."""
    context = launched.new_context(viewport={"width": 1400, "height": 1000})
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.add_init_script(WATCH_LONG_TASKS)
    page.goto(url)
    page.locator(".card").first.wait_for()
    return page


def measure_browser(cards: int, seconds: float) -> None:
    """Long tasks of refreshes while sessions change; what typing and scrolling survive."""
    with board(int(cards * 1.1)) as shown, dashboard(shown.environ) as server, browser() as chrome:
        page = open_page(chrome, server.url)
        while page.locator(".card").count() < cards:
            more = page.locator("button.more:visible").first
            if not more.count():
                break
            before = page.locator(".card").count()
            more.click()
            page.wait_for_function(
                "([selector, before]) => {const find = root => [...root.querySelectorAll('*')]"
                ".reduce((sum, e) => sum + (e.matches(selector) ? 1 : 0)"
                " + (e.shadowRoot ? find(e.shadowRoot) : 0), 0); return find(document) > before}",
                arg=[".card", before],
            )
        search = page.get_by_label("Search").first
        search.fill(SEARCHED)
        page.wait_for_timeout(8000)
        drawn = page.locator(".card").count()
        search.focus()
        loading: list[float] = page.evaluate("window.longTasks")
        page.evaluate("window.longTasks = []")
        deadline = time.monotonic() + seconds
        number = 0
        while time.monotonic() < deadline:
            number += 1
            append_sessions(shown.tree, seed=number)
            page.wait_for_timeout(2000)
        tasks: list[float] = page.evaluate("window.longTasks")
        kept = search.input_value() == SEARCHED
        focused = search.evaluate("element => element === element.getRootNode().activeElement")
    print_table(
        (f"browser, {drawn} cards, 3 sessions changing every 2 s for {seconds:.0f} s", ""),
        [
            ("longest task while loading, ms", f"{max(loading, default=0):.0f}"),
            ("tasks over 50 ms in refreshes", str(len(tasks))),
            ("longest task in refreshes, ms", f"{max(tasks, default=0):.0f}"),
            ("typed text kept", "yes" if kept else "NO"),
            ("focus kept", "yes" if focused else "NO"),
        ],
    )


def measure_viewers(sessions: int, viewers: int, seconds: float) -> None:
    """CPU and memory of the server with one viewer and with many, sessions changing."""
    rows: list[tuple[str, str, str, str]] = []
    with (
        board(sessions) as shown,
        dashboard(shown.environ) as server,
        viewers_of(server.url) as looking,
    ):
        for wanted in sorted({1, min(5, viewers), viewers}):
            looking.come(wanted)
            _wait_for_looks(looking, wanted)
            before, looks, started = tree_cpu(server.pid), looking.looks(), time.monotonic()
            while time.monotonic() - started < seconds:
                append_sessions(shown.tree, seed=wanted)
                time.sleep(2)
            spent, runs = tree_cpu(server.pid) - before, looking.looks() - looks
            share = spent / (time.monotonic() - started)
            each = 1000 * spent / max(runs, 1)
            resident = tree_memory(server.pid).resident
            rows.append((str(wanted), f"{share:.1%}", f"{each:.1f}", f"{resident:.0f}"))
    print_table(
        (f"viewers of {shown.sessions} sessions", "of a core", "ms of CPU a run", "MiB"), rows
    )


def _wait_for_looks(looking: Viewers, viewers: int) -> None:
    """Until each has seen the page about five times. Raises CommandError after five minutes."""
    wanted, deadline = looking.looks() + 5 * viewers, time.monotonic() + 300
    while looking.looks() < wanted:
        if time.monotonic() > deadline:
            raise CommandError("the viewers see nothing")
        time.sleep(0.5)


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page")
    parser.add_argument("--sessions", type=int, default=2000)
    parser.add_argument("--cards", type=int, default=500)
    parser.add_argument("--viewers", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=30, help="length of a look")
    parser.add_argument("--only", choices=("rerun", "browser", "viewers"))
    arguments = parser.parse_args()
    try:
        if arguments.only in (None, "rerun"):
            measure_rerun(arguments.sessions)
        if arguments.only in (None, "browser"):
            measure_browser(arguments.cards, arguments.seconds)
        if arguments.only in (None, "viewers"):
            measure_viewers(arguments.sessions, arguments.viewers, arguments.seconds)
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
