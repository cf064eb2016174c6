"""One reading of one transcript of Droid (CLI 0.225 and before): lines in, facts out.

`session_start{id,title,cwd,callingSessionId?}`, then `message{timestamp,message{role,content}}`
in the shape of Anthropic's API, and since 0.2xx an `agent_turn_outcome{reason}` behind every
turn. What the agent itself put into a user's message is wrapped in `<system-reminder>`; what
it only showed to the user has `visibility: user_only`.
"""

import re
from pathlib import Path
from typing import Any

import msgspec

from lib.model import FileFacts, FileState, Session
from lib.readers import drift, vocabulary
from lib.readers.values import (
    TITLE_LENGTH,
    Unreadable,
    as_list,
    as_object,
    as_text,
    as_time,
    as_word,
    decode_object,
    path_name,
)
from lib.readers.wording import call_text, error_class
from lib.specs import note_touched_by

AGENT = "droid"
OPENERS = (b'{"type":"message","id":"', b'{"type":"agent_turn_outcome","')
"""First bytes of a record, as blocks within a message do not begin."""

AGGREGATE = "aggregate"
CUSTOM_MODEL = "custom_model"

_MAXIMUM_PENDING = 64
_ASKING = {"AskUser": "an answer", "ExitSpecMode": "approval of its plan"}
_INTERRUPTED = re.compile(r"cancel|interrupt|abort", re.IGNORECASE)
_FAILED = re.compile(r"fail|error|limit|exceed|denied|timeout|overflow", re.IGNORECASE)
_TODO_IN_TEXT = re.compile(r"\[(completed|in_progress|pending)\]")
_REMINDER = re.compile(r"<system-reminder>.*?(?:</system-reminder>|\Z)", re.DOTALL)


class Kept(msgspec.Struct, omit_defaults=True):
    """What is kept between two readings of a file."""

    session: Session
    begun: bool = False
    """A readable record was seen; only the first may name the session."""
    pending: dict[str, str] = {}
    """Tool calls without result, and what they do."""
    asking: str | None = None
    """What the newest pending call wants of the user."""
    notice: str | None = None
    """What was last shown to the user only, such as an error."""


class Parser:
    """One reading of one transcript: takes its lines, then tells the facts."""

    def __init__(self, path: Path, file: FileState) -> None:
        self._file = file
        self._kept = (
            msgspec.msgpack.decode(file.reader_state, type=Kept)
            if file.reader_state
            else Kept(_unread(path))
        )
        self._session = self._kept.session

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
        told = msgspec.structs.replace(kept.session, flags=self._flags())
        if told.turn == "running":
            told.turn_detail = next(reversed(kept.pending.values()), None)
            if kept.asking is not None:
                told.turn, told.turn_detail = "waiting", kept.asking
        if told.title is None and told.first_prompt is not None:
            told.title = as_text(" ".join(told.first_prompt.split()), TITLE_LENGTH)
        return FileFacts(file, told, [])

    def _flags(self) -> list[str]:
        custom = (self._session.model or "").startswith("custom:")
        return [AGGREGATE, CUSTOM_MODEL] if custom else [AGGREGATE]

    def _take(self, record: dict[str, Any]) -> None:
        session, kind = self._session, record.get("type")
        if kind == "session_start" and not self._kept.begun:
            self._describe(record)
        self._kept.begun = True
        at = as_time(record.get("timestamp"))
        session.started_at = session.started_at or at
        session.last_activity_at = max(session.last_activity_at or 0, at or 0) or None
        if kind == "message":
            self._message(as_object(record.get("message")), at)
        elif kind == "agent_turn_outcome":
            self._ended(as_word(record.get("reason")))
        else:
            drift.check(self._file, "record type", kind, vocabulary.DROID_RECORDS)

    def _describe(self, record: dict[str, Any]) -> None:
        session = self._session
        session.title = as_text(record.get("title"), TITLE_LENGTH)
        session.project_path = as_word(record.get("cwd"))
        caller = as_word(record.get("callingSessionId"))
        if caller is not None and caller != session.session_id:
            session.parent_key = f"{AGENT}:{caller}"

    def _message(self, message: dict[str, Any], at: int | None) -> None:
        content = message.get("content")
        blocks = [as_object(block) for block in as_list(content)]
        texts = [content] if isinstance(content, str) else [block.get("text") for block in blocks]
        text = "\n".join(text for text in texts if isinstance(text, str))
        if message.get("role") == "assistant":
            self._answer(message, blocks, text)
        elif message.get("visibility") == "user_only":
            self._kept.notice = as_text(text)
        elif message.get("role") == "user":
            for block in blocks:
                if block.get("type") == "tool_result":
                    self._kept.pending.pop(as_word(block.get("tool_use_id")) or "", None)
                    self._kept.asking = None
            self._prompt(_REMINDER.sub("", text).strip(), at)

    def _prompt(self, text: str, at: int | None) -> None:
        if not text:
            return
        session, kept = self._session, self._kept
        session.turns += 1
        session.turn_requests = 0
        session.turn, session.turn_started_at = "running", at
        session.error_class = session.error_message = None
        session.first_prompt = session.first_prompt or as_text(text)
        kept.pending.clear()
        kept.asking = kept.notice = None

    def _answer(self, message: dict[str, Any], blocks: list[dict[str, Any]], text: str) -> None:
        session, kept = self._session, self._kept
        session.model = as_word(message.get("modelId")) or session.model
        session.last_message = as_text(text) or session.last_message
        session.turn_requests += 1
        session.error_class = session.error_message = None
        kept.pending.clear()
        kept.asking = None
        for block in blocks:
            call_id = as_word(block.get("id"))
            if block.get("type") != "tool_use" or not call_id:
                continue
            name = as_word(block.get("name"))
            given = as_object(block.get("input"))
            note_touched_by(session.specs, given)
            if len(kept.pending) < _MAXIMUM_PENDING:
                kept.pending[call_id] = call_text(name, given)
            kept.asking = _ASKING.get(name or "", kept.asking)
            if name == "TodoWrite":
                session.todo_done, session.todo_total = _todo_counts(given.get("todos"))
        # An answer that calls no tool ends the turn, also where the version marks no ends.
        session.turn = "running" if kept.pending else "idle"

    def _ended(self, reason: str | None) -> None:
        """`agent_turn_outcome`."""
        session, kept = self._session, self._kept
        kept.pending.clear()
        kept.asking = None
        if reason == "completed":
            session.turn = "idle"
        elif reason is not None and _INTERRUPTED.search(reason):
            session.turn = "stopped"
        elif reason is not None and _FAILED.search(reason):
            session.error_message = kept.notice or as_text(reason)
            session.error_class = error_class(kept.notice, reason)
            limited = session.error_class == "rate_limit"
            session.turn = "rate_limited" if limited else "failed"
        else:
            session.turn = "unknown"
            drift.note(self._file, "turn outcome", reason)


def _todo_counts(todos: object) -> tuple[int, int]:
    """How many to-dos are completed, and how many there are; a list of objects, or lines."""
    if isinstance(todos, str):
        states: list[Any] = _TODO_IN_TEXT.findall(todos)
    else:
        states = [as_object(todo).get("status") for todo in as_list(todos)]
    return states.count("completed"), len(states)


def _unread(path: Path) -> Session:
    """A session known by its file's name, which is its id."""
    own = path_name(path.name.removesuffix(".jsonl"))
    return Session(key=f"{AGENT}:{own}", agent=AGENT, session_id=own, source_path=path_name(path))
