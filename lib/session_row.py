"""The row of a session: who it is, what it came to, and the frame that such rows make."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import pandas as pd

from lib import status
from lib.asked import Asked, control
from lib.doing import doing
from lib.figures import Figures, PricedUsage, compared, is_unknown, total
from lib.model import Session
from lib.names import short_id
from lib.parents import known_parent
from lib.projects import project_names
from lib.served import columns
from lib.specs import specs_of

SAMPLE_MACHINE = "sample"
UNPRICED = "unpriced"
"""Flag of a session that holds calls without a known price."""

MONEY = ["cost_usd", "subagent_cost_usd", "reported_cost_usd", "compared_cost_usd"]
AMOUNTS = ["progress", "context_share", "duration_ms", *MONEY]
TIMES = [
    "started_at",
    "ended_at",
    "last_activity_at",
    "since",
    "resets_at",
    "dismissed_at",
    "last_seen_at",
]


def identity(session: Session, dismissed_at: int | None) -> dict[str, Any]:
    """The columns of who a session is. `dismissed_at` in milliseconds."""
    specs = specs_of(session)
    return {
        "key": session.key,
        "session_id": session.session_id,
        "short_id": short_id(session.session_id),
        "parent_key": session.parent_key,
        "forked_from": session.forked_from,
        "machine": session.machine,
        "source_path": session.source_path,
        "project_path": session.project_path,
        "branch": session.branch,
        "spec": specs[0] if specs else None,
        "specs": specs,
        "title": session.title or session.first_prompt,
        "first_prompt": session.first_prompt,
        "last_message": session.last_message,
        "model": session.model,
        "server": session.server,
        "sample": session.machine == SAMPLE_MACHINE,
        "dismissed_at": dismissed_at,
    }


def numbers(session: Session, usage: list[PricedUsage], subagents: list[Figures]) -> dict[str, Any]:
    """The columns of what its calls came to: `usage` its own, `subagents` those of each."""
    own = total(group.figures for group in usage)
    below = total(subagents)
    flags = [*session.flags, UNPRICED] if own.unpriced_requests else list(session.flags)
    reported, ours = compared(session.reported_cost_usd, own, total([own, below]))
    return {
        "models": sorted({group.model for group in usage if group.model is not None}),
        "flags": flags,
        **own._asdict(),
        "reported_cost_usd": reported,
        "compared_cost_usd": ours,
        "total_tokens": own.total_tokens,
        "cost_usd": None if is_unknown(own.requests, flags) else own.known_cost_usd,
        "subagents": len(subagents),
        "subagent_tokens": below.total_tokens,
        "subagent_cost_usd": (None if is_unknown(below.requests, flags) else below.known_cost_usd),
    }


_NOBODY = Session(key="", agent="", session_id="")
_NOTHING = status.Status("unknown", "unknown", "unknown", None, "", None, None)
COLUMNS = [
    *identity(_NOBODY, None),
    *doing(_NOBODY, _NOTHING, None, 0),
    *numbers(_NOBODY, [], []),
    *control(_NOBODY, _NOTHING, Asked([]), is_silent=True),
    *columns(_NOBODY, _NOTHING, {}, None, 0),
    "all_models",
    "concerns",
    "concern_reasons",
]


def session_frame(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The frame of all rows of a store; `lib.frame.load_sessions` tells its columns."""
    frame = _typed(rows)
    return _related(frame, dict(zip(frame["key"], frame["parent_key"], strict=True)))


def updated_frame(
    before: pd.DataFrame, rows: Mapping[str, Mapping[str, Any]], moved: AbstractSet[str]
) -> pd.DataFrame:
    """The frame of `rows`, which are the ones of `before` but for those with the keys `moved`.

    In another order than a frame made anew.
    """
    if not moved:
        return before.copy(deep=False)
    news = _typed(rows[key] for key in moved)
    for column, dtype in before.dtypes[news.columns].items():
        if news[column].dtype == dtype:
            continue
        is_missing = bool(news[column].isna().all()) and dtype not in ("int64", "bool")
        takes_it = dtype == "object" or (dtype, news[column].dtype) == ("float64", "int64")
        if not (is_missing or takes_it):
            # Such values the column never held: it must not change them to make them fit.
            return session_frame(rows.values())
        news[column] = news[column].astype(dtype)
    stays = ~before["key"].isin(moved)
    frame = pd.concat([before[stays], news], ignore_index=True)
    return _related(frame, {key: row["parent_key"] for key, row in rows.items()})


def _typed(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=COLUMNS)
    for column in TIMES:
        frame[column] = pd.to_datetime(frame[column].astype("Float64"), unit="ms", utc=True)
    for column in AMOUNTS:
        frame[column] = frame[column].astype("float64")
    frame["sample"] = frame["sample"].astype(bool)
    return frame


def _related(frame: pd.DataFrame, parents: Mapping[str, str | None]) -> pd.DataFrame:
    """With what only all sessions together tell. `parents`: what each one's files say."""
    frame["project"] = project_names(frame["project_path"])
    found = [parents[key] and known_parent(key, parents) for key in frame["key"]]
    frame["parent_key"] = pd.Series(found, index=frame.index, dtype="object")
    return frame
