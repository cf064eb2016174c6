"""Goose's sessions before 1.10: `<id>.jsonl`, the first line about the session, then its messages.

A session's tokens are sums in that first line, without what came from the cache. Newer versions
take these sessions over into their database and leave the files; the database's word counts.
The format is that of `session/storage.rs` of 1.9 and of `session/legacy.rs` since.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from lib.model import FileFacts, FileState, Request, Session
from lib.readers.goose_session import (
    AGENT,
    AGGREGATE,
    HIDDEN_REQUESTS,
    NO_RUNNING_TOOL,
    Conversation,
    Counts,
    content_of,
    count_todos,
    key_of,
    note_new,
    request_of,
    title_of,
)
from lib.readers.values import (
    Unreadable,
    as_count,
    as_object,
    as_time,
    as_word,
    decode_object,
    path_name,
)

OPENERS = (b'{"role":"', b'{"id":"')
"""First bytes of a record, as blocks within a message do not begin."""

_COPIED = 2


class Kept(msgspec.Struct, omit_defaults=True):
    """What is kept between two readings of a file."""

    session: Session
    begun: bool = False
    pending: dict[str, str] = {}


class Parser:
    """One reading of one file: takes its lines, then tells the facts."""

    def __init__(self, path: Path, file: FileState) -> None:
        self._file = file
        self._kept = (
            msgspec.msgpack.decode(file.reader_state, type=Kept)
            if file.reader_state
            else Kept(_unread(path))
        )
        self._session = self._kept.session
        self._conversation = Conversation(self._session, self._kept.pending)
        self._requests: list[Request] = []

    def consume(self, buffer: bytearray, start: int, end: int) -> str | None:
        """Take one line; answer why it yielded no facts, or None."""
        try:
            self._take(decode_object(bytes(memoryview(buffer)[start:end])))
        except Unreadable as reason:
            return str(reason)
        return None

    def finish(self) -> FileFacts:
        """The facts of this reading; what is to be kept goes into the file's state."""
        kept, file = self._kept, self._file
        if not kept.begun:
            return FileFacts(file, None, [])
        file.session_key = kept.session.key
        file.reader_state = msgspec.msgpack.encode(kept)
        told = msgspec.structs.replace(kept.session, flags=sorted(set(kept.session.flags)))
        return FileFacts(file, told, self._requests)

    def _take(self, record: dict[str, Any]) -> None:
        is_first = not self._kept.begun
        self._kept.begun = True
        if "role" in record:
            at = as_time(record.get("created"))
            self._session.started_at = self._session.started_at or at
            role, content = record.get("role"), content_of(record)
            note_new(self._file, role, content)
            self._conversation.take(role, content, at)
        elif is_first:
            self._describe(record)

    def _describe(self, record: dict[str, Any]) -> None:
        session = self._session
        session.project_path = as_word(record.get("working_dir"))
        session.title = title_of(record.get("description"))
        session.context_tokens = as_count(record.get("input_tokens"))
        count_todos(session, as_object(record.get("extension_data")))
        counts = Counts(
            record.get("accumulated_input_tokens"),
            record.get("accumulated_output_tokens"),
            record.get("accumulated_total_tokens"),
        )
        request = request_of(session, "sum", counts, session.started_at, None, _COPIED)
        if request is not None:
            self._file.usage_records += 1
            session.flags.append(AGGREGATE)
            self._requests.append(request)


def _unread(path: Path) -> Session:
    """A session known by its file's name, which says when it began."""
    own = path_name(path.stem)
    began = _began(own)
    return Session(
        key=key_of(own, began),
        agent=AGENT,
        session_id=own,
        source_path=path_name(path),
        started_at=began,
        last_activity_at=began,
        turn="idle",
        flags=[HIDDEN_REQUESTS, NO_RUNNING_TOOL],
    )


def _began(name: str) -> int | None:
    """When a session began, by its name: `generate_session_id` takes the machine's own clock."""
    try:
        return as_time(datetime.strptime(name, "%Y%m%d_%H%M%S").astimezone().isoformat())
    except (ValueError, OverflowError, OSError):
        return None
