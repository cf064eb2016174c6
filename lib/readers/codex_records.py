"""What Codex writes in a rollout, as typed structs, and a lenient way to the same structs.

A record is `{"timestamp", "ordinal"?, "type", "payload"}`; one struct holds the fields of every
payload that matters here, so that one typed decode reads any record. When a field has another
type than the CLIs 0.30 to 0.169 write, the record is decoded again field by field, and only
that field is lost. Lines of mid-2025 have no envelope: the payload is the line itself.
"""

import re
from typing import Annotated, Any, Literal, TypeVar, cast

import msgspec

from lib.model import MAXIMUM_TOKENS
from lib.readers.values import (
    as_count,
    as_list,
    as_object,
    as_tokens,
    as_word,
    decode_object,
)

Tokens = Annotated[int, msgspec.Meta(ge=0, le=MAXIMUM_TOKENS)]


class Usage(msgspec.Struct, gc=False):
    """Tokens of one call, or of all calls so far. Cached and written ones are part of the input."""

    input_tokens: Tokens = 0
    cached_input_tokens: Tokens = 0
    cache_write_input_tokens: Tokens = 0
    output_tokens: Tokens = 0
    reasoning_output_tokens: Tokens = 0
    total_tokens: Tokens | None = None


class Info(msgspec.Struct, gc=False):
    """`info` of a `token_count` event."""

    total_token_usage: Usage | None = None
    last_token_usage: Usage | None = None
    model_context_window: int | None = None


class Limit(msgspec.Struct):
    """One rate limit window."""

    used_percent: Any = None
    resets_at: Any = None
    resets_in_seconds: Any = None


class RateLimits(msgspec.Struct):
    """`rate_limits` of a `token_count` event."""

    primary: Limit | None = None
    secondary: Limit | None = None


class Content(msgspec.Struct):
    """One part of a message."""

    text: str | None = None


class Item(msgspec.Struct):
    """`item` of an `item_completed` event."""

    type: str | None = None
    text: str | None = None
    content: list[Content] | None = None


class Git(msgspec.Struct):
    """`git` of `session_meta`."""

    branch: str | None = None


class Settings(msgspec.Struct):
    """`thread_settings` of a `thread_settings_applied` event."""

    model: str | None = None
    service_tier: str | None = None
    approval_policy: Any = None
    approvals_reviewer: str | None = None


class TokenCount(msgspec.Struct, gc=False):
    """The fields that matter of a `token_count` event."""

    type: Literal["token_count"] = "token_count"
    info: Info | None = None
    rate_limits: RateLimits | None = None


class CallUsage(msgspec.Struct, gc=False):
    """The fields that matter of a `token_usage_record`."""

    thread_id: str | None = None
    response_id: str | None = None
    usage: Usage | None = None
    thread_token_usage: Usage | None = None


class CallFields(msgspec.Struct):
    """The fields that matter of a tool call, whichever way it is written."""

    id: str | None = None
    name: str | None = None
    arguments: str | None = None
    input: str | None = None
    call_id: str | None = None
    action: Any = None


class ToolCall(CallFields):
    """A tool call that is known as one before it is decoded."""

    type: Literal["function_call", "custom_tool_call", "local_shell_call"] = "function_call"


class Payload(CallFields):
    """The fields that matter, of all kinds of payload."""

    type: str | None = None
    timestamp: str | None = None
    cwd: str | None = None
    originator: str | None = None
    cli_version: str | None = None
    source: Any = None
    parent_thread_id: str | None = None
    forked_from_id: str | None = None
    history_base: Any = None
    git: Git | None = None
    turn_id: str | None = None
    model: str | None = None
    approval_policy: Any = None
    approvals_reviewer: str | None = None
    model_context_window: int | None = None
    thread_settings: Settings | None = None
    thread_id: str | None = None
    thread_name: str | None = None
    response_id: str | None = None
    usage: Usage | None = None
    thread_token_usage: Usage | None = None
    info: Info | None = None
    rate_limits: RateLimits | None = None
    message: str | None = None
    last_agent_message: str | None = None
    role: str | None = None
    content: list[Content] | None = None
    item: Item | None = None
    error: Any = None
    codex_error_info: Any = None
    reason: str | None = None


class Record(msgspec.Struct):
    """One line."""

    timestamp: Any = None
    type: str | None = None
    payload: Payload | None = None


_decoder = msgspec.json.Decoder(Record)
decode_token_count = msgspec.json.Decoder(TokenCount).decode
decode_call_usage = msgspec.json.Decoder(CallUsage).decode
decode_tool_call = msgspec.json.Decoder(ToolCall).decode
_Kind = TypeVar("_Kind", bound=msgspec.Struct)

_STRUCTS: dict[str, type[msgspec.Struct]] = {
    "git": Git,
    "thread_settings": Settings,
    "usage": Usage,
    "thread_token_usage": Usage,
    "total_token_usage": Usage,
    "last_token_usage": Usage,
    "info": Info,
    "rate_limits": RateLimits,
    "primary": Limit,
    "secondary": Limit,
    "item": Item,
}
_ANYTHING = frozenset(
    {
        "source",
        "history_base",
        "approval_policy",
        "error",
        "codex_error_info",
        "action",
        "used_percent",
        "resets_at",
        "resets_in_seconds",
    }
)
_TOKENS = frozenset(Usage.__struct_fields__)
_PLAIN_IDENTIFIER = re.compile(r"[A-Za-z0-9_.:-]{1,200}")


def decode_record(line: memoryview) -> Record:
    """The record in `line`, with `payload` set.

    Raises Unreadable when it is no JSON object, or when a token count in it is impossible.
    """
    try:
        record = _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        record = None
    if record is not None and record.payload is not None:
        return record
    return _without_envelope_or_types(decode_object(bytes(line)))


def _without_envelope_or_types(raw: dict[str, Any]) -> Record:
    kind = raw.get("type") if isinstance(raw.get("type"), str) else None
    if "payload" in raw:
        payload = lenient(Payload, as_object(raw["payload"]))
    else:
        payload = lenient(Payload, raw)
        kind = "session_meta" if kind is None and payload.id is not None else "response_item"
    return Record(raw.get("timestamp"), kind, payload)


def lenient(kind: type[_Kind], raw: dict[str, Any]) -> _Kind:
    """A struct of `kind` from whatever `raw` holds: fields of a wrong type keep their default.

    Raises Unreadable when a token count is impossible.
    """
    names = (name for name in kind.__struct_fields__ if raw.get(name) is not None)
    return kind(**{name: _lenient_value(name, raw[name]) for name in names})


def _lenient_value(name: str, value: object) -> object:
    if name in _ANYTHING:
        return value
    if name in _TOKENS:
        return as_tokens(value)
    if name == "model_context_window":
        return as_count(value)
    if name == "content":
        return [lenient(Content, as_object(part)) for part in as_list(value)]
    if name in _STRUCTS:
        if not isinstance(value, dict):
            return None
        return lenient(_STRUCTS[name], cast(dict[str, Any], value))
    return value if isinstance(value, str) else None


def identifier(value: str | None) -> str | None:
    """An id, cleaned. The common ones need no cleaning, and there are many."""
    if value is not None and _PLAIN_IDENTIFIER.fullmatch(value):
        return value
    return as_word(value)


def text_of(parts: list[Content] | None) -> str:
    """The text of a message's parts."""
    return "\n".join(part.text for part in parts or () if part.text)


def version_of(text: str | None) -> tuple[int, ...]:
    """Major and minor version; empty where there is none."""
    found = re.match(r"(\d{1,6})\.(\d{1,6})", text or "")
    return (int(found[1]), int(found[2])) if found else ()
