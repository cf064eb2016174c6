"""What a viewer selected in the charts of the Costs page, as it stands in the page's address.

The address only selects. What in it is no selection is as good as none.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Literal, NamedTuple

import pandas as pd

from lib.ledger import Period, within

SPAN, CLOCK, ONLY = "span", "clock", "only"
PARAMETERS = (SPAN, CLOCK, ONLY)
"""The names of the query parameters."""
MOST_SESSIONS = 50
_LONGEST_KEY = 1_000
_HOUR = re.compile(r"([0-6])-(\d{1,2})")
_YEARS = range(1970, 2200)

Part = Literal["span", "clock", "only"]


class Selection(NamedTuple):
    """Calls of a span, and at some hours of some weekdays, and of some sessions."""

    span: Period | None = None
    clock: tuple[tuple[int, int], ...] = ()
    """Weekday (Monday is 0) and hour, in the viewer's time; none: all."""
    sessions: tuple[str, ...] = ()
    """Keys of top sessions; none: all."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is selected, so that everything is meant."""
        return self.span is None and not self.clock and not self.sessions


def from_query(query: Mapping[str, Sequence[str]], zone: tzinfo) -> Selection:
    """The selection of an address, in times of `zone`."""
    spans = [span for text in query.get(SPAN, ())[:1] if (span := _span(text, zone))]
    hours = [hour for text in query.get(CLOCK, ())[:1] for hour in _hours(text)]
    keys = [key for key in query.get(ONLY, ()) if 0 < len(key) <= _LONGEST_KEY]
    return Selection(
        spans[0] if spans else None,
        tuple(sorted(set(hours))),
        tuple(dict.fromkeys(keys))[:MOST_SESSIONS],
    )


def to_query(selection: Selection, zone: tzinfo) -> dict[str, list[str]]:
    """The address of a selection; `from_query` gives it back."""
    query: dict[str, list[str]] = {}
    if selection.span is not None:
        query[SPAN] = [_span_text(selection.span, zone)]
    if selection.clock:
        query[CLOCK] = [".".join(f"{day}-{hour}" for day, hour in selection.clock)]
    if selection.sessions:
        query[ONLY] = list(selection.sessions)
    return query


def narrowed(
    rows: pd.DataFrame, selection: Selection, zone: tzinfo, but: Part | None = None
) -> pd.DataFrame:
    """The rows of a ledger that are selected, whatever the part `but` of the selection says."""
    if selection.span is not None and but != SPAN:
        rows = within(rows, selection.span)
    if selection.clock and but != CLOCK:
        local = rows["at"].dt.tz_convert(zone).dt
        hours = local.day_of_week * 24 + local.hour
        rows = rows[hours.isin([day * 24 + hour for day, hour in selection.clock])]
    if selection.sessions and but != ONLY:
        rows = rows[rows["top_key"].isin(selection.sessions)]
    return rows


def span_of(
    starts: Sequence[pd.Timestamp], step: pd.DateOffset, zone: tzinfo, whole: Period
) -> Period:
    """From the first to the end of the last of some buckets, by their starts on local clocks.

    A week or month at the edge of `whole` is the part of it that lies in there.
    """
    span = Period(_moment(min(starts), zone), _moment(max(starts) + step, zone))
    return span.within(whole)


def _span(text: str, zone: tzinfo) -> Period | None:
    try:
        start, end = map(datetime.fromisoformat, text.split("/"))
    except ValueError:
        return None
    if start.tzinfo or end.tzinfo or start >= end:
        return None
    if start.year not in _YEARS or end.year not in _YEARS:
        return None
    return Period(_moment(pd.Timestamp(start), zone), _moment(pd.Timestamp(end), zone))


def _span_text(span: Period, zone: tzinfo) -> str:
    ends = (span.start, span.end)
    told = [f"{end.tz_convert(zone):%Y-%m-%dT%H:%M}" for end in ends if end is not None]
    return "/".join(told)


def _moment(local: pd.Timestamp, zone: tzinfo) -> pd.Timestamp:
    return local.tz_localize(zone, ambiguous=True, nonexistent="shift_forward")


def _hours(text: str) -> list[tuple[int, int]]:
    found = [match for part in text.split(".")[:168] if (match := _HOUR.fullmatch(part))]
    return [(int(match[1]), int(match[2])) for match in found if int(match[2]) < 24]
