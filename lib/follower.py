"""What a daemon does until it is told to stop: scan, then keep up with what changes."""

import contextlib
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path

from lib.actions import Executor
from lib.analyser_process import AnalyserProcess
from lib.budget_watch import BudgetWatch
from lib.leanspec_servers import Servers
from lib.scan import Scan
from lib.servers import configured
from lib.settings import Settings
from lib.store import Store, StoreError

log = logging.getLogger("quarterdeck.daemon")

LOOK_SECONDS = 1.0
SWEEP_SECONDS = 5.0
FULL_SWEEP_SECONDS = 60.0
RETRY_SECONDS = 5.0
NAMESAKE = (
    "Another computer writes to this store under the same name, and each overwrites what the other "
    "says. Give one of them another QUARTERDECK_MACHINE."
)


class Follower:
    """The loop around a scan's collector. Call `run`, once."""

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
        self._executing = threading.Thread(target=self._executor.run)
        self._budgets = BudgetWatch(store, config)
        self._scan = Scan(store, config, stopping)
        self._collector = self._scan.collector
        self._row = self._scan.row
        self._analysing = AnalyserProcess(store, config)
        self._has_namesake = False

    def run(self) -> None:
        """Scan, then keep up, until told to stop, and say goodbye.

        Raises StoreError when the store is no longer the one that was opened: a new daemon begins
        anew.
        """
        self._follow()
        self._close()
        if self._store.is_replaced():
            raise StoreError("The store was removed, replaced, or set back to an older state.")

    def _follow(self) -> None:
        """Whatever a round meets, the next one is tried."""
        rounds = self._rounds()
        while not self._stopping.is_set() and not self._store.is_replaced():
            try:
                next(rounds)()
                errors = [*self._collector.observer.errors.values(), *self._namesake()]
                self._row.last_error = "; ".join(errors) or None
                self._scan.beat()
            except StoreError as error:
                self._failed(str(error))
            except Exception as error:  # noqa: BLE001 - logged, with its traceback, in `_failed`
                self._failed(f"{type(error).__name__}: {error}")

    def _rounds(self) -> Generator[Callable[[], None]]:
        """What to do next, for ever: the first scan until it is done, then looks and sweeps."""
        while self._row.phase != "watching":
            yield self._scan.run
        # Not sooner: a process with threads reads on one core only.
        changes: queue.SimpleQueue[set[str]] = queue.SimpleQueue()
        watching = (self._collector.roots, changes, self._stopping)
        yield from _until_started(threading.Thread(target=_watch, args=watching, daemon=True))
        yield from _until_started(self._servers.thread)
        yield from _until_started(self._executing)
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

    def _namesake(self) -> list[str]:
        """What to say where a daemon of another computer writes under this machine's name.

        On one computer there is never a second one, and so the row can only be another's there.
        """
        if self._scan.is_beat_due():
            self._store.version()  # So that it can tell whether it was set back.
            own = (self._row.pid, self._row.process_started, self._row.started_at)
            self._has_namesake = any(
                (row.pid, row.process_started, row.started_at) != own
                for row in self._store.daemons()
                if row.machine == self._row.machine
            )
        return [NAMESAKE] if self._has_namesake else []

    def _look(self, noticed: set[str]) -> None:
        self._collector.collect(self._collector.look_at(noticed))
        self._budgets.round()

    def _failed(self, message: str) -> None:
        # Once per cause: a full disk must not be filled by messages about it.
        if message != self._row.last_error:
            log.error(message, exc_info=True)  # noqa: LOG014
        self._row.last_error = message
        self._stopping.wait(RETRY_SECONDS)

    def _close(self) -> None:
        """End the actions that are under way, leave the servers, and say goodbye in the store."""
        self._stopping.set()
        self._analysing.close()
        if self._executing.is_alive():
            self._executing.join()
        self._budgets.close()
        self._servers.close()
        self._scan.close()

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


def _until_started(thread: threading.Thread) -> Generator[Callable[[], None]]:
    """Start a thread, and try again where the system has none to give."""
    while thread.ident is None:
        yield thread.start


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
