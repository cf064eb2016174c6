"""What agents do with their tools: which are called, which fail, which fill the context.

Every frame counts a call once, however many transcripts hold a copy of it. Frames are kept while
nothing new is known of any transcript; they are shared: don't write into them, take a copy.
"""

import threading
from collections.abc import Callable, Collection
from typing import NamedTuple
from weakref import WeakKeyDictionary

import pandas as pd

from lib.ledger import Period
from lib.model_analysis import Analysis
from lib.store import Store
from lib.store_tools import CallFilter, ExitStatus

_MOST_KEPT = 64
_COUNTS = ["calls", "failed", "denied", "unknown", "pending", "result_characters"]


class Wanted(NamedTuple):
    """Which tool calls are wanted. What is None leaves all."""

    period: Period = Period(None, None)
    """When they were made; calls without a time are in no period but the whole."""
    keys: frozenset[str] | None = None
    """Keys of sessions and subagents: see `keys_of`."""
    models: frozenset[str] | None = None


EVERYTHING = Wanted()


class Trouble(NamedTuple):
    """What model calls that were tried again and limits have cost."""

    sessions: int
    """Sessions and subagents with any of it."""
    api_retries: int
    api_retry_ms: int
    """As far as the records tell."""
    rate_limits: int
    """Model calls that were refused because of a limit."""


def keys_of(
    sessions: pd.DataFrame,
    *,
    projects: Collection[str] | None = None,
    agents: Collection[str] | None = None,
) -> frozenset[str]:
    """Keys of the rows of a sessions frame that are of these projects and agents (as in the
    columns `project` and `agent`), with their subagents.
    """
    chosen = sessions
    for column, values in (("project", projects), ("agent", agents)):
        if values is not None:
            chosen = chosen[chosen[column].isin(list(values))]
    keys: set[str] = set()
    found = set(chosen["key"])
    while found - keys:
        keys |= found
        found = set(sessions.loc[sessions["parent_key"].isin(found), "key"])
    return frozenset(keys)


def by_tool(store: Store, wanted: Wanted = EVERYTHING) -> pd.DataFrame:
    """One row a tool, the one with the most calls first.

    `tool`, `mcp_server` (None where it is the agent's own), `calls`; of these `failed`, `denied`,
    `unknown` (the records don't tell) and `pending` (no result yet); `failed_share` of those that
    are known to have failed or not (0 to 1, NaN without any); `median_ms`, `p90_ms` (NaN where
    unknown); `result_characters`, `characters_share` (of those of all tools, NaN without any);
    `exit_statuses`: a list of pairs of a status other than 0 and how often, the most first.
    Raises StoreError.
    """
    return _kept(store, ("by_tool", wanted), lambda: _by_tool(store, wanted))


def by_server(store: Store, wanted: Wanted = EVERYTHING) -> pd.DataFrame:
    """One row an MCP server, the one with the most calls first: `mcp_server`, `tools` (a list of
    names), and the counts and shares of `by_tool`; `characters_share` of those of all tools.
    Raises StoreError.
    """
    return _kept(store, ("by_server", wanted), lambda: _by_server(by_tool(store, wanted)))


def transcripts(store: Store, keys: frozenset[str] | None = None) -> pd.DataFrame:
    """One row for each session whose transcript was read: `key`, `most_repeated_tool`,
    `most_repeats` (how often it made the same call in a row, at most), `repeats`, `error_streak`
    (at its end), `api_retries`, `api_retry_ms`, `rate_limits`, `complete`, `problem` (why it
    can't be read). `keys`: of these sessions only. Raises StoreError.
    """
    frame = _kept(store, ("transcripts", None), lambda: _transcripts(store.analyses.since()))
    return frame if keys is None else frame[frame["key"].isin(keys)]


def repeating(store: Store, least: int, keys: frozenset[str] | None = None) -> pd.DataFrame:
    """The rows of `transcripts` of sessions that made the same call at least `least` times in a
    row, the longest row first.
    """
    frame = transcripts(store, keys)
    frame = frame[frame["most_repeats"] >= least]
    return frame.sort_values(["most_repeats", "key"], ascending=[False, True])


def trouble(store: Store, keys: frozenset[str] | None = None) -> Trouble:
    """API retries, what they cost in time, and rate limits, of all sessions or of some."""
    frame = transcripts(store, keys)
    return Trouble(
        sessions=int((frame[["api_retries", "rate_limits"]].sum(axis=1) > 0).sum()),
        api_retries=int(frame["api_retries"].sum()),
        api_retry_ms=int(frame["api_retry_ms"].sum()),
        rate_limits=int(frame["rate_limits"].sum()),
    )


def _by_tool(store: Store, wanted: Wanted) -> pd.DataFrame:
    which = CallFilter(
        _moment(wanted.period.start), _moment(wanted.period.end), wanted.models, wanted.keys
    )
    sums = store.tool_calls.sums(which)
    frame = pd.DataFrame(sums, columns=_TOOL_COLUMNS)
    for name in ("median_ms", "p90_ms"):
        frame[name] = frame[name].astype("float64")
    statuses: dict[tuple[str, str | None], list[tuple[int, int]]] = {}
    for one in sorted(store.tool_calls.exit_statuses(which), key=_most_first):
        pairs = statuses.setdefault((one.tool, one.mcp_server), [])
        pairs.append((one.exit_status, one.calls))
    pairs_of = [statuses.get((one.tool, one.mcp_server), []) for one in sums]
    frame["exit_statuses"] = pd.Series(pairs_of, index=frame.index, dtype="object")
    return _in_order(_with_shares(frame, int(frame["result_characters"].sum())), "tool")


def _by_server(tools: pd.DataFrame) -> pd.DataFrame:
    served = tools[tools["mcp_server"].notna()]
    groups = served.groupby("mcp_server", sort=True)
    frame = groups[_COUNTS].sum().reset_index()
    names = groups["tool"].agg(list)
    frame["tools"] = frame["mcp_server"].map(names)
    whole = int(tools["result_characters"].sum())
    return _in_order(_with_shares(frame, whole), "mcp_server")


def _transcripts(found: list[Analysis]) -> pd.DataFrame:
    rows = [(one.session_key, *(getattr(one, name) for name in _FACTS)) for one in found]
    return pd.DataFrame(rows, columns=["key", *_FACTS])


def _with_shares(frame: pd.DataFrame, characters: int) -> pd.DataFrame:
    known = frame["calls"] - frame["denied"] - frame["unknown"] - frame["pending"]
    frame["failed_share"] = frame["failed"] / known.where(known > 0)
    frame["characters_share"] = frame["result_characters"] / (characters or float("nan"))
    return frame


def _in_order(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    order = frame.sort_values(["calls", name], ascending=[False, True], kind="stable")
    return order.reset_index(drop=True)


def _most_first(one: ExitStatus) -> tuple[int, int]:
    return -one.calls, one.exit_status


def _moment(at: pd.Timestamp | None) -> int | None:
    return None if at is None else int(at.timestamp() * 1000)


_TOOL_COLUMNS = ["tool", "mcp_server", *_COUNTS, "median_ms", "p90_ms"]
_FACTS = [
    "most_repeated_tool",
    "most_repeats",
    "repeats",
    "error_streak",
    "api_retries",
    "api_retry_ms",
    "rate_limits",
    "complete",
    "problem",
]


class _Kept(NamedTuple):
    version: int
    frames: dict[tuple[str, Wanted | None], pd.DataFrame]


_frames: WeakKeyDictionary[Store, _Kept] = WeakKeyDictionary()
_lock = threading.Lock()


def _kept(
    store: Store, name: tuple[str, Wanted | None], make: Callable[[], pd.DataFrame]
) -> pd.DataFrame:
    """A frame as it was made before, while no transcript was read anew since."""
    version = store.analyses.version()
    with _lock:
        kept = _frames.get(store)
        if kept is None or kept.version != version:
            kept = _frames[store] = _Kept(version, {})
        known = kept.frames.get(name)
    if known is None:
        known = make()
        with _lock:
            if len(kept.frames) >= _MOST_KEPT:
                del kept.frames[next(iter(kept.frames))]
            kept.frames[name] = known
    return known
