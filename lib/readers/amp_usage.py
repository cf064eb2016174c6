"""A thread's token counts as model calls, each with an identity that its copies share.

`usage` of an answer and an `inference` event of the thread's `usageLedger` are written together
and are one call: the event names the answer (`toMessageId`) and has the time, the answer has the
kinds. Events of other operations (a title, tools that ask models) stand for themselves. Message
numbers count up and are not used again, so that an event outlives the message of an edit. A fork
begins with a copy of messages up to `forkPointIndex`, without their events, and counts anew.

Of models other than Claude, which know no paid writes to a cache, Amp gives the fresh input as
`cacheCreationInputTokens`. Read in the command line's program 0.0.1767830505 (January 2026).
"""

from collections.abc import Callable
from typing import Any

from lib.model import FileState, Request, Session, owner_rank
from lib.readers import drift, vocabulary
from lib.readers.values import (
    Unreadable,
    as_count,
    as_list,
    as_object,
    as_time,
    as_tokens,
    as_word,
)

AGENT = "amp"
MISSING_MODEL = "missing_model"
NO_REASONING = "no_reasoning"
REMOVED_MESSAGES = "removed_messages"
SIDE_CALLS = "side_calls"
TOTAL_MISMATCH = "total_mismatch"

_INFERENCE = "inference"
_MAXIMUM_CHAIN = 8


class Beside:
    """The other threads in the same folder, read when asked for."""

    def __init__(self, thread: Callable[[str], dict[str, Any]]):
        self._read = thread
        self._known: dict[str, dict[str, Any]] = {}

    def thread(self, name: str) -> dict[str, Any]:
        """Whether a thread holds `messages`, and what it was forked from; empty where there is
        none to read, or no thread of that name.
        """
        if not name.startswith("T-") or "/" in name or "\\" in name or "\0" in name:
            return {}
        if name not in self._known:
            told = self._read(name)
            # No more of it: a thread may have hundreds beside it, of megabytes each.
            self._known[name] = {
                "messages": bool(told.get("messages")),
                "originThreadID": told.get("originThreadID"),
                "forkPointIndex": told.get("forkPointIndex"),
            }
        return self._known[name]

    def owner_of(self, thread: dict[str, Any], name: str, index: int) -> str:
        """The thread in which the message at `index` of `thread` was made."""
        for _ in range(_MAXIMUM_CHAIN):
            point = as_count(thread.get("forkPointIndex"))
            origin = as_word(thread.get("originThreadID"))
            if origin is None or point is None or index > point:
                break
            name, thread = origin, self.thread(origin)
        return name


class Ledger:
    """The calls of one thread."""

    def __init__(
        self, session: Session, thread: dict[str, Any], beside: Beside, state: FileState
    ) -> None:
        self._session = session
        self._thread = thread
        self._beside = beside
        self._state = state
        events = as_list(as_object(thread.get("usageLedger")).get("events"))
        self._events = [as_object(event) for event in events]
        self._at = {
            number: as_time(event.get("timestamp"))
            for event in self._events
            if event.get("operationType") == _INFERENCE
            and (number := as_count(event.get("toMessageId"))) is not None
        }
        self._answered: set[int] = set()
        self.requests: dict[str, Request] = {}

    def answer(self, message: dict[str, Any], index: int, asked_at: int | None) -> int | None:
        """Note an answer's call; return when it was made."""
        usage = as_object(message.get("usage"))
        if not usage:
            return None
        drift.note_fields(self._state, "usage", usage, vocabulary.AMP_USAGE)
        number = as_count(message.get("messageId"))
        owner = self._beside.owner_of(self._thread, self._session.session_id, index)
        is_own = owner == self._session.session_id
        at = as_time(usage.get("timestamp"))
        if is_own and number is not None:
            self._answered.add(number)
            at = at or self._at.get(number)
        at = at or asked_at
        name = index if number is None else number
        try:
            request = self._request(f"{owner}/{name}", at, usage, copied=not is_own)
        except Unreadable as reason:
            self._skip(str(reason))
            return at
        if request is not None:
            self.requests[request.key] = request
        return at

    def others(self) -> None:
        """Note the calls that no answer in the thread stands for. To be called last."""
        session = self._session
        seen: set[int] = set()
        for event in reversed(self._events):
            kind = as_word(event.get("operationType")) or _INFERENCE
            number = as_count(event.get("toMessageId"))
            name = f"{session.session_id}/{number}"
            if kind == _INFERENCE and number is not None and number not in seen:
                seen.add(number)
                if number in self._answered:
                    continue
            elif (own := as_word(event.get("id"))) is not None:
                name = own
            else:
                continue
            if self._is_told_elsewhere(event):
                continue
            counts = as_object(event.get("tokens"))
            usage = {
                "model": event.get("model"),
                "inputTokens": counts.get("input"),
                "outputTokens": counts.get("output"),
                "cacheReadInputTokens": counts.get("cacheReadInputTokens"),
                "cacheCreationInputTokens": counts.get("cacheCreationInputTokens"),
            }
            try:
                request = self._request(name, as_time(event.get("timestamp")), usage)
            except Unreadable as reason:
                self._skip(str(reason))
                continue
            if request is not None and request.key not in self.requests:
                self.requests[request.key] = request
                session.flags.append(REMOVED_MESSAGES if kind == _INFERENCE else SIDE_CALLS)

    def _is_told_elsewhere(self, event: dict[str, Any]) -> bool:
        """Whether a subagent that the event sums up has a thread of its own."""
        subagent = as_word(event.get("subagentThreadID"))
        return subagent is not None and bool(self._beside.thread(subagent).get("messages"))

    def _request(
        self, name: str, at: int | None, usage: dict[str, Any], *, copied: bool = False
    ) -> Request | None:
        kinds = ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
        given, output, read, written = (as_tokens(usage.get(kind)) for kind in kinds)
        total = as_tokens(usage.get("totalInputTokens"))
        if not (given or output or read or written):
            return None
        session = self._session
        adds_up = total in (0, given + read + written)
        if not adds_up:
            session.flags.append(TOTAL_MISMATCH)
        model = as_word(usage.get("model"))
        if model is None:
            session.flags.append(MISSING_MODEL)
        elif "claude" not in model:
            given, written = given + written, 0
        self._state.usage_records += 1
        rank = 2 if copied else 1 if session.parent_key else 0
        return Request(
            key=f"{AGENT}:{name}",
            session_key=session.key,
            owner_rank=owner_rank(rank, session.started_at, session.key),
            at=at or session.started_at,
            model=model,
            input_tokens=given,
            output_tokens=output,
            cache_read_tokens=read,
            cache_write_5m_tokens=written,
            # Its own total is of the prompt only.
            provider_total=None if adds_up else total + output,
        )

    def _skip(self, reason: str) -> None:
        self._state.skipped[reason] = self._state.skipped.get(reason, 0) + 1
