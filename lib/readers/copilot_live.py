"""Which Copilot sessions a process has open: `session-state/<id>/inuse.<pid>.lock`.

Written since at least 1.0.95 with the process's id as its content, removed at the end, left
behind by SIGKILL and mostly by SIGTERM. So a lock counts only while its pid belongs to a process
that is older than the lock. It speaks of the process; what the turn does stands in the events.
"""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from lib import processes
from lib.model import Evidence
from lib.processes import ProcessFact
from lib.readers.copilot_events import AGENT
from lib.readers.values import path_name

SOURCE = "copilot-lock"

_LOCK = re.compile(r"inuse\.([1-9][0-9]{0,9})\.lock")
_CLOCK_SLACK_MS = 1_000
"""A process's start is known to a tick, the time of a file to its file system's grain."""


def live(roots: list[Path]) -> Iterator[Evidence]:
    """Every session of `roots` that a process has open."""
    for root in roots:
        try:
            names = os.listdir(root)
        except OSError:
            continue
        for name in names:
            owner = _owner(root / name)
            if owner is not None:
                yield Evidence(
                    session_key=f"{AGENT}:{path_name(name)}",
                    source=SOURCE,
                    agent=AGENT,
                    session_id=path_name(name),
                    process="suspended" if owner.suspended else "alive",
                    pid=owner.pid,
                    process_started=owner.started,
                )


def _owner(folder: Path) -> ProcessFact | None:
    """The process that has the session open; of several the one that runs, then the youngest."""
    try:
        names = os.listdir(folder)
    except OSError:
        return None
    found = [
        _holder(folder / name, int(lock[1])) for name in names if (lock := _LOCK.fullmatch(name))
    ]
    owners = [owner for owner in found if owner is not None]
    return max(owners, key=lambda owner: (not owner.suspended, owner.created_ms), default=None)


def _holder(lock: Path, pid: int) -> ProcessFact | None:
    try:
        status = os.stat(lock)
        if not stat.S_ISREG(status.st_mode):
            return None
        written_at = status.st_mtime_ns // 1_000_000
        content = _start_of(lock).strip()
    except OSError:
        return None
    # An empty lock was just made, or is of a version that says it in the name only.
    if content and content != str(pid).encode():
        return None
    process = processes.look(pid)
    if process is None or process.created_ms > written_at + _CLOCK_SLACK_MS:
        return None
    return process


def _start_of(lock: Path) -> bytes:
    with open(lock, "rb") as file:
        return file.read(32)
