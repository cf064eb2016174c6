"""Reader of OpenCode: `opencode.db` in its data folder, and JSON files of versions before 1.2."""

import os
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from lib.model import Evidence, FileFacts, FileState
from lib.readers import opencode_database, opencode_records, opencode_session, opencode_storage
from lib.readers.databases import DamagedDatabase, status_of
from lib.readers.documents import read_document
from lib.readers.values import path_name

AGENT: str = opencode_records.AGENT
LABEL: str = "OpenCode"
VERSION: int = 2
PROGRAMS = frozenset({"opencode"})
SERVERS = PROGRAMS
CANNOT_KNOW: Mapping[str, str] = {
    opencode_session.HIDDEN_REQUESTS: "The request that makes a session's title is in no record.",
    opencode_session.UNFINISHED_STEP: "The tokens of a step are written when it ends with its "
    "tools, so a step that was cut off, and every retry of a failed request, counts nothing.",
    opencode_session.UNKNOWN_LAYOUT: "The session's messages are kept in a layout newer than "
    "those that can be read.",
    opencode_session.TOTAL_MISMATCH: "Some token counts contradict the totals beside them.",
}

_DATABASE = re.compile(r"opencode(-[\w.-]+)?\.db")


def roots(environ: Mapping[str, str]) -> list[Path]:
    """Data folders: those that are named, else the usual one."""
    named = [environ.get(name) for name in ("OPENCODE_DATA_DIR", "OPENCODE_DIR")]
    found = list(dict.fromkeys(Path(name).expanduser() for name in named if name))
    if found:
        return found
    home = Path(environ.get("HOME") or Path.home())
    return [Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "opencode"]


def is_session_folder(path: Path) -> bool:
    """`storage/session` and the projects in it, of all that is below the data folder."""
    names = path.parts[-3:]
    return (
        names[-1] == "storage" or names[-2:] == ("storage", "session")
        or names[:2] == ("storage", "session")
    )  # fmt: skip


def is_session_file(path: Path) -> bool:
    """A database, or the file of one session."""
    if _DATABASE.fullmatch(path.name):
        return True
    return path.suffix == ".json" and path.parts[-4:-2] == ("storage", "session")


def read(path: Path, previous: FileState | None) -> FileFacts:
    """Facts of the sessions that changed since `previous`.

    Raises OSError when the file can't be opened or read, or is locked.
    """
    now = time.time_ns() // 1_000_000
    if path.suffix == ".json":
        return opencode_storage.read(path, read_document(path, previous, AGENT, VERSION), now)
    status = status_of(os.fspath(path))
    if previous is not None and _is_known_bad(previous, status):
        return FileFacts(previous, None, [])
    continued = (
        previous is not None
        and previous.reader_version == VERSION
        and (previous.device, previous.inode) == (status.st_dev, status.st_ino)
    )
    known = previous if previous is not None and continued else _blank(path)
    try:
        return opencode_database.read(path, _seen(known, status), now)
    except DamagedDatabase as error:
        failed = _seen(previous or _blank(path), status)
        failed.error, failed.reader_version, failed.offset = str(error), VERSION, 0
        return FileFacts(failed, None, [])


def live(environ: Mapping[str, str], now: int) -> Iterable[Evidence]:  # noqa: ARG001 - the shape
    """Nothing: OpenCode does not say which process works on which session."""
    return ()


def _blank(path: Path) -> FileState:
    return FileState(path=path_name(path), agent=AGENT, reader_version=VERSION)


def _seen(known: FileState, status: os.stat_result) -> FileState:
    """A copy of `known` for the database as it is now."""
    return msgspec.structs.replace(
        known,
        device=status.st_dev,
        inode=status.st_ino,
        size=status.st_size,
        offset=status.st_size,
        mtime_ns=status.st_mtime_ns,
        skipped=dict(known.skipped),
        skips=list(known.skips),
        unknown=dict(known.unknown),
        error=None,
        gone=False,
    )


def _is_known_bad(previous: FileState, status: os.stat_result) -> bool:
    """Whether the database is as it was when it was found damaged."""
    seen = (previous.device, previous.inode, previous.size, previous.mtime_ns)
    same = seen == (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    damaged = previous.error is not None and previous.offset == 0 and not previous.gone
    return damaged and previous.reader_version == VERSION and same
