"""One reading of one Qwen Code transcript: lines in, facts out.

Lines are shaped like Claude Code's around Google's content: `user`, `assistant`, `tool_result`
and `system` records with `uuid`, `parentUuid`, `sessionId`, `cwd`, `gitBranch`. A fork copies
them all under its own session id, with the same uuids and `forkedFrom`.
"""

from pathlib import Path
from typing import Any

import msgspec

from lib.model import FileFacts, FileState, Session, owner_rank
from lib.readers import drift, genai, vocabulary
from lib.readers.qwen_usage import AGENT, Counting, Ledger
from lib.readers.values import (
    TITLE_LENGTH,
    Unreadable,
    as_count,
    as_object,
    as_text,
    as_time,
    as_word,
    decode_object,
    path_name,
)
from lib.specs import note_touched_by

OPENERS = (b'{"uuid":',)
"""First bytes of a record."""

_MAXIMUM_PENDING = 64
_RETRIED = frozenset({408, 409, 429})
_ABORTED = ("AbortError", "APIUserAbortError")
_TODOS = frozenset({"todo_write", "TodoWrite"})
_UNDER_WAY = frozenset({"running", "waiting", "retrying"})
_ASKS = frozenset({"ask_user_question", "exit_plan_mode"})


class Kept(msgspec.Struct, omit_defaults=True):
    """What one reading leaves to the next one."""

    session: Session
    counting: Counting
    begun: bool = False
    """A record of the session's own was seen, no copy of another's."""
    started_at: int | None = None
    """Time of the first record, copies included."""
    pending: dict[str, str] = {}
    """Calls without a result: id to what they do. Those that ask the user begin with `?`."""
    failures: int = 0
    """API errors since the last response."""


class Parser:
    """Takes the lines of one transcript, then tells the facts."""

    def __init__(self, path: Path, file: FileState, meta: dict[str, Any]) -> None:
        self._file = file
        self.kept = kept = (
            msgspec.msgpack.decode(file.reader_state, type=Kept)
            if file.reader_state
            else Kept(_unread(path), Counting())
        )
        self.session = session = kept.session
        self._ledger = Ledger(kept.counting, file)
        if session.parent_key is not None:
            parent = session.parent_key.removeprefix(f"{AGENT}:")
            self._ledger.subagent = (parent, session.session_id)
            session.model = as_word(meta.get("model")) or session.model
            name = [as_text(meta.get(key), TITLE_LENGTH) for key in ("agentType", "description")]
            session.title = as_text(": ".join(filter(None, name)), TITLE_LENGTH) or session.title
        self._rank()

    def consume(self, buffer: bytearray, start: int, end: int) -> str | None:
        """Take one line; answer why it yielded no facts, or None."""
        try:
            self._take(decode_object(bytes(memoryview(buffer)[start:end])))
        except Unreadable as reason:
            return str(reason)
        return None

    def finish(self) -> FileFacts:
        """The facts of this reading; what is to be kept goes into the file's state."""
        kept, session, file = self.kept, self.session, self._file
        if kept.started_at is None and not session.turns and not file.usage_records:
            return FileFacts(file, None, [])
        file.session_key = session.key
        file.reader_state = msgspec.msgpack.encode(kept)
        told = msgspec.structs.replace(session, flags=sorted(kept.counting.flags))
        told.context_tokens = kept.counting.context_tokens
        told.started_at = session.started_at or kept.started_at
        if told.title is None and told.first_prompt is not None:
            told.title = as_text(" ".join(told.first_prompt.split()), TITLE_LENGTH)
        if told.turn == "running" and kept.pending:
            newest = next(reversed(kept.pending.values()))
            told.turn = "waiting" if newest.startswith("?") else "running"
            told.turn_detail = newest.removeprefix("?")
        return FileFacts(file, told, list(self._ledger.requests.values()))

    def _rank(self) -> None:
        ledger, session = self._ledger, self.session
        ledger.session_key = session.key
        began = session.started_at
        ledger.rank = owner_rank(int(session.parent_key is not None), began, session.key)
        ledger.rank_of_reports = owner_rank(3, began, session.key)

    def _take(self, record: dict[str, Any]) -> None:
        session, kept = self.session, self.kept
        at = as_time(record.get("timestamp"))
        origin = as_word(as_object(record.get("forkedFrom")).get("sessionId"))
        copied = origin is not None and origin != session.session_id
        if copied and session.forked_from is None:
            session.forked_from = f"{AGENT}:{origin}"
        if at is not None:
            kept.started_at = kept.started_at or at
            if not copied and session.started_at is None:
                session.started_at = at
                self._rank()
            session.last_activity_at = max(session.last_activity_at or 0, at)
        session.project_path = genai.repeated_word(record.get("cwd")) or session.project_path
        session.branch = genai.repeated_word(record.get("gitBranch")) or session.branch
        session.agent_version = genai.repeated_word(record.get("version")) or session.agent_version
        ledger = self._ledger
        own = (ledger.rank, ledger.rank_of_reports)
        if copied:
            ledger.rank = owner_rank(2, kept.started_at, session.key)
        try:
            self._take_kind(record, at)
        finally:
            ledger.rank, ledger.rank_of_reports = own

    def _take_kind(self, record: dict[str, Any], at: int | None) -> None:
        drift.note_fields(self._file, "record", record, vocabulary.QWEN_FIELDS)
        match record.get("type"):
            case "user":
                self._user(record, at)
            case "assistant":
                self._assistant(record, at)
            case "tool_result":
                self._result(record)
            case "system":
                self._system(record, at)
            case kind:
                drift.note(self._file, "record type", kind)

    def _user(self, record: dict[str, Any], at: int | None) -> None:
        session, kept = self.session, self.kept
        parts = as_object(record.get("message")).get("parts")
        if genai.function_parts(parts, "functionResponse"):
            self._result(record)
            return
        text = as_text(genai.text_of(parts))
        session.turn, session.turn_detail = "running", None
        session.error_class = session.error_message = None
        kept.failures = 0
        if record.get("subtype") == "mid_turn_user_message":
            return
        kept.pending.clear()
        session.turn_started_at, session.turn_requests = at, 0
        if record.get("provenance") in (None, "real_user") and record.get("subtype") is None:
            session.turns += 1
            session.first_prompt = session.first_prompt or text

    def _assistant(self, record: dict[str, Any], at: int | None) -> None:
        session, kept = self.session, self.kept
        session.model = genai.repeated_word(record.get("model")) or session.model
        parts = as_object(record.get("message")).get("parts")
        session.last_message = as_text(genai.text_of(parts)) or session.last_message
        calls = genai.function_parts(parts, "functionCall")
        kept.failures = 0
        session.turn, session.turn_detail = "running" if calls else "idle", None
        session.error_class = session.error_message = None
        for call in calls:
            self._called(call)
        uuid = as_word(record.get("uuid"))
        if uuid is not None:
            session.turn_requests += self._ledger.answered(record, uuid, at, session.model)

    def _called(self, call: dict[str, Any]) -> None:
        name = as_word(call.get("name")) or "tool"
        arguments = as_object(call.get("args"))
        note_touched_by(self.session.specs, arguments)
        if name in _TODOS:
            self.session.todo_done, self.session.todo_total = genai.todo_counts(arguments)
        call_id = as_word(call.get("id"))
        if call_id is None:
            return
        pending = self.kept.pending
        asks = "?an answer" if name in _ASKS else None
        pending[call_id] = asks or genai.describe(name, arguments)
        if len(pending) > _MAXIMUM_PENDING:
            del pending[next(iter(pending))]

    def _result(self, record: dict[str, Any]) -> None:
        session, kept = self.session, self.kept
        result = as_object(record.get("toolCallResult"))
        parts = as_object(record.get("message")).get("parts")
        answers = [*genai.function_parts(parts, "functionResponse"), {"id": result.get("callId")}]
        for answer in answers:
            kept.pending.pop(as_word(answer.get("id")) or "", None)
        if result.get("status") == "cancelled" and not kept.pending:
            session.turn, session.turn_detail = "stopped", None
        elif session.turn != "stopped":
            session.turn = "running"

    def _system(self, record: dict[str, Any], at: int | None) -> None:
        payload = as_object(record.get("systemPayload"))
        match record.get("subtype"):
            case "ui_telemetry":
                self._telemetry(as_object(payload.get("uiEvent")), record, at)
            case "custom_title":
                title = as_text(payload.get("customTitle"), TITLE_LENGTH)
                self.session.title = title or self.session.title
            case "turn_result":
                self._settled(payload)
            case "rewind":
                self.kept.pending.clear()
                self.session.turn, self.session.turn_detail = "idle", None
                self.session.error_class = self.session.error_message = None
            case subtype:
                drift.check(self._file, "system record", subtype, vocabulary.QWEN_SUBTYPES)

    def _settled(self, outcome: dict[str, Any]) -> None:
        """How a turn ended, where the CLI serves others (`qwen serve`, editors)."""
        session = self.session
        self.kept.pending.clear()
        session.turn_detail = None
        match outcome.get("state"):
            case "completed":
                session.turn = "idle"
            case "cancelled":
                session.turn = "stopped"
            case "error":
                message = as_text(as_object(outcome.get("error")).get("message"))
                session.turn = "failed"
                session.error_message = session.error_message or message or "The turn failed."
                session.error_class = session.error_class or genai.error_class(None, message)
                return
            case _:
                return
        session.error_class = session.error_message = None

    def _telemetry(self, event: dict[str, Any], record: dict[str, Any], at: int | None) -> None:
        session, kept = self.session, self.kept
        name = (genai.repeated_word(event.get("event.name")) or "").rpartition(".")[2]
        of_subagent = as_word(event.get("subagent_id")) is not None
        if name == "api_response":
            uuid = as_word(record.get("uuid"))
            if session.turn == "retrying" and not of_subagent:
                kept.failures = 0
                session.turn, session.turn_detail = "running", None
                session.error_class = session.error_message = None
            if uuid is not None:
                self._ledger.reported(event, uuid, at)
        elif name == "api_error" and not of_subagent and session.turn in _UNDER_WAY:
            self._failed(event)

    def _failed(self, event: dict[str, Any]) -> None:
        """An API error. The CLI retries those that may pass; it never says that it gave up."""
        session, kept = self.session, self.kept
        if event.get("error_type") in _ABORTED:
            session.turn, session.turn_detail = "stopped", None
            return
        message = as_text(event.get("error_message")) or as_text(event.get("error"))
        status = as_count(event.get("status_code"))
        kept.failures += 1
        session.error_class = genai.error_class(status, message)
        session.error_message = message or "The request failed."
        if status is None or status in _RETRIED or status >= 500:
            session.turn = "retrying"
            detail = f"retry after error {kept.failures}: {session.error_message}"
            session.turn_detail = as_text(detail, genai.DETAIL_LENGTH)
        else:
            session.turn, session.turn_detail = "failed", None


def _unread(path: Path) -> Session:
    """A session known by its file's name only."""
    name = path_name(path.stem)
    parent = path_name(path.parent.name) if "subagents" in path.parts else None
    if parent is not None:
        name = name.removeprefix("agent-")
    return Session(
        key=f"{AGENT}:{parent}/{name}" if parent else f"{AGENT}:{name}",
        agent=AGENT,
        session_id=name,
        parent_key=f"{AGENT}:{parent}" if parent else None,
        source_path=path_name(path),
    )
