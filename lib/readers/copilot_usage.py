"""Copilot's token counts as model calls.

CLI 1.0.102 writes a `session.usage_record` for every call, subagents' too. Before it there are
only the totals in `session.shutdown`: per model, for the whole session (or, where
`sessionStartTime` differs from the one before, for what was done since the session was opened
again). Totals are counted only for what no usage record covers; else they are compared with
the sum of the records. `inputTokens` includes everything cached, `outputTokens` the reasoning.
"""

from typing import Any

import msgspec

from lib.model import FileState, Request
from lib.readers.values import as_count, as_money, as_object, as_time, as_tokens, as_word

AGGREGATE = "aggregate"
MISSING_MODEL = "missing_model"
NOT_YET_TOLD = "tokens_told_at_end"
TOTAL_MISMATCH = "total_mismatch"

_AGENT = "copilot"

Vector = tuple[int, int, int, int, int]
"""Input with all that is cached, output, read from the cache, written to it, reasoning."""
_NAMES = ("inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens", "reasoningTokens")
_NANO_CREDITS_PER_DOLLAR = 10**11
_NOTHING: Vector = (0, 0, 0, 0, 0)


class Counting(msgspec.Struct, omit_defaults=True):
    """How far a file's calls are counted. Part of what is kept between two readings."""

    by_record: bool = False
    """Usage records were seen; totals then count nothing."""
    recorded: Vector = _NOTHING
    """The sum of all usage records."""
    last_call: str | None = None
    before: dict[str, Vector] = {}
    """By model, what processes used that opened the session earlier and counted from zero."""
    totals: dict[str, Vector] = {}
    """By model, the newest totals."""
    totals_began: int | None = None
    untold: bool = False
    """Answers came since the newest totals."""
    totals_differ: bool = False
    """The newest totals are not the sum of the usage records."""
    flags: set[str] = set()


class Ledger:
    """Turns usage records and totals into requests."""

    def __init__(self, counting: Counting, file: FileState) -> None:
        self._counting = counting
        self._file = file
        self.requests: dict[str, Request] = {}

    def record(
        self, usage: dict[str, Any], fallback_id: object, at: int | None, owner: tuple[str, str]
    ) -> Vector | None:
        """A `session.usage_record`, of the session with this key and this owner's rank.

        Answers what was used, None where the record only repeats the one before it. Raises
        Unreadable when a count is impossible.
        """
        vector = _vector(usage)
        model = as_word(usage.get("model"))
        key = f"{_AGENT}:{_identity(usage) or as_word(fallback_id) or self._place(at, vector)}"
        counting = self._counting
        counting.by_record = True
        repeated = key == counting.last_call
        self._file.usage_records += 1
        self._file.repeated_records += repeated
        counting.last_call = key
        if not repeated:
            counting.recorded = _sum(counting.recorded, vector)
        if model is None:
            counting.flags.add(MISSING_MODEL)
        self._add(key, owner, at, model, vector)
        return None if repeated else vector

    def answered(self) -> None:
        """A model call was made, whatever is recorded of it."""
        self._counting.untold = True

    def shutdown(self, data: dict[str, Any], at: int | None, owner: tuple[str, str]) -> None:
        """Totals in a `session.shutdown`.

        A model without any tokens was never answered by: no call. Raises Unreadable when a count
        is impossible.
        """
        snapshot = as_object(data.get("accountingSnapshot"))
        metrics = as_object(snapshot.get("modelMetrics")) or as_object(data.get("modelMetrics"))
        totals = {
            name: vector
            for model, one in metrics.items()
            if (name := as_word(model)) is not None
            and any(vector := _vector(as_object(as_object(one).get("usage"))))
        }
        counting = self._counting
        counting.untold = False
        if counting.by_record:
            self._compare(totals)
            return
        began = as_time(data.get("sessionStartTime"))
        if not self._continues(totals, began):
            for model, vector in counting.totals.items():
                counting.before[model] = _sum(counting.before.get(model, _NOTHING), vector)
        known = counting.totals.keys() | counting.before.keys()
        counting.totals, counting.totals_began = totals, began
        session_key, _ = owner
        for model, vector in totals.items():
            counting.flags.add(AGGREGATE)
            self._file.usage_records += 1
            self._file.repeated_records += model in known
            whole = _sum(counting.before.get(model, _NOTHING), vector)
            self._add(f"{session_key}:{model}", owner, at, model, whole)

    def flags(self) -> set[str]:
        """What can be said against the figures of this file."""
        counting = self._counting
        flags = set(counting.flags)
        if counting.untold and not counting.by_record:
            flags.add(NOT_YET_TOLD)
        if counting.totals_differ:
            flags.add(TOTAL_MISMATCH)
        return flags

    def _continues(self, totals: dict[str, Vector], began: int | None) -> bool:
        """Whether these totals include the ones before them."""
        before = self._counting
        if began is not None and before.totals_began is not None:
            return began == before.totals_began
        return all(
            min(new - old for new, old in zip(totals.get(model, _NOTHING), vector, strict=True))
            >= 0
            for model, vector in before.totals.items()
        )

    def _compare(self, totals: dict[str, Vector]) -> None:
        counting = self._counting
        if counting.totals:
            return
        whole = _NOTHING
        for vector in totals.values():
            whole = _sum(whole, vector)
        counting.totals_differ = whole != counting.recorded

    def _place(self, at: int | None, vector: Vector) -> str:
        return f"{self._file.session_key}:{self._file.line}:{at}:{vector}"

    def _add(
        self, key: str, owner: tuple[str, str], at: int | None, model: str | None, vector: Vector
    ) -> None:
        given, output, read, written, reasoning = vector
        whole = read + written <= given
        if not whole or reasoning > output:
            self._counting.flags.add(TOTAL_MISMATCH)
        session_key, rank = owner
        self.requests[key] = Request(
            key=key,
            session_key=session_key,
            owner_rank=rank,
            at=at,
            model=model,
            input_tokens=max(0, given - read - written),
            output_tokens=output,
            cache_read_tokens=read,
            cache_write_5m_tokens=written,
            reasoning_tokens=min(reasoning, output),
            provider_total=None if whole else given + output,
        )


def cost_usd(shutdown: dict[str, Any]) -> float | None:
    """What a `session.shutdown` says that the session has cost, resumed ones included.

    `totalNanoAiu` are billionths of an AI credit, of which 100 are a dollar (agentsview, for
    sessions since June 2026).
    """
    units = as_money(shutdown.get("totalNanoAiu"))
    return None if units is None else units / _NANO_CREDITS_PER_DOLLAR


def _identity(usage: dict[str, Any]) -> str | None:
    """The call's own id, which all its copies share."""
    accounting = as_object(usage.get("accounting"))
    own = as_word(usage.get("apiCallId")) or as_word(accounting.get("usageId"))
    if own is not None:
        return own
    source, number = (
        as_word(accounting.get("sourceSessionId")),
        as_count(accounting.get("sequence")),
    )
    return None if source is None or number is None else f"{source}:{number}"


def _vector(usage: dict[str, Any]) -> Vector:
    given, output, read, written, reasoning = (as_tokens(usage.get(name)) for name in _NAMES)
    return given, output, read, written, reasoning


def _sum(one: Vector, other: Vector) -> Vector:
    given, output, read, written, reasoning = (a + b for a, b in zip(one, other, strict=True))
    return given, output, read, written, reasoning
