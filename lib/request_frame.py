"""Model calls as a pandas frame, one row a call: for analysis in a notebook.

The pages don't need it: they sum by quarter hour, which `lib.frame.load_usage` gives them.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import pandas as pd

from lib import pricing
from lib.session_row import SAMPLE_MACHINE
from lib.store import QUARTER_HOUR, Store
from lib.store_requests import RequestFilter, RequestRow

PROMPT = ["input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"]
COUNTS = [*PROMPT, "output_tokens", "reasoning_tokens", "web_search_requests"]
MONEY = ["cost_usd", "cache_savings_usd", "reported_cost_usd"]
WORDS = ["session_key", "agent", "model", "service_tier", "speed", "region", "attribution"]
COLUMNS = ["key", "at", *WORDS, *COUNTS, "provider_total", *MONEY]
_TYPES: dict[str, Any] = {
    "key": "object",
    # Of one part at a time, so that a word is kept once and not with every call.
    **dict.fromkeys(WORDS, "category"),
    **dict.fromkeys(COUNTS, "int64"),
    "provider_total": "Int64",
    **dict.fromkeys(MONEY, "float64"),
}


def load_requests(
    store: Store,
    sessions: Collection[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> pd.DataFrame:
    """The model calls in `store`, one row each, the oldest first; samples are left out.

    Only those of `sessions` (keys), and from the moment `since` on and before `until` (both with
    a time zone), where these are given. A call without a time comes last, and is in no span.
    The frame is the caller's own: nothing of it is kept.

    | column | dtype | meaning |
    |---|---|---|
    | `key` | object | the call's identity: the same for every copy of it |
    | `at` | datetime64[ms, UTC] | when it was made; NaT where the record told no time |
    | `session_key` | category | `key` of its row in `load_sessions`; a subagent's is its own |
    | `agent`, `model` | category | NaN where the record names no model |
    | `service_tier`, `speed`, `region` | category | what else its price depends on |
    | `attribution` | category | what made the agent ask, as JSON, where the record says so |
    | `input_tokens` | int64 | of the prompt, nothing cached |
    | `cache_read_tokens`, `cache_write_5m_tokens`, `cache_write_1h_tokens` | int64 | its rest |
    | `prompt_tokens` | int64 | the sum of these four: how much of the context was in use |
    | `output_tokens`, `reasoning_tokens` | int64 | the latter are part of the former |
    | `total_tokens` | int64 | prompt and output |
    | `web_search_requests` | int64 | searches that are billed by number |
    | `provider_total` | Int64 | the provider's own total, where it is not the sum of the parts |
    | `cost_usd` | float64 | US dollars at the list price of its day; NaN: unpriced, never 0 |
    | `cache_savings_usd` | float64 | how much more it would have cost without a cache |
    | `reported_cost_usd` | float64 | what the agent itself says that it cost; NaN mostly |

    Raises StoreError, and ValueError for a moment without a time zone.
    """
    wanted = RequestFilter(sessions, _milliseconds(since), _milliseconds(until))
    parts = [_part(rows) for rows in store.requests.read(wanted, pricing.thresholds())]
    found = pd.concat(parts or [_part([])], ignore_index=True).astype(
        dict.fromkeys(WORDS, "category")
    )
    found["prompt_tokens"] = found[PROMPT].sum(axis=1)
    found["total_tokens"] = found["prompt_tokens"] + found["output_tokens"]
    return found.sort_values(["at", "key"], na_position="last", ignore_index=True)


def _milliseconds(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError(f"a moment needs a time zone: {moment}")
    return round(moment.timestamp() * 1000)


def _part(rows: list[RequestRow]) -> pd.DataFrame:
    real = [row for row in rows if row.machine != SAMPLE_MACHINE]
    frame = pd.DataFrame(real, columns=list(RequestRow._fields))
    priced = [_priced(row) for row in real]
    frame["cost_usd"] = [cost for cost, _ in priced]
    frame["cache_savings_usd"] = [saved for _, saved in priced]
    at = pd.to_datetime(frame["at"].astype("Int64"), unit="ms", utc=True)
    frame["at"] = at.astype("datetime64[ms, UTC]")
    return frame[COLUMNS].astype(_TYPES)


def _priced(row: RequestRow) -> tuple[float | None, float | None]:
    # As usage is: prices by the hour change with the quarter hour.
    quarter = None if row.at is None else row.at - row.at % QUARTER_HOUR
    terms = pricing.Terms(row.service_tier, row.speed, row.region)
    rates = pricing.rates(row.agent, row.model, quarter, row.band, terms)
    cost = pricing.cost_usd(rates, row)
    saved = pricing.cache_savings_usd(rates, row) if rates and cost is not None else None
    return cost, saved
