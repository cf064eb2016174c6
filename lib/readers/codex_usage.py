"""Codex's token counts as model calls, each with an identity that all its copies share.

CLI 0.169 writes a `token_usage_record` with the response's id for every call. Before it there
are only `token_count` events with the totals so far: a call is the difference of two of them.

Forks and subagents of such versions begin with a copy of their parent's records under new
timestamps. A copied call is known again by the turn it was made in (turn ids are UUIDs and
copied with the rest) and by a hash over the totals of the turn so far. Versions without turn
ids are known by the oldest ancestor whose `session_meta` the copy begins with, else by the
thread that the file says it was forked from, and by the totals of the whole file so far, so
that two sessions of equal numbers stay two.
"""

import re
from hashlib import blake2b

import msgspec

from lib.model import SUBSCRIPTION, FileState, Request
from lib.readers.codex_records import CallUsage, Payload, RateLimits, TokenCount, Usage, identifier
from lib.readers.values import as_count, as_time, as_word

TOTAL_MISMATCH = "total_mismatch"
MISSING_MODEL = "missing_model"
UNKNOWN_START = "unknown_start"

_TURN_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

_NUMBERS = (int, float)

Vector = tuple[int, int, int, int, int, int]
"""Input with all that is cached, cached, written to the cache, output, reasoning, and the
provider's own total of input and output."""
KINDS = 5
"""So many of them are tokens of a kind."""


class Counting(msgspec.Struct, omit_defaults=True):
    """How far a file's calls are counted. Part of what is kept between two readings."""

    family: str = ""
    """The thread whose calls a copied history holds, for versions without turn ids."""
    turn_id: str | None = None
    continues: bool = False
    """The totals go on from another thread's that are not in this file."""
    forked: bool = False
    by_response: bool = False
    """Calls have ids of their own in this file; its totals then count nothing."""
    previous: Vector | None = None
    chain: bytes = b""
    last_key: str | None = None
    flags: set[str] = set()
    context_tokens: int | None = None
    context_window: int | None = None
    resets_at: int | None = None
    service_tier: str | None = None
    """What the thread was last set to; records of single calls do not say it."""


class Ledger:
    """Turns usage records into requests, given whose they are."""

    def __init__(self, counting: Counting, file: FileState) -> None:
        self.counting = counting
        self._file = file
        self.requests: list[Request] = []
        self.session_key = ""
        self.rank = ""
        self.rank_of_copies = ""
        """For calls that a record itself says were made by another thread."""

    def begin_turn(self, turn_id: str | None) -> None:
        """Calls from here on belong to this turn, if the version gives turns ids."""
        counting = self.counting
        if turn_id is None or turn_id == counting.turn_id or not _TURN_ID.fullmatch(turn_id):
            return
        counting.turn_id, counting.chain = turn_id, b""

    def use_tier(self, tier: str | None) -> None:
        """Calls from here on ask for this service tier; `fast` is the CLI's word for `priority`
        (codex-rs/protocol/src/config_types.rs).
        """
        self.counting.service_tier = "priority" if tier == "fast" else as_word(tier)

    def record(
        self, payload: CallUsage | Payload, timestamp: object, model: str | None, thread: str
    ) -> bool:
        """A `token_usage_record`. Answers whether it is a call."""
        if payload.usage is None:
            return False
        usage = _vector(payload.usage)
        total = None if payload.thread_token_usage is None else _vector(payload.thread_token_usage)
        response = identifier(payload.response_id)
        if response is None:
            return self._difference(total, usage, timestamp, model)
        counting = self.counting
        counting.by_response = True
        counting.previous = total or counting.previous
        counting.context_tokens = usage[0] + usage[3]
        copied = payload.thread_id is not None and payload.thread_id != thread
        return self._add(f"codex:{response}", usage, timestamp, model, copied=copied)

    def token_count(
        self, payload: TokenCount | Payload, timestamp: object, model: str | None
    ) -> bool:
        """A `token_count` event. Answers whether it is a call."""
        self._limits(payload.rate_limits, timestamp)
        info = payload.info
        if info is None:
            return False
        total, last = info.total_token_usage, info.last_token_usage
        counting = self.counting
        counting.context_window = as_count(info.model_context_window) or counting.context_window
        if last is not None:
            counting.context_tokens = last.input_tokens + last.output_tokens
        if counting.by_response:
            self._count(repeated=True)
            return False
        total_vector = None if total is None else _vector(total)
        last_vector = None if last is None else _vector(last)
        return self._difference(total_vector, last_vector, timestamp, model)

    def _difference(
        self, total: Vector | None, last: Vector | None, timestamp: object, model: str | None
    ) -> bool:
        """A call by what was added to the total; by `last` where the total can't say it."""
        if total is None and last is None:
            return False
        call = self._call(total, last)
        counting = self.counting
        counting.previous = total or counting.previous
        if call is None or not any(call[:KINDS]):
            self._count(repeated=True)
            return False
        said = repr((total and total[:KINDS], last and last[:KINDS]))
        counting.chain = blake2b(said.encode(), key=counting.chain, digest_size=12).digest()
        scope = counting.turn_id or counting.family
        return self._add(f"codex:{scope}:{counting.chain.hex()}", call, timestamp, model)

    def _call(self, total: Vector | None, last: Vector | None) -> Vector | None:
        if total is None:
            return last
        counting = self.counting
        if counting.previous is None:
            if counting.continues and last is None:
                counting.flags.add(UNKNOWN_START)
                return None
            return last if (counting.continues or counting.forked) and last else total
        before = counting.previous
        added = (
            total[0] - before[0],
            total[1] - before[1],
            total[2] - before[2],
            total[3] - before[3],
            total[4] - before[4],
            total[5] - before[5],
        )
        return (last or total) if min(added[:KINDS]) < 0 else added

    def _add(
        self, key: str, call: Vector, timestamp: object, model: str | None, *, copied: bool = False
    ) -> bool:
        counting = self.counting
        repeated = key == counting.last_key
        self._count(repeated=repeated)
        if repeated:
            return False
        counting.last_key = key
        if model is None:
            counting.flags.add(MISSING_MODEL)
        given, cached, written, output, reasoning, stated = call
        adds_up = cached + written <= given and stated == given + output
        if not adds_up or reasoning > output:
            counting.flags.add(TOTAL_MISMATCH)
        self.requests.append(
            Request(
                key=key,
                session_key=self.session_key,
                owner_rank=self.rank_of_copies if copied else self.rank,
                at=as_time(timestamp),
                model=model,
                input_tokens=max(0, given - cached - written),
                output_tokens=output,
                cache_read_tokens=cached,
                cache_write_5m_tokens=written,
                reasoning_tokens=reasoning,
                service_tier=counting.service_tier,
                provider_total=None if adds_up else stated,
            )
        )
        return True

    def _count(self, *, repeated: bool) -> None:
        self._file.usage_records += 1
        self._file.repeated_records += repeated

    def _limits(self, limits: RateLimits | None, timestamp: object) -> None:
        if limits is None:
            return
        ends: list[int] = []
        known = False
        for limit in (limits.primary, limits.secondary):
            if limit is None or not isinstance(limit.used_percent, _NUMBERS):
                continue
            known = True
            if limit.used_percent < 100:
                continue
            seconds = as_count(limit.resets_in_seconds)
            end = as_time(limit.resets_at)
            if end is None and seconds is not None and (at := as_time(timestamp)) is not None:
                end = as_time(at + seconds * 1000)
            if end is not None:
                ends.append(end)
        if known:
            self.counting.flags.add(SUBSCRIPTION)
            self.counting.resets_at = max(ends) if ends else None


def _vector(usage: Usage) -> Vector:
    given, output = usage.input_tokens, usage.output_tokens
    return (
        given,
        usage.cached_input_tokens,
        usage.cache_write_input_tokens,
        output,
        usage.reasoning_output_tokens,
        usage.total_tokens or given + output,
    )
