"""The process of the analyser, as the daemon keeps it: started when there may be work for it.

A process of its own, because what it needs for a while the daemon would hold for good.
"""

import logging
import os
import subprocess
import sys
import time

from lib.settings import PROJECT_FOLDER, Settings
from lib.store import Store

log = logging.getLogger("quarterdeck.daemon")

RETRY_SECONDS = 60.0
"""Before it is started again after it failed."""
_END_SECONDS = 5.0


class AnalyserProcess:
    """At most one process of `lib.analyser`."""

    def __init__(self, store: Store, config: Settings) -> None:
        self._store = store
        self._environ = {
            **os.environ,
            "QUARTERDECK_STORE_URL": config.store_url,
            "QUARTERDECK_DATA_FOLDER": os.fspath(config.data_folder),
            "QUARTERDECK_MACHINE": config.machine,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._seen = 0
        """A version of the store up to which it has seen everything."""
        self._latest = 0
        self._not_before = 0.0

    def tend(self) -> None:
        """Start the process where the store changed since the last one ended. Raises StoreError."""
        version = self._store.version()
        if self._process is not None:
            status = self._process.poll()
            if status is None:
                # It looks every second: what was there at the last look of ours it has seen.
                self._seen, self._latest = self._latest, version
                return
            self._process = None
            if status != 0:
                log.warning("the analyser ended with status %d", status)
                self._seen, self._not_before = 0, time.monotonic() + RETRY_SECONDS
        if version == self._seen or time.monotonic() < self._not_before:
            return
        self._latest = self._seen
        told = {"--parent": os.getpid(), "--since": self._seen}
        words = [str(word) for pair in told.items() for word in pair]
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "lib.analyser", *words],
                cwd=PROJECT_FOLDER,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        except OSError as error:
            # The daemon's own reading goes on without it.
            log.warning("the analyser could not be started: %s", error)
            self._not_before = time.monotonic() + RETRY_SECONDS

    def close(self) -> None:
        """End the process, whatever it is at: what it writes is whole or not there."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
