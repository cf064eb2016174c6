"""The records of a Claude Code transcript, and how a line becomes one.

Typed structs name only the fields that facts are made of; msgspec skips the rest without
building it. Leaf fields are `Any`, because their types changed between versions and are
judged where they are used. Only where the nesting is of another shape than expected, or a count
is no plausible one, does the typed decode fail, and then the line is read as plain JSON and
picked apart leniently.

The most frequent fields come first, in the order of the files: so the decoder looks for the
next one where it is.
"""

from typing import Annotated, Any, cast

import msgspec

from lib.model import MAXIMUM_TOKENS
from lib.readers.values import Unreadable, as_list, as_object, decode_object

AGENT: str = "claude-code"


class ToolInput(msgspec.Struct, gc=False):
    """The arguments of a tool call that say what it does."""

    command: Any = None
    file_path: Any = None
    notebook_path: Any = None
    pattern: Any = None
    url: Any = None
    query: Any = None
    description: Any = None
    subject: Any = None
    skill: Any = None
    questions: Any = None
    todos: Any = None


class Block(msgspec.Struct, gc=False):
    """One content block of a message."""

    tool_use_id: Any = None
    type: Any = None
    text: Any = None
    id: Any = None
    name: Any = None
    input: ToolInput | None = None


Count = Annotated[int, msgspec.Meta(ge=0, le=MAXIMUM_TOKENS)] | None
"""Judged by the decoder, which costs nothing, instead of by calls for each of eight counts."""


class CacheCreation(msgspec.Struct, gc=False):
    """Cache writes by how long the cache lives."""

    ephemeral_1h_input_tokens: Count = None
    ephemeral_5m_input_tokens: Count = None


class OutputDetails(msgspec.Struct, gc=False):
    """What the output tokens consist of."""

    thinking_tokens: Count = None


class ServerTools(msgspec.Struct, gc=False):
    """Tools that the API ran by itself, billed by use."""

    web_search_requests: Count = None


class Usage(msgspec.Struct, gc=False):
    """The token counts of one call, or of one iteration inside it."""

    input_tokens: Count = None
    cache_creation_input_tokens: Count = None
    cache_read_input_tokens: Count = None
    output_tokens: Count = None
    output_tokens_details: OutputDetails | None = None
    server_tool_use: ServerTools | None = None
    service_tier: str | None = None
    cache_creation: CacheCreation | None = None
    inference_geo: str | None = None
    iterations: "list[Usage] | None" = None
    speed: str | None = None
    type: Any = None
    model: Any = None


class UnjudgedUsage(Usage, gc=False):
    """Usage from the lenient path: any of its fields, and of those below, may hold anything."""


class Message(msgspec.Struct, gc=False):
    """A message as the API knows it."""

    id: Any = None
    model: Any = None
    content: str | list[Block] | None = None
    stop_reason: Any = None
    usage: Usage | None = None


class NestedRecord(msgspec.Struct, rename="camel", gc=False):
    """A subagent's record inside a progress record of its parent."""

    timestamp: Any = None
    request_id: Any = None
    uuid: Any = None
    message: Message | None = None


class Progress(msgspec.Struct, gc=False):
    """What a progress record reports."""

    type: Any = None
    message: NestedRecord | None = None


class Record(msgspec.Struct, rename="camel", gc=False):
    """One line of a transcript."""

    is_sidechain: Any = None
    message: Message | None = None
    request_id: Any = None
    attribution_agent: Any = None
    type: Any = None
    uuid: Any = None
    timestamp: Any = None
    entrypoint: Any = None
    cwd: Any = None
    session_id: Any = None
    version: Any = None
    git_branch: Any = None
    subtype: Any = None
    request_session_id: Any = None
    forked_from: Any = None
    session_kind: Any = None
    is_meta: Any = None
    is_compact_summary: Any = None
    turn_companion: Any = None
    origin: Any = None
    tool_use_result: Any = msgspec.Raw()
    attachment: Any = msgspec.Raw()
    """Raw JSON, valid only while the line is being consumed; or a value, from the lenient path."""
    tool_denial_kind: Any = None
    interrupted_message_id: Any = None
    interrupted_by_shutdown: Any = None
    is_api_error_message: Any = None
    error: Any = None
    api_error_status: Any = None
    api_error_type: Any = None
    is_aborted_mid_stream: Any = None
    stream_cut_cause: Any = None
    retry_attempt: Any = None
    max_retries: Any = None
    pending_background_agent_count: Any = None
    compact_metadata: Any = None
    custom_title: Any = None
    ai_title: Any = None
    agent_name: Any = None
    summary: Any = None
    data: Progress | None = None
    total_cost_usd: Any = msgspec.field(default=None, name="totalCostUSD")
    cost_usd: Any = msgspec.field(default=None, name="costUSD")
    attribution_skill: Any = None
    attribution_plugin: Any = None
    attribution_mcp_server: Any = None
    attribution_mcp_tool: Any = None


class _TypedRecord(Record, rename="camel", gc=False):
    tool_use_result: msgspec.Raw = msgspec.Raw()
    attachment: msgspec.Raw = msgspec.Raw()


_decoder = msgspec.json.Decoder(_TypedRecord)


def decode_record(line: bytearray) -> Record:
    """The record in one line of a transcript.

    Raises Unreadable when the line is no JSON object or nested beyond what parsers bear.
    """
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _record_in(decode_object(bytes(line)))


def object_in(value: object) -> dict[str, Any]:
    """A field that was left undecoded if it is an object, else an empty one."""
    if not isinstance(value, msgspec.Raw):
        return as_object(value)
    try:
        return decode_object(bytes(value))
    except Unreadable:
        return {}


def _record_in(value: dict[str, Any]) -> Record:
    fields = _leaves(Record, value)
    fields["message"] = _message_in(value.get("message"))
    fields["data"] = _progress_in(value.get("data"))
    return Record(**fields)


def _message_in(value: object) -> Message | None:
    if not isinstance(value, dict):
        return None
    message = cast(dict[str, Any], value)
    fields = _leaves(Message, message)
    content = message.get("content")
    if isinstance(content, list):
        content = [_block_in(block) for block in as_list(content) if isinstance(block, dict)]
    fields["content"] = content if isinstance(content, str | list) else None
    fields["usage"] = _usage_in(message.get("usage"))
    return Message(**fields)


def _block_in(value: dict[str, Any]) -> Block:
    fields = _leaves(Block, value)
    fields["input"] = ToolInput(**_leaves(ToolInput, as_object(value.get("input"))))
    return Block(**fields)


def _usage_in(value: object) -> Usage | None:
    if not isinstance(value, dict):
        return None
    usage = cast(dict[str, Any], value)
    fields = _leaves(Usage, usage)
    for name, kind in (
        ("cache_creation", CacheCreation),
        ("output_tokens_details", OutputDetails),
        ("server_tool_use", ServerTools),
    ):
        part = usage.get(name)
        fields[name] = kind(**_leaves(kind, as_object(part))) if isinstance(part, dict) else None
    iterations = [_usage_in(iteration) for iteration in as_list(usage.get("iterations"))]
    fields["iterations"] = [UnjudgedUsage() if one is None else one for one in iterations]
    return UnjudgedUsage(**fields)


def _progress_in(value: object) -> Progress | None:
    if not isinstance(value, dict):
        return None
    progress = cast(dict[str, Any], value)
    nested = as_object(progress.get("message"))
    fields = _leaves(NestedRecord, nested)
    fields["message"] = _message_in(nested.get("message"))
    return Progress(type=progress.get("type"), message=NestedRecord(**fields))


def _leaves(kind: type[msgspec.Struct], value: dict[str, Any]) -> dict[str, Any]:
    """The fields of `kind` that `value` holds, by their names in Python."""
    names = zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
    return {name: value[key] for name, key in names if key in value}
