"""The board as plain data: sections of cards in their order, the strip, and the header's totals."""

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

import pandas as pd

from lib.cards import Card, View, card, look, money, title
from lib.figures import Figures
from lib.per_frame import once_per_frame

Sort = Literal["default", "duration", "attention", "newest", "cost"]

FIRST_SHOWN = 60
"""Cards of a section before *Show more*, and how many more that brings."""
_ORDERED_BY = [
    "key",
    "section",
    "status",
    "started_at",
    "ended_at",
    "last_activity_at",
    "since",
    "duration_ms",
    "cost_usd",
    "subagent_cost_usd",
]
_TOLD_OF_WAITING = ["short_id", "title", "first_prompt", "activity", "turn", "resets_at"]
_ATTENTION = {"waiting": 0, "failed": 1, "rate-limited": 2, "running": 3, "paused": 3, "idle": 4}


class Section(TypedDict):
    """A group of cards. `total` counts the ones that are not shown, too."""

    name: str
    title: str
    empty: str
    total: int
    more: int
    cards: list[Card]


class Total(TypedDict):
    """One figure of the header."""

    name: str
    value: str
    note: str


class Waiting(TypedDict):
    """A session that waits for the user, as the strip names it."""

    id: str
    short: str
    title: str
    words: str


SECTIONS: dict[str, tuple[str, str]] = {
    "running": ("Running", "No session is running."),
    "pending": ("Pending", "Nothing waits for its start."),
    "recent": ("Recent", "No session ended in this time."),
    "older": ("Older", ""),
}
"""Title of each section, and what stands there when it holds nothing (nothing: it is left out)."""


def ordered(rows: pd.DataFrame, section: str, sort: Sort) -> pd.DataFrame:
    """`rows` of one section in the order of `sort`; ties by key, so that cards don't swap."""
    if sort == "default":
        sort = "duration" if section == "running" else "newest"
        if section == "pending":
            return rows.sort_values(["started_at", "key"], na_position="last")
    if sort == "duration":
        if section in ("running", "pending"):
            return rows.sort_values(["started_at", "key"], na_position="last")
        return rows.sort_values(["duration_ms", "key"], ascending=[False, True])
    if sort == "cost":
        whole = rows["cost_usd"].add(rows["subagent_cost_usd"], fill_value=0)
        known = rows.assign(whole=whole)
        return known.sort_values(["whole", "key"], ascending=[False, True], na_position="last")
    if sort == "attention":
        tiers = rows.assign(tier=rows["status"].map(_ATTENTION).fillna(5))
        ignored = tiers["since"].fillna(tiers["last_activity_at"])
        return tiers.assign(ignored=ignored).sort_values(["tier", "ignored", "key"])
    newest = rows["started_at"]
    if section in ("recent", "older"):
        newest = rows["ended_at"].fillna(rows["last_activity_at"])
    return rows.assign(newest=newest).sort_values(["newest", "key"], ascending=[False, True])


def sections(
    rows: pd.DataFrame, sort: Sort, view: View, limits: Mapping[str, int] | None = None
) -> list[Section]:
    """The board's sections of already filtered top-level `rows`.

    Running, Pending and Recent are always there; Older only when it holds something.
    Of each, the first `limits` (else 60) cards, and every further one that waits for the user.
    """
    several_machines = rows.loc[~rows["sample"].astype(bool), "machine"].nunique() > 1
    # Only some of the many columns, and all cards' rows at once: each taking is slow.
    slim = rows[_ORDERED_BY]
    found: list[Section] = []
    shown: dict[str, list[Any]] = {}
    for name, (heading, empty) in SECTIONS.items():
        members = slim[slim["section"] == name]
        if members.empty and not empty:
            continue
        in_order = ordered(members, name, sort)
        limit = (limits or {}).get(name, FIRST_SHOWN)
        is_shown = (in_order["status"] == "waiting").to_numpy(dtype=bool, copy=True)
        is_shown[:limit] = True
        shown[name] = list(in_order.index[is_shown])
        found.append(
            Section(
                name=name,
                title=heading,
                empty=empty,
                total=len(members),
                more=len(members) - len(shown[name]),
                cards=[],
            )
        )
    records = iter(
        rows.loc[[one for labels in shown.values() for one in labels]].to_dict("records")
    )
    for section in found:
        section["cards"] = [
            card(next(records), view, machine=several_machines) for _ in shown[section["name"]]
        ]
    return found


def waiting(rows: pd.DataFrame, view: View) -> list[Waiting]:
    """The sessions that wait for the user, the longest-ignored first."""
    waits = rows.loc[rows["status"] == "waiting", [*_ORDERED_BY, *_TOLD_OF_WAITING]]
    held = ordered(waits, "running", "attention")
    return [
        Waiting(
            id=str(row["key"]),
            short=str(row["short_id"]),
            title=title(row),
            words=look(row, view).words,
        )
        for row in held.to_dict("records")
    ]


def totals(rows: pd.DataFrame, today: Figures) -> list[Total]:
    """The header's figures, of all top-level sessions but samples, whatever the filters.

    `today`: all calls of the day in the viewer's time zone.
    """
    rows = rows[~rows["sample"].astype(bool)]
    status = rows["status"]
    failed = (status == "failed") & (rows["section"] == "recent") & rows["dismissed_at"].isna()
    cost, unpriced = today.known_cost_usd, today.unpriced_requests
    return [
        Total(name="Running", value=_count(status == "running"), note=""),
        Total(name="Waiting", value=_count(status == "waiting"), note=""),
        Total(name="Failed in 24 h", value=_count(failed), note=""),
        Total(name="Tokens today", value=f"{today.total_tokens:,}", note=""),
        Total(
            name="Cost today",
            value="unpriced" if cost is None else money(cost),
            note=f"{unpriced:,} call{'' if unpriced == 1 else 's'} unpriced" if unpriced else "",
        ),
    ]


def _count(mask: "pd.Series[bool]") -> str:
    return f"{int(mask.sum()):,}"


@once_per_frame
def top_level(frame: pd.DataFrame) -> pd.DataFrame:
    """Only the rows that get a card: sessions, not their subagents. Shared as the frame is."""
    return frame[frame["parent_key"].isna()]


@once_per_frame
def running_count(frame: pd.DataFrame) -> int:
    """How many top-level sessions are running, samples left out, for the navigation's badge."""
    top = top_level(frame)
    return int(((top["status"] == "running") & ~top["sample"].astype(bool)).sum())
