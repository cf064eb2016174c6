"""A session's transcript, read from the agent's own file when somebody looks at it.

Nothing of it is stored. Only the file that the store names for the session is opened, and only
while it lies in a folder in which its agent's reader looks for sessions on this machine.
"""

import os
import sys
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import msgspec

from lib.entries import CallTokens, Each, Entry, Kind, Level, Reading
from lib.model import Session
from lib.readers import LABELS, reader_of
from lib.readers.entries import ENTRY_SOURCES, EntrySource, Mark, mark_of

__all__ = ["CallTokens", "Entry", "Kind", "Level", "Transcript", "read_transcript"]

FIRST_LIMIT = 500
"""Entries that are read at first."""
LARGEST_LIMIT = 8_000


ALL = sys.maxsize
_SHARED_FILES = ("opencode", "goose", "cursor")
"""Agents that keep many sessions in one database, or one session in many files."""
_TELLING = (
    "agent",
    "parent_key",
    "forked_from",
    "started_at",
    "last_activity_at",
    "turn",
    "turn_detail",
    "turns",
    "turn_requests",
    "context_tokens",
)


class Through(NamedTuple):
    """What became of reading a transcript as a whole."""

    mark: str | None
    """What moves when the entries do; None where there is nothing to read."""
    problem: str | None
    """Why it can't be read, in a sentence for people; a file that is gone is none."""


class Transcript(msgspec.Struct, kw_only=True):
    """What can be shown of a session's transcript."""

    reading: Reading = msgspec.field(default_factory=Reading)
    problem: str | None = None
    """Why nothing can be shown, in a sentence for people."""
    path: str | None = None
    """The file it was read from."""
    limit: int = 0
    mark: Mark | None = None
    """What moves when the file does; None where nothing tells and it is to be read anew."""


def read_transcript(
    session: Session,
    machine: str,
    environ: Mapping[str, str],
    limit: int = FIRST_LIMIT,
    known: Transcript | None = None,
) -> Transcript:
    """The newest `limit` entries of `session`, as seen from `machine`.

    `known`: what was read before; it is the answer again while the file has not moved.
    """
    found = _locate(session, machine, environ)
    if isinstance(found, str):
        return Transcript(problem=found)
    source, path = found
    if path.exists() and not path.is_file():
        # To open a pipe would wait for whoever writes to it.
        return Transcript(problem="Its transcript can't be read: it is no plain file.")
    try:
        mark = None if path.suffix == ".json" and session.agent == "opencode" else mark_of(path)
        if known is not None and mark is not None and (known.mark, known.limit) == (mark, limit):
            return known
        reading = source.entries(path, session.key, limit, None)
    except FileNotFoundError:
        return Transcript(problem="Its transcript is gone: the agent deleted the file.")
    except OSError as error:
        return Transcript(problem=f"Its transcript can't be read: {error.strerror or error}")
    return Transcript(reading=reading, path=os.fspath(path), limit=limit, mark=mark)


def read_through(
    session: Session,
    machine: str,
    environ: Mapping[str, str],
    known: str | None,
    each: Each,
) -> Through:
    """Hand all entries of `session` to `each`, in pieces, unless its mark is the `known` one."""
    found = _locate(session, machine, environ)
    if isinstance(found, str):
        return Through(None, found)
    source, path = found
    try:
        if not path.is_file():
            return Through(None, None if not path.exists() else "Its transcript is no plain file.")
        mark = _lasting_mark(session, path)
        if mark != known:
            source.entries(path, session.key, ALL, each)
    except FileNotFoundError:
        return Through(None, None)
    except OSError as error:
        return Through(None, f"Its transcript can't be read: {error.strerror or error}")
    return Through(mark, None)


def _lasting_mark(session: Session, path: Path) -> str:
    """What moves when the entries of a session do; of a file with many sessions, its own facts."""
    of_file = mark_of(path) if session.agent not in _SHARED_FILES else ()
    facts = [getattr(session, name) for name in _TELLING]
    return blake2b(repr((of_file, facts)).encode(), digest_size=12).hexdigest()


def _locate(
    session: Session, machine: str, environ: Mapping[str, str]
) -> tuple[EntrySource, Path] | str:
    """The file of a session and how to read it, or why there is none to read."""
    source = ENTRY_SOURCES.get(session.agent)
    if source is None:
        agent = LABELS.get(session.agent, session.agent)
        return f"Transcripts of {agent} can't be shown."
    if session.machine != machine:
        return f"Its transcript is on machine {session.machine or 'unknown'}."
    if not session.source_path:
        return "The store names no file for it."
    path = source.file_of(Path(session.source_path))
    if not _is_below_a_root(session.agent, path, environ):
        return "Its file lies outside the folders in which its agent keeps sessions."
    return source, path


def _is_below_a_root(agent: str, path: Path, environ: Mapping[str, str]) -> bool:
    """Whether a reader would find `path`: by its name, below a root, and not by a way out of it."""
    reader = reader_of(agent)
    try:
        real = path.resolve()
        roots = [root.resolve() for root in reader.roots(environ)]
    except (OSError, RuntimeError, ValueError):
        return False
    return reader.is_session_file(path) and any(real.is_relative_to(root) for root in roots)
