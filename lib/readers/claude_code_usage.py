"""Model calls out of usage objects, by the rules that were checked against a server's log.

A call is known by its `message.id`, which is unique everywhere. One record is written per
content block, each with the usage as known then, so the record with the most output counts,
whole. Top-level figures leave out what an advisor or a server-side compaction used; those
stand in `iterations` and become calls of their own.
"""

import hashlib
from functools import lru_cache

from lib.model import Request
from lib.readers.claude_code_records import AGENT, Usage
from lib.readers.values import as_tokens, as_word

_known_word = lru_cache(maxsize=1024)(as_word)

_ITERATIONS_BESIDE_THE_TOTAL = ("advisor_message", "compaction")

TOTAL_MISMATCH = "total_mismatch"


def repeated_word(value: object) -> str | None:
    """`as_word` for words that come over and over: models, tiers, regions."""
    return _known_word(value) if isinstance(value, str) else None


def call_id(
    ids: tuple[object, object, object], at: int | None, model: str | None, usage: Usage
) -> str:
    """What tells a call from every other one.

    The first of `ids` (of message, request and record) that there is; else a hash of its figures.
    """
    for one in ids:
        if (word := as_word(one)) is not None:
            return word
    said = (at, model, usage.input_tokens, usage.output_tokens, usage.cache_read_input_tokens)
    return hashlib.blake2b(repr(said).encode("utf-8", "replace"), digest_size=12).hexdigest()


def calls_in(
    usage: Usage, call: str, model: str | None, at: int | None, session_key: str, rank: str
) -> tuple[list[Request], set[str]]:
    """The call that `usage` reports, then those inside it; and flags for what does not add up.

    Raises Unreadable when a count is negative or implausible.
    """
    flags: set[str] = set()
    requests = [_request(usage, f"{AGENT}:{call}", model, at, (session_key, rank), flags)]
    for number, iteration in enumerate(usage.iterations or ()):
        if iteration.type in _ITERATIONS_BESIDE_THE_TOTAL:
            key = f"{AGENT}:{call}#{number}"
            named = repeated_word(iteration.model) or model
            requests.append(_request(iteration, key, named, at, (session_key, rank), flags))
    return requests, flags


def keep_best(requests: dict[str, Request], new: Request) -> None:
    """Merge a record of a call into what is known of it: the smallest rank owns the call.

    The record with the most output, then the most input, tells what it was; of equals the later.
    """
    old = requests.get(new.key)
    if old is None:
        requests[new.key] = new
        return
    owner = min((old.owner_rank, old.session_key), (new.owner_rank, new.session_key))
    best = new if _fullness(new) > _fullness(old) else old
    best.owner_rank, best.session_key = owner
    requests[new.key] = best


def _fullness(request: Request) -> tuple[int, int, int]:
    everything_in = (
        request.input_tokens
        + request.cache_read_tokens
        + request.cache_write_5m_tokens
        + request.cache_write_1h_tokens
    )
    return request.output_tokens, everything_in, request.at or -1


def _request(
    usage: Usage,
    key: str,
    model: str | None,
    at: int | None,
    owner: tuple[str, str],
    flags: set[str],
) -> Request:
    written_5m, written_1h = _cache_writes(usage, flags)
    output = as_tokens(usage.output_tokens)
    details = usage.output_tokens_details
    reasoning = as_tokens(details.thinking_tokens) if details is not None else 0
    if reasoning > output:
        flags.add(TOTAL_MISMATCH)
        reasoning = output
    tools = usage.server_tool_use
    return Request(
        key=key,
        session_key=owner[0],
        owner_rank=owner[1],
        at=at,
        model=model,
        input_tokens=as_tokens(usage.input_tokens),
        output_tokens=output,
        cache_read_tokens=as_tokens(usage.cache_read_input_tokens),
        cache_write_5m_tokens=written_5m,
        cache_write_1h_tokens=written_1h,
        reasoning_tokens=reasoning,
        web_search_requests=as_tokens(tools.web_search_requests) if tools is not None else 0,
        service_tier=repeated_word(usage.service_tier),
        speed=repeated_word(usage.speed),
        region=repeated_word(usage.inference_geo),
    )


def _cache_writes(usage: Usage, flags: set[str]) -> tuple[int, int]:
    """Tokens written to the 5-minute and to the 1-hour cache.

    Without a split everything is the 5-minute kind, as it was before there were two.
    """
    total = as_tokens(usage.cache_creation_input_tokens)
    split = usage.cache_creation
    if split is None or (
        split.ephemeral_5m_input_tokens is None and split.ephemeral_1h_input_tokens is None
    ):
        return total, 0
    short = as_tokens(split.ephemeral_5m_input_tokens)
    long = as_tokens(split.ephemeral_1h_input_tokens)
    if total in (0, short + long):
        return short, long
    flags.add(TOTAL_MISMATCH)
    return total, 0
