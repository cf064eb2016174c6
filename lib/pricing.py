"""Tokens, a day and a model's name to money: the one place that looks up prices and multiplies.

Prices are those of the `genai-prices` package at the day of the call. What it leaves open:

- A kind of cached token without a price of its own is billed as input: so OpenAI bills cache
  writes before GPT-5.6, and cached input of models without a discount (the package's own rule).
- Claude's one-hour cache write without a price of its own costs twice the input
  (platform.claude.com/docs/en/about-claude/pricing).
- Fast mode of Claude Opus 4.6 and 4.7 cost six times as much, 30 and 150 USD, from 7 February
  2026 until it was removed (openrouter.ai/anthropic/claude-opus-4.6-fast, and the release notes
  of 7 February 2026 at docs.factory.ai; the first days' discount is left out).
- The catalogue knows tiers since October 2026. Where the list price of a model was the same
  before, so was that of the tier, as far back as OpenAI's pages of priority processing of 2025
  and 2026 (openai.com/api-priority-processing: GPT-5 and 5.1 2.50 and 20, 5.2 3.50 and 28, 5.4 5
  and 30 USD; GPT-5.5 12.50 and 75, BerriAI/litellm#28447) and batches at half the price, flex too,
  bear it out (developers.openai.com/api/docs/pricing as in BerriAI/litellm#25003, and
  platform.claude.com/docs/en/build-with-claude/batch-processing).
- Claude answered in the US alone (`inference_geo`) costs 1.1 times as much
  (platform.claude.com/docs/en/manage-claude/data-residency).

Unpriced, and that is None and never 0: a model that is not known for certain, a service tier,
speed or region without a known price, and a model that bills by what no agent's files count.
Subscriptions, credits and contracts are not known here; these are list prices.
"""

import re
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from importlib.metadata import version
from typing import NamedTuple, Protocol

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import (
    ClauseAnd,
    ClauseContains,
    ClauseEndsWith,
    ClauseEquals,
    ClauseOr,
    ClauseRegex,
    ClauseStartsWith,
    MatchLogic,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

SOURCE = f"genai-prices {version('genai-prices')}"
DAY = 86_400_000
MINUTE = 60_000

AGENT_PROVIDERS = {"claude-code": "anthropic", "codex": "openai"}
"""Who sells an agent's models, where the model's name does not say."""

PROVIDER_PREFIXES = {
    "amazon-bedrock": "aws",
    "azure_ai": "azure",
    "bedrock": "aws",
    "google-vertex": "google",
    "vertex_ai": "google",
    "xai": "x-ai",
}
"""What gateways write before a slash, where it is not the provider's own id."""

STANDARD = frozenset({None, "", "auto", "default", "global", "not_available", "standard"})
"""Words for a service tier, speed or region at the list price."""
US_FACTOR = 1.1
FAST_FACTORS = {"claude-opus-4-6": 6.0, "claude-opus-4-7": 6.0}
"""Fast mode of models that the catalogue has no price of it for: so many times the price."""

TIERS_SINCE = {
    ("openai", "batch"): date(2024, 4, 15),
    ("openai", "flex"): date(2025, 4, 17),
    ("openai", "priority"): date(2025, 8, 7),
    ("anthropic", "batch"): date(2024, 10, 8),
}
"""Tiers that the catalogue knows later than they were sold, and from when on its price of them
holds, as long as the model's list price is the same."""

UNCOUNTED = ("output_reasoning_mtok", "output_citation_mtok", "requests_kcount")
"""Prices for what no agent's files count apart: a model that has one can't be priced."""

_CONTEXT_MARK = re.compile(r"\[(\d+)m\]$")
_BEDROCK_NAME = re.compile(r"^(?:[a-z-]+\.)?(?:amazon|anthropic|deepseek|meta|mistral|openai)\.")
_SAME_MODEL = re.compile(
    r"(?:[-@]20\d{2}-?\d{2}-?\d{2}|-latest|-preview(?:-\d{2}-\d{2})?|-v\d+(?::\d+)?)+$"
)
"""Endings that name a snapshot or a version of the same model at the same price."""


class Rates(NamedTuple):
    """USD for one token of each kind, and for one web search where that has a price."""

    input: float
    output: float
    cache_read: float
    cache_write_5m: float
    cache_write_1h: float
    web_search: float | None
    source: str
    """Where the prices are from: `genai-prices 0.2.3`."""


class Terms(NamedTuple):
    """What else changes the price of a call, as the provider's usage record says it."""

    service_tier: str | None = None
    speed: str | None = None
    region: str | None = None


LIST_PRICE = Terms()


class Tokens(Protocol):
    """What `cost_usd` prices: one call, or the sum of calls at the same rates."""

    @property
    def input_tokens(self) -> int: ...
    @property
    def output_tokens(self) -> int: ...
    @property
    def cache_read_tokens(self) -> int: ...
    @property
    def cache_write_5m_tokens(self) -> int: ...
    @property
    def cache_write_1h_tokens(self) -> int: ...
    @property
    def web_search_requests(self) -> int: ...


def cost_usd(rates: Rates | None, usage: Tokens) -> float | None:
    """USD for `usage`, or None where a part of it has no known price."""
    if rates is None:
        return None
    cost = (
        usage.input_tokens * rates.input
        + usage.output_tokens * rates.output
        + usage.cache_read_tokens * rates.cache_read
        + usage.cache_write_5m_tokens * rates.cache_write_5m
        + usage.cache_write_1h_tokens * rates.cache_write_1h
    )
    if not usage.web_search_requests:
        return cost
    return None if rates.web_search is None else cost + usage.web_search_requests * rates.web_search


def cache_savings_usd(rates: Rates, usage: Tokens) -> float:
    """USD that `usage` would have cost more, had its whole prompt been billed as input."""
    return (
        usage.cache_read_tokens * (rates.input - rates.cache_read)
        + usage.cache_write_5m_tokens * (rates.input - rates.cache_write_5m)
        + usage.cache_write_1h_tokens * (rates.input - rates.cache_write_1h)
    )


@lru_cache(maxsize=1)
def thresholds() -> tuple[int, ...]:
    """Every prompt size above which some model's price changes, smallest first.

    A call's band is the number of them that its whole prompt, cached tokens included, exceeds:
    calls of one model, day and band have the same rates.
    """
    return tuple(
        sorted(
            {
                tier.start
                for provider in get_snapshot().providers
                for model in provider.models
                for prices in _all_prices(model)
                for price in prices.__dict__.values()
                if isinstance(price, TieredPrices)
                for tier in price.tiers
            }
        )
    )


def rates(
    agent: str | None,
    model: str | None,
    at_ms: int | None,
    band: int,
    terms: Terms = LIST_PRICE,
) -> Rates | None:
    """Rates of a call by `agent` to `model`, or None when they are not known for certain.

    `at_ms` is the time of the call; None means now. `band`: see `thresholds`.
    """
    found = _find(agent, model) if model else None
    if found is None:
        return None
    moment = int(time.time() * 1000) if at_ms is None else at_ms
    # Prices by the hour are rare; all others change at midnight UTC, and a day is few entries.
    step = MINUTE if _depends_on_hour(found) else DAY
    return _rates(agent, model, moment - moment % step, band, terms)


def context_window(model: str | None) -> int | None:
    """Tokens that fit into the context of `model`; None where it is not known.

    `[1m]` at the end of a name is how Claude Code asks for a window of one million.
    """
    if model is None:
        return None
    if mark := _CONTEXT_MARK.search(model):
        return int(mark[1]) * 1_000_000
    found = _find(None, model)
    return found[1].context_window if found else None


@lru_cache(maxsize=8192)
def _rates(agent: str | None, name: str, moment: int, band: int, terms: Terms) -> Rates | None:
    found = _find(agent, name)
    if found is None:
        return None
    provider, model = found
    at = datetime.fromtimestamp(moment / 1000, UTC)
    factor = _region_factor(provider, terms.region)
    context = _context(provider, terms)
    own = FAST_FACTORS.get(model.id) if provider.id == "anthropic" else None
    if own is not None and factor is not None and context.get("speed") == "fast":
        del context["speed"]
        factor *= own
    prices = _prices(provider, model, at, context)
    if factor is None or prices is None:
        return None
    base, output = _known(prices, band, "input_mtok"), _known(prices, band, "output_mtok")
    if base is None or output is None or _known(prices, band, *UNCOUNTED) is not None:
        return None
    write = _price(prices, band, "cache_write_5m_mtok", "cache_write_mtok", otherwise=base)
    long_write = 2 * base if "claude" in model.id else write
    search = _known(prices, band, "web_searches_kcount")
    token = factor / 1_000_000
    return Rates(
        input=base * token,
        output=output * token,
        cache_read=_price(prices, band, "cache_read_mtok", otherwise=base) * token,
        cache_write_5m=write * token,
        cache_write_1h=_price(prices, band, "cache_write_1h_mtok", otherwise=long_write) * token,
        web_search=None if search is None else search / 1000,
        source=SOURCE,
    )


def _price(prices: ModelPrice, band: int, *keys: str, otherwise: float) -> float:
    known = _known(prices, band, *keys)
    return otherwise if known is None else known


def _known(prices: ModelPrice, band: int, *keys: str) -> float | None:
    """The price of the first of `keys` that has one."""
    for key in keys:
        value: Decimal | TieredPrices | None = prices.__dict__.get(key)
        if isinstance(value, TieredPrices):
            exceeded = thresholds()[:band]
            reached = [tier.price for tier in value.tiers if tier.start in exceeded]
            value = reached[-1] if reached else value.base
        if value is not None:
            return float(value)
    return None


def _context(provider: Provider, terms: Terms) -> dict[str, str]:
    """What changes the price of a call, in the words of the catalogue."""
    tier, speed = terms.service_tier, terms.speed
    # Anthropic's priority tier is capacity bought ahead; its tokens have the list price.
    bought_ahead = (provider.id, tier) == ("anthropic", "priority")
    context: dict[str, str] = {}
    if tier == "batch":
        context["processing"] = tier
    elif tier and tier not in STANDARD and not bought_ahead:
        context["service_tier"] = tier
    if speed and speed not in STANDARD:
        context["speed"] = speed
    return context


def _prices(
    provider: Provider, model: ModelInfo, at: datetime, context: dict[str, str]
) -> ModelPrice | None:
    """What a call of this context cost at that time; None where that is not known."""
    if all(_has_variant(model, item, at) for item in context.items()):
        return model.get_prices(at, context)
    since = TIERS_SINCE.get((provider.id, " ".join(context.values())))
    if since is None or at.date() < since:
        return None
    starts = [
        datetime.combine(variant.constraint.start_date, datetime.min.time(), UTC)
        for variant in model.price_variants or ()
        if variant.when == context and isinstance(variant.constraint, StartDateConstraint)
    ]
    known = min((start for start in starts if start > at), default=None)
    if known is None or model.get_prices(at, {}) != model.get_prices(known, {}):
        return None
    return model.get_prices(known, context)


def _has_variant(model: ModelInfo, item: tuple[str, str], at: datetime) -> bool:
    return any(
        variant.when == dict([item])
        and (variant.constraint is None or variant.constraint.active(at))
        for variant in model.price_variants or ()
    )


def _region_factor(provider: Provider, region: str | None) -> float | None:
    if region in STANDARD:
        return 1.0
    return US_FACTOR if (provider.id, region) == ("anthropic", "us") else None


def _all_prices(model: ModelInfo) -> list[ModelPrice]:
    if isinstance(model.prices, ModelPrice):
        return [model.prices]
    return [conditional.prices for conditional in model.prices]


def _depends_on_hour(found: tuple[Provider, ModelInfo]) -> bool:
    prices = found[1].prices
    return not isinstance(prices, ModelPrice) and any(
        isinstance(conditional.constraint, TimeOfDateConstraint) for conditional in prices
    )


@lru_cache(maxsize=4096)
def _find(agent: str | None, name: str) -> tuple[Provider, ModelInfo] | None:
    """The catalogue's entry for a model as an agent writes it, or None when in doubt."""
    provider_id, name = _normalised(name)
    snapshot = get_snapshot()
    providers = [provider_id] if provider_id else [AGENT_PROVIDERS.get(agent or ""), None]
    for candidate in dict.fromkeys(providers):
        try:
            found = snapshot.find_provider_model(name, None, candidate, None)
        except LookupError:
            continue
        return found if _is_certain(found[1].match, name) else None
    return None


def _normalised(name: str) -> tuple[str | None, str]:
    """Provider, where the name tells it, and the name as the catalogue writes it.

    | written | meaning |
    |---|---|
    | `Claude Sonnet 4.5` | a display name: lower case, dashes |
    | `claude-opus-5-5[1m]` | the same model with a larger context window |
    | `arn:aws:bedrock:…:inference-profile/us.anthropic.…` | the profile behind the slash, at AWS |
    | `us.anthropic.claude-…-v1:0`, `anthropic.claude-…` | AWS, whose regions have own prices |
    | `claude-sonnet-4-5@20250929` | Google Vertex |
    | `openai/gpt-5`, `openrouter/openai/gpt-5`, `bedrock/…` | the provider before the slash |
    """
    name = _CONTEXT_MARK.sub("", name.strip().lower()).replace(" ", "-")
    provider = None
    if name.startswith("arn:aws:bedrock:"):
        provider, name = "aws", name.rpartition("/")[2]
    elif "/" in name:
        prefix, _, rest = name.partition("/")
        known = {one.id for one in get_snapshot().providers}
        prefix = PROVIDER_PREFIXES.get(prefix, prefix)
        provider, name = (prefix, rest) if prefix in known else (None, name)
    if provider is None and _BEDROCK_NAME.match(name):
        provider = "aws"
    elif provider is None and name.startswith("claude-") and "@" in name:
        provider = "google"
    return provider, name


def _is_certain(match: MatchLogic, name: str) -> bool:
    """Whether `match` holds for the whole of `name`, a snapshot's date or version aside.

    The catalogue knows many models by how their names begin; `claude-opus-4-8-fast` or
    `claude-sonnet-4-50` begin like a known model and would get the wrong price.
    """
    if not match.is_match(name):
        return False
    base = _SAME_MODEL.sub("", name)
    match match:
        case ClauseEquals() | ClauseRegex() | ClauseEndsWith():
            return True
        case ClauseStartsWith(needle):
            return needle.lower().startswith(base)
        case ClauseContains(needle):
            return needle.lower().startswith(base[name.index(needle.lower()) :])
        case ClauseOr(clauses):
            return any(_is_certain(clause, name) for clause in clauses)
        case ClauseAnd(clauses):
            return all(_is_certain(clause, name) for clause in clauses)
