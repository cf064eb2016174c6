"""What people decided and wrote down: budgets, plans and notes on failures.

Times are milliseconds since the epoch, UTC.
"""

from typing import Literal

import msgspec

BudgetPeriod = Literal["day", "week", "month"]
FailureNoteKind = Literal["resolve", "ignore", "reopen", "note"]


class Budget(msgspec.Struct, kw_only=True):
    """What may be spent in a period: on all, or on one project, tool, model or branch."""

    id: str
    name: str
    amount_usd: float
    """0 or more."""
    period: BudgetPeriod
    dimension: Literal["project", "tool", "model", "branch"] | None = None
    value: str | None = None
    time_zone: str
    """IANA name: where its days begin."""
    by: str
    at: int


class BudgetEvent(msgspec.Struct, kw_only=True):
    """A budget's threshold was crossed. At most one of a kind in a period."""

    id: int = 0
    """Given by the store."""
    budget_id: str
    period_start: int
    kind: Literal["50", "80", "100", "forecast"]
    at: int
    spent_usd: float
    amount_usd: float
    """The budget's at that moment."""


class Plan(msgspec.Struct, kw_only=True):
    """A subscription that pays for the model calls of one agent, at a price by the month."""

    id: str
    agent: str
    """Whose calls it covers: an agent's id, as sessions have it."""
    name: str
    price_usd: float
    """By calendar month; 0 or more."""
    since: str
    """The first month, as 2026-01."""
    until: str | None = None
    """The last month; None while it goes on."""
    by: str
    at: int


class FailureNote(msgspec.Struct, kw_only=True):
    """What somebody decided about, or wrote to, a group of failures. Never changed or deleted."""

    id: int = 0
    """Given by the store."""
    signature: str
    kind: FailureNoteKind
    text: str | None = None
    by: str
    at: int
