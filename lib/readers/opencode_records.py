"""What OpenCode keeps, whichever way: sessions, messages and their parts, decoded leniently.

Since 1.2 these are rows of a database with the record as JSON in a column, before that one JSON
file each. The records are the same. Seen in CLI 1.18.33.
"""

import hashlib
from typing import Any, NamedTuple

import msgspec

from lib.model import MAXIMUM_TOKENS, FileState, Request, owner_rank
from lib.readers import drift, vocabulary
from lib.readers.values import (
    Unreadable,
    as_money,
    as_object,
    as_time,
    as_tokens,
    as_word,
    decode_object,
)

AGENT = "opencode"


class SessionRecord(msgspec.Struct, kw_only=True):
    """One session, as its row or file has it; nothing in it is trusted to be of its type."""

    id: str
    parent_id: object = None
    directory: object = None
    title: object = None
    version: object = None
    permission: object = None
    time_created: object = None
    time_updated: object = None

    @property
    def key(self) -> str:
        """The session's key among all sessions."""
        return f"{AGENT}:{self.id}"


class Data(msgspec.Struct, rename={"model_id": "modelID", "provider_id": "providerID"}):
    """A message's record. What a user's message holds beside (whole files) is not decoded."""

    role: Any = None
    model_id: Any = None
    provider_id: Any = None
    mode: Any = None
    tokens: Any = None
    cost: Any = None
    time: Any = None
    finish: Any = None
    error: Any = None
    summary: msgspec.Raw = msgspec.Raw(b"")


class Part(NamedTuple):
    """A part of a message: a text, a tool call, the end of a step."""

    message_id: str
    data: dict[str, Any]


_data_decoder = msgspec.json.Decoder(Data)


def decode_data(record: bytes) -> Data:
    """A message's record. Raises Unreadable when it is no JSON object."""
    try:
        return _data_decoder.decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return data_of(decode_object(record))


def data_of(record: dict[str, Any]) -> Data:
    """A message's record that was decoded already."""
    return msgspec.convert(
        {name: value for name, value in record.items() if name != "summary"}, Data
    )


class Tokens(NamedTuple):
    """A message's token counts as OpenCode writes them: no kind is part of another."""

    input: int
    output: int
    reasoning: int
    cache_read: int
    cache_write: int
    total: int

    @property
    def parts(self) -> int:
        """All kinds together."""
        return self.input + self.output + self.reasoning + self.cache_read + self.cache_write


class Message:
    """One message of a session."""

    def __init__(self, message_id: str, created: object, data: Data):
        times = as_object(data.time)
        self.id = message_id
        self.data = data
        self.created: int | None = as_time(times.get("created")) or as_time(created)
        self.completed: int | None = as_time(times.get("completed"))
        self.is_user = data.role == "user"
        self.is_assistant = data.role == "assistant"
        self.is_compaction = bytes(data.summary) == b"true" or data.mode == "compaction"
        self.finish = data.finish if isinstance(data.finish, str) else None
        self.error: dict[str, Any] = as_object(data.error)
        self.model = as_word(data.model_id)

    @property
    def order(self) -> tuple[int, str]:
        """Where it stands among the messages of its session. Ids ascend too, but not in copies."""
        return (self.created or 0, self.id)

    @property
    def is_open(self) -> bool:
        """Whether the answer is still being made, as far as its record knows."""
        return self.is_assistant and self.completed is None and not self.error

    def tokens(self) -> Tokens | None:
        """None where nothing was counted, so far or ever. Raises Unreadable on absurd counts."""
        counted = tokens_in(self.data.tokens)
        return counted if counted.parts else None


def note_new(state: FileState, message: Message) -> None:
    """Count what is unknown in a message."""
    drift.check(state, "role", message.data.role, vocabulary.OPENCODE_ROLES)
    drift.check(state, "finish", message.finish, vocabulary.OPENCODE_FINISHES)
    drift.note_fields(state, "tokens", as_object(message.data.tokens), vocabulary.OPENCODE_TOKENS)


def tokens_in(record: object) -> Tokens:
    """The counts in a record of tokens. Raises Unreadable when one is absurd."""
    tokens = as_object(record)
    cache = as_object(tokens.get("cache"))
    counts = [as_tokens(tokens.get(kind)) for kind in ("input", "output", "reasoning")]
    counts += [as_tokens(cache.get("read")), as_tokens(cache.get("write"))]
    return Tokens(*counts, total=as_tokens(tokens.get("total")))


def added_up(steps: list[Tokens]) -> Tokens:
    """Several steps of one message, as one."""
    sums = Tokens(*(min(MAXIMUM_TOKENS, sum(kind)) for kind in zip(*steps, strict=True)))
    return sums if all(step.total for step in steps) else sums._replace(total=0)


def request_of(message: Message, tokens: Tokens, session: SessionRecord) -> Request:
    """The model call that a message is the answer of.

    A fork copies messages under new ids and keeps their times and counts, so these make the key.
    Where a message is older than its session it is such a copy, and leaves the call to others.
    """
    written = message.tokens() or tokens
    identity = repr((message.data.provider_id, message.data.model_id, written[:5]))
    digest = hashlib.blake2b(identity.encode("utf-8", "replace"), digest_size=8).hexdigest()
    started = as_time(session.time_created)
    copied = 1 if session.parent_id else 0
    if started and message.created and message.created < started:
        copied = 2
    # Versions that kept reasoning inside output show it in the total.
    apart = not tokens.total or tokens.total != tokens.parts - tokens.reasoning
    return Request(
        key=f"{AGENT}:{message.created or message.id}-{digest}",
        session_key=session.key,
        owner_rank=owner_rank(copied, started, session.key),
        at=message.created,
        model=message.model,
        input_tokens=tokens.input,
        output_tokens=tokens.output + tokens.reasoning if apart else tokens.output,
        cache_read_tokens=tokens.cache_read,
        cache_write_5m_tokens=tokens.cache_write,
        reasoning_tokens=tokens.reasoning if apart else min(tokens.reasoning, tokens.output),
        reported_cost_usd=as_money(message.data.cost),
        provider_total=tokens.total if has_wrong_total(tokens) else None,
    )


def has_wrong_total(tokens: Tokens) -> bool:
    """Whether the parts contradict the total beside them."""
    return bool(tokens.total) and tokens.total not in (
        tokens.parts,
        tokens.parts - tokens.reasoning,
    )


def decode_part(message_id: str, record: bytes) -> Part | None:
    """A part of a message; None for one that is unreadable, which costs no figures."""
    try:
        return Part(message_id, decode_object(record))
    except Unreadable:
        return None
