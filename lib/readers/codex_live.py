"""Which Codex threads a process has loaded now, from locks and open files; never by taking a lock.

CLI 0.169 holds a flock on `<home>/thread-writer-locks/<thread>.lock` for every loaded thread
and leaves the file behind, unlocked, when it is killed. Older versions only hold the rollout
open for writing. Both are of the process that runs the tools, which need not be the one whose
terminal shows the thread. A loaded thread may be idle, so this speaks of the process only,
except for a permission that is asked: then a call waits and no tool runs for it.
"""

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

from lib import processes
from lib.model import Evidence, Process
from lib.plain_file import open_plain

LOCK = "codex-lock"
OPEN_FILE = "codex-open-file"

_LINUX = sys.platform.startswith("linux")
_PROC = Path("/proc")
_LOCKS_FOLDER = "thread-writer-locks"
_CANDIDATES_MS = 5_000
"""How long a list of processes named like Codex is good for."""
_TAIL_BYTES = 1 << 18
_ROLLOUT = re.compile(
    r"rollout-.*?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.jsonl", re.IGNORECASE
)
_LOCK_LINE = re.compile(
    r"^\d+: FLOCK +\w+ +WRITE (-?\d+) ([0-9a-f]+):([0-9a-f]+):(\d+) ", re.MULTILINE
)


class _Lock(NamedTuple):
    """A thread's lock file."""

    thread: str
    path: str
    device: int
    inode: int


class _Holder(NamedTuple):
    """A process that has a thread loaded, and how that is known. Pid 0: not of our namespace."""

    pid: int
    source: str


class _Watch:
    """What is remembered from one look to the next, so that a look each second stays cheap."""

    def __init__(self) -> None:
        self._candidates: list[int] = []
        self._listed_at: int | None = None
        self._waiting: dict[str, tuple[tuple[int, int], bool]] = {}

    def candidates(self, now: int) -> list[int]:
        """Own processes named like Codex. Only looked at, never chosen for a signal."""
        if self._listed_at is None or not 0 <= now - self._listed_at < _CANDIDATES_MS:
            self._candidates = list(_processes_named_codex())
            self._listed_at = now
        return self._candidates

    def waits(self, path: str, asks: Callable[[bytes], bool]) -> bool:
        """What `asks` answers about the end of a rollout; asked again only when it changed."""
        try:
            with open_plain(path) as file:
                status = os.fstat(file.fileno())
                mark = (status.st_size, status.st_mtime_ns)
                known = self._waiting.get(path)
                if known is not None and known[0] == mark:
                    return known[1]
                start = max(0, status.st_size - _TAIL_BYTES)
                file.seek(start)
                tail = file.read(_TAIL_BYTES)
        except OSError:
            return False
        answer = asks(tail if start else b"\n" + tail)
        self._waiting[path] = (mark, answer)
        return answer


_watch = _Watch()


def live(
    homes: list[Path], roots: list[Path], now: int, asks: Callable[[bytes], bool]
) -> list[Evidence]:
    """Every thread of `homes` or with a rollout below `roots` that a process has loaded.

    `asks` tells from the last bytes of a rollout whether its newest call waits for a permission.
    Raises OSError when a folder of locks is there and can't be read.
    """
    locks = [lock for home in homes for lock in _lock_files(home / _LOCKS_FOLDER)]
    holders = {thread: _Holder(pid, LOCK) for thread, pid in _holders(locks)}
    # Open files are shown by their real paths.
    real_roots = [root.resolve() for root in roots]
    rollouts: dict[str, str] = {}
    for pid in {*_watch.candidates(now), *(holder.pid for holder in holders.values())}:
        for thread, path, descriptor in _open_rollouts(pid, real_roots):
            # One that is only read is shown or listed, unless the same process has its lock.
            if thread not in holders and _is_written(pid, descriptor):
                holders[thread] = _Holder(pid, OPEN_FILE)
            if thread in holders and holders[thread].pid == pid:
                rollouts[thread] = path
    return [
        _evidence(thread, holder, rollouts.get(thread), asks) for thread, holder in holders.items()
    ]


def _evidence(
    thread: str, holder: _Holder, rollout: str | None, asks: Callable[[bytes], bool]
) -> Evidence:
    fact = processes.look(holder.pid)
    process: Process = "unknown"
    if fact is not None:
        process = "suspended" if fact.suspended else "alive"
    waits = (
        fact is not None
        and rollout is not None
        and _watch.waits(rollout, asks)
        and not _runs_a_tool(fact.pid, thread)
    )
    return Evidence(
        session_key=f"codex:{thread}",
        source=holder.source,
        agent="codex",
        session_id=thread,
        process=process,
        turn="waiting" if waits else None,
        detail="permission to run" if waits else None,
        pid=None if fact is None else fact.pid,
        process_started=None if fact is None else fact.started,
    )


def _runs_a_tool(pid: int, thread: str) -> bool:
    return any(
        processes.environment_value(child, "CODEX_THREAD_ID") == thread
        for child in processes.descendants(pid)
    )


def _lock_files(folder: Path) -> Iterator[_Lock]:
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if not entry.name.endswith(".lock") or entry.name.startswith("."):
            continue
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        thread = entry.name.removesuffix(".lock")
        yield _Lock(thread, entry.path, status.st_dev, status.st_ino)


def _holders(locks: list[_Lock]) -> Iterator[tuple[str, int]]:
    """Thread and pid of every lock that is held."""
    if not locks or not _LINUX:
        return
    held: dict[int, list[tuple[int, int]]] = {}
    for found in _LOCK_LINE.finditer((_PROC / "locks").read_text("ascii", "replace")):
        device = os.makedev(int(found[2], 16), int(found[3], 16))
        held.setdefault(int(found[4]), []).append((device, max(0, int(found[1]))))
    for lock in locks:
        for device, pid in held.get(lock.inode, ()):
            # Some file systems (btrfs, overlays) name another device in one of the two places.
            if device == lock.device or lock.path in _open_files(pid):
                yield lock.thread, pid
                break


def _open_rollouts(pid: int, roots: list[Path]) -> Iterator[tuple[str, str, str]]:
    """Thread, path and descriptor of every rollout that a process holds open."""
    for path, descriptor in _open_files(pid).items():
        name = _ROLLOUT.fullmatch(os.path.basename(path))
        if name is not None and any(Path(path).is_relative_to(root) for root in roots):
            yield name[1].lower(), path, descriptor


def _open_files(pid: int) -> dict[str, str]:
    """Path to descriptor of the files that a process holds open; empty where that is not shown."""
    if pid <= 0:
        return {}
    if not _LINUX:
        try:
            return {file.path: "" for file in psutil.Process(pid).open_files()}
        except (psutil.Error, OSError):
            return {}
    folder = f"/proc/{pid}/fd"
    files: dict[str, str] = {}
    try:
        for descriptor in os.listdir(folder):
            try:
                files[os.readlink(f"{folder}/{descriptor}")] = descriptor
            except FileNotFoundError:
                continue
    except OSError:
        return {}
    return files


def _is_written(pid: int, descriptor: str) -> bool:
    """Whether a descriptor is open for writing; True where the system does not tell."""
    if not _LINUX:
        return True
    try:
        text = Path(f"/proc/{pid}/fdinfo/{descriptor}").read_text("ascii", "replace")
    except OSError:
        return False
    flags = re.search(r"^flags:\s*([0-7]+)", text, re.MULTILINE)
    return flags is not None and int(flags[1], 8) & os.O_ACCMODE != os.O_RDONLY


def _processes_named_codex() -> Iterator[int]:
    if not _LINUX:
        for process in psutil.process_iter(["name"]):
            if (process.info["name"] or "").startswith("codex"):
                yield process.pid
        return
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/comm", "rb") as file:
                if file.read(5) == b"codex":
                    yield int(name)
        except OSError:
            continue
