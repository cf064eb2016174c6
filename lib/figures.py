"""Calls, tokens by kind and money, summed: the same everywhere that shows a figure."""

from collections.abc import Iterable
from typing import NamedTuple

from lib import pricing
from lib.model import NO_LOCAL_TOKENS
from lib.store import Usage

QUARTER_HOUR_MS = 900_000


class Figures(NamedTuple):
    """Calls, tokens by kind and money, summed. `output_tokens` includes `reasoning_tokens`."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_write_tokens: int = 0
    cache_read_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float = 0.0
    """Of the priced calls only."""
    unpriced_requests: int = 0
    cache_savings_usd: float = 0.0
    """How much more the priced calls would have cost with no cache; below zero where the cache
    was written and not read."""
    reported_cost_usd: float = 0.0
    """What agents themselves say that calls have cost, where they do. Never added to ours."""
    compared_cost_usd: float = 0.0
    """Our price of those of these calls that we can price."""
    compared_reported_usd: float = 0.0
    """The agents' price of the same calls."""
    mismatched_requests: int = 0
    """Calls whose parts are not the provider's own total."""

    @property
    def total_tokens(self) -> int:
        """Every token that was sent or received, once."""
        return (
            self.input_tokens
            + self.output_tokens
            + self.cache_write_tokens
            + self.cache_read_tokens
        )

    @property
    def known_cost_usd(self) -> float | None:
        """The money, or None when there were calls and none of them could be priced."""
        return None if self.requests and self.unpriced_requests == self.requests else self.cost_usd


class PricedUsage(NamedTuple):
    """One group of a session's calls with its figures."""

    model: str | None
    quarter_hour: int | None
    """Start of the group's quarter hour: number of quarters since the epoch, None if unknown."""
    attribution: str | None
    """What made the agent ask; see `lib.model.Request`."""
    figures: Figures


def is_unknown(requests: int, flags: Iterable[str]) -> bool:
    """Whether a session without calls made some that are not known here, so that 0 is no figure."""
    return not requests and NO_LOCAL_TOKENS in flags


def figures(usage: Usage, agent: str) -> Figures:
    """One group of calls of one model, hour and price band, priced."""
    at = None if usage.quarter_hour is None else usage.quarter_hour * QUARTER_HOUR_MS
    terms = pricing.Terms(usage.service_tier, usage.speed, usage.region)
    rates = pricing.rates(agent, usage.model, at, usage.band, terms)
    cost = pricing.cost_usd(rates, usage)
    return Figures(
        requests=usage.requests,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_write_tokens=usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        cost_usd=cost or 0.0,
        unpriced_requests=0 if cost is not None else usage.requests,
        cache_savings_usd=pricing.cache_savings_usd(rates, usage) if rates and cost else 0.0,
        reported_cost_usd=usage.reported_cost_usd,
        compared_cost_usd=cost if usage.is_reported and cost is not None else 0.0,
        compared_reported_usd=usage.reported_cost_usd if cost is not None else 0.0,
        mismatched_requests=usage.mismatched_requests,
    )


def total(parts: Iterable[Figures]) -> Figures:
    """The sum of `parts`, column by column."""
    columns = list(zip(*parts, strict=True))
    return Figures._make(sum(column) for column in columns) if columns else Figures()


def compared(
    of_session: float | None, own: Figures, whole: Figures
) -> tuple[float | None, float | None]:
    """What an agent says that a session has cost, and our price of the same calls.

    `of_session`: what it says of the session as a whole, which includes the subagents. `own`:
    the figures of the session's own calls, `whole`: with its subagents'.
    """
    if of_session is not None:
        return of_session, None if whole.unpriced_requests else whole.cost_usd
    if own.compared_cost_usd:
        return own.compared_reported_usd, own.compared_cost_usd
    return own.reported_cost_usd or None, None
