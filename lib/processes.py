"""What the operating system says of a process: enough to know one again, never to trust a bare pid.

A pid is reused; a pid together with its start mark is not. On Linux the start mark is field 22
of `/proc/<pid>/stat` (clock ticks since boot), the same text that Claude Code writes as
`procStart`. Elsewhere it is psutil's creation time in milliseconds.
"""

import os
import sys
import time
from functools import lru_cache
from typing import NamedTuple

import psutil

_FIRST_WORDS = 4
_CLOCK_SECONDS = 60
_LINUX = sys.platform.startswith("linux")


class ProcessFact(NamedTuple):
    """One process at one moment."""

    pid: int
    started: str
    """Opaque start mark; equal for the same process, different after the pid is reused."""
    created_ms: int
    suspended: bool
    """Stopped by a signal (SIGSTOP) or a debugger."""
    uid: int
    ppid: int


def look(pid: int) -> ProcessFact | None:
    """The process with this pid, or None when there is none (a zombie counts as none)."""
    if pid <= 0:
        return None
    return _look_in_proc(pid) if _LINUX else _look_with_psutil(pid)


def _look_in_proc(pid: int) -> ProcessFact | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
        uid = os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None
    # The command name in parentheses may hold anything, parentheses and spaces too.
    fields = text[text.rindex(b")") + 2 :].split()
    state, ppid, start_ticks = fields[0], int(fields[1]), fields[19].decode()
    if state in (b"Z", b"X", b"x"):
        return None
    booted = _boot_time(int(time.monotonic() // _CLOCK_SECONDS))
    created_ms = int((booted + int(start_ticks) / os.sysconf("SC_CLK_TCK")) * 1000)
    return ProcessFact(pid, start_ticks, created_ms, state in (b"T", b"t"), uid, ppid)


@lru_cache(maxsize=1)
def _boot_time(minute: int) -> float:  # noqa: ARG001 - asked anew in each
    """When the system started, by the clock as it goes now: setting the clock moves it."""
    return psutil.boot_time()


def _look_with_psutil(pid: int) -> ProcessFact | None:
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            status = process.status()
            if status in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
                return None
            created_ms = int(process.create_time() * 1000)
            uid = process.uids().real if hasattr(process, "uids") else 0
            suspended = status in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
            return ProcessFact(
                pid, str(created_ms), created_ms, suspended, uid, process.ppid() or 0
            )
    except psutil.Error:
        return None


def arguments(pid: int) -> list[str]:
    """The command line of a process; empty when it can't be read."""
    try:
        return psutil.Process(pid).cmdline()
    except (psutil.Error, OSError, ValueError):
        return []


def descendants(pid: int) -> list[int]:
    """Pids of all processes below `pid`, by parent links; empty when it is gone."""
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except (psutil.Error, ValueError):
        return []


def environment_value(pid: int, name: str) -> str | None:
    """One variable of a process of the same user; None when unset or not readable."""
    try:
        return psutil.Process(pid).environ().get(name)
    except (psutil.Error, OSError, ValueError):
        return None


def working_folders(names: frozenset[str]) -> dict[str, list[int]]:
    """Working folder to pids, of this user's processes that run a program of one of `names`.

    The program's name or the file name of one of its first words counts (`node --option
    /…/bin/claude`). Used only as evidence that a session may be alive, never to choose a process
    to signal.
    """
    folders: dict[str, list[int]] = {}
    for process in psutil.process_iter(["name", "cmdline"]):
        words = [process.info["name"] or "", *(process.info["cmdline"] or [])[:_FIRST_WORDS]]
        if names.isdisjoint(os.path.basename(word) for word in words):
            continue
        try:
            folders.setdefault(process.cwd(), []).append(process.pid)
        except (psutil.Error, OSError):
            continue
    return folders
