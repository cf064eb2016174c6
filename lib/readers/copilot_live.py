"""Which Copilot sessions a process has open: `session-state/<id>/inuse.<pid>.lock`.

Written since at least 1.0.95 with the process's id as its content, removed at the end, left
behind by SIGKILL and mostly by SIGTERM. So a lock counts only while its pid belongs to a process
that is older than the lock. It speaks of the process; what the turn does stands in the events.
"""

import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from lib import processes
from lib.model import Evidence
from lib.plain_file import open_plain
from lib.processes import ProcessFact
from lib.readers.copilot_events import AGENT
from lib.readers.values import path_name

SOURCE = "copilot-lock"

_LOCK = re.compile(r"inuse\.([1-9][0-9]{0,9})\.lock")
_CLOCK_SLACK_MS = 30_000
"""A clock that was set meanwhile moves what we take for a process's start. A pid is not given
to another process so soon."""
_SETTLED_NS = 2 * 10**9
"""A folder whose time is younger than this may still change within the same tick of its clock."""


class _Watch:
    """The lock files of each folder, listed again only when the folder has changed."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, int, dict[str, int]]] = {}

    def locks(self, folder: str) -> dict[str, int]:
        """Lock files in a session's folder, each with its pid; none where there is no folder."""
        try:
            changed_at = os.stat(folder).st_mtime_ns
            known = self._known.get(folder)
            if known is not None and known[0] == changed_at and known[1] - changed_at > _SETTLED_NS:
                return known[2]
            now = time.time_ns()
            found = {
                os.path.join(folder, name): int(lock[1])
                for name in os.listdir(folder)
                if (lock := _LOCK.fullmatch(name)) is not None
            }
        except OSError:
            self._known.pop(folder, None)
            return {}
        self._known[folder] = (changed_at, now, found)
        return found


_watch = _Watch()


def live(roots: list[Path]) -> Iterator[Evidence]:
    """Every session of `roots` that a process has open."""
    for root in roots:
        try:
            names = os.listdir(root)
        except OSError:
            continue
        for name in names:
            owner = _owner(os.path.join(root, name))
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


def _owner(folder: str) -> ProcessFact | None:
    """The process that has the session open; of several the one that runs, then the youngest."""
    found = [_holder(lock, pid) for lock, pid in _watch.locks(folder).items()]
    owners = [owner for owner in found if owner is not None]
    return max(owners, key=lambda owner: (not owner.suspended, owner.created_ms), default=None)


def _holder(lock: str, pid: int) -> ProcessFact | None:
    """The process that wrote the lock, None where it is gone."""
    try:
        status = os.stat(lock)
        if not stat.S_ISREG(status.st_mode):
            return None
        written_at = status.st_mtime_ns // 1_000_000
        with open_plain(lock) as file:
            content = file.read(32).strip()
    except OSError:
        return None
    # An empty lock was just made, or is of a version that says it in the name only.
    if content and content != str(pid).encode():
        return None
    process = processes.look(pid)
    if process is None or process.created_ms > written_at + _CLOCK_SLACK_MS:
        return None
    return process
