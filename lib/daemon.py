"""The background process that collects: `python -m lib.daemon`.

One lives per store and machine, guarded by a lock that dies with it. It first reads everything,
newest first, then follows: change notices within about a second, a sweep every five seconds as
the safety net (a full one every minute), a look at the live sources every second. It outlives
whatever it reads; what goes wrong is written down where the Machines page shows it.

Exit status: 0 done, 1 failed, 2 bad use.
"""

import argparse
import contextlib
import fcntl
import gc
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path

from lib import processes
from lib.actions import Executor
from lib.analyser_process import AnalyserProcess
from lib.budget_watch import BudgetWatch
from lib.collector import Collector, now_ms
from lib.leanspec_servers import Servers
from lib.model import DaemonRow
from lib.readers import READERS
from lib.servers import configured
from lib.settings import PROJECT_FOLDER, Settings, settings
from lib.store import Store, StoreError

log = logging.getLogger("quarterdeck.daemon")

LOOK_SECONDS = 1.0
SWEEP_SECONDS = 5.0
FULL_SWEEP_SECONDS = 60.0
BEAT_SECONDS = 10.0
RETRY_SECONDS = 5.0

_started: list["subprocess.Popen[bytes]"] = []
"""Daemons that this process started: kept, so that one that ended leaves no zombie."""


class AlreadyRunningError(RuntimeError):
    """Another daemon of this store and machine lives."""


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def sole_daemon(config: Settings, patience: float = 0.0) -> Generator[None]:
    """Hold the lock of this store and machine; wait up to `patience` seconds for it.

    Raises AlreadyRunningError when another process holds it. The lock goes with the process,
    however that ends; the file stays.
    """
    config.data_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(config.lock_path, "a+", encoding="utf-8") as file:
        deadline = time.monotonic() + patience
        while not (held := _lock(file.fileno())) and time.monotonic() < deadline:
            time.sleep(0.05)
        if not held:
            file.seek(0)
            raise AlreadyRunningError(
                f"A daemon of this store is already running (pid {file.read().strip() or '?'})."
            )
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def is_running(config: Settings) -> bool:
    """Whether a daemon of this store and machine lives."""
    try:
        with sole_daemon(config):
            return False
    except AlreadyRunningError:
        return True


def ensure_running(config: Settings) -> bool:
    """Start a daemon, detached from this process, unless one lives; answer whether it did."""
    if is_running(config):
        return False
    _started[:] = [process for process in _started if process.poll() is None]
    with open(config.log_path, "ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "lib.daemon"],
            cwd=PROJECT_FOLDER,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    _started.append(process)
    return True


class Daemon:
    """The loop around a collector."""

    def __init__(self, store: Store, config: Settings, stopping: threading.Event) -> None:
        self._store = store
        self._stopping = stopping
        self._servers = Servers(store, config, os.environ)
        self._executor = Executor(
            store,
            config.machine,
            lambda: configured(config, os.environ).servers,
            stopping,
            self._servers.soon,
        )
        self._executing: threading.Thread | None = None
        self._budgets = BudgetWatch(store, config)
        self._collector = Collector(store, READERS, os.environ, config.machine)
        fact = processes.look(os.getpid())
        self._row = DaemonRow(
            machine=config.machine,
            pid=os.getpid(),
            process_started=fact.started if fact else None,
            started_at=now_ms(),
            beat_at=now_ms(),
        )
        self._beaten = 0.0
        self._analysing = AnalyserProcess(store, config)

    def scan(self) -> None:
        """Read everything that is new, with progress in the store."""
        found = self._collector.sweep(full=True)
        self._row.phase = "scanning"
        self._row.files_total = len(found)
        self._row.bytes_total = sum(item.status.st_size for item in found)
        self._row.files_done = self._row.bytes_done = 0
        self._beat(force=True)
        self._collector.collect(found, self._progress, self._stopping.is_set)
        self._collector.note_gone()
        self._collector.judge_unannounced()
        self._row.phase = "watching"
        self._store.save_sources(self._collector.sources())
        self._beat(force=True)

    def follow(self) -> None:
        """Scan, then keep up, until told to stop. Whatever a round meets, the next one is tried."""
        rounds = self._rounds()
        while not self._stopping.is_set():
            try:
                next(rounds)()
                self._row.last_error = "; ".join(self._collector.observer.errors.values()) or None
                self._beat()
            except StoreError as error:
                self._failed(str(error))
            except Exception as error:  # noqa: BLE001 - logged, with its traceback, in `_failed`
                self._failed(f"{type(error).__name__}: {error}")

    def _rounds(self) -> Generator[Callable[[], None]]:
        """What to do next, for ever: the first scan until it is done, then looks and sweeps."""
        while self._row.phase != "watching":
            yield self.scan
        # Not sooner: a process with threads reads on one core only.
        changes: queue.SimpleQueue[set[str]] = queue.SimpleQueue()
        watching = (self._collector.roots, changes, self._stopping)
        threading.Thread(target=_watch, args=watching, daemon=True).start()
        self._servers.start()
        self._executing = threading.Thread(target=self._executor.run)
        self._executing.start()
        swept = fully_swept = time.monotonic()
        yield partial(self._sweep, set(), full=True)
        while True:
            noticed = _noticed(changes)
            now = time.monotonic()
            if now - fully_swept >= FULL_SWEEP_SECONDS:
                swept = fully_swept = now
                yield partial(self._sweep, noticed, full=True)
            elif now - swept >= SWEEP_SECONDS:
                swept = now
                yield partial(self._sweep, noticed, full=False)
            else:
                yield partial(self._look, noticed)

    def _look(self, noticed: set[str]) -> None:
        self._collector.collect(self._collector.look_at(noticed))
        self._budgets.round()

    def _failed(self, message: str) -> None:
        # Once per cause: a full disk must not be filled by messages about it.
        if message != self._row.last_error:
            log.error(message, exc_info=True)  # noqa: LOG014
        self._row.last_error = message
        self._stopping.wait(RETRY_SECONDS)

    def close(self) -> None:
        """End the actions that are under way, leave the servers, and say goodbye in the store."""
        self._analysing.close()
        if self._executing is not None:
            self._executing.join()
        self._budgets.close()
        self._servers.close()
        self._row.phase = "stopped"
        self._beat(force=True)

    def _sweep(self, noticed: set[str], *, full: bool) -> None:
        self._analysing.tend()
        found = self._collector.sweep(full)
        swept = {item.path for item in found}
        found += [item for item in self._collector.look_at(noticed) if item.path not in swept]
        self._collector.collect(found, stopping=self._stopping.is_set)
        if full:
            self._collector.note_gone()
            self._collector.judge_unannounced()
            self._store.save_sources(self._collector.sources())

    def _progress(self, files: int, size: int) -> None:
        self._row.files_done += files
        self._row.bytes_done += size
        self._beat(force=True)

    def _beat(self, force: bool = False) -> None:
        now = time.monotonic()
        if force or now - self._beaten >= BEAT_SECONDS:
            self._row.beat_at = now_ms()
            self._store.save_daemon(self._row)
            self._beaten = now


def _noticed(changes: "queue.SimpleQueue[set[str]]") -> set[str]:
    """Paths of change notices: waits up to one look's time for the first, then takes them all."""
    paths: set[str] = set()
    with contextlib.suppress(queue.Empty):
        paths |= changes.get(timeout=LOOK_SECONDS)
        while True:
            paths |= changes.get_nowait()
    return paths


def _watch(
    roots: list[Path], changes: "queue.SimpleQueue[set[str]]", stopping: threading.Event
) -> None:
    """Put changed paths into `changes`; when watching fails, the sweeps alone must do."""
    # Imported here: it brings asyncio along, which a single scan has no use for.
    import watchfiles  # noqa: PLC0415

    while not stopping.is_set():
        present = [root for root in roots if os.path.isdir(root)]
        if not present:
            stopping.wait(SWEEP_SECONDS)
            continue
        try:
            for batch in watchfiles.watch(
                *present,
                watch_filter=None,
                stop_event=stopping,
                debounce=300,
                rust_timeout=5_000,
                yield_on_timeout=True,
                ignore_permission_denied=True,
                raise_interrupt=False,
            ):
                if batch:
                    changes.put({path for _, path in batch})
                if len(present) != sum(os.path.isdir(root) for root in roots):
                    break  # A root appeared or went: watch the new set.
        except (OSError, RuntimeError) as error:
            log.warning("no change notices: %s", error)
            stopping.wait(FULL_SWEEP_SECONDS)


def run(config: Settings, once: bool, tools: bool = False) -> None:
    """Collect once, with `tools` also from transcripts, or until a signal.

    Raises AlreadyRunningError and StoreError.
    """
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    # What was imported stays: no search for cycles need look at it, here or in a fork.
    gc.freeze()
    # Somebody who only asks whether a daemon lives holds the lock for a moment, too.
    with sole_daemon(config, LOOK_SECONDS):
        store = Store.open(config.store_url)
        try:
            daemon = Daemon(store, config, stopping)
            if once:
                daemon.scan()
                if tools:
                    _read_transcripts(store, config, stopping)
            else:
                daemon.follow()
            daemon.close()
        finally:
            store.close()


def _read_transcripts(store: Store, config: Settings, stopping: threading.Event) -> None:
    # Imported here: to follow, another process does this.
    from lib.analyser import read_all  # noqa: PLC0415

    read_all(store, config.machine, os.environ, stopping.is_set)


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m lib.daemon", description=__doc__)
    parser.add_argument("--once", action="store_true", help="scan everything once, then exit")
    parser.add_argument(
        "--detach", action="store_true", help="start it in the background unless one lives"
    )
    parser.add_argument(
        "--tools", action="store_true", help="with --once: read the tool calls of transcripts, too"
    )
    options = parser.parse_args(arguments)
    if options.tools and not options.once:
        parser.error("--tools goes with --once; without it the daemon reads them by itself")
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    for chatty in ("alembic", "httpx", "watchfiles"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    config = settings()
    try:
        if options.detach:
            started = ensure_running(config)
            print("Daemon started." if started else "Daemon already running.", file=sys.stderr)
        else:
            run(config, options.once, options.tools)
    except (AlreadyRunningError, StoreError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
