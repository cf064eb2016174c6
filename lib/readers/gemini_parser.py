"""One reading of one Gemini CLI session: records in, facts out.

A session is a header, then messages and patches. A message is written again, whole, under the
same id when its tools have finished. `{"$set": {"messages": [...]}}` replaces the whole history
and so repeats what was counted before; `{"$rewindTo": id}` drops its end. Nothing says that a
tool runs, that a request failed, or that a turn ended; what follows from the shape is told.
"""

import re
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from lib.model import FileFacts, FileState, Request, Session, owner_rank
from lib.readers import drift, genai, vocabulary
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
from lib.specs import note_touched_by

AGENT = "gemini"
OPENERS = (b'{"id":', b'{"sessionId":', b'{"$set":', b'{"$rewindTo":')
"""First bytes of a record."""

NO_TURN_MARKS = "no_turn_marks"
COMPACTION = "compaction_not_recorded"
MISSING_MODEL = "missing_model"
FAILURE = "A request failed or was cancelled; Gemini CLI does not record why."

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NO_PROMPT = ("/", "?", "<session_context>", "<hook_context>", "<state_snapshot>")
"""What the CLI itself puts where prompts are, and commands to the CLI."""
_SNAPSHOT = "<state_snapshot>"
_FOLDER = re.compile(r"\*\*Workspace Directories:\*\*\s+- (/[^\n]+|[A-Z]:\\[^\n]+)\n")
_CANCELLED = re.compile(r"\bcancell?ed\b", re.IGNORECASE)
_API_ERROR = re.compile(r"\[?API Error", re.IGNORECASE)
_RUNS = ("validating", "scheduled", "executing")


class Kept(msgspec.Struct, omit_defaults=True):
    """What one reading leaves to the next one."""

    session: Session
    described: bool = False
    subagent: bool = False
    project_hash: str | None = None
    folder: str | None = None
    """The first workspace folder that the CLI told the model."""
    prompt_id: str | None = None
    """The newest prompt, of which it is not known whether the history keeps it."""
    seen: set[bytes] = set()
    """Hashes of the ids of all prompts and answers so far."""
    calls: set[bytes] = set()
    """Of those, the ones with a call's usage."""
    named: bool = False
    """The title is the CLI's summary of the session."""
    flags: set[str] = set()


class Parser:
    """Takes the records of one session file, then tells the facts."""

    def __init__(self, path: Path, file: FileState) -> None:
        self._file = file
        self.kept = (
            msgspec.msgpack.decode(file.reader_state, type=Kept)
            if file.reader_state
            else Kept(_unread(path))
        )
        self._session = self.kept.session
        self._parent = _parent_of(path)
        self._requests: dict[str, Request] = {}

    def consume(self, buffer: bytearray, start: int, end: int) -> str | None:
        """Take one line; answer why it yielded no facts, or None."""
        try:
            self.take(decode_object(bytes(memoryview(buffer)[start:end])))
        except Unreadable as reason:
            return str(reason)
        return None

    def take(self, record: dict[str, Any]) -> None:
        """Take one record, or one whole document of older versions.

        Raises Unreadable when a count in it is impossible; its other facts are taken.
        """
        if isinstance(record.get("$rewindTo"), str):
            self._idle()
        elif isinstance(record.get("id"), str):
            self._message(record)
        elif isinstance(record.get("$set"), dict):
            self._patch(as_object(record["$set"]))
        elif isinstance(record.get("sessionId"), str):
            self._header(record)

    def finish(self) -> FileFacts:
        """The facts of this reading; what is to be kept goes into the file's state."""
        kept, file = self.kept, self._file
        if not kept.described and not kept.seen:
            return FileFacts(file, None, [])
        file.session_key = self._session.key
        file.reader_state = msgspec.msgpack.encode(kept)
        return FileFacts(file, self._told(), list(self._requests.values()))

    def _told(self) -> Session:
        flags = set(self.kept.flags)
        if self._session.turns:
            flags.add(NO_TURN_MARKS)
        told = msgspec.structs.replace(self._session, flags=sorted(flags))
        if told.title is None and told.first_prompt is not None:
            told.title = as_text(" ".join(told.first_prompt.split()), TITLE_LENGTH)
        return told

    def _header(self, header: dict[str, Any]) -> None:
        kept, session = self.kept, self._session
        own_id = as_word(header.get("sessionId"))
        if not kept.described and own_id is not None:
            kept.described = True
            kept.subagent = self._parent is not None or header.get("kind") == "subagent"
            session.session_id = own_id
            session.key = f"{AGENT}:{own_id}"
            if self._parent is not None:
                session.key = f"{AGENT}:{self._parent}/{own_id}"
                session.parent_key = f"{AGENT}:{self._parent}"
            session.started_at = as_time(header.get("startTime")) or session.started_at
            kept.project_hash = as_word(header.get("projectHash"))
        else:
            kept.prompt_id = None  # Resumed: what was under way ended with the process before.
        self._patch(header)

    def _patch(self, values: dict[str, Any]) -> None:
        """A header's or a patch's fields; a history comes last, so that it costs no other."""
        session = self._session
        self._saw(values.get("lastUpdated"))
        folders = as_list(values.get("directories"))
        if folders:
            self.kept.folder = as_word(folders[0]) or self.kept.folder
        summary = as_text(values.get("summary"), TITLE_LENGTH)
        if summary is not None:
            session.title, self.kept.named = summary, True
        if isinstance(values.get("messages"), list):
            self._history([as_object(message) for message in as_list(values["messages"])])

    def _history(self, messages: list[dict[str, Any]]) -> None:
        """The whole history anew: what was seen before is only counted as repeated."""
        reason: Unreadable | None = None
        ids: set[str] = set()
        compacted = False
        for message in messages:
            identity = as_word(message.get("id"))
            if identity is None:
                continue
            ids.add(identity)
            text = genai.text_of(message.get("content")) or ""
            compacted = compacted or _SNAPSHOT in text[:200]
            try:
                if _digest(identity) in self.kept.seen:
                    self._count(message, identity)
                else:
                    self._message(message)
            except Unreadable as refused:
                reason = refused
        if compacted:
            self.kept.flags.add(COMPACTION)
        elif self.kept.prompt_id is not None and self.kept.prompt_id not in ids:
            self._rolled_back()
        if reason is not None:
            raise reason

    def _rolled_back(self) -> None:
        """The CLI takes a prompt out of its history when the request for it came to nothing."""
        session = self._session
        self.kept.prompt_id = None
        if session.turn not in ("running", "waiting"):
            return
        session.turn, session.turn_detail = "failed", None
        session.error_class, session.error_message = "unknown", FAILURE

    def _message(self, message: dict[str, Any]) -> None:
        identity = as_word(message.get("id"))
        at = as_time(message.get("timestamp"))
        self._saw(message.get("timestamp"))
        if self._session.started_at is None:
            self._session.started_at = at
        drift.note_fields(self._file, "message", message, vocabulary.GEMINI_FIELDS)
        match message.get("type"):
            case "user":
                self._user(message, identity, at)
            case "gemini" | "model" | "assistant":
                self._answer(message, identity)
                if identity is not None:
                    self._count(message, identity)
            case "error":
                self._error(genai.text_of(message.get("content")))
            case "info" | "warning":
                text = genai.text_of(message.get("content")) or ""
                if _CANCELLED.search(text) and self._session.turn != "idle":
                    self._stopped()
            case kind:
                drift.note(self._file, "message type", kind)

    def _user(self, message: dict[str, Any], identity: str | None, at: int | None) -> None:
        content = message.get("content")
        session = self._session
        if genai.function_parts(content, "functionResponse"):
            if session.turn == "idle":
                session.turn = "running"
            return
        text = genai.text_of(message.get("displayContent")) or genai.text_of(content) or ""
        text = text.strip()
        folder = _FOLDER.search(text[:20_000]) if text.startswith("<session_context>") else None
        if folder is not None:
            self.kept.folder = as_word(folder[1]) or self.kept.folder
        if not text or text.startswith(_NO_PROMPT):
            return
        if identity is not None:
            if _digest(identity) in self.kept.seen:
                return
            self.kept.seen.add(_digest(identity))
        self.kept.prompt_id = identity
        session.turns += 1
        session.turn_requests = 0
        session.first_prompt = session.first_prompt or as_text(text)
        session.turn, session.turn_detail, session.turn_started_at = "running", None, at
        session.error_class = session.error_message = None

    def _answer(self, message: dict[str, Any], identity: str | None) -> None:
        if message.get("model") is None and message.get("tokens") is None:
            return  # Written by the CLI in the model's name, as for binary content.
        session = self._session
        if identity is not None:
            self.kept.seen.add(_digest(identity))
        session.model = genai.repeated_word(message.get("model")) or session.model
        text = as_text(genai.text_of(message.get("content")))
        session.last_message = text or session.last_message
        session.error_class = session.error_message = None
        calls = [as_object(call) for call in as_list(message.get("toolCalls"))]
        if calls:
            self._tools(calls)
        elif text is not None:
            self._idle()
        else:
            session.turn, session.turn_detail = "running", None

    def _tools(self, calls: list[dict[str, Any]]) -> None:
        session = self._session
        session.turn, session.turn_detail = "running", None
        for call in calls:
            name = as_word(call.get("name")) or "tool"
            status = call.get("status")
            drift.check(self._file, "tool status", status, vocabulary.GEMINI_STATUSES)
            arguments = as_object(call.get("args"))
            note_touched_by(session.specs, arguments)
            if status == "awaiting_approval":
                session.turn, session.turn_detail = "waiting", genai.describe(name, arguments)
            elif status in _RUNS and session.turn == "running":
                session.turn_detail = genai.describe(name, arguments)
            if name == "write_todos":
                session.todo_done, session.todo_total = genai.todo_counts(arguments)
            elif name == "update_topic" and not self.kept.named:
                session.title = as_text(arguments.get("title"), TITLE_LENGTH) or session.title
            elif name == "complete_task" and self.kept.subagent and status == "success":
                self._idle()
        if all(call.get("status") == "cancelled" for call in calls):
            self._stopped()

    def _error(self, text: str | None) -> None:
        """An error that the CLI showed; of a command to the CLI, too, which ends no turn."""
        session = self._session
        if session.turn != "running" and not _API_ERROR.match(text or ""):
            return
        if _CANCELLED.search(text or ""):
            self._stopped()
            return
        session.error_class = genai.error_class(None, text)
        session.error_message = as_text(text)
        session.turn = "rate_limited" if session.error_class == "rate_limit" else "failed"
        session.turn_detail = None

    def _idle(self) -> None:
        self._session.turn, self._session.turn_detail = "idle", None
        self._session.error_class = self._session.error_message = None

    def _stopped(self) -> None:
        self._idle()
        self._session.turn = "stopped"

    def _count(self, message: dict[str, Any], identity: str) -> None:
        """Take the call that an answer was. Raises Unreadable when a count is impossible."""
        tokens = as_object(message.get("tokens"))
        if not tokens:
            return
        drift.note_fields(self._file, "tokens", tokens, vocabulary.GEMINI_TOKENS)
        usage = genai.usage_of(
            genai.Counts(
                tokens.get("input"),
                tokens.get("output"),
                tokens.get("cached"),
                tokens.get("thoughts"),
                tokens.get("tool"),
                tokens.get("total"),
            ),
            thoughts_inside=False,
        )
        kept, session, file = self.kept, self._session, self._file
        digest = _digest(identity)
        file.usage_records += 1
        if digest in kept.calls:
            file.repeated_records += 1
        else:
            kept.calls.add(digest)
            session.turn_requests += 1
            session.context_tokens = usage.context
        model = genai.repeated_word(message.get("model"))
        if model is None:
            kept.flags.add(MISSING_MODEL)
        if not usage.adds_up:
            kept.flags.add(genai.TOTAL_MISMATCH)
        # Only UUIDs are known to be the message's own; others may be hashes of what it says.
        unique = identity if _UUID.fullmatch(identity) else f"{session.session_id}:{identity}"
        rank = owner_rank(int(kept.subagent), session.started_at, session.key)
        at = as_time(message.get("timestamp"))
        genai.keep_fuller(
            self._requests,
            genai.request(f"{AGENT}:{unique}", usage, at, model, (session.key, rank)),
        )

    def _saw(self, timestamp: object) -> None:
        at = as_time(timestamp)
        if at is not None:
            self._session.last_activity_at = max(self._session.last_activity_at or 0, at)


def _digest(identity: str) -> bytes:
    return blake2b(identity.encode("utf-8", "replace"), digest_size=8).digest()


def _parent_of(path: Path) -> str | None:
    """The session that a subagent's file is of: `chats/<parent>/<subagent>.jsonl`."""
    return path_name(path.parent.name) if path.parent.parent.name == "chats" else None


def _unread(path: Path) -> Session:
    """A session known by its file's name only."""
    name = path_name(path.stem)
    parent = _parent_of(path)
    return Session(
        key=f"{AGENT}:{parent}/{name}" if parent else f"{AGENT}:{name}",
        agent=AGENT,
        session_id=name,
        parent_key=f"{AGENT}:{parent}" if parent else None,
        source_path=path_name(path),
    )
