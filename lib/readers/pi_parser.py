"""One reading of one session of pi (0.73 and before): lines in, facts out.

The first line is `session{id,cwd,version,parentSession?}`; the others are entries
`{type,id,parentId,timestamp,…}` of a tree, appended in the order of time. A call is a `message`
of role `assistant` with `usage`: cached tokens are apart from `input`, reasoning is inside
`output`. A fork begins with a copy of its parent's entries, unchanged in everything. Nothing
is written before the first answer, and an error ends a turn like an answer does.
"""

import re
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from lib.model import FileFacts, FileState, Request, Session, Turn, owner_rank
from lib.readers import drift, vocabulary
from lib.readers.values import (
    TITLE_LENGTH,
    Unreadable,
    as_list,
    as_money,
    as_object,
    as_text,
    as_time,
    as_tokens,
    as_word,
    decode_object,
    path_name,
)
from lib.readers.wording import call_text, error_class
from lib.specs import note_touched_by

AGENT = "pi"
OPENERS = tuple(
    f'{{"type":"{kind}","id":"'.encode()
    for kind in ("message", "model_change", "thinking_level_change", "compaction", "custom")
)
"""First bytes of a record, as blocks within a message do not begin."""

COMPACTION = "compaction_not_recorded"
MISSING_MODEL = "missing_model"
REASONING = "reasoning_not_recorded"
TOTAL_MISMATCH = "total_mismatch"

_MAXIMUM_PENDING = 64
_TURN_OF_STOP: dict[str, Turn] = {
    "stop": "idle",
    "length": "idle",
    "toolUse": "running",
    "aborted": "stopped",
    "error": "failed",
}
_FILE_NAME = re.compile(r"(?:.*_)?([^_]+)\.jsonl")


class Kept(msgspec.Struct, omit_defaults=True):
    """What is kept between two readings of a file."""

    session: Session
    begun: bool = False
    """A readable record was seen; only the first may name the session."""
    pending: dict[str, str] = {}
    """Tool calls without result, and what they do."""
    last_call: str | None = None
    flags: set[str] = set()


class Parser:
    """One reading of one session: takes its lines, then tells the facts."""

    def __init__(self, path: Path, file: FileState) -> None:
        self._file = file
        self._kept = (
            msgspec.msgpack.decode(file.reader_state, type=Kept)
            if file.reader_state
            else Kept(_unread(path))
        )
        self._session = self._kept.session
        self._requests: dict[str, Request] = {}

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
        told = msgspec.structs.replace(kept.session, flags=sorted(kept.flags))
        if told.turn == "running":
            told.turn_detail = next(reversed(kept.pending.values()), None)
        if told.title is None and told.first_prompt is not None:
            told.title = as_text(" ".join(told.first_prompt.split()), TITLE_LENGTH)
        return FileFacts(file, told, list(self._requests.values()))

    def _take(self, record: dict[str, Any]) -> None:
        session, kind = self._session, record.get("type")
        if kind == "session" and not self._kept.begun:
            self._describe(record)
        self._kept.begun = True
        at = as_time(record.get("timestamp"))
        session.started_at = session.started_at or at
        session.last_activity_at = max(session.last_activity_at or 0, at or 0) or None
        if kind == "message":
            self._message(as_object(record.get("message")), at)
        elif kind == "model_change":
            session.model = as_word(record.get("modelId")) or session.model
        elif kind == "session_info":
            session.title = as_text(record.get("name"), TITLE_LENGTH)
        elif kind in ("compaction", "branch_summary") and record.get("fromHook") is not True:
            self._kept.flags.add(COMPACTION)
        else:
            drift.check(self._file, "entry type", kind, vocabulary.PI_ENTRIES)

    def _describe(self, record: dict[str, Any]) -> None:
        session = self._session
        own = as_word(record.get("id"))
        if own is not None:
            session.session_id, session.key = own, f"{AGENT}:{own}"
        session.project_path = as_word(record.get("cwd"))
        session.started_at = as_time(record.get("timestamp"))
        parent = as_word(record.get("parentSession"))
        if parent is not None:
            session.forked_from = f"{AGENT}:{_id_in(parent)}"

    def _message(self, message: dict[str, Any], at: int | None) -> None:
        session, kept = self._session, self._kept
        match message.get("role"):
            case "user":
                session.turns += 1
                session.turn_requests = 0
                session.turn, session.turn_started_at = "running", at
                session.error_class = session.error_message = None
                session.first_prompt = session.first_prompt or as_text(_text_of(message))
                kept.pending.clear()
            case "assistant":
                self._answer(message, at)
            case "toolResult":
                kept.pending.pop(as_word(message.get("toolCallId")) or "", None)
            case role:
                drift.check(self._file, "role", role, vocabulary.PI_ROLES)

    def _answer(self, message: dict[str, Any], at: int | None) -> None:
        session, kept = self._session, self._kept
        session.model = as_word(message.get("model")) or session.model
        session.last_message = as_text(_text_of(message)) or session.last_message
        kept.pending.clear()
        blocks = [as_object(block) for block in as_list(message.get("content"))]
        for block in blocks:
            note_touched_by(session.specs, block.get("arguments"))
            call_id = as_word(block.get("id"))
            if block.get("type") == "toolCall" and call_id and len(kept.pending) < _MAXIMUM_PENDING:
                kept.pending[call_id] = call_text(
                    as_word(block.get("name")), block.get("arguments")
                )
        self._stopped(message)
        reasoned = any(block.get("type") == "thinking" for block in blocks)
        self._count(message, at, reasoned=reasoned)

    def _stopped(self, message: dict[str, Any]) -> None:
        """What the answer's `stopReason` makes of the turn."""
        session, kept = self._session, self._kept
        reason = as_word(message.get("stopReason"))
        drift.check(self._file, "stop reason", reason, _TURN_OF_STOP.keys())
        session.turn = _TURN_OF_STOP.get(reason or "", "running" if kept.pending else "unknown")
        session.error_class = session.error_message = None
        if session.turn != "running":
            kept.pending.clear()
        if session.turn == "failed":
            session.error_message = as_text(message.get("errorMessage"))
            session.error_class = error_class(session.error_message)
            if session.error_class == "rate_limit":
                session.turn = "rate_limited"

    def _count(self, message: dict[str, Any], at: int | None, *, reasoned: bool) -> None:
        """Note the answer's tokens.

        Raises Unreadable when a count is impossible.
        """
        usage = as_object(message.get("usage"))
        names = ("input", "output", "cacheRead", "cacheWrite")
        given, output, read, written = (as_tokens(usage.get(name)) for name in names)
        total, reasoning = as_tokens(usage.get("totalTokens")), as_tokens(usage.get("reasoning"))
        written_1h = min(written, as_tokens(usage.get("cacheWrite1h")))
        drift.note_fields(self._file, "usage", usage, vocabulary.PI_USAGE)
        if not (given or output or read or written):
            return
        session, kept = self._session, self._kept
        key = self._key(message, at, (given, output, read, written))
        self._file.usage_records += 1
        if key == kept.last_call:
            self._file.repeated_records += 1
        else:
            session.turn_requests += 1
        kept.last_call = key
        parts = given + output + read + written
        if (total and total != parts) or reasoning > output:
            kept.flags.add(TOTAL_MISMATCH)
        if reasoned and not reasoning:
            kept.flags.add(REASONING)
        model = as_word(message.get("model"))
        if model is None:
            kept.flags.add(MISSING_MODEL)
        session.context_tokens = parts
        self._requests[key] = Request(
            key=key,
            session_key=session.key,
            owner_rank=owner_rank(0, session.started_at, session.key),
            at=at or as_time(message.get("timestamp")),
            model=model,
            input_tokens=given,
            output_tokens=output,
            cache_read_tokens=read,
            cache_write_5m_tokens=written - written_1h,
            cache_write_1h_tokens=written_1h,
            reasoning_tokens=min(reasoning, output),
            reported_cost_usd=as_money(as_object(usage.get("cost")).get("total")),
            provider_total=total if total not in (0, parts) else None,
        )

    def _key(self, message: dict[str, Any], at: int | None, tokens: tuple[int, ...]) -> str:
        """The call's identity, which its copies in forks share."""
        response = as_word(message.get("responseId"))
        if response is not None:
            return f"{AGENT}:{response}"
        # Entry ids are given anew when an old file is migrated; messages are left as they were.
        moment = as_time(message.get("timestamp")) or at
        scope = (self._session.session_id, self._file.line) if moment is None else moment
        facts = (scope, as_word(message.get("provider")), as_word(message.get("model")), tokens)
        return f"{AGENT}:{blake2b(repr(facts).encode(), digest_size=12).hexdigest()}"


def _text_of(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    texts = [as_object(block).get("text") for block in as_list(content)]
    return "\n".join(text for text in texts if isinstance(text, str))


def _id_in(path: str) -> str:
    name = path.replace("\\", "/").rpartition("/")[2]
    found = _FILE_NAME.fullmatch(name)
    return found[1] if found else name


def _unread(path: Path) -> Session:
    """A session known by its file's name only."""
    own = _id_in(path_name(path.name))
    return Session(key=f"{AGENT}:{own}", agent=AGENT, session_id=own, source_path=path_name(path))
