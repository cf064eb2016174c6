"""What Goose's messages tell of a session, wherever they are kept, and what its counts mean.

A message is `{role, content[…]}` with `text`, `toolRequest`, `toolResponse`, `error` and others; an
answer is stored when its tools have returned, so that a running one shows nowhere. What Goose
itself put into the user's mouth is not `userVisible`. Input tokens include what was read from
and written to the cache; reasoning is part of the output.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from lib.model import FileState, Request, Session, owner_rank
from lib.readers import drift, vocabulary
from lib.readers.values import (
    TITLE_LENGTH,
    as_list,
    as_object,
    as_text,
    as_tokens,
    as_word,
)
from lib.readers.wording import call_text, error_class, one_line
from lib.specs import note_touched_by

AGENT = "goose"
AGGREGATE = "aggregate"
HIDDEN_REQUESTS = "hidden_requests"
MISSING_MODEL = "missing_model"
NO_RUNNING_TOOL = "no_running_tool"
TOTAL_MISMATCH = "total_mismatch"

_NUMBERED = re.compile(r"[0-9]{8}_[0-9]{1,5}")
"""An id that counts the sessions of a day, and so names one in every database there is."""
_ERROR = re.compile(r"Ran into this error: ")
"""How versions without a block for errors begin one."""
_INTERRUPTED = re.compile(
    r"The existing call to .{0,200} was interrupted|Interrupted before the model replied"
)
_SUBAGENT = re.compile(r"Subagent ID: \S+\s+")
"""What Goose puts before the words of whoever called a subagent."""
_MADE_UP_NAMES = frozenset({"CLI Session", "New Chat", "New session", "ACP Session"})
_TODO = re.compile(r"^[^\S\n]*[-*] \[([ xX])\]", re.MULTILINE)
_ASKS = frozenset({"toolConfirmationRequest", "actionRequired"})
_MAXIMUM_PENDING = 64


class Counts(NamedTuple):
    """Token counts as Goose writes them: `input` with everything cached."""

    input: object
    output: object
    total: object
    cache_read: object = None
    cache_write: object = None


def key_of(session_id: str, created: int | None) -> str:
    """A session's key. A number that counts a day's sessions is told apart by when it was made."""
    if created is not None and _NUMBERED.fullmatch(session_id):
        return f"{AGENT}:{session_id}-{created // 1000}"
    return f"{AGENT}:{session_id}"


def request_of(
    session: Session, name: str, counts: Counts, at: int | None, model: str | None, copied: int = 0
) -> Request | None:
    """A call, or several that were summed up; None without any tokens. Notes odd sums in the flags.

    Raises Unreadable when a count is impossible.
    """
    given, output, total, read, written = (as_tokens(count) for count in counts)
    if not (given or output or read or written):
        return None
    cached = read + written
    adds_up = given >= cached and total in (0, given + output)
    if not adds_up:
        session.flags.append(TOTAL_MISMATCH)
    if model is None:
        session.flags.append(MISSING_MODEL)
    copied = max(copied, 1 if session.parent_key else 0)
    return Request(
        key=f"{session.key}/{name}",
        session_key=session.key,
        owner_rank=owner_rank(copied, session.started_at, session.key),
        at=at,
        model=model,
        # What is more than the whole can't be a part of it: such a provider counts apart.
        input_tokens=given - cached if given >= cached else given,
        output_tokens=output,
        cache_read_tokens=read,
        cache_write_5m_tokens=written,
        provider_total=None if adds_up else total or given + output,
    )


def title_of(name: object) -> str | None:
    """A name that somebody or a model gave; None for those every session begins with."""
    title = as_text(name, TITLE_LENGTH)
    return None if title in _MADE_UP_NAMES else title


def count_todos(session: Session, extensions: Mapping[str, Any]) -> None:
    """The list of to-dos, which the model keeps as text."""
    content = as_object(extensions.get("todo.v0")).get("content")
    marks = _TODO.findall(content) if isinstance(content, str) else []
    session.todo_total = len(marks)
    session.todo_done = sum(mark != " " for mark in marks)


class Conversation:
    """The messages of a session, one after the other."""

    def __init__(self, session: Session, pending: dict[str, str] | None = None):
        self._session = session
        self.pending = {} if pending is None else pending
        """Tool calls without a response, and what they do."""

    def take(self, role: object, content: list[Any], at: int | None) -> None:
        """Take a message that people see."""
        session = self._session
        session.last_activity_at = max(session.last_activity_at or 0, at or 0) or None
        blocks = [as_object(block) for block in content]
        texts = [block.get("text") for block in blocks if block.get("type") == "text"]
        text = as_text("\n".join(text for text in texts if isinstance(text, str)))
        if role == "user":
            self._users(blocks, text, at)
        elif role == "assistant":
            self._answer(blocks, text)

    def _users(self, blocks: list[dict[str, Any]], text: str | None, at: int | None) -> None:
        session = self._session
        responses = [block for block in blocks if block.get("type") == "toolResponse"]
        for block in responses:
            self.pending.pop(as_word(block.get("id")) or "", None)
        session.turn = "running"
        session.turn_detail = next(reversed(self.pending.values()), None)
        if responses or not any(block.get("type") in ("text", "image") for block in blocks):
            return
        self.pending.clear()
        session.turns += 1
        session.turn_requests = 0
        session.turn_started_at, session.turn_detail = at, None
        session.error_class = session.error_message = None
        if session.first_prompt is None and text is not None:
            session.first_prompt = _SUBAGENT.sub("", text, count=1)

    def _answer(self, blocks: list[dict[str, Any]], text: str | None) -> None:
        session = self._session
        kinds = {kind for block in blocks if isinstance(kind := block.get("type"), str)}
        if kinds == {"systemNotification"}:
            return
        session.turn, session.turn_detail = "idle", None
        session.error_class = session.error_message = None
        for block in blocks:
            if block.get("type") in ("toolRequest", "frontendToolRequest"):
                self._call(block)
            elif block.get("type") == "error":
                self._fail(as_text(block.get("message")), as_word(block.get("kind")))
        if text is not None:
            if _ERROR.match(text):
                self._fail(text, None)
            elif _INTERRUPTED.match(text):
                session.turn = "stopped"
                self.pending.clear()
            else:
                session.last_message = text
        if kinds & _ASKS:
            asked = next(block for block in blocks if block.get("type") in _ASKS)
            session.turn, session.turn_detail = "waiting", _question(asked)
        elif self.pending and session.turn == "idle":
            session.turn = "running"
            session.turn_detail = next(reversed(self.pending.values()))

    def _call(self, block: dict[str, Any]) -> None:
        call = as_object(as_object(block.get("toolCall")).get("value"))
        note_touched_by(self._session.specs, call.get("arguments"))
        call_id = as_word(block.get("id"))
        if call_id and len(self.pending) < _MAXIMUM_PENDING:
            self.pending[call_id] = call_text(as_word(call.get("name")), call.get("arguments"))

    def _fail(self, message: str | None, kind: str | None) -> None:
        session = self._session
        session.error_message = message or kind
        session.error_class = error_class(message, kind)
        session.turn = "rate_limited" if session.error_class == "rate_limit" else "failed"
        self.pending.clear()


def _question(block: dict[str, Any]) -> str:
    data = as_object(block.get("data")) or block
    name = as_word(data.get("toolName"))
    if name is not None:
        return f"permission to run {call_text(name, data.get('arguments'))}"
    return one_line(data.get("message")) or one_line(data.get("prompt")) or "an answer"


def note_new(file: FileState, role: object, content: list[Any]) -> None:
    """Count what is unknown in a message."""
    drift.check(file, "role", role, vocabulary.GOOSE_ROLES)
    for block in content:
        drift.check(file, "block type", as_object(block).get("type"), vocabulary.GOOSE_BLOCKS)


def content_of(record: dict[str, Any]) -> list[Any]:
    """The blocks of a message; empty for one that only the model sees."""
    if as_object(record.get("metadata")).get("userVisible") is False:
        return []
    return as_list(record.get("content"))
