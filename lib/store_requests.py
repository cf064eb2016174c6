"""The model calls in the store, each by itself: for analysis, not for the pages."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Engine, case, literal, select

from lib.store_engine import reading
from lib.store_schema import request, session

_KEYS_AT_ONCE = 500
"""Databases take so many values in one statement, and not many more."""
_ROWS_AT_ONCE = 20_000


class RequestRow(NamedTuple):
    """One model call, with what its price depends on."""

    key: str
    session_key: str
    agent: str
    machine: str
    at: int | None
    """Milliseconds since the epoch, UTC; None where the record told no time."""
    model: str | None
    band: int
    """How many of the thresholds its prompt exceeds, cached tokens included."""
    service_tier: str | None
    speed: str | None
    region: str | None
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    reasoning_tokens: int
    web_search_requests: int
    reported_cost_usd: float | None
    attribution: str | None
    provider_total: int | None


class RequestFilter(NamedTuple):
    """Which calls are wanted. What is None leaves all."""

    sessions: Collection[str] | None = None
    """Keys of sessions."""
    since: int | None = None
    """The first moment, in milliseconds; calls without a time are then left out."""
    until: int | None = None
    """The moment after the last."""


class Requests:
    """All model calls of one store. Threads may share it."""

    def __init__(self, engine: Engine):
        self._engine = engine

    def read(
        self, wanted: RequestFilter, thresholds: Sequence[int] = ()
    ) -> Iterator[list[RequestRow]]:
        """The calls of known sessions in no order, some thousands at a time. Raises StoreError.

        `thresholds` are prompt sizes in tokens above which a call may have another price.
        """
        names = [name for name in RequestRow._fields if name not in ("agent", "machine", "band")]
        columns: dict[str, ColumnElement[Any]] = {name: request.c[name] for name in names}
        columns |= {"agent": session.c.agent, "machine": session.c.machine}
        columns["band"] = band(thresholds).label("band")
        statement = (
            select(*(columns[name] for name in RequestRow._fields))
            .join_from(request, session, session.c.key == request.c.session_key)
            .where(*_times(wanted))
        )
        with reading(self._engine) as connection:
            for some in _parts(wanted.sessions):
                rows = connection.execute(
                    statement.where(*some).execution_options(stream_results=True)
                )
                for part in rows.partitions(_ROWS_AT_ONCE):
                    yield list(map(RequestRow._make, part))


def band(thresholds: Sequence[int]) -> ColumnElement[int]:
    """How many of `thresholds` a call's own prompt exceeds, cached tokens included."""
    call = request.c
    prompt = (
        call.input_tokens
        + call.cache_read_tokens
        + call.cache_write_5m_tokens
        + call.cache_write_1h_tokens
    )
    bands = [(prompt > threshold, number) for number, threshold in enumerate(sorted(thresholds), 1)]
    return case(*reversed(bands), else_=0) if bands else literal(0)


def _times(wanted: RequestFilter) -> list[ColumnElement[bool]]:
    limits: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        limits.append(request.c.at >= wanted.since)
    if wanted.until is not None:
        limits.append(request.c.at < wanted.until)
    return limits


def _parts(keys: Collection[str] | None) -> Iterator[list[Any]]:
    if keys is None:
        yield []
        return
    distinct = sorted(set(keys))
    for start in range(0, len(distinct), _KEYS_AT_ONCE):
        yield [request.c.session_key.in_(distinct[start : start + _KEYS_AT_ONCE])]
