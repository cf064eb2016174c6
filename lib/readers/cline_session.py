"""From a Cline session's own file and its conversation to facts.

A call's `inputTokens` include what was read from the cache; reasoning is part of the output. The
answer to a call is a message with `metrics`; an error is one with `displayRole` `error`.
"""

import re
from pathlib import Path
from typing import Any, NamedTuple

from lib.model import ErrorClass, FileState, Request, Session, owner_rank
from lib.readers import drift, vocabulary
from lib.readers.claude_code_errors import error_class
from lib.readers.values import (
    NOT_AN_OBJECT,
    TITLE_LENGTH,
    Unreadable,
    as_count,
    as_list,
    as_money,
    as_object,
    as_text,
    as_time,
    as_tokens,
    as_word,
    path_name,
)
from lib.specs import note_touched_by

AGENT = "cline"
NO_REASONING = "no_reasoning"
NO_APPROVALS = "no_approvals"
TOTAL_MISMATCH = "total_mismatch"

_DETAIL_LENGTH = 120
_ASKS = frozenset({"ask_question", "ask_followup_question"})
_UNAUTHORIZED = re.compile(r"api key|unauthori[sz]ed", re.IGNORECASE)
_CANCELLED = frozenset({"cancelled", "canceled", "aborted"})
_MAXIMUM_PENDING = 64


class Told(NamedTuple):
    """The session, and the calls of its conversation."""

    session: Session
    requests: list[Request]


def tell(
    path: Path, own: dict[str, Any], conversation: dict[str, Any], state: FileState | None
) -> Told:
    """Facts of the session whose own file is `path`. Counts what was read into `state`."""
    session = _described(path, own)
    requests = _Conversation(session).take(as_list(conversation.get("messages")), state)
    _end(session, own)
    if state is not None:
        drift.check(state, "status", own.get("status"), vocabulary.CLINE_STATUSES)
    if _contradicts(requests, own):
        session.flags.append(TOTAL_MISMATCH)
    moments = [session.last_activity_at, as_time(own.get("ended_at")), session.started_at]
    session.last_activity_at = max((at for at in moments if at is not None), default=None)
    return Told(session, requests)


def _described(path: Path, own: dict[str, Any]) -> Session:
    metadata = as_object(own.get("metadata"))
    parent = _parent(path)
    return Session(
        key=f"{AGENT}:{path_name(path.stem)}",
        agent=AGENT,
        session_id=path_name(path.stem),
        parent_key=f"{AGENT}:{path_name(parent)}" if parent else None,
        source_path=path_name(path),
        project_path=as_word(own.get("cwd")) or as_word(own.get("workspace_root")),
        branch=as_word(as_object(metadata.get("git")).get("branch")),
        title=as_text(metadata.get("title"), TITLE_LENGTH),
        first_prompt=as_text(own.get("prompt")),
        model=as_word(own.get("model")),
        agent_version=as_word(as_object(metadata.get("sessionHistoryOrigin")).get("version")),
        entrypoint=as_word(own.get("source")),
        started_at=as_time(own.get("started_at")),
        reported_cost_usd=_reported_cost(own),
        registered=parent is None and as_count(own.get("pid")) is not None,
        flags=[NO_APPROVALS, NO_REASONING],
    )


def _parent(path: Path) -> str | None:
    """The session that one in a folder not its own belongs to: a subagent lies below it."""
    folder = path.parent
    if folder.name == path.stem:
        return None
    has_own_file = (folder / f"{folder.name}.json").exists()
    return folder.name if has_own_file else folder.parent.name


class _Conversation:
    """The messages of a session, one after the other."""

    def __init__(self, session: Session):
        self._session = session
        self._pending: dict[str, dict[str, Any]] = {}
        self._requests: dict[str, Request] = {}

    def take(self, messages: list[Any], state: FileState | None) -> list[Request]:
        """Set what the conversation tells of the session; return its calls."""
        for number, message in enumerate(messages, 1):
            if state is not None:
                state.records += 1
            try:
                if not isinstance(message, dict):
                    raise Unreadable(NOT_AN_OBJECT)  # noqa: TRY301 - counted like the others
                self._take(as_object(message), number)
                if state is not None:
                    _note_new(state, as_object(message))
            except Unreadable as error:
                if state is not None:
                    state.skipped[str(error)] = state.skipped.get(str(error), 0) + 1
        if state is not None:
            state.usage_records = len(self._requests)
        return list(self._requests.values())

    def _take(self, message: dict[str, Any], number: int) -> None:
        session = self._session
        at = as_time(message.get("ts"))
        session.last_activity_at = max(at or 0, session.last_activity_at or 0) or None
        content = message.get("content")
        blocks = [as_object(block) for block in as_list(content)]
        text = _text(content, blocks)
        if message.get("role") == "user":
            self._take_users(blocks, text, at)
            return
        if as_object(message.get("metadata")).get("displayRole") == "error":
            _fail(session, text)
            return
        if message.get("role") != "assistant":
            return
        session.last_message = text or session.last_message
        for block in blocks:
            note_touched_by(session.specs, block.get("input"))
            name = as_word(block.get("id"))
            if block.get("type") == "tool_use" and name and len(self._pending) < _MAXIMUM_PENDING:
                self._pending[name] = block
        self._show()
        self._count(message, at, number)

    def _take_users(self, blocks: list[dict[str, Any]], text: str | None, at: int | None) -> None:
        session = self._session
        results = [block for block in blocks if block.get("type") == "tool_result"]
        for block in results:
            self._pending.pop(as_word(block.get("tool_use_id")) or "", None)
        if results and text is None:
            self._show(answered=True)
            return
        self._pending.clear()
        session.turns += 1
        session.turn_requests = 0
        session.turn_started_at = at
        session.turn, session.turn_detail = "running", None
        session.error_class = session.error_message = None
        session.first_prompt = session.first_prompt or text

    def _show(self, *, answered: bool = False) -> None:
        """What the session does after its newest message."""
        session = self._session
        call = next(reversed(self._pending.values()), None)
        session.turn = "idle" if call is None and not answered else "running"
        session.turn_detail = None
        if call is not None:
            name = as_text(call.get("name"), 80) or "tool"
            session.turn = "waiting" if name in _ASKS else "running"
            session.turn_detail = _described_call(name, as_object(call.get("input")))

    def _count(self, message: dict[str, Any], at: int | None, number: int) -> None:
        metrics = as_object(message.get("metrics"))
        kinds = ("inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens")
        given, output, read, written = (as_tokens(metrics.get(kind)) for kind in kinds)
        session = self._session
        session.model = as_word(as_object(message.get("modelInfo")).get("id")) or session.model
        if not (given or output or read or written):
            return
        cached = read + written
        # What is more than the whole can't be a part of it: such a provider counts apart.
        fresh = given - cached if given >= cached else given
        name = as_word(message.get("id")) or f"{session.session_id}/{at or number}"
        session.turn_requests += name not in self._requests
        session.context_tokens = fresh + cached
        copied = 1 if session.parent_key else 0
        self._requests[name] = Request(
            key=f"{AGENT}:{name}",
            session_key=session.key,
            owner_rank=owner_rank(copied, session.started_at, session.key),
            at=at,
            model=session.model,
            input_tokens=fresh,
            output_tokens=output,
            cache_read_tokens=read,
            cache_write_5m_tokens=written,
            reasoning_tokens=min(output, as_tokens(metrics.get("reasoningTokens"))),
            reported_cost_usd=as_money(metrics.get("cost")),
        )


def _end(session: Session, own: dict[str, Any]) -> None:
    """How the session's own file says it ended; while it runs, the conversation tells."""
    status = own.get("status")
    if status == "completed":
        session.turn, session.turn_detail, session.ended_cleanly = "idle", None, True
    elif status == "failed":
        session.ended_cleanly = True
        if session.error_class is None:
            _fail(session, None)
    elif isinstance(status, str) and status in _CANCELLED:
        session.turn, session.turn_detail, session.ended_cleanly = "stopped", None, True


def _fail(session: Session, text: str | None) -> None:
    told: ErrorClass = "unknown"
    if text is not None:
        told = "authentication" if _UNAUTHORIZED.search(text) else error_class(None, text)
    session.turn = "rate_limited" if told == "rate_limit" else "failed"
    session.turn_detail = None
    session.error_class, session.error_message = told, text


def _note_new(state: FileState, message: dict[str, Any]) -> None:
    drift.check(state, "role", message.get("role"), vocabulary.CLINE_ROLES)
    metrics = as_object(message.get("metrics"))
    drift.note_fields(state, "metrics", metrics, vocabulary.CLINE_METRICS)


def _reported_cost(own: dict[str, Any]) -> float | None:
    """What the session's own file says that all of it has cost."""
    metadata = as_object(own.get("metadata"))
    usage = as_object(metadata.get("usage"))
    return as_money(usage.get("totalCost")) or as_money(metadata.get("totalCost"))


def _contradicts(requests: list[Request], own: dict[str, Any]) -> bool:
    """Whether the totals of an ended session are others than the sums of its calls."""
    usage = as_object(as_object(own.get("metadata")).get("usage"))
    try:
        total = as_tokens(usage.get("outputTokens"))
    except Unreadable:
        return True
    return bool(requests) and total not in (0, sum(call.output_tokens for call in requests))


def _text(content: object, blocks: list[dict[str, Any]]) -> str | None:
    """The words of a message; of a prompt, what the user typed."""
    found = [content] if isinstance(content, str) else []
    found += [block.get("text") for block in blocks if block.get("type") == "text"]
    words = [word for word in found if isinstance(word, str)]
    typed = [told for word in words if (told := typed_in(word)) is not None]
    return as_text(" ".join(typed or words))


def typed_in(text: str) -> str | None:
    """What the user typed, within what Cline wraps around it; None without such a wrapper."""
    _, _, wrapped = text.partition("<user_input")
    _, _, typed = wrapped.partition(">")
    typed, end, _ = typed.partition("</user_input>")
    return typed if end else None


def _described_call(name: str, arguments: dict[str, Any]) -> str:
    """The argument that says most, on one line: `run_commands: make test`."""
    for value in arguments.values():
        first = next(iter(as_list(value)), value)
        for said in (first, *as_object(first).values()):
            if isinstance(said, str) and said:
                line = " ".join(said[: _DETAIL_LENGTH * 4].split())
                return as_text(f"{name}: {line}", _DETAIL_LENGTH) or name
    return name
