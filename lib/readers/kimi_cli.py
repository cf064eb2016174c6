"""One reading of the log of Kimi CLI (1.52, protocol 1.10; the last there is): `wire.jsonl`.

A record is `{timestamp,message{type,payload}}`. A turn is `TurnBegin … TurnEnd`, a call's tokens
are a `StatusUpdate{token_usage,message_id}`. A subagent has a log of its own below `subagents`, and
its records once more, wrapped in `SubagentEvent`, in its parent's. No record names a model. An
interrupted step may be the user's doing or an error's: the log does not say which, save that a
call was tried again before. A fork begins with a copy of its parent's records and names nobody.
"""

from hashlib import md5
from pathlib import Path
from typing import Any

import msgspec

from lib.model import FileState
from lib.readers import drift, vocabulary
from lib.readers.documents import read_beside
from lib.readers.kimi_wire import Origin, WireParser, session_of, text_of
from lib.readers.values import (
    TITLE_LENGTH,
    as_count,
    as_list,
    as_object,
    as_text,
    as_time,
    as_word,
)
from lib.readers.wording import one_line

OPENERS = (b'{"timestamp": ',)
"""First bytes of a record, as what is quoted within one does not begin."""
NO_ERRORS = "no_errors"

_SUBAGENTS = "subagents"


class Parser(WireParser):
    """One reading of one log of Kimi CLI."""

    def __init__(self, path: Path, file: FileState) -> None:
        super().__init__(_origin(path), file)

    def take(self, record: dict[str, Any]) -> None:
        """Take one record. Raises Unreadable where it yields no facts."""
        session, message = self.session, as_object(record.get("message"))
        at = as_time(record.get("timestamp"))
        session.started_at = session.started_at or at
        session.last_activity_at = max(session.last_activity_at or 0, at or 0) or None
        payload = as_object(message.get("payload"))
        match message.get("type"):
            case "TurnBegin":
                self.prompted(text_of(payload.get("user_input")), at)
            case "SteerInput":
                session.turns += 1
            case "TurnEnd":
                self._ended()
            case "StepInterrupted":
                self._interrupted()
            case "StepRetry":
                kind, status = as_word(payload.get("error_type")), payload.get("status_code")
                self.retries(payload.get("next_attempt"), payload.get("max_attempts"), kind, status)
            case "StatusUpdate":
                self._status(payload, at)
            case "SubagentEvent":
                self._of_subagent(payload, at)
            case _:
                self._take_other(message.get("type"), payload)

    def _take_other(self, kind: object, payload: dict[str, Any]) -> None:
        kept, session = self.kept, self.session
        match kind:
            case "ContentPart":
                self.goes_on()
                if payload.get("type") == "text":
                    session.last_message = as_text(payload.get("text")) or session.last_message
            case "ToolCall":
                function = as_object(payload.get("function"))
                self.calls(
                    as_word(payload.get("id")),
                    function.get("name"),
                    _decoded(function.get("arguments")),
                )
            case "ToolResult":
                kept.pending.pop(as_word(payload.get("tool_call_id")) or "", None)
                for block in as_list(as_object(payload.get("return_value")).get("display")):
                    if as_object(block).get("type") == "todo":
                        self.counted_todos(as_object(block).get("items"))
            case "ApprovalRequest":
                self._asks(payload, as_word(payload.get("description")), "permission to ")
            case "QuestionRequest":
                first = next(iter(as_list(payload.get("questions"))), None)
                self._asks(payload, as_word(as_object(first).get("question")), "")
            case "ApprovalResponse" | "QuestionResponse" | "ApprovalRequestResolved":
                kept.asking.pop(as_word(payload.get("request_id")) or "", None)
            case _:
                drift.check(self.file, "message type", kind, vocabulary.KIMI_CLI_MESSAGES)

    def _asks(self, payload: dict[str, Any], words: str | None, before: str) -> None:
        asked = as_word(payload.get("id"))
        if asked and self.session.turn == "running":
            self.kept.asking[asked] = one_line(f"{before}{words}" if words else None) or "an answer"

    def _status(self, payload: dict[str, Any], at: int | None) -> None:
        session = self.session
        session.context_window = (
            as_count(payload.get("max_context_tokens")) or session.context_window
        )
        session.context_tokens = as_count(payload.get("context_tokens")) or session.context_tokens
        if self._used(payload, at):
            session.turn_requests += 1
            self.goes_on()

    def _used(self, payload: dict[str, Any], at: int | None, copied: int = 0) -> bool:
        usage = as_object(payload.get("token_usage"))
        drift.note_fields(self.file, "usage", usage, vocabulary.KIMI_CLI_USAGE)
        names = ("input_other", "output", "input_cache_read", "input_cache_creation")
        identity = (as_word(payload.get("message_id")) or at,)
        return self.count(tuple(usage.get(name) for name in names), identity, at, copied)

    def _of_subagent(self, wrapped: dict[str, Any], at: int | None) -> None:
        event = as_object(wrapped.get("event"))
        payload = as_object(event.get("payload"))
        if event.get("type") == "SubagentEvent":
            self._of_subagent(payload, at)
        elif event.get("type") == "StatusUpdate":
            # The subagent's own log, where there is one, owns the call. Without an id it could
            # not be told to be the same; versions that name no agent wrote no such log.
            identified = as_word(payload.get("message_id"))
            self._used(payload if identified or not wrapped.get("agent_id") else {}, at, copied=3)

    def _interrupted(self) -> None:
        session, kept = self.session, self.kept
        kept.pending.clear()
        kept.asking.clear()
        if session.turn == "retrying":
            limited = session.error_class == "rate_limit"
            session.turn = "rate_limited" if limited else "failed"
        else:
            session.turn = "unknown"
            kept.flags.add(NO_ERRORS)
        session.turn_detail = None

    def _ended(self) -> None:
        session, kept = self.session, self.kept
        kept.pending.clear()
        kept.asking.clear()
        if session.turn in ("running", "retrying"):
            session.turn, session.turn_detail = "idle", None


def _decoded(arguments: object) -> object:
    try:
        return msgspec.json.decode(arguments) if isinstance(arguments, str) else arguments
    except (msgspec.DecodeError, RecursionError):
        return None


def _origin(path: Path) -> Origin:
    """Whose the log is, by its folder, `state.json` and the list of working folders."""
    folder, own = path.parent, None
    if folder.parent.name == _SUBAGENTS:
        folder, own = folder.parent.parent, folder.name
    session = session_of(path, folder.name, own)
    session.project_path = _working_folder(folder.parent)
    if own is None:
        state = read_beside(folder / "state.json")
        session.title = as_text(state.get("custom_title"), TITLE_LENGTH)
    return Origin(session)


def _working_folder(folder: Path) -> str | None:
    """The folder whose sessions lie below `folder`, which is named by a hash of its path."""
    known = as_list(read_beside(folder.parent.parent / "kimi.json").get("work_dirs"))
    name = folder.name.rpartition("_")[2]
    for entry in known:
        path = as_word(as_object(entry).get("path"))
        if path and md5(path.encode("utf-8", "replace"), usedforsecurity=False).hexdigest() == name:
            return path
    return None
