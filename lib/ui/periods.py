"""The control of a page's period, which is in the address."""

from datetime import date, tzinfo
from typing import Any, NamedTuple

import pandas as pd

from lib import ledger
from lib.ledger import Period

CUSTOM = "custom"
_NAMES = {**ledger.PRESETS, CUSTOM: "From … to …"}


class ChosenPeriod(NamedTuple):
    """What the viewer chose."""

    name: str
    """One of `lib.ledger.PRESETS`, or `CUSTOM`."""
    period: Period


def choose(place: Any, zone: tzinfo, now: pd.Timestamp) -> ChosenPeriod:
    """Draw the control in the container `place`; answer what it says at `now`, in days of `zone`.

    A preset, or two days. A day in the address that is none is as good as none.
    """
    name = place.selectbox(
        "Period",
        list(_NAMES),
        index=list(_NAMES).index("30d"),
        key="period",
        bind="query-params",
        format_func=_NAMES.__getitem__,
        width=180,
    )
    period = _custom(place, zone, now) if name == CUSTOM else ledger.preset(name, zone, now)
    return ChosenPeriod(name, period)


def _custom(place: Any, zone: tzinfo, now: pd.Timestamp) -> Period:
    today = now.tz_convert(zone).date()
    chosen = place.date_input(
        "From … to …",
        (today.replace(day=1), today),
        key="days",
        bind="query-params",
        width=230,
    )
    dates = [one for one in chosen if isinstance(one, date)] if isinstance(chosen, tuple) else []
    # While the viewer has picked only the first of the two days, that day is shown.
    first, last = (dates[0], dates[-1]) if dates else (today, today)
    return ledger.days(first, last, zone)
