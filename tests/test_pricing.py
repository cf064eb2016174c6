"""Money: what the catalogue says for one call, in any order of summing, and never a guess."""

from bisect import bisect_left
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
import time_machine
from genai_prices import Usage, calc_price
from hypothesis import given
from hypothesis import strategies as st

from lib import pricing

TODAY = datetime(2026, 11, 20, tzinfo=UTC)
NOON = int(TODAY.timestamp() * 1000) + 43_200_000
MODELS = {
    "claude-code": [
        "claude-3-5-haiku-20241022",
        "claude-haiku-5-5",
        "claude-opus-4-6",
        "claude-opus-5-5",
        "claude-sonnet-4-5-20250929",
    ],
    "codex": ["codex-mini-latest", "gpt-5-codex", "gpt-5.4", "gpt-5.5", "gpt-5.6-sol", "o3"],
}
AGENT_MODELS = [(agent, model) for agent, models in MODELS.items() for model in models]
DAYS = [datetime(2025, 6, 9, 23, 59, tzinfo=UTC), datetime(2026, 3, 13, tzinfo=UTC), TODAY]
TOKENS = st.integers(0, 400_000)


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


class Tally(NamedTuple):
    """Tokens of one call, or of several."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    web_search_requests: int = 0


def band_of(usage: Tally) -> int:
    prompt = (
        usage.input_tokens
        + usage.cache_read_tokens
        + usage.cache_write_5m_tokens
        + usage.cache_write_1h_tokens
    )
    return bisect_left(pricing.thresholds(), prompt)


def cost(agent: str | None, model: str | None, usage: Tally, at: int | None = NOON) -> float | None:
    return pricing.cost_usd(pricing.rates(agent, model, at, band_of(usage)), usage)


def catalogue_cost(agent: str, model: str, usage: Tally, at: datetime) -> float:
    writes = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    standard = Usage(
        input_tokens=usage.input_tokens + usage.cache_read_tokens + writes,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=writes,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        output_tokens=usage.output_tokens,
        web_searches=usage.web_search_requests,
    )
    provider = pricing.AGENT_PROVIDERS[agent]
    price = calc_price(standard, model, provider_id=provider, genai_request_timestamp=at)
    return float(price.total_price)


@given(
    st.sampled_from(AGENT_MODELS),
    st.sampled_from(DAYS),
    st.builds(Tally, TOKENS, TOKENS, TOKENS, TOKENS, TOKENS, st.integers(0, 5)),
)
def test_a_call_costs_what_the_catalogue_says_on_its_day_and_at_its_size(
    agent_model: tuple[str, str], at: datetime, usage: Tally
) -> None:
    agent, model = agent_model
    money = cost(agent, model, usage, milliseconds(at))
    if money is None:
        assert usage.web_search_requests
    else:
        expected = catalogue_cost(agent, model, usage, at)
        assert money == pytest.approx(expected, rel=1e-9)


@given(st.sampled_from(AGENT_MODELS), st.lists(st.tuples(TOKENS, TOKENS, TOKENS), max_size=30))
def test_calls_summed_by_band_cost_what_they_cost_one_by_one(
    agent_model: tuple[str, str], calls: list[tuple[int, int, int]]
) -> None:
    singles = 0.0
    sums: dict[int, list[int]] = {}
    for fresh, out, read in calls:
        usage = Tally(input_tokens=fresh, output_tokens=out, cache_read_tokens=read)
        singles += cost(*agent_model, usage) or 0.0
        total = sums.setdefault(band_of(usage), [0, 0, 0])
        sums[band_of(usage)] = [a + b for a, b in zip(total, (fresh, out, read), strict=True)]
    grouped = 0.0
    for band, (fresh, out, read) in sums.items():
        usage = Tally(input_tokens=fresh, output_tokens=out, cache_read_tokens=read)
        grouped += pricing.cost_usd(pricing.rates(*agent_model, NOON, band), usage) or 0.0
    assert grouped == pytest.approx(singles, rel=1e-9)


@pytest.mark.parametrize(
    ("usage", "reported_by_the_agent"),
    [
        (
            Tally(
                input_tokens=111,
                output_tokens=47,
                cache_read_tokens=15_705,
                cache_write_5m_tokens=512,
                cache_write_1h_tokens=272,
            ),
            0.009261,
        ),
        (Tally(cache_write_1h_tokens=1_000_000), 8.0),
    ],
)
def test_claude_opus_5_5_costs_what_claude_code_itself_writes_into_its_cost_state(
    usage: Tally, reported_by_the_agent: float
) -> None:
    assert cost("claude-code", "claude-opus-5-5", usage) == pytest.approx(reported_by_the_agent)


def test_a_one_hour_cache_write_costs_twice_the_input() -> None:
    assert cost("claude-code", "claude-sonnet-4-5", Tally(cache_write_1h_tokens=100_000)) == (
        pytest.approx(0.60)
    )
    # The catalogue has no one-hour price of this model on Vertex.
    assert cost("claude-code", "claude-opus-4@20250514", Tally(cache_write_1h_tokens=100_000)) == (
        pytest.approx(3.0)
    )


@pytest.mark.parametrize(("prompt", "expected"), [(272_000, 0.68), (272_001, 1.360005)])
def test_a_long_prompt_changes_the_price_of_the_whole_call(prompt: int, expected: float) -> None:
    usage = Tally(input_tokens=prompt)
    assert cost("codex", "gpt-5.4", usage) == pytest.approx(expected)
    assert cost("codex", "gpt-5.4", Tally(input_tokens=300_000, output_tokens=1_000)) == (
        pytest.approx(1.5225)
    )


@pytest.mark.parametrize(
    ("prompt", "per_million"), [(32_000, 0.195), (128_000, 0.325), (128_001, 0.52), (600_000, 0.52)]
)
def test_of_several_sizes_the_largest_exceeded_counts(prompt: int, per_million: float) -> None:
    money = cost(None, "openrouter/qwen/qwen3-coder-flash", Tally(input_tokens=prompt))
    assert money == pytest.approx(prompt * per_million / 1e6)


def test_cached_tokens_count_for_the_size_of_the_prompt() -> None:
    short = Tally(output_tokens=1_000, cache_read_tokens=200_000)
    long = Tally(output_tokens=1_000, cache_read_tokens=200_000, cache_write_5m_tokens=1)
    assert cost("claude-code", "claude-sonnet-4-5", short) == pytest.approx(0.075)
    assert cost("claude-code", "claude-sonnet-4-5", long) == pytest.approx(0.1425075)


def test_openai_bills_cache_writes_as_input_where_no_price_is_given() -> None:
    write = Tally(cache_write_5m_tokens=1_000)
    assert cost("codex", "gpt-5.4", write) == cost("codex", "gpt-5.4", Tally(input_tokens=1_000))


def test_a_call_is_priced_on_its_own_day() -> None:
    usage = Tally(input_tokens=250_000)
    before = milliseconds(datetime(2026, 3, 12, 23, 59, tzinfo=UTC))
    after = milliseconds(datetime(2026, 3, 13, tzinfo=UTC))
    assert cost("claude-code", "claude-opus-4-6", usage, before) == pytest.approx(2.5)
    assert cost("claude-code", "claude-opus-4-6", usage, after) == pytest.approx(1.25)


@pytest.mark.parametrize(("today", "expected"), [("2026-03-12", 2.5), ("2026-03-13", 1.25)])
def test_a_call_of_unknown_time_is_priced_today(today: str, expected: float) -> None:
    with time_machine.travel(f"{today}T12:00:00+00:00", tick=False):
        money = cost("claude-code", "claude-opus-4-6", Tally(input_tokens=250_000), None)
    assert money == pytest.approx(expected)


def test_a_price_by_the_hour_is_taken_at_the_call_s_hour() -> None:
    usage = Tally(input_tokens=1_000_000)
    hours = [milliseconds(datetime(2025, 7, 1, hour, tzinfo=UTC)) for hour in (12, 20)]
    day, night = (cost(None, "deepseek-chat", usage, at) for at in hours)
    assert day is not None
    assert night is not None
    assert night < day


@pytest.mark.parametrize(
    ("written", "same_as"),
    [
        ("claude-opus-5-5[1m]", "claude-opus-5-5"),
        ("claude-opus-5-5-20261001", "claude-opus-5-5"),
        ("anthropic/claude-sonnet-4.5", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("Claude Sonnet 4.5", "claude-sonnet-4-5"),
        ("openrouter/anthropic/claude-sonnet-4.5", "claude-sonnet-4-5"),
        ("claude-sonnet-4-20250514", "claude-sonnet-4-0"),
        ("openai/gpt-5", "gpt-5"),
        ("gpt-5-codex", "gpt-5"),
        ("gpt-5-2025-08-07", "gpt-5"),
    ],
)
def test_a_model_is_known_by_every_name_that_agents_write(written: str, same_as: str) -> None:
    usage = Tally(input_tokens=1_000, output_tokens=1_000, cache_read_tokens=1_000)
    expected = cost(None, same_as, usage)
    assert expected is not None
    assert cost(None, written, usage) == pytest.approx(expected)


@pytest.mark.parametrize(
    "written",
    [
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    ],
)
def test_a_regional_bedrock_profile_has_the_price_of_its_region(written: str) -> None:
    usage = Tally(input_tokens=100_000)
    assert cost("claude-code", written, usage) == pytest.approx(0.33)


@pytest.mark.parametrize(
    "written",
    [
        None,
        "",
        "<synthetic>",
        "opus",
        "claude-opus",
        "claude-opus-99",
        "claude-sonnet-4-50",
        "claude-opus-4-8-fast",
        "us.anthropic.claude-opus-4-5-fast",
        "gpt-5.5-2026-01-01",
        "ollama/gpt-oss:20b",
        "llama3",
        "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc",
        "github-copilot/gpt-4o",
        "text-embedding-3-small",
        "perplexity/sonar-deep-research",
    ],
)
def test_a_model_without_a_certain_price_is_unpriced_and_never_free(written: str | None) -> None:
    assert cost("claude-code", written, Tally(input_tokens=1_000)) is None
    assert cost("codex", written, Tally()) is None


@given(st.text(max_size=60))
def test_no_name_breaks_the_search_for_a_price(name: str) -> None:
    usage = Tally(input_tokens=1_000)
    for agent in ("claude-code", "codex", None):
        money = cost(agent, name, usage)
        assert money is None or money >= 0
    pricing.context_window(name)


def test_searches_without_a_price_leave_the_call_unpriced() -> None:
    searches = Tally(web_search_requests=3)
    assert cost("claude-code", "claude-opus-5-5", searches) == pytest.approx(0.03)
    assert cost("claude-code", "claude-3-opus-20240229", searches) is None


@pytest.mark.parametrize(
    ("agent", "model", "terms", "factor"),
    [
        ("claude-code", "claude-opus-5-5", pricing.Terms("standard", "standard", ""), 1.0),
        ("claude-code", "claude-opus-5-5", pricing.Terms("priority"), 1.0),
        ("claude-code", "claude-opus-5-5", pricing.Terms("batch"), 0.5),
        ("claude-code", "claude-opus-5-5", pricing.Terms(speed="fast"), 2.0),
        ("claude-code", "claude-opus-5-5", pricing.Terms(region="us"), 1.1),
        ("claude-code", "claude-opus-5-5", pricing.Terms(region="moon"), None),
        ("claude-code", "claude-sonnet-4-6", pricing.Terms(speed="fast"), None),
        ("codex", "gpt-6.1-sol", pricing.Terms("default"), 1.0),
        ("codex", "gpt-6.1-sol", pricing.Terms("priority"), 2.0),
        ("codex", "gpt-5-codex", pricing.Terms("unheard of"), None),
    ],
)
def test_tier_speed_and_region_change_the_price_or_leave_it_unknown(
    agent: str, model: str, terms: pricing.Terms, factor: float | None
) -> None:
    usage = Tally(input_tokens=1_000, output_tokens=1_000, cache_read_tokens=1_000)
    standard = pricing.cost_usd(pricing.rates(agent, model, NOON, 0), usage)
    assert standard is not None
    expected = None if factor is None else pytest.approx(standard * factor)
    assert pricing.cost_usd(pricing.rates(agent, model, NOON, 0, terms), usage) == expected


@pytest.mark.parametrize(
    ("agent", "model", "tier", "day", "expected"),
    [
        # openai.com/api-priority-processing, as it stood in the spring of 2026
        ("codex", "gpt-5", "priority", "2025-09-15", (2.5, 20)),
        ("codex", "gpt-5-mini", "priority", "2026-03-20", (0.45, 3.6)),
        ("codex", "gpt-5.1-codex", "priority", "2026-03-20", (2.5, 20)),
        ("codex", "gpt-5.2", "priority", "2026-03-20", (3.5, 28)),
        ("codex", "gpt-5.4", "priority", "2026-03-20", (5, 30)),
        ("codex", "gpt-5.5", "priority", "2026-05-21", (12.5, 75)),
        ("codex", "gpt-5.4", "flex", "2026-04-03", (1.25, 7.5)),
        ("codex", "gpt-5.4", "batch", "2026-04-03", (1.25, 7.5)),
        ("claude-code", "claude-sonnet-4-6", "batch", "2026-06-01", (1.5, 7.5)),
        # The list price was another one, or nobody sold the tier yet, or nothing bears it out.
        ("codex", "gpt-5.6-sol", "priority", "2026-08-01", None),
        ("claude-code", "claude-opus-4-6", "batch", "2026-03-01", None),
        ("codex", "gpt-5", "priority", "2025-06-15", None),
        ("gemini", "gemini-2.5-pro", "batch", "2026-03-01", None),
        ("codex", "gpt-5.4", "unheard of", "2026-03-20", None),
    ],
)
def test_a_tier_costs_what_it_did_before_the_catalogue_knew_it(
    agent: str, model: str, tier: str, day: str, expected: tuple[float, float] | None
) -> None:
    at = milliseconds(datetime.fromisoformat(day).replace(tzinfo=UTC))
    found = pricing.rates(agent, model, at, 0, pricing.Terms(tier))
    told = None if found is None else (found.input * 1e6, found.output * 1e6)
    assert told == (None if expected is None else pytest.approx(expected))


def test_a_price_names_its_source() -> None:
    rates = pricing.rates("codex", "gpt-5", None, 0)
    assert rates is not None
    assert rates.source.startswith("genai-prices ")


@pytest.mark.parametrize(
    ("model", "window"),
    [
        ("claude-sonnet-4-5-20250929", 200_000),
        ("claude-sonnet-4-5-20250929[1m]", 1_000_000),
        ("gpt-5", 400_000),
        ("unheard-of", None),
        (None, None),
    ],
)
def test_the_context_window_is_the_model_s(model: str | None, window: int | None) -> None:
    assert pricing.context_window(model) == window


@given(read=st.integers(0, 10**6), short=st.integers(0, 10**6), long=st.integers(0, 10**6))
def test_what_a_cache_saves_is_the_difference_to_billing_all_of_it_as_input(
    read: int, short: int, long: int
) -> None:
    rates = pricing.rates("claude-code", "claude-sonnet-4-5", NOON, 0)
    assert rates is not None
    cached = Tally(0, 5, read, short, long)
    without = Tally(read + short + long, 5)
    expected = (pricing.cost_usd(rates, without) or 0) - (pricing.cost_usd(rates, cached) or 0)
    assert pricing.cache_savings_usd(rates, cached) == pytest.approx(expected, abs=1e-9)
