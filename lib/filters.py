"""Which sessions the board shows: the filters, what they leave, their counts, and their link.

A filter over values keeps a session that has one of them; several filters must all agree.
Query parameters select and never act: what they name that does not exist is reported back.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ConfigDict

from lib.cards import LOOKS
from lib.health import CONCERNS
from lib.per_frame import once_per_frame
from lib.projects import called
from lib.sections import Sort, top_level

Mask = npt.NDArray[np.bool_]

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
    "model": "all_models",
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
    top = top_level(frame)
    left = _base(top, filters, now)
    for facet in FACETS:
        left = left & _one_of(top, facet, filters.chosen(facet))
    return top[left]


def counts(frame: pd.DataFrame, filters: Filters, now: pd.Timestamp) -> dict[Facet, dict[str, int]]:
    """Per facet every value there is, with how many sessions it has under the *other* filters."""
    top = top_level(frame)
    base = _base(top, filters, now)
    masks = {facet: _one_of(top, facet, filters.chosen(facet)) for facet in FACETS}
    found: dict[Facet, dict[str, int]] = {}
    for facet, coded in _coded(top).items():
        mask = base.copy()
        for other in FACETS:
            if other != facet:
                mask &= masks[other]
        counted = np.bincount(coded.codes[mask[coded.rows]], minlength=len(coded.values))
        found[facet] = dict(zip(coded.values, counted.tolist(), strict=True))
    return found


def values(frame: pd.DataFrame, facet: Facet) -> list[str]:
    """Every value of `facet` that some top-level session has."""
    return sorted(_coded(top_level(frame))[facet].values, key=str.lower)


class _Coded(NamedTuple):
    """One facet of all sessions, a session several times where it has several values."""

    rows: npt.NDArray[np.intp]
    """Places of the sessions."""
    codes: npt.NDArray[np.intp]
    """For each, which of `values` it has."""
    values: list[str]


@once_per_frame
def _coded(top: pd.DataFrame) -> dict[Facet, _Coded]:
    found: dict[Facet, _Coded] = {}
    for facet in FACETS:
        column = top[_COLUMNS[facet]].reset_index(drop=True)
        if facet in ("model", "look"):
            column = column.explode()
        named = column.astype(object).where(column.notna(), NONE).replace("", NONE)
        codes, values = pd.factorize(named)
        found[facet] = _Coded(column.index.to_numpy(), codes, list(values))
    return found


def _base(top: pd.DataFrame, filters: Filters, now: pd.Timestamp) -> Mask:
    """What the range, the text and the dismissals leave."""
    mask = pd.Series(True, index=top.index)
    longest = RANGES[filters.range][1]
    if longest is not None:
        ended = top["ended_at"].fillna(top["last_activity_at"])
        mask &= top["section"].isin(("running", "pending")) | (ended >= now - longest)
    if not filters.dismissed:
        mask &= top["dismissed_at"].isna()
    if words := filters.text.lower().split():
        texts = _texts(top)
        for word in words:
            mask &= _holds(texts, word.lstrip("#"))
    return mask.to_numpy(dtype=bool)


def _holds(texts: "pd.Series[str]", word: str) -> "pd.Series[bool]":
    return pd.Series([word in text for text in texts], index=texts.index, dtype=bool)


def _text(value: object) -> str:
    if isinstance(value, list):
        return "\n".join(map(str, value))
    return value if isinstance(value, str) else ""


@once_per_frame
def _texts(top: pd.DataFrame) -> "pd.Series[str]":
    """What is searched of each session, in lower case."""
    rows = zip(*(top[column] for column in _SEARCHED), strict=True)
    texts = ["\n".join(map(_text, row)).lower() for row in rows]
    return pd.Series(texts, index=top.index, dtype="object")


def _one_of(top: pd.DataFrame, facet: Facet, chosen: Sequence[str]) -> Mask:
    if not chosen:
        return np.ones(len(top), dtype=bool)
    coded = _coded(top)[facet]
    if facet == "project":
        chosen = [one for value in chosen for one in called(value, coded.values)]
    wanted = np.array([value in chosen for value in coded.values], dtype=bool)
    mask = np.zeros(len(top), dtype=bool)
    mask[coded.rows[wanted[coded.codes]]] = True
    return mask


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
        if facet == "project" and allowed is not None:
            meant = [called(value, allowed) or [value] for value in asked]
            asked = list(dict.fromkeys(one for names in meant for one in names))[:MOST_VALUES]
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
