"""Reading everything that is new on this machine, with progress in the store."""

import os
import threading
import time

from lib import processes
from lib.collector import Collector, now_ms
from lib.model import DaemonRow
from lib.readers import READERS
from lib.settings import Settings
from lib.store_rows import FactStore

BEAT_SECONDS = 10.0


class Scan:
    """A collector, and what its process says of itself. Every method may raise StoreError."""

    def __init__(self, store: FactStore, config: Settings, stopping: threading.Event) -> None:
        self._store = store
        self._stopping = stopping
        self.collector = Collector(store, READERS, os.environ, config.machine)
        fact = processes.look(os.getpid())
        self.row = DaemonRow(
            machine=config.machine,
            pid=os.getpid(),
            process_started=fact.started if fact else None,
            started_at=now_ms(),
            beat_at=now_ms(),
        )
        self._beaten = 0.0

    def run(self) -> None:
        """Read everything that is new, until told to stop."""
        found = self.collector.sweep(full=True)
        self.row.phase = "scanning"
        self.row.files_total = len(found)
        self.row.bytes_total = sum(item.status.st_size for item in found)
        self.row.files_done = self.row.bytes_done = 0
        self.beat(force=True)
        self.collector.collect(found, self._progress, self._stopping.is_set)
        self.collector.note_gone()
        self.collector.judge_unannounced()
        self.row.phase = "watching"
        self._store.save_sources(self.collector.sources())
        self.beat(force=True)

    def beat(self, force: bool = False) -> None:
        """Say in the store that this process lives: once in a while, or now."""
        if force or self.is_beat_due():
            self.row.beat_at = now_ms()
            self._store.save_daemon(self.row)
            self._beaten = time.monotonic()

    def is_beat_due(self) -> bool:
        """Whether the next `beat` writes."""
        return time.monotonic() - self._beaten >= BEAT_SECONDS

    def close(self) -> None:
        """Say goodbye in the store."""
        self.row.phase = "stopped"
        self.beat(force=True)

    def _progress(self, files: int, size: int) -> None:
        self.row.files_done += files
        self.row.bytes_done += size
        self.beat(force=True)
