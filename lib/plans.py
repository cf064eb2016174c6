"""Plans: what a subscription costs by the month, against what its calls would cost at list prices.

Only calls of the agent that a plan covers count against it, in the months in which it runs.
"""

import math
import re
from collections.abc import Sequence
from datetime import tzinfo
from typing import NamedTuple

import pandas as pd

from lib.costs import known_usd
from lib.ledger import buckets
from lib.model_notes import Plan
from lib.readers import LABELS

LARGEST_USD = 1e6
LONGEST_NAME = 80
COLUMNS = ["month", "tool", "cost_usd", "price_usd", "ratio", "requests", "unpriced_requests"]
_MONTH = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")
_CLAUDE = "support.claude.com, Using Claude Code with your Pro or Max plan"
_CHATGPT = "theverdict.ai/providers/codex, since OpenAI's own page on Codex names no prices"
_COPILOT = "docs.github.com, Plans for GitHub Copilot"
_UNCOUNTED = {"cursor"}
"""Agents that keep no counts of tokens on a machine: nothing could be held against a price."""


class KnownPlan(NamedTuple):
    """A plan that is sold to everyone, at its price for a month that is paid by the month."""

    agent: str
    name: str
    price_usd: float
    as_of: str
    """The month in which this was the price in the US, without taxes."""
    source: str


KNOWN = (
    KnownPlan("claude-code", "Claude Pro", 20, "2026-04", _CLAUDE),
    KnownPlan("claude-code", "Claude Max 5x", 100, "2026-04", _CLAUDE),
    KnownPlan("claude-code", "Claude Max 20x", 200, "2026-04", _CLAUDE),
    KnownPlan("codex", "ChatGPT Plus", 20, "2026-06", _CHATGPT),
    KnownPlan("codex", "ChatGPT Pro 5x", 100, "2026-06", _CHATGPT),
    KnownPlan("codex", "ChatGPT Pro 20x", 200, "2026-06", _CHATGPT),
    KnownPlan("copilot", "GitHub Copilot Pro", 10, "2026-10", _COPILOT),
    KnownPlan("copilot", "GitHub Copilot Pro+", 39, "2026-10", _COPILOT),
    KnownPlan("copilot", "GitHub Copilot Max", 100, "2026-10", _COPILOT),
    KnownPlan("copilot", "GitHub Copilot Business, a seat", 19, "2026-04", _COPILOT),
    KnownPlan("copilot", "GitHub Copilot Enterprise, a seat", 39, "2026-04", _COPILOT),
)
"""Prices that could not be read at a source, as those of Google, are left to the user to set."""


def problem(plan: Plan) -> str | None:
    """Why this can't be a plan, in a sentence for people; None when it can."""
    if not plan.name.strip() or len(plan.name) > LONGEST_NAME:
        return f"A plan needs a name of at most {LONGEST_NAME} characters."
    if not math.isfinite(plan.price_usd) or not 0 <= plan.price_usd <= LARGEST_USD:
        return f"A price is between $0 and ${LARGEST_USD:,.0f}."
    if plan.agent not in LABELS:
        return "Choose the tool that it covers."
    if plan.agent in _UNCOUNTED:
        return f"{LABELS[plan.agent]} keeps no tokens on this machine: nothing can be compared."
    for month in filter(None, (plan.since, plan.until)):
        if _MONTH.fullmatch(month) is None:
            return f"No month like 2026-01: {month}"
    if not plan.since:
        return "A plan needs a first month, like 2026-01."
    if plan.until is not None and plan.until < plan.since:
        return "The last month is before the first."
    return None


def by_month(
    rows: pd.DataFrame, plans: Sequence[Plan], zone: tzinfo, now: pd.Timestamp
) -> pd.DataFrame:
    """`COLUMNS` by month in which a plan ran, and tool, newest month first, until that of `now`.

    `cost_usd` is what the tool's calls of the month would cost at list prices, NaN where none of
    them has a price; `price_usd` what all plans of the tool cost; `ratio` the first to the second,
    NaN where that is 0. Of the month that goes on, the cost is so far and the price whole.
    """
    this_month = now.tz_convert(zone).strftime("%Y-%m")
    prices: dict[tuple[str, str], float] = {}
    for plan in plans:
        last = min(plan.until or this_month, this_month)
        for month in pd.period_range(plan.since, last, freq="M").strftime("%Y-%m"):
            known = prices.get((month, plan.agent), 0.0)
            prices[month, plan.agent] = known + plan.price_usd
    named = rows["agent"].isin({agent for _, agent in prices}) & rows["at"].notna()
    timed = rows.loc[named, ["at", "agent", "cost_usd", "requests", "unpriced_requests"]]
    months = buckets(timed.pop("at"), "month", zone).dt.to_period("M")
    groups = {
        (f"{month}", agent): calls
        for (month, agent), calls in timed.groupby([months, timed.pop("agent")], observed=True)
    }
    found = [
        _row(month, agent, price, groups.get((month, agent), timed[:0]))
        for (month, agent), price in prices.items()
    ]
    table = pd.DataFrame(found, columns=COLUMNS)
    return table.sort_values(["month", "tool"], ascending=[False, True], ignore_index=True)


def _row(month: str, agent: str, price: float, calls: pd.DataFrame) -> tuple[object, ...]:
    usd = known_usd(calls)
    cost = math.nan if usd is None else usd
    return (
        month,
        LABELS.get(agent, agent),
        cost,
        price,
        cost / price if price else math.nan,
        int(calls["requests"].sum()),
        int(calls["unpriced_requests"].sum()),
    )
