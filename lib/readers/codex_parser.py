"""One reading of one rollout of Codex: lines in, facts out.

Only the first `session_meta` of a file describes it; those right behind it are copies of its
ancestors'. Records without facts are passed over undecoded, and of the most common others only
the payload is decoded, where they begin as the CLI writes them (`codex_heads`); any other line
is decoded whole, which tells the same.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from lib.model import FileFacts, FileState, Session, owner_rank
from lib.readers import codex_heads, codex_known, codex_turns, drift
from lib.readers.codex_heads import ACTIONS, CLOSING_BRACE, HEAD, NO_FACTS, OPENER
from lib.readers.codex_records import (
    CallFields,
    CallUsage,
    Item,
    Payload,
    Record,
    Settings,
    TokenCount,
    decode_call_usage,
    decode_record,
    decode_token_count,
    decode_tool_call,
    identifier,
    text_of,
    version_of,
)
from lib.readers.codex_turns import Turns
from lib.readers.codex_usage import Counting, Ledger
from lib.readers.values import (
    TITLE_LENGTH,
    Unreadable,
    as_count,
    as_object,
    as_text,
    as_time,
    as_word,
    path_name,
)

AGENT = "codex"
HIDDEN_REQUESTS = "hidden_requests"
_ANNOUNCES = (0, 169)
"""The first version known to hold a lock for every thread that it has loaded."""
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Kept(msgspec.Struct, omit_defaults=True):
    """What is kept between two readings of a file."""

    session: Session
    counting: Counting
    turns: Turns
    begun: bool = False
    """The first readable record was seen, which decides the thread's id."""
    described: bool = False
    """The file's own `session_meta` was seen."""
    subagent: bool = False
    stamp: str = ""
    """The newest time of the other records, as the CLI writes times."""
    newest: int | None = None
    """The newest time of the records that were decoded whole."""
    broken: bool = False
    """A response broke off, so that what it used is unknown."""


class Parser:
    """One reading of one rollout: takes its lines, then tells the facts."""

    def __init__(self, path: Path, file: FileState) -> None:
        self._file = file
        self._kept = kept = (
            msgspec.msgpack.decode(file.reader_state, type=Kept)
            if file.reader_state
            else Kept(_unread(path), Counting(), Turns())
        )
        self._session, self._turns, self._counting = kept.session, kept.turns, kept.counting
        self._ledger = Ledger(kept.counting, file)
        self._stamp = b""
        self._answer: str | None = None
        self._typed: dict[bytes, tuple[Callable[[memoryview], Any], Callable[[Any, str], None]]] = {
            codex_heads.TOKEN_COUNT: (decode_token_count, self._count),
            codex_heads.USAGE_RECORD: (decode_call_usage, self._record),
            **dict.fromkeys(codex_heads.HEADS_OF_CALLS, (decode_tool_call, self._called)),
        }
        """What is decoded without its envelope, and what is then done."""
        self._identify()

    def consume(self, buffer: bytearray, start: int, end: int) -> str | None:
        """Take one line; answer why it yielded no facts, or None."""
        head = HEAD.match(buffer, start, end)
        # Without a brace at its end a record was cut off.
        if head is None or buffer[end - 1] != CLOSING_BRACE or not self._kept.begun:
            return self._take_any(buffer, start, end)
        stamp, kind = head.group(1, 2)
        action = ACTIONS.get(kind)
        if action is None:
            taken = self._take_typed(head, kind, buffer, end)
        else:
            # A record that was cut off and has the next one glued to it is decoded, and fails.
            taken = buffer.find(OPENER, head.end(), end) < 0 and (
                action == NO_FACTS or self._passes_over(action, head.end(), buffer, end)
            )
        if not taken:
            return self._take_any(buffer, start, end)
        if stamp > self._stamp:  # noqa: PLR1730 - a third of what `max` takes
            self._stamp = stamp
        return None

    def _take_typed(self, head: re.Match[bytes], kind: bytes, buffer: bytearray, end: int) -> bool:
        """Take a record whose payload is of one struct; False where more than that is in it."""
        typed = self._typed.get(kind)
        if typed is None:
            return False
        decode, take = typed
        try:
            payload = decode(memoryview(buffer)[head.start(3) : end - 1])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        take(payload, head[1].decode())
        if self._file.line in drift.SAMPLED_LINES:
            codex_known.look_at_fields(self._file, memoryview(buffer)[head.start() : end])
        return True

    def _take_any(self, buffer: bytearray, start: int, end: int) -> str | None:
        """Take a line by all of its fields, as any can be taken."""
        line = memoryview(buffer)[start:end]
        try:
            record = decode_record(line)
            self._take(record)
        except Unreadable as reason:
            return str(reason)
        if self._file.line in drift.SAMPLED_LINES:
            codex_known.look_at_fields(self._file, line)
        return None

    @property
    def asks_permission(self) -> bool:
        """Whether the newest call without output needs a permission that the user gives."""
        codex_turns.settle(self._turns)
        call = codex_turns.newest_call(self._turns)
        return call is not None and call.asks

    def finish(self) -> FileFacts:
        """The facts of this reading; what is to be kept goes into the file's state."""
        kept, session, file = self._kept, self._session, self._file
        if not kept.begun:
            return FileFacts(file, None, [])
        if self._answer is not None:
            session.last_message = as_text(self._answer)
        kept.stamp = max(kept.stamp, self._stamp.decode())
        codex_turns.settle(self._turns)
        file.session_key = session.key
        file.reader_state = msgspec.msgpack.encode(kept)
        return FileFacts(file, self._told(), self._ledger.requests)

    def _told(self) -> Session:
        """The session as it is told: what follows from the kept facts is put in."""
        counting, turns = self._counting, self._turns
        told = msgspec.structs.replace(self._session, flags=self._flags())
        codex_turns.show(told, turns)
        told.turns = told.turns or turns.tasks
        if told.title is None and told.first_prompt is not None:
            told.title = as_text(" ".join(told.first_prompt.split()), TITLE_LENGTH)
        told.last_activity_at = max(self._kept.newest or 0, as_time(self._kept.stamp) or 0) or None
        told.context_tokens, told.context_window = counting.context_tokens, counting.context_window
        told.resets_at = counting.resets_at
        return told

    def _flags(self) -> list[str]:
        flags = set(self._counting.flags)
        if self._session.entrypoint == "codex-tui":
            flags.add(HIDDEN_REQUESTS)
        if self._kept.broken:
            flags.add(codex_turns.BROKEN_STREAMS)
        if self._session.turns and not self._turns.marked:
            flags.add(codex_turns.NO_TURN_MARKS)
        return sorted(flags)

    def _passes_over(self, action: int, rest: int, buffer: bytearray, end: int) -> bool:
        """Whether this record is known to hold no facts, or only the end of a tool call."""
        if action == codex_heads.OUTPUT:
            call = codex_heads.OUTPUT_ID.match(buffer, rest, end)
            if call is not None:
                self._turns.pending.pop(call[1].decode(), None)
            return call is not None
        if action == codex_heads.ITEM_DONE:
            return codex_heads.ITEM_WITHOUT_FACTS.match(buffer, rest, end) is not None
        return self._turns.prompts_by_event and self._turns.answers_by_event

    def _take(self, record: Record) -> None:
        payload = record.payload or Payload()
        kept = self._kept
        if not kept.begun:
            self._begin(record, payload)
        if (at := as_time(record.timestamp)) is not None:
            kept.newest = max(kept.newest or 0, at)
        match record.type:
            case "event_msg":
                self._event(payload, record.timestamp)
            case "response_item":
                self._item(payload, record.timestamp)
            case "token_usage_record":
                self._record(payload, record.timestamp)
            case "turn_context":
                self._ledger.begin_turn(payload.turn_id)
                self._settings(payload)
            case "session_meta":
                self._meta(payload)
            case _:
                drift.check(self._file, "record type", record.type, codex_known.RECORD_TYPES)

    def _begin(self, record: Record, payload: Payload) -> None:
        self._kept.begun = True
        session = self._session
        thread = identifier(payload.id) if record.type == "session_meta" else None
        # Behind a damaged first line stands perhaps the session_meta of an ancestor.
        if thread is not None and (self._file.line <= 1 or not _UUID.fullmatch(session.session_id)):
            session.session_id, session.key = thread, f"{AGENT}:{thread}"
        session.started_at = as_time(record.timestamp)
        self._counting.family = session.session_id
        self._identify()

    def _identify(self) -> None:
        session, ledger = self._session, self._ledger
        ledger.session_key = session.key
        ledger.rank = owner_rank(int(self._kept.subagent), session.started_at, session.key)
        ledger.rank_of_copies = owner_rank(2, session.started_at, session.key)

    def _meta(self, payload: Payload) -> None:
        thread = identifier(payload.id)
        counting = self._counting
        if thread is not None and thread != self._session.session_id:
            # A copied history begins with the session_meta of its ancestors, the oldest last.
            if not self._file.usage_records:
                counting.family, counting.forked = thread, True
            return
        if self._kept.described:
            return
        self._kept.described = True
        self._describe(payload)
        counting.family = self._session.session_id
        counting.continues = payload.history_base is not None
        forked_from = identifier(payload.forked_from_id)
        if forked_from is not None:
            self._session.forked_from = f"{AGENT}:{forked_from}"
            counting.forked = True
            if not counting.continues:
                counting.family = forked_from
        self._identify()

    def _describe(self, payload: Payload) -> None:
        session = self._session
        spawn = as_object(as_object(as_object(payload.source).get("subagent")).get("thread_spawn"))
        parent = identifier(payload.parent_thread_id) or as_word(spawn.get("parent_thread_id"))
        if parent is not None and parent != session.session_id:
            session.parent_key = f"{AGENT}:{parent}"
        self._kept.subagent = session.parent_key is not None or "subagent" in as_object(
            payload.source
        )
        session.started_at = as_time(payload.timestamp) or session.started_at
        session.project_path = as_word(payload.cwd)
        session.branch = as_word(payload.git.branch) if payload.git is not None else None
        session.agent_version = as_word(payload.cli_version)
        session.entrypoint = as_word(payload.originator)
        session.registered = version_of(session.agent_version) >= _ANNOUNCES

    def _settings(self, settings: Payload | Settings) -> None:
        self._session.model = identifier(settings.model) or self._session.model
        if settings.approval_policy is not None:
            self._turns.asks_user = settings.approval_policy != "never" and (
                settings.approvals_reviewer in (None, "user")
            )

    def _called(self, payload: CallFields, _: object) -> None:
        codex_turns.called(self._session, self._turns, payload)

    def _record(self, payload: CallUsage | Payload, timestamp: object) -> None:
        model, thread = self._session.model, self._session.session_id
        if self._ledger.record(payload, timestamp, model, thread):
            codex_turns.requested(self._session)

    def _count(self, payload: TokenCount | Payload, timestamp: object) -> None:
        if self._ledger.token_count(payload, timestamp, self._session.model):
            codex_turns.requested(self._session)

    def _event(self, payload: Payload, timestamp: object) -> None:
        session, turns = self._session, self._turns
        match payload.type:
            case "token_count":
                self._count(payload, timestamp)
            case "item_completed":
                self._completed_item(payload.item or Item(), timestamp)
            case "user_message":
                codex_turns.prompt(
                    session, turns, payload.message or "", as_time(timestamp), by_event=True
                )
            case "agent_message":
                self._answered(payload.message, by_event=True)
            case "task_started":
                self._ledger.begin_turn(payload.turn_id)
                window = as_count(payload.model_context_window)
                self._counting.context_window = window or self._counting.context_window
                codex_turns.started(session, turns, as_time(timestamp))
            case "task_complete":
                self._answer = payload.last_agent_message or self._answer
                codex_turns.completed(session, turns, payload)
                self._kept.broken |= codex_turns.broke_off(session)
            case _:
                self._rare_event(payload)

    def _rare_event(self, payload: Payload) -> None:
        session, turns = self._session, self._turns
        match payload.type:
            case "turn_aborted":
                self._kept.broken = True
                codex_turns.aborted(session, turns)
                drift.check(self._file, "abort reason", payload.reason, codex_known.ABORT_REASONS)
            case "error":
                error = {"message": payload.message, "codex_error_info": payload.codex_error_info}
                codex_turns.failed(session, turns, error)
                self._kept.broken |= codex_turns.broke_off(session)
            case "stream_error":
                self._kept.broken = True
                codex_turns.retrying(session, payload.message)
            case "thread_settings_applied" if payload.thread_settings is not None:
                self._settings(payload.thread_settings)
                self._ledger.use_tier(payload.thread_settings.service_tier)
            case "thread_name_updated":
                session.title = as_text(payload.thread_name, TITLE_LENGTH) or session.title
            case _:
                drift.check(self._file, "event", payload.type, codex_known.EVENTS)

    def _completed_item(self, item: Item, timestamp: object) -> None:
        text = item.text or text_of(item.content)
        if item.type == "UserMessage":
            codex_turns.prompt(self._session, self._turns, text, as_time(timestamp), by_event=True)
        elif item.type == "AgentMessage":
            self._answered(text, by_event=True)

    def _item(self, payload: Payload, timestamp: object) -> None:
        session, turns = self._session, self._turns
        if payload.type == "message" and payload.role == "user":
            codex_turns.prompt(
                session, turns, text_of(payload.content), as_time(timestamp), by_event=False
            )
        elif payload.type == "message" and payload.role == "assistant":
            self._answered(text_of(payload.content), by_event=False)
        elif payload.type in codex_heads.CALLS:
            codex_turns.called(session, turns, payload)
        elif payload.type in codex_heads.OUTPUTS:
            turns.pending.pop(identifier(payload.call_id) or "", None)
        else:
            drift.check(self._file, "response item", payload.type, codex_known.ITEMS)

    def _answered(self, text: str | None, *, by_event: bool) -> None:
        if self._turns.answers_by_event and not by_event:
            return
        self._answer = text or self._answer
        codex_turns.answered(self._session, self._turns, by_event=by_event)


def waits_for_permission(tail: bytes) -> bool:
    """Whether the newest call in the last records of a rollout has no output and needs a
    permission that the user gives. `tail` begins anywhere, also in the middle of a record.
    """
    parser = Parser(Path(), FileState(path="", agent=AGENT))
    buffer = bytearray(tail)
    start = buffer.find(b"\n") + 1
    while (end := buffer.find(b"\n", start)) >= 0:
        parser.consume(buffer, start, end)
        start = end + 1
    return parser.asks_permission


def _unread(path: Path) -> Session:
    """A session known by its file's name only."""
    found = _UUID.findall(path.name.lower())
    thread = found[-1] if found else path.name.removesuffix(".zst").removesuffix(".jsonl")
    return Session(
        key=f"{AGENT}:{thread}", agent=AGENT, session_id=thread, source_path=path_name(path)
    )
