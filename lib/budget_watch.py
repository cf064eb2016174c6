"""When a daemon has the budgets looked at: in a short process of its own, `python -m lib.budgets`.

A daemon holds neither prices nor frames. It starts that process only where there are budgets, and
calls or budgets changed since it last did, and at most once a minute.
"""

import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import IO, NamedTuple

from lib.settings import PROJECT_FOLDER, Settings
from lib.store import Store

log = logging.getLogger("quarterdeck.budgets")

COMMAND = (sys.executable, "-m", "lib.budgets")
PAUSE_SECONDS = 60.0
LONGEST_SECONDS = 300.0
"""A look that takes longer hangs, and is ended."""
LONGEST_MESSAGE = 500


class _Look(NamedTuple):
    process: "subprocess.Popen[bytes]"
    said: IO[bytes]
    """A file: a pipe that is full would stop whoever writes into it."""
    since: float


class BudgetWatch:
    """Call `round` often: it returns at once, and may raise StoreError. Then `close` it."""

    def __init__(self, store: Store, config: Settings, command: Sequence[str] = COMMAND) -> None:
        self._store = store
        self._command = list(command)
        self._environ = {
            **os.environ,
            "QUARTERDECK_STORE_URL": config.store_url,
            "QUARTERDECK_DATA_FOLDER": str(config.data_folder),
            "QUARTERDECK_MACHINE": config.machine,
        }
        self._look: _Look | None = None
        self._looked = float("-inf")
        self._seen: object = None
        self._failure: str | None = None

    def round(self) -> None:
        """See to a look that is under way, or start one when it is time."""
        if self._look is not None:
            self._look = self._attend(self._look)
        elif time.monotonic() - self._looked >= PAUSE_SECONDS:
            self._looked = time.monotonic()
            self._start_if_needed()

    def close(self) -> None:
        """End what is under way; whoever looks next notes the same."""
        if self._look is not None:
            self._look.process.kill()
            self._look.process.wait()
            self._look.said.close()
            self._look = None

    def _start_if_needed(self) -> None:
        budgets = self._store.budgets.listed()
        seen = (self._store.budgets.last_usage(), budgets) if budgets else None
        if seen is None or seen == self._seen:
            return
        self._seen = seen
        said = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the look is over
        try:
            process = subprocess.Popen(
                self._command,
                cwd=PROJECT_FOLDER,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
            )
        except OSError as error:
            said.close()
            self._failed(str(error))
            return
        self._look = _Look(process, said, time.monotonic())

    def _attend(self, look: _Look) -> _Look | None:
        status = look.process.poll()
        if status is None and time.monotonic() - look.since < LONGEST_SECONDS:
            return look
        if status is None:
            look.process.kill()
            look.process.wait()
        with look.said as file:
            file.seek(0)
            said = file.read()
        if status is None:
            self._failed(f"it took longer than {LONGEST_SECONDS:.0f} seconds")
        elif status != 0:
            last = said.decode(errors="replace").strip().rpartition("\n")[2]
            self._failed(last[:LONGEST_MESSAGE] or f"exit status {status}")
        else:
            self._failure = None
        return None

    def _failed(self, message: str) -> None:
        # Tried again in a minute, and told once: a log must not fill with one message.
        self._seen = None
        if message != self._failure:
            log.error("The budgets could not be looked at: %s", message)
        self._failure = message
