"""One reading of one rollout of Codex: lines in, facts out.

Only the first `session_meta` of a file describes it; those right behind it are copies of its
ancestors'. Heavy records without facts (world states, tool outputs, reasoning) are known by
their first bytes and passed over undecoded, but only when they are written as the CLI writes
them; anything else is decoded.
"""

import re
from pathlib import Path

import msgspec

from lib.model import FileFacts, FileState, Session, owner_rank
from lib.readers import codex_known, codex_turns, drift
from lib.readers.codex_records import (
    Item,
    Payload,
    Record,
    Settings,
    decode_record,
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
_OPENER = b'{"timestamp":'
OPENERS = (_OPENER,)
"""First bytes of a record."""

_ANNOUNCES = (0, 169)
"""The first version known to hold a lock for every thread that it has loaded."""
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_HEAD = re.compile(
    rb'\{"timestamp":"(20\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\d\.\d{3}Z)",'
    rb'(?:"ordinal":\d+,)?"type":"([^"]+","payload":\{(?:"type":"[^"]+")?)'
)
"""First bytes of a record as the CLI writes it: its time, and its kind and its payload's kind."""
_ITEM = re.compile(rb',"thread_id":"[^"\\]*","turn_id":"[^"\\]*","item":\{"type":"(\w+)"')
_OUTPUT_ID = re.compile(rb'(?:,"id":"[^"\\]*")?,"call_id":"([\w.:-]+)"')


_CALLS = frozenset({"function_call", "custom_tool_call", "local_shell_call"})
_OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output"})
_TEXTS = frozenset({b"UserMessage", b"AgentMessage"})

_OUTPUT, _ITEM_DONE, _MESSAGE, _NO_FACTS = range(4)


def _heads(kind: str, names: str, action: int) -> dict[bytes, int]:
    return {f'{kind}","payload":{{"type":"{name}"'.encode(): action for name in names.split()}


_ACTIONS: dict[bytes, int] = {
    b'world_state","payload":{': _NO_FACTS,
    b'compacted","payload":{': _NO_FACTS,
    **_heads("response_item", " ".join(_OUTPUTS), _OUTPUT),
    **_heads("event_msg", "item_completed", _ITEM_DONE),
    **_heads("response_item", "message", _MESSAGE),
    **_heads(
        "response_item",
        "reasoning agent_message web_search_call tool_search_call tool_search_output "
        "image_generation_call compaction context_compaction ghost_snapshot",
        _NO_FACTS,
    ),
    **_heads(
        "event_msg",
        "agent_reasoning agent_reasoning_raw_content agent_reasoning_section_break "
        "exec_command_begin exec_command_end exec_command_output_delta patch_apply_begin "
        "patch_apply_end mcp_tool_call_begin mcp_tool_call_end web_search_end "
        "view_image_tool_call context_compacted turn_diff",
        _NO_FACTS,
    ),
}
"""Kinds that need no decoding. Any other is decoded, so that only what is known is passed over."""
_CLOSING_BRACE = ord("}")


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
    """The newest time of a record, as the CLI writes times."""
    newest: int | None = None
    """The newest time of the records that are written in another way."""
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
        self._identify()

    def consume(self, buffer: bytearray, start: int, end: int) -> str | None:
        """Take one line; answer why it yielded no facts, or None."""
        head = _HEAD.match(buffer, start, end)
        stamp = b""
        if head is not None:
            stamp, kind = head.group(1, 2)
            action = _ACTIONS.get(kind)
            if (
                action is not None
                and self._kept.begun
                # A record that was cut off and has the next one glued to it is decoded, and fails.
                and buffer[end - 1] == _CLOSING_BRACE
                and buffer.find(_OPENER, head.end(), end) < 0
                and (action == _NO_FACTS or self._passes_over(action, head.end(), buffer, end))
            ):
                if stamp > self._stamp:  # noqa: PLR1730 - a third of what `max` takes
                    self._stamp = stamp
                return None
        try:
            record = decode_record(memoryview(buffer)[start:end])
            if stamp > self._stamp:  # noqa: PLR1730 - a third of what `max` takes
                self._stamp = stamp
            self._take(record, stamped=head is not None)
        except Unreadable as reason:
            return str(reason)
        if self._file.line in drift.SAMPLED_LINES:
            codex_known.look_at_fields(self._file, memoryview(buffer)[start:end])
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
        if action == _OUTPUT:
            call = _OUTPUT_ID.match(buffer, rest, end)
            if call is not None:
                self._turns.pending.pop(call[1].decode(), None)
            return call is not None
        if action == _ITEM_DONE:
            item = _ITEM.match(buffer, rest, end)
            return item is not None and item[1] not in _TEXTS
        return self._turns.prompts_by_event and self._turns.answers_by_event

    def _take(self, record: Record, *, stamped: bool) -> None:
        payload = record.payload or Payload()
        kept = self._kept
        if not kept.begun:
            self._begin(record, payload)
        if not stamped and (at := as_time(record.timestamp)) is not None:
            kept.newest = max(kept.newest or 0, at)
        match record.type:
            case "event_msg":
                self._event(payload, record.timestamp)
            case "response_item":
                self._item(payload, record.timestamp)
            case "token_usage_record":
                model, thread = self._session.model, self._session.session_id
                self._counted(self._ledger.record(payload, record.timestamp, model, thread))
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

    def _counted(self, call: bool) -> None:
        self._session.turn_requests += call
        if call:
            codex_turns.progress(self._session)

    def _event(self, payload: Payload, timestamp: object) -> None:
        session, turns = self._session, self._turns
        match payload.type:
            case "token_count":
                self._counted(self._ledger.token_count(payload, timestamp, session.model))
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
        elif payload.type in _CALLS:
            codex_turns.called(session, turns, payload)
        elif payload.type in _OUTPUTS:
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
