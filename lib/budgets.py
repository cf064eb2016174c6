"""How budgets stand: what was spent in a budget's period, what it will come to, what to tell.

`python -m lib.budgets` looks once and notes what was crossed; daemons start it, for they hold
neither prices nor frames. What is spent is the sum over a ledger, so it equals the report's. Calls
without a known price are counted apart, never as 0.
"""

import math
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd

from lib import ledger
from lib.cards import money
from lib.costs import HISTORY_DAYS, Forecast, forecast, known_usd
from lib.ledger import DIMENSIONS, Period
from lib.model_notes import Budget, BudgetEvent
from lib.projects import called
from lib.settings import settings
from lib.store import Store, StoreError

Kind = Literal["50", "80", "100", "forecast"]

PERIODS = {"day": "Day", "week": "Week", "month": "Month"}
LEVELS: dict[Kind, float] = {"50": 0.5, "80": 0.8, "100": 1.0}
"""The shares of a budget that are told when they are reached."""
DAYS_TO_GO_BY = 3
"""Days of history without which no forecast is told of: it has no spread to speak of."""
LARGEST_USD = 1e9
LONGEST_NAME = 80
_LONGEST_PERIOD = pd.Timedelta(days=32)
_CENT_OF_A_CENT = 1e-6
"""Sums of floats are never exact."""
_PATIENCE = 10


class Standing(NamedTuple):
    """How one budget stands in its current period."""

    budget: Budget
    period: Period
    """The whole of it, in the budget's own time zone."""
    spent_usd: float | None
    """None where there were calls and none of them could be priced."""
    requests: int
    unpriced_requests: int
    forecast: Forecast | None
    sessions: frozenset[str]
    """Keys of the sessions at the top that spent of it."""
    known: bool
    """Whether what it is for was ever seen: a project may be gone, or never have been."""

    @property
    def share(self) -> float | None:
        """Of the budget; infinite where anything was spent of none. None where nobody knows."""
        if self.spent_usd is None:
            return None
        if self.budget.amount_usd == 0:
            return math.inf if self.spent_usd > 0 else 0.0
        return self.spent_usd / self.budget.amount_usd

    @property
    def reached(self) -> Kind | None:
        """The highest of `LEVELS` that is reached."""
        found: list[Kind] = [kind for kind in LEVELS if self._has(kind)]
        return found[-1] if found else None

    @property
    def crosses(self) -> bool:
        """Whether more than the budget is expected at the end of a period that is not there yet."""
        expected = self.forecast.expected_usd if self.forecast else 0.0
        return self.reached != "100" and expected > self.budget.amount_usd + _CENT_OF_A_CENT

    def _has(self, kind: Kind) -> bool:
        spent = self.spent_usd or 0.0
        return spent > 0 and spent >= self.budget.amount_usd * LEVELS[kind] - _CENT_OF_A_CENT


def problem(budget: Budget) -> str | None:
    """Why this can't be a budget, in a sentence for people; None when it can."""
    if not budget.name.strip():
        return "A budget needs a name."
    if len(budget.name) > LONGEST_NAME:
        return f"A name has at most {LONGEST_NAME} characters."
    if not math.isfinite(budget.amount_usd) or not 0 <= budget.amount_usd <= LARGEST_USD:
        return f"A budget is between $0 and {money(LARGEST_USD)}."
    if budget.dimension is not None and not budget.value:
        return f"Choose the {budget.dimension} that it is for."
    if zone_of(budget) is None:
        return f"There is no time zone {budget.time_zone!r}."
    return None


def zone_of(budget: Budget) -> ZoneInfo | None:
    """Where its days begin; None where this machine does not know that time zone."""
    try:
        return ZoneInfo(budget.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def current(budget: Budget, now: pd.Timestamp) -> Period | None:
    """The whole period that holds `now`; None where its time zone is not known here."""
    zone = zone_of(budget)
    return None if zone is None else ledger.current(budget.period, zone, now)


def rows_of(rows: pd.DataFrame, budget: Budget) -> pd.DataFrame:
    """The rows of a ledger that a budget is for, of whatever time."""
    if budget.dimension is None:
        return rows
    return rows[rows[DIMENSIONS[budget.dimension]].isin(_meant(rows, budget))]


def _meant(rows: pd.DataFrame, budget: Budget) -> list[str]:
    """The values of its dimension that a budget is for, of those that the whole ledger knows."""
    known = list(rows[DIMENSIONS[budget.dimension or "project"]].cat.categories)
    value = budget.value or ""
    return called(value, known) if budget.dimension == "project" else [value]


def standings(rows: pd.DataFrame, budgets: Sequence[Budget], now: pd.Timestamp) -> list[Standing]:
    """How each of `budgets` stands at `now`, by a whole ledger.

    Those whose time zone this machine does not know are left out; `problem` tells of them.
    """
    since = now - _LONGEST_PERIOD - pd.Timedelta(days=HISTORY_DAYS)
    recent = ledger.within(rows, Period(since, None))
    return [
        _standing(rows, recent, budget, period, now)
        for budget in budgets
        if (period := current(budget, now)) is not None
    ]


def _standing(
    rows: pd.DataFrame, recent: pd.DataFrame, budget: Budget, period: Period, now: pd.Timestamp
) -> Standing:
    own = rows_of(recent, budget)
    spent = ledger.within(own, period)
    zone = zone_of(budget) or UTC
    return Standing(
        budget=budget,
        period=period,
        spent_usd=known_usd(spent),
        requests=int(spent["requests"].sum()),
        unpriced_requests=int(spent["unpriced_requests"].sum()),
        forecast=forecast(own, period, zone, now),
        sessions=frozenset(spent["top_key"]),
        known=budget.dimension is None
        or bool(rows[DIMENSIONS[budget.dimension]].isin(_meant(rows, budget)).any()),
    )


def crossed(standing: Standing, now: pd.Timestamp) -> list[BudgetEvent]:
    """Everything there is to tell of a budget at this moment, told before or not."""
    budget, start = standing.budget, standing.period.start
    spent = standing.spent_usd or 0.0
    kinds: list[Kind] = []
    if standing.reached is not None:
        kinds = [kind for kind, level in LEVELS.items() if level <= LEVELS[standing.reached]]
        # Of nothing, there is no half.
        kinds = kinds if budget.amount_usd else ["100"]
    found = standing.forecast
    if standing.crosses and found is not None and found.days_of_history >= DAYS_TO_GO_BY:
        kinds.append("forecast")
    return [
        BudgetEvent(
            budget_id=budget.id,
            period_start=_milliseconds(start),
            kind=kind,
            at=_milliseconds(now),
            spent_usd=spent,
            amount_usd=budget.amount_usd,
        )
        for kind in kinds
        if start is not None
    ]


def note(store: Store, found: Sequence[Standing], now: pd.Timestamp) -> list[BudgetEvent]:
    """Note what was crossed and not noted before; return that. Raises StoreError."""
    return store.budgets.note([event for one in found for event in crossed(one, now)])


def change(store: Store, budget: Budget, now: pd.Timestamp) -> None:
    """Keep a budget, new or changed. Raises StoreError, and ValueError with a sentence.

    Changed in anything but its name, its current period is told of anew.
    """
    if (wrong := problem(budget)) is not None:
        raise ValueError(wrong)
    before = next((one for one in store.budgets.listed() if one.id == budget.id), None)
    anew = before is not None and _meaning(before) != _meaning(budget)
    starts = [
        _milliseconds(period.start)
        for one in (before, budget)
        if one is not None and (period := current(one, now)) is not None
    ]
    store.budgets.save(budget, min(starts) if anew else None)


def _meaning(budget: Budget) -> tuple[object, ...]:
    return (budget.amount_usd, budget.period, budget.dimension, budget.value, budget.time_zone)


def _milliseconds(moment: pd.Timestamp | None) -> int:
    return 0 if moment is None else moment.value // 1_000_000


def percent(share: float | None) -> str:
    """A share in words, never rounded up to a level that is not reached."""
    if share is None:
        return "unpriced"
    if math.isinf(share):
        return "over"
    return f"{math.floor(share * 100 + _CENT_OF_A_CENT):,}%"


def meant(budget: Budget) -> str:
    """`$100.00 a month for project x`."""
    of_what = f"{budget.dimension} {budget.value}" if budget.dimension else "everything"
    return f"{money(budget.amount_usd)} a {budget.period} for {of_what}"


def sentence(event: BudgetEvent, budget: Budget) -> str:
    """What happened, in a sentence for people, with the time on the budget's clocks."""
    moment = pd.Timestamp(event.at, unit="ms", tz="UTC").tz_convert(zone_of(budget) or "UTC")
    when = f"on {moment:%a %d %b %Y, %H:%M}"
    spent = f"{money(event.spent_usd)} of {money(event.amount_usd)}"
    if event.kind == "forecast":
        return f"Budget ‘{budget.name}’ was forecast to be exceeded {when}, at {spent}."
    return f"Budget ‘{budget.name}’ reached {event.kind}% {when}: {spent}."


def check(store: Store) -> list[BudgetEvent]:
    """Look at every budget once; return what is newly noted. Raises StoreError."""
    budgets = store.budgets.listed()
    if not budgets:
        return []
    moment = time.time_ns() // 1_000_000
    now = pd.Timestamp(moment, unit="ms", tz="UTC")
    rows = ledger.load(store, moment)
    found = note(store, standings(rows, budgets, now), now)
    late = [event for one in budgets for event in _of_the_last_period(rows, one, now)]
    return store.budgets.note(late) + found


def _of_the_last_period(rows: pd.DataFrame, budget: Budget, now: pd.Timestamp) -> list[BudgetEvent]:
    """What was crossed until the end of the period before: nobody may have looked in time."""
    period = current(budget, now)
    if period is None or period.start is None:
        return []
    end = period.start.tz_convert(UTC) - pd.Timedelta(milliseconds=1)
    if budget.at >= _milliseconds(end):
        return []
    events = [event for one in standings(rows, [budget], end) for event in crossed(one, end)]
    return [one for one in events if one.kind != "forecast"]


def main() -> int:
    """The command; returns its exit status: 0 done, 1 failed."""
    # The agents whose work is watched come first.
    os.nice(_PATIENCE)
    try:
        store = Store.open(settings().store_url)
        check(store)
        store.close()
    except StoreError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
