"""Live interactive Qwen Code sessions: `<project>/chats/<session id>.runtime.json`.

Written by the terminal interface when it starts and when it moves on to another session, whose
former file it removes; never by `-p` runs. Left behind at every end, so a file counts only while
its pid belongs to a process that is older than the file and of the host that it names. It speaks
of the process only.
"""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lib import processes
from lib.model import Evidence
from lib.plain_file import open_plain
from lib.readers.qwen_usage import AGENT
from lib.readers.values import Unreadable, as_count, as_time, as_word, decode_object

SOURCE = "qwen-runtime"

_SUFFIX = ".runtime.json"
_MAXIMUM_FILE = 1 << 16
_LATER_MS = 2_000
"""How much later than the file a process may seem to have begun, by the clocks' resolution."""
_SETTLED_NS = 2 * 10**9
"""A folder whose time is younger than this may still change within the same tick of its clock."""


class _Claim(NamedTuple):
    session_id: str
    pid: int
    written_at: int
    project_path: str | None


class _Folder(NamedTuple):
    mtime_ns: int
    listed_ns: int
    claims: list[_Claim]
    """Those whose process was still there at the last look."""


_folders: dict[str, _Folder] = {}


def live(roots: list[Path], now: int) -> Iterator[Evidence]:
    """Every session of a terminal interface that lives, with its process."""
    for root in roots:
        for chats in _chats_folders(root):
            folder = _folders.get(chats)
            if folder is None:
                continue
            for claim in list(folder.claims):
                evidence = _evidence(claim, now)
                if evidence is None:
                    folder.claims.remove(claim)
                else:
                    yield evidence


def _chats_folders(root: Path) -> Iterator[str]:
    """Every project's `chats`, listed again where it changed."""
    try:
        projects = [entry.path for entry in os.scandir(root)]
    except OSError:
        return
    for project in projects:
        chats = os.path.join(project, "chats")
        try:
            mtime_ns = os.stat(chats).st_mtime_ns
            known = _folders.get(chats)
            settled = known is not None and known.listed_ns - mtime_ns > _SETTLED_NS
            if known is None or known.mtime_ns != mtime_ns or not settled:
                names = [name for name in os.listdir(chats) if name.endswith(_SUFFIX)]
                claims = [_claim(os.path.join(chats, name)) for name in names]
                found = [claim for claim in claims if claim is not None]
                _folders[chats] = _Folder(mtime_ns, time.time_ns(), found)
        except OSError:
            _folders.pop(chats, None)
            continue
        yield chats


def _claim(path: str) -> _Claim | None:
    """What one file says of a process of this host; None for junk and for other hosts'."""
    try:
        with open_plain(path) as file:
            said = decode_object(file.read(_MAXIMUM_FILE))
    except (OSError, Unreadable):
        return None
    session_id, pid = as_word(said.get("session_id")), as_count(said.get("pid"))
    written_at = as_time(said.get("started_at"))
    if session_id is None or not pid or written_at is None:
        return None
    if said.get("hostname") != socket.gethostname():
        return None
    return _Claim(session_id, pid, written_at, as_word(said.get("work_dir")))


def _evidence(claim: _Claim, now: int) -> Evidence | None:
    process = processes.look(claim.pid)
    if process is None or process.created_ms > claim.written_at + _LATER_MS:
        return None
    return Evidence(
        session_key=f"{AGENT}:{claim.session_id}",
        source=SOURCE,
        agent=AGENT,
        session_id=claim.session_id,
        observed_at=now,
        process="suspended" if process.suspended else "alive",
        pid=process.pid,
        process_started=process.started,
        project_path=claim.project_path,
        started_at=claim.written_at,
    )
