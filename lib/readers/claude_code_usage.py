"""Model calls out of usage objects, by the rules that were checked against a server's log.

A call is known by its `message.id`, which is unique everywhere. One record is written per
content block, each with the usage as known then, so the record with the most output counts,
whole. Top-level figures leave out what an advisor or a server-side compaction used; those
stand in `iterations` and become calls of their own.
"""

import hashlib

from lib.model import Request
from lib.readers.claude_code_records import AGENT, Usage
from lib.readers.values import as_tokens, as_word

_ITERATIONS_BESIDE_THE_TOTAL = frozenset({"advisor_message", "compaction"})

TOTAL_MISMATCH = "total_mismatch"


def call_id(
    message_id: object,
    request_id: object,
    uuid: object,
    at: int | None,
    model: object,
    usage: Usage,
) -> str:
    """What tells this call from every other one, the best of what the record offers."""
    word = as_word(message_id) or as_word(request_id) or as_word(uuid)
    if word is not None:
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
            named = as_word(iteration.model) or model
            requests.append(_request(iteration, key, named, at, (session_key, rank), flags))
    return requests, flags


def keep_best(requests: dict[str, Request], new: Request) -> None:
    """Of two records of one call keep the one with more output; of equals the later."""
    old = requests.get(new.key)
    if old is None or new.output_tokens >= old.output_tokens:
        requests[new.key] = new


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
        service_tier=as_word(usage.service_tier),
        speed=as_word(usage.speed),
        region=as_word(usage.inference_geo),
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
