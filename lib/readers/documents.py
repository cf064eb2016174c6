"""Reading session files that are one JSON document: whole, when they changed, up to a limit.

Agents write such a file anew at every step, some of them in place, so that a reader may find
half of one. What was read before then stays, and the file's state says why it could not be read.
"""

import codecs
import os
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from lib.model import FileState
from lib.plain_file import open_plain
from lib.readers.values import NOT_AN_OBJECT, Unreadable, decode_object, path_name

MAXIMUM_DOCUMENT = 64 << 20
TOO_LARGE = "a document over 64 MiB"


class Document(NamedTuple):
    """A file's content, and the state that says it was read."""

    state: FileState
    """Counters start at zero, for the file is read anew; where `content` is None they are the
    previous ones."""
    content: dict[str, Any] | None
    """None where it can't be read; `state.error` says why."""


def read_document(
    path: Path, previous: FileState | None, agent: str, version: int, a_list: str | None = None
) -> Document:
    """The JSON object that the file holds; `a_list` names a member that is a list, if it is there.

    Raises OSError when the file can't be opened or read.
    """
    with open_plain(path) as file:
        status = os.fstat(file.fileno())
        if previous is not None and _is_known_bad(previous, status, version):
            return Document(previous, None)
        state = FileState(
            path=path_name(path),
            agent=agent,
            reader_version=version,
            device=status.st_dev,
            inode=status.st_ino,
            size=status.st_size,
            mtime_ns=status.st_mtime_ns,
            offset=status.st_size,
        )
        try:
            return Document(state, _object_in(file.read(MAXIMUM_DOCUMENT + 1), a_list))
        except Unreadable as error:
            return Document(_failed(state, previous, str(error)), None)


def read_beside(path: Path, a_list: str | None = None) -> dict[str, Any]:
    """The JSON object in a file that completes another one; empty where there is none to read."""
    try:
        with open_plain(path) as file:
            return _object_in(file.read(MAXIMUM_DOCUMENT + 1), a_list)
    except (OSError, Unreadable):
        return {}


def _object_in(content: bytes, a_list: str | None) -> dict[str, Any]:
    if len(content) > MAXIMUM_DOCUMENT:
        raise Unreadable(TOO_LARGE)
    if content[:1] not in b"{ \t\r\n\xef":
        raise Unreadable(NOT_AN_OBJECT)
    found = decode_object(content.removeprefix(codecs.BOM_UTF8))
    if a_list in found and not isinstance(found[a_list], list):
        raise Unreadable(f"its {a_list} are no list")
    return found


def _is_known_bad(previous: FileState, status: os.stat_result, version: int) -> bool:
    return (
        previous.error is not None
        and previous.reader_version == version
        and previous.offset == 0
        and (previous.device, previous.inode) == (status.st_dev, status.st_ino)
        and (previous.size, previous.mtime_ns) == (status.st_size, status.st_mtime_ns)
    )


def _failed(state: FileState, previous: FileState | None, error: str) -> FileState:
    """`state` of an unreadable content: offset 0, with what an earlier content counted."""
    if previous is None:
        return msgspec.structs.replace(state, offset=0, error=error)
    return msgspec.structs.replace(
        previous,
        reader_version=state.reader_version,
        device=state.device,
        inode=state.inode,
        size=state.size,
        mtime_ns=state.mtime_ns,
        offset=0,
        error=error,
        gone=False,
    )
