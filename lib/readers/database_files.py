"""Reading a session database again when it changed: what is kept of it between two readings."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from lib.model import FileFacts, FileState
from lib.readers.databases import DamagedDatabase, status_of
from lib.readers.values import path_name

Read = Callable[[Path, FileState], FileFacts]
"""Reads what changed since the state; moves the state on."""


def read_changes(
    path: Path, previous: FileState | None, agent: str, version: int, read: Read
) -> FileFacts:
    """What `read` tells of the database, from where `previous` left off if it is the same one.

    A damaged database is not tried again before it changes; its state says why. Raises OSError
    when it can't be opened or read, or is locked.
    """
    status = status_of(os.fspath(path))
    if previous is not None and _is_known_bad(previous, status, version):
        return FileFacts(previous, None, [])
    continued = (
        previous is not None
        and previous.reader_version == version
        and (previous.device, previous.inode) == (status.st_dev, status.st_ino)
    )
    blank = FileState(path=path_name(path), agent=agent, reader_version=version)
    try:
        return read(path, _seen(previous if previous is not None and continued else blank, status))
    except DamagedDatabase as error:
        failed = _seen(previous or blank, status)
        failed.error, failed.reader_version, failed.offset = str(error), version, 0
        return FileFacts(failed, None, [])


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
        unknown=dict(known.unknown),
        error=None,
        gone=False,
    )


def _is_known_bad(previous: FileState, status: os.stat_result, version: int) -> bool:
    """Whether the database is as it was when it was found damaged."""
    seen = (previous.device, previous.inode, previous.size, previous.mtime_ns)
    same = seen == (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    damaged = previous.error is not None and previous.offset == 0 and not previous.gone
    return damaged and previous.reader_version == version and same
