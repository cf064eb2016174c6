"""Model calls out of usage objects, by the rules that were checked against a server's log.

A call is known by its `message.id`, which is unique everywhere. One record is written per
content block, each with the usage as known then, so the record with the most output counts,
whole. Top-level figures leave out what an advisor or a server-side compaction used; those
stand in `iterations` and become calls of their own.
"""

import hashlib
from functools import lru_cache

import msgspec

from lib.model import Request
from lib.readers.claude_code_records import (
    AGENT,
    CacheCreation,
    Message,
    OutputDetails,
    ServerTools,
    Usage,
)
from lib.readers.claude_code_state import State
from lib.readers.values import as_tokens, as_word

_known_word = lru_cache(maxsize=1024)(as_word)

_ITERATIONS_BESIDE_THE_TOTAL = ("advisor_message", "compaction")

TOTAL_MISMATCH = "total_mismatch"
PARTS_OF_ATTRIBUTION = ("agent", "skill", "plugin", "mcp_server", "mcp_tool")


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


def attribution(*said: object) -> str | None:
    """What made the agent ask, of what a record says of `PARTS_OF_ATTRIBUTION`, in this order."""
    return _attribution(*map(repeated_word, said))


@lru_cache(maxsize=1024)
def _attribution(*said: str | None) -> str | None:
    named = zip(PARTS_OF_ATTRIBUTION, said, strict=True)
    told = {name: word for name, word in named if word is not None}
    return msgspec.json.encode(told).decode() if told else None


class Call(msgspec.Struct, gc=False):
    """One model call, as a record tells it."""

    id: str
    usage: Usage
    model: str | None
    at: int | None
    rank: str
    attribution: str | None = None


class Calls:
    """The model calls of one transcript, each kept once."""

    def __init__(self, state: State):
        self.requests: dict[str, Request] = {}
        """Without the newest one, see `settle`."""
        self.usage_records = 0
        self.repeated_records = 0
        self.newest_said: tuple[object, object, int] | None = None
        """The id and the model of the newest call's message, and how far it is a copy."""
        self._state = state
        self._newest: Call | None = None
        """Not yet among `requests`: its next record may say more of it."""

    def repeats(self, message: Message, at: int | None, copied: int) -> bool:
        """Take in a further content block of the newest answer, if that is all the record is.

        Half of all records with usage are, mostly with equal figures; older versions count more
        output in each, because the answer was still streaming.
        """
        newest, usage, said = self._newest, message.usage, self.newest_said
        if newest is None or usage is None or at is None or said is None or message.id != said[0]:
            return False
        if message.model != said[1] or copied != said[2]:
            return False
        if usage == newest.usage:
            if newest.at is None or at > newest.at:
                newest.at = at
        elif _is_plain(usage) and (usage.output_tokens or 0) > (newest.usage.output_tokens or 0):
            newest.usage, newest.at = usage, at
        else:
            return False
        self.usage_records += 1
        self.repeated_records += 1
        return True

    def take(self, call: Call) -> None:
        """Take in the usage of one record.

        Raises Unreadable when a count is negative or implausible.
        """
        state = self._state
        self.settle()
        self.newest_said = None
        repeats = call.id == state.last_call
        state.last_call = call.id
        calls = 1
        if call.at is not None and _is_plain(call.usage):
            self._newest = call
        else:
            calls = self._add(call)
        self.count(calls, repeats=repeats)
        if call.at is None:
            state.flags.add("missing_timestamp")
        if call.model is None:
            state.flags.add("missing_model")

    def settle(self) -> None:
        """Bring `requests` up to date: nobody looks at them between two records."""
        newest = self._newest
        if newest is not None:
            self._newest = None
            self._add(newest)

    def _add(self, call: Call) -> int:
        """Keep a call, and those inside it; return how many they are."""
        key, session_key = f"{AGENT}:{call.id}", self._state.session.key
        flags: set[str] = set()
        request = _request(call, key, session_key, flags)
        inside = _inside(call, key, session_key, flags) if call.usage.iterations else ()
        if flags:
            self._state.flags |= flags
        if key in self.requests:
            keep_best(self.requests, request)
        else:
            self.requests[key] = request
        for one in inside:
            keep_best(self.requests, one)
        return 1 + len(inside)

    def reported(self, call: object, cost_usd: float | None) -> None:
        """Note what the agent itself says that a call has cost (CLI 1.0.8 and before)."""
        self.settle()
        request = self.requests.get(f"{AGENT}:{as_word(call)}")
        if request is not None:
            request.reported_cost_usd = cost_usd

    def count(self, calls: int, *, repeats: bool) -> None:
        """Note that so many calls were reported, or reported again by the next record of one."""
        self.usage_records += calls
        if repeats:
            self.repeated_records += calls


def _is_plain(usage: Usage) -> bool:
    """Whether it reports one call, in figures that the decoder has judged."""
    return type(usage) is Usage and not usage.iterations


def _inside(call: Call, key: str, session_key: str, flags: set[str]) -> list[Request]:
    """The calls inside a call that its own figures leave out."""
    return [
        _request(
            msgspec.structs.replace(
                call, usage=iteration, model=repeated_word(iteration.model) or call.model
            ),
            f"{key}#{number}",
            session_key,
            flags,
        )
        for number, iteration in enumerate(call.usage.iterations or ())
        if iteration.type in _ITERATIONS_BESIDE_THE_TOTAL
    ]


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


def _request(call: Call, key: str, session_key: str, flags: set[str]) -> Request:
    usage = call.usage if type(call.usage) is Usage else _judged(call.usage)
    written_5m, written_1h, adds_up = _cache_writes(usage)
    given, read = usage.input_tokens or 0, usage.cache_read_input_tokens or 0
    output = usage.output_tokens or 0
    details, tools = usage.output_tokens_details, usage.server_tool_use
    reasoning = details.thinking_tokens or 0 if details is not None else 0
    if reasoning > output or not adds_up:
        flags.add(TOTAL_MISMATCH)
        reasoning = min(reasoning, output)
    tier, speed, region = _billing_words(usage.service_tier, usage.speed, usage.inference_geo)
    return Request(
        key=key,
        session_key=session_key,
        owner_rank=call.rank,
        at=call.at,
        model=call.model,
        input_tokens=given,
        output_tokens=output,
        cache_read_tokens=read,
        cache_write_5m_tokens=written_5m,
        cache_write_1h_tokens=written_1h,
        reasoning_tokens=reasoning,
        web_search_requests=tools.web_search_requests or 0 if tools is not None else 0,
        service_tier=tier,
        speed=speed,
        region=region,
        attribution=call.attribution,
        provider_total=None if adds_up else given + read + written_5m + output,
    )


@lru_cache(maxsize=1024)
def _billing_words(
    tier: str | None, speed: str | None, region: str | None
) -> tuple[str | None, str | None, str | None]:
    return as_word(tier), as_word(speed), as_word(region)


def _cache_writes(usage: Usage) -> tuple[int, int, bool]:
    """Tokens written to the 5-minute and to the 1-hour cache, and whether they add up.

    Without a split everything is the 5-minute kind, as it was before there were two, and so it
    is where the split makes another sum than the whole beside it.
    """
    total = usage.cache_creation_input_tokens or 0
    split = usage.cache_creation
    if split is None:
        return total, 0, True
    short, long = split.ephemeral_5m_input_tokens, split.ephemeral_1h_input_tokens
    if short is None and long is None:
        return total, 0, True
    short, long = short or 0, long or 0
    if total in (0, short + long):
        return short, long, True
    return total, 0, False


def _judged(usage: Usage) -> Usage:
    """The figures of an `UnjudgedUsage`, without its iterations.

    Raises Unreadable when a count is negative or implausible.
    """
    split, details, tools = (
        usage.cache_creation,
        usage.output_tokens_details,
        usage.server_tool_use,
    )
    return Usage(
        input_tokens=as_tokens(usage.input_tokens),
        output_tokens=as_tokens(usage.output_tokens),
        cache_read_input_tokens=as_tokens(usage.cache_read_input_tokens),
        cache_creation_input_tokens=as_tokens(usage.cache_creation_input_tokens),
        cache_creation=_judged_split(split) if split is not None else None,
        output_tokens_details=(
            OutputDetails(as_tokens(details.thinking_tokens)) if details is not None else None
        ),
        server_tool_use=(
            ServerTools(as_tokens(tools.web_search_requests)) if tools is not None else None
        ),
        service_tier=as_word(usage.service_tier),
        speed=as_word(usage.speed),
        inference_geo=as_word(usage.inference_geo),
    )


def _judged_split(split: CacheCreation) -> CacheCreation | None:
    short, long = split.ephemeral_5m_input_tokens, split.ephemeral_1h_input_tokens
    if short is None and long is None:
        return None
    return CacheCreation(
        ephemeral_5m_input_tokens=as_tokens(short), ephemeral_1h_input_tokens=as_tokens(long)
    )
