"""What goes into the store in one piece, and the rows that come out of it."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from lib.model import DaemonRow, Event, Evidence, FileState, Request, Session, Skip, SourceRow

QUARTER_HOUR = 15 * 60 * 1000
"""Usage is summed by quarter hours: every time zone's midnight is the start of one."""


class Batch(msgspec.Struct):
    """Facts to be written together, or not at all."""

    files: list[FileState] = []
    sessions: list[Session] = []
    requests: list[Request] = []
    evidence: list[Evidence] = []
    events: list[Event] = []


class SessionRow(Session, kw_only=True):
    """A session as stored."""

    version: int
    dismissed_at: int | None = None


class FactStore(Protocol):
    """What a scan needs of a store. Every method raises StoreError when the store fails."""

    def file_states(self, machine: str) -> dict[str, FileState]:
        """How far each file of one machine was read, by path."""
        ...

    def sessions(self) -> list[SessionRow]:
        """All sessions."""
        ...

    def evidence(self) -> list[Evidence]:
        """Every source's newest claim on a session."""
        ...

    def write(self, batch: Batch) -> bool:
        """Write all of `batch` in one transaction; return whether anything was new."""
        ...

    def save_daemon(self, row: DaemonRow) -> None:
        """Replace what the machine's daemon says of itself."""
        ...

    def save_sources(self, rows: Sequence[SourceRow]) -> None:
        """Replace the sources of the machines that `rows` name; `rows` are all of theirs."""
        ...


class Usage(NamedTuple):
    """The sums over the model calls of one session that agree in everything a price depends on."""

    session_key: str
    model: str | None
    quarter_hour: int | None
    """The calls' time in whole `QUARTER_HOUR`s since the epoch; None where it is unknown."""
    band: int
    """How many of the thresholds the call's own prompt exceeded, cached tokens included."""
    service_tier: str | None
    speed: str | None
    region: str | None
    is_reported: bool
    """Whether the agent itself says what the calls have cost."""
    has_searches: bool
    """Whether each of the calls searched the web: some models have no known price for that."""
    attribution: str | None
    """What made the agent ask; see `lib.model.Request`."""
    requests: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    reasoning_tokens: int
    web_search_requests: int
    mismatched_requests: int
    """Calls whose parts are not the provider's own total."""
    reported_cost_usd: float
    """What it says, 0 where it does not."""


class FileRow(NamedTuple):
    """How the reading of one file went."""

    path: str
    agent: str
    machine: str
    session_key: str | None
    size: int
    mtime_ns: int
    offset: int
    records: int
    usage_records: int
    repeated_records: int
    unknown: dict[str, int]
    skipped: dict[str, int]
    skips: list[Skip]
    error: str | None
    gone: bool


class Counts(NamedTuple):
    """What became of the records of all files."""

    records: int
    usage_records: int
    """Records that carried a model call's usage, copies included."""
    repeated_records: int
    """Of those, records that repeat the call of the usage record before them in the same file."""
    requests: int
    """Model calls, each once."""
    skipped: dict[str, int]
    """Unreadable records by reason."""

    @property
    def duplicates(self) -> dict[str, int]:
        """Usage records that are not counted, by reason."""
        return {
            "repeated_record": self.repeated_records,
            "copied_call": max(0, self.usage_records - self.repeated_records - self.requests),
        }
