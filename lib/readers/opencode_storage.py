"""OpenCode's sessions before 1.2: `storage/session/<project>/<session>.json`, and one file for
each message (`storage/message/<session>`), part (`storage/part/<message>`) and list of to-dos.

The session's own file is rewritten with each prompt; while its newest turn goes on, the session
is read again at every look.
"""

import os
from pathlib import Path
from typing import Any

from lib.model import FileFacts
from lib.plain_file import open_plain
from lib.readers.documents import Document, read_beside
from lib.readers.opencode_records import AGENT, Message, Part, SessionRecord, decode_data, note_new
from lib.readers.opencode_session import tell
from lib.readers.values import Unreadable, as_list, as_object, as_time, as_word, decode_object

_MAXIMUM_RECORD = 1 << 24
_TOO_LARGE = "record over 16 MiB"
_OPEN_MS = 86_400_000


class _Files:
    """The records that lie around a session's file."""

    def __init__(self, storage: Path):
        self._storage = storage

    def parts(self, message_id: str) -> list[Part]:
        """The parts of a message, in order."""
        paths = _json_files(self._storage / "part" / message_id)
        return [Part(message_id, read_beside(path)) for path in paths]

    def todos(self, session_id: str) -> list[object]:
        """The status of every to-do of a session."""
        content = _content(self._storage / "todo" / f"{session_id}.json")
        try:
            found = as_list(as_object(decode_object(b'{"todos":' + content + b"}")).get("todos"))
        except Unreadable:
            return []
        return [as_object(todo).get("status") for todo in found]


def read(path: Path, document: Document, now: int) -> FileFacts:
    """Facts of the session in `document`, which was read from `path`."""
    state, content = document
    if content is None:
        return FileFacts(state, None, [])
    record = _session(content, path)
    storage = path.parent.parent.parent
    messages: list[Message] = []
    for file in _json_files(storage / "message" / record.id):
        state.records += 1
        try:
            message = _message(file)
            messages.append(message)
            note_new(state, message)
        except Unreadable as error:
            state.skipped[str(error)] = state.skipped.get(str(error), 0) + 1
    told = tell(record, messages, _Files(storage), state.path, now)
    for reason in told.skipped.values():
        state.skipped[reason] = state.skipped.get(reason, 0) + 1
    state.usage_records = len(told.requests)
    state.session_key = told.session.key
    if told.judgement.is_open and now - (told.session.last_activity_at or 0) < _OPEN_MS:
        state.mtime_ns = 0  # Fits no file, so that the next look reads it again.
    return FileFacts(state, told.session, list(told.requests.values()))


def _session(content: dict[str, Any], path: Path) -> SessionRecord:
    times = as_object(content.get("time"))
    name = as_word(path.stem) or AGENT
    return SessionRecord(
        id=name,
        parent_id=content.get("parentID"),
        directory=content.get("directory"),
        title=content.get("title"),
        version=content.get("version"),
        permission=content.get("permission"),
        time_created=times.get("created"),
        time_updated=times.get("updated"),
    )


def _message(path: Path) -> Message:
    data = decode_data(_content(path))
    return Message(path.stem, as_time(as_object(data.time).get("created")), data)


def _json_files(folder: Path) -> list[Path]:
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".json"))
    except (OSError, ValueError):
        return []
    return [folder / name for name in names]


def _content(path: Path) -> bytes:
    """What a file holds; empty when it is gone. Raises Unreadable when it is too large."""
    try:
        with open_plain(path) as file:
            content = file.read(_MAXIMUM_RECORD + 1)
    except OSError:
        return b""
    if len(content) > _MAXIMUM_RECORD:
        raise Unreadable(_TOO_LARGE)
    return content
