"""The entries of a Cline conversation, a document beside the session's own. See `cline_session`."""

import re
from functools import partial
from pathlib import Path
from typing import Any

from lib.entries import CallTokens, Each, Entry, Reading, newest
from lib.readers.cline_session import typed_in
from lib.readers.documents import read_document
from lib.readers.entry_lines import add, skip
from lib.readers.entry_tools import Calls, error, said, status_in, texts_in, told_value
from lib.readers.values import (
    NOT_AN_OBJECT,
    Unreadable,
    as_list,
    as_object,
    as_time,
    as_tokens,
    as_word,
)

_MESSAGES = ".messages.json"
_VERSION = 0
_EXIT = re.compile(r"\bCommand exited with code (\d+)")


def conversation_of(path: Path) -> Path:
    """The document with the conversation of the session whose own file is `path`."""
    return path.with_name(path.name.removesuffix(_MESSAGES).removesuffix(".json") + _MESSAGES)


def entries(
    path: Path,
    session_key: str,  # noqa: ARG001 - the shape
    limit: int,
    each: Each | None = None,
) -> Reading:
    """See `EntrySource`: entries of a conversation. Raises OSError."""
    state, content = read_document(conversation_of(path), None, "cline", _VERSION)
    reading = Reading(each=each)
    if content is None:
        skip(reading, 1, state.error or "not readable")
        return reading
    calls = Calls()
    for number, message in enumerate(as_list(content.get("messages")), 1):
        add(reading, number, partial(_message, message, calls))
    return newest(reading, limit)


def _message(record: object, calls: Calls) -> list[Entry]:
    """The entries of one message. Raises Unreadable when it is no object."""
    if not isinstance(record, dict):
        raise Unreadable(NOT_AN_OBJECT)
    message = as_object(record)
    at = as_time(message.get("ts"))
    content = message.get("content")
    if as_object(message.get("metadata")).get("displayRole") == "error":
        return [error(texts_in(content), at)]
    of_model = message.get("role") == "assistant"
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    found: list[Entry] = []
    for block in map(as_object, as_list(blocks)):
        match block.get("type"):
            case "tool_result":
                found.append(_result(block, calls, at))
            case "tool_use":
                call = (block.get("id"), block.get("name"), block.get("input"), at)
                found.append(calls.call(*call))
            case "thinking":
                found += said("reasoning", block.get("thinking"), at)
            case "text" if of_model:
                found += said("answer", block.get("text"), at)
            case "text":
                found += _typed(block.get("text"), at)
            case _:
                pass
    for one in found if of_model else ():
        one.model = as_word(as_object(message.get("modelInfo")).get("id"))
    if found and of_model:
        found[0].tokens = _tokens(as_object(message.get("metrics")))
    return found


def _result(block: dict[str, Any], calls: Calls, at: int | None) -> Entry:
    outcomes = [as_object(one) for one in as_list(block.get("content"))]
    told = [one for one in outcomes if "success" in one or "result" in one or "error" in one]
    if not told:
        failed = True if block.get("is_error") is True else None
        return calls.result(
            block.get("tool_use_id"), texts_in(block.get("content")), at, failed=failed
        )
    texts = [told_value(one.get("result") or one.get("error") or "") for one in told]
    failed = any(one.get("success") is False for one in told)
    status = None
    for one in told:
        found = status_in(_EXIT, str(one.get("error") or ""))
        status = status if found is None else found
    return calls.result(
        block.get("tool_use_id"), "\n".join(texts), at, failed=failed, exit_status=status
    )


def _typed(text: object, at: int | None) -> list[Entry]:
    """What the user typed, without what Cline wraps around it."""
    typed = typed_in(text) if isinstance(text, str) else None
    return said("prompt", text if typed is None else typed.strip(), at)


def _tokens(metrics: dict[str, Any]) -> CallTokens | None:
    kinds = ("inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens")
    given, output, read, written = (as_tokens(metrics.get(kind)) for kind in kinds)
    if not (given or output or read or written):
        return None
    # What is more than the whole can't be a part of it: such a provider counts apart.
    fresh = given - read - written if given >= read + written else given
    return CallTokens(input=fresh, output=output, cache_read=read, cache_write=written)
