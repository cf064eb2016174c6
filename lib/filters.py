"""Which sessions the board shows: the filters, what they leave, their counts, and their link.

A filter over values keeps a session that has one of them; several filters must all agree.
Query parameters select and never act: what they name that does not exist is reported back.
"""

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Literal, NamedTuple, get_args

import pandas as pd
from pydantic import BaseModel, ConfigDict

from lib.cards import LOOKS
from lib.health import CONCERNS
from lib.sections import Sort, top_level

Range = Literal["1h", "24h", "7d", "30d", "all"]
Facet = Literal["project", "tool", "status", "look", "error", "model", "branch"]

NONE = "(none)"
"""Stands for a session without a project, model, branch or error."""
FACETS: tuple[Facet, ...] = get_args(Facet)
RANGES: dict[Range, tuple[str, pd.Timedelta | None]] = {
    "1h": ("Ended in the last hour", pd.Timedelta(hours=1)),
    "24h": ("Ended in the last 24 hours", pd.Timedelta(hours=24)),
    "7d": ("Ended in the last 7 days", pd.Timedelta(days=7)),
    "30d": ("Ended in the last 30 days", pd.Timedelta(days=30)),
    "all": ("Everything", None),
}
SORTS: dict[Sort, str] = {
    "default": "Each section's own",
    "duration": "Duration, longest first",
    "attention": "Needs attention first",
    "newest": "Newest first",
    "cost": "Cost, highest first",
}
PARAMETERS = (*FACETS, "range", "q", "sort", "dismissed")
"""The names of all query parameters that belong to the filters."""
LONGEST_TEXT = 200
MOST_VALUES = 100
_COLUMNS: dict[Facet, str] = {
    "project": "project",
    "tool": "agent",
    "status": "status",
    "look": "concerns",
    "error": "error_signature",
    "branch": "branch",
    "model": "models",
}
_ALWAYS_KNOWN: dict[Facet, AbstractSet[str]] = {
    "status": LOOKS.keys(),
    "look": {*CONCERNS, NONE},
}
"""Values that a link may ask for, though no session has them at the moment."""
_SEARCHED = (
    "session_id",
    "title",
    "first_prompt",
    "last_message",
    "error_message",
    "specs",
    "project",
    "project_path",
)


class Filters(BaseModel):
    """The whole state of the filter bar. The default shows everything of now and the last 24 h."""

    model_config = ConfigDict(frozen=True)

    project: tuple[str, ...] = ()
    tool: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    look: tuple[str, ...] = ()
    """Why somebody should look at it, see `lib.health`."""
    error: tuple[str, ...] = ()
    """Signatures of errors, see `lib.failures`."""
    model: tuple[str, ...] = ()
    branch: tuple[str, ...] = ()
    range: Range = "24h"
    text: str = ""
    sort: Sort = "default"
    dismissed: bool = False

    def chosen(self, facet: Facet) -> tuple[str, ...]:
        """The values that `facet` is narrowed to; empty: all of them."""
        return getattr(self, facet)

    def narrows(self) -> bool:
        """Whether anything but the order differs from the default."""
        return self.model_copy(update={"sort": "default"}) != Filters()


def apply(frame: pd.DataFrame, filters: Filters, now: pd.Timestamp) -> pd.DataFrame:
    """The top-level sessions that `filters` leaves."""
    known = _known_of(frame)
    mask = _base(known, filters, now)
    for facet in FACETS:
        mask &= _one_of(known, facet, filters.chosen(facet))
    return known.top[mask]


def counts(frame: pd.DataFrame, filters: Filters, now: pd.Timestamp) -> dict[Facet, dict[str, int]]:
    """Per facet every value there is, with how many sessions it has under the *other* filters."""
    known = _known_of(frame)
    base = _base(known, filters, now)
    masks = {facet: _one_of(known, facet, filters.chosen(facet)) for facet in FACETS}
    found: dict[Facet, dict[str, int]] = {}
    for facet in FACETS:
        mask = base.copy()
        for other in FACETS:
            if other != facet:
                mask &= masks[other]
        column = known.values[facet]
        counted = column[mask.reindex(column.index)].value_counts()
        found[facet] = {value: int(counted.get(value, 0)) for value in column.unique()}
    return found


def values(frame: pd.DataFrame, facet: Facet) -> list[str]:
    """Every value of `facet` that some top-level session has."""
    return sorted(_known_of(frame).values[facet].unique(), key=str.lower)


def _values(top: pd.DataFrame, facet: Facet) -> pd.Series:
    """The facet's value of each session, under its row label; several where it has several."""
    column = top[_COLUMNS[facet]]
    if facet in ("model", "look"):
        column = column.explode()
    return column.astype(object).where(column.notna(), NONE).replace("", NONE)


def _base(known: "_Known", filters: Filters, now: pd.Timestamp) -> pd.Series:
    """What the range, the text and the dismissals leave."""
    top = known.top
    mask = pd.Series(True, index=top.index)
    longest = RANGES[filters.range][1]
    if longest is not None:
        ended = top["ended_at"].fillna(top["last_activity_at"])
        mask &= top["section"].isin(("running", "pending")) | (ended >= now - longest)
    if not filters.dismissed:
        mask &= top["dismissed_at"].isna()
    if words := filters.text.lower().split():
        for word in words:
            mask &= _holds(known.texts, word.lstrip("#"))
    return mask


def _holds(texts: "pd.Series[str]", word: str) -> "pd.Series[bool]":
    return pd.Series([word in text for text in texts], index=texts.index, dtype=bool)


def _text(value: object) -> str:
    if isinstance(value, list):
        return "\n".join(map(str, value))
    return value if isinstance(value, str) else ""


class _Known(NamedTuple):
    """What a frame is filtered by."""

    frame: "weakref.ref[pd.DataFrame]"
    top: pd.DataFrame
    """Its top-level sessions."""
    texts: "pd.Series[str]"
    """What is searched of each, in lower case."""
    values: Mapping[Facet, pd.Series]


def _known_of(frame: pd.DataFrame) -> _Known:
    global _newest  # noqa: PLW0603 - one frame is shared by all viewers until it moves
    known = _newest
    if known is None or known.frame() is not frame:
        top = top_level(frame)
        rows = zip(*(top[column] for column in _SEARCHED), strict=True)
        texts = ["\n".join(map(_text, row)).lower() for row in rows]
        made = pd.Series(texts, index=top.index, dtype="object")
        values: dict[Facet, pd.Series] = {facet: _values(top, facet) for facet in FACETS}
        known = _newest = _Known(weakref.ref(frame), top, made, values)
    return known


_newest: _Known | None = None


def _one_of(known: _Known, facet: Facet, chosen: Sequence[str]) -> pd.Series:
    if not chosen:
        return pd.Series(True, index=known.top.index)
    found = known.values[facet].isin(chosen)
    return found if found.index.is_unique else found.groupby(level=0).any()


def to_query(filters: Filters) -> dict[str, list[str]]:
    """The query parameters of a link to this view. Defaults are left out."""
    query: dict[str, list[str]] = {
        facet: list(filters.chosen(facet)) for facet in FACETS if filters.chosen(facet)
    }
    if filters.range != "24h":
        query["range"] = [filters.range]
    if filters.text:
        query["q"] = [filters.text]
    if filters.sort != "default":
        query["sort"] = [filters.sort]
    if filters.dismissed:
        query["dismissed"] = ["1"]
    return query


def from_query(
    query: Mapping[str, Sequence[str]], known: Mapping[Facet, Iterable[str]]
) -> tuple[Filters, list[str]]:
    """The filters a link asks for, and a note for each thing in it that does not exist.

    `known`: the values of each facet that may be chosen; a facet left out takes any value.
    """
    notes: list[str] = []
    chosen: dict[str, Any] = {}
    for facet in FACETS:
        allowed = _ALWAYS_KNOWN.get(facet) or known.get(facet)
        asked = list(dict.fromkeys(query.get(facet, ())))[:MOST_VALUES]
        accepted = asked if allowed is None else [value for value in asked if value in allowed]
        notes += [f"no {facet} “{_brief(value)}”" for value in asked if value not in accepted]
        chosen[facet] = tuple(accepted)
    _choose(query, "range", lambda value: value in RANGES, chosen, notes)
    _choose(query, "sort", lambda value: value in SORTS, chosen, notes)
    _choose(query, "dismissed", lambda value: value in ("0", "1"), chosen, notes)
    if "dismissed" in chosen:
        chosen["dismissed"] = chosen["dismissed"] == "1"
    if query.get("q"):
        chosen["text"] = query["q"][-1][:LONGEST_TEXT]
    return Filters(**chosen), notes


def _choose(
    query: Mapping[str, Sequence[str]],
    name: str,
    is_known: Callable[[str], bool],
    chosen: dict[str, Any],
    notes: list[str],
) -> None:
    if not query.get(name):
        return
    value = query[name][-1]
    if is_known(value):
        chosen[name] = value
    else:
        notes.append(f"no {name} “{_brief(value)}”")


def _brief(value: str) -> str:
    return value if len(value) <= 60 else f"{value[:60]}…"
