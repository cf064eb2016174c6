"""Making entries of a transcript out of untrusted records."""

import json
import re
from typing import Any

from lib.entries import LONGEST_TEXT, CallTokens, Entry, Kind
from lib.model import Request
from lib.readers.values import as_list, as_object, as_text, as_word
from lib.readers.wording import call_text, one_line

_MAXIMUM_CALLS = 10_000
_MAXIMUM_STATUS = 2**32


def entry(kind: Kind, text: object, at: int | None, **facts: Any) -> Entry:
    """An entry with `text` cleaned and shortened; `facts` are other fields of `Entry`."""
    made = Entry(kind=kind, at=at, **facts)
    if isinstance(text, str):
        made.text = as_text(text, LONGEST_TEXT) or ""
        made.omitted = max(0, len(text) - LONGEST_TEXT)
    made.title = one_line(made.title) or ""
    return made


def said(kind: Kind, text: object, at: int | None, **facts: Any) -> list[Entry]:
    """An entry for `text`; none where it is no text or an empty one."""
    made = entry(kind, text, at, **facts)
    return [made] if made.text else []


def error(text: object, at: int | None, title: str = "Error") -> Entry:
    """A model call or a turn that failed."""
    return entry("error", text, at, level="error", title=title)


def notice(title: str, at: int | None, text: object = None, **facts: Any) -> Entry:
    """Something that the agent notes."""
    return entry("notice", text, at, title=title, **facts)


def texts_in(content: object) -> str:
    """The text of content: text itself, or the `text` of its blocks."""
    if isinstance(content, str):
        return content
    blocks = (block if isinstance(block, str) else _block_text(block) for block in as_list(content))
    return "\n".join(block for block in blocks if block)


def _block_text(block: object) -> str:
    fields = as_object(block)
    text = fields.get("text")
    if isinstance(text, str):
        return text
    kind = fields.get("type")
    return f"[{kind}]" if isinstance(kind, str) and kind != "text" else ""


def told_value(value: object) -> str:
    """A value for people: text as it is, other things as JSON."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, indent=2)
    except (TypeError, ValueError, RecursionError):
        return str(value)


def told_arguments(arguments: object) -> str:
    """A call's arguments for people, one below the other; text on lines of its own as it is."""
    if not isinstance(arguments, dict):
        return "" if arguments is None else told_value(arguments)
    lines: list[str] = []
    for name, value in as_object(arguments).items():
        told = told_value(value)
        lines.append(f"{name}:\n{told}" if "\n" in told else f"{name}: {told}")
    return "\n".join(lines)


def decoded(text: object) -> object:
    """What JSON text says; any other value as it is."""
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def status_in(pattern: re.Pattern[str], text: str) -> int | None:
    """The exit status that `pattern` finds in a tool's result, as its first group."""
    found = pattern.search(text[-2_000:]) or pattern.search(text[:2_000])
    return as_status(int(found[1])) if found and len(found[1]) < 12 else None


def as_status(value: object) -> int | None:
    """An exit status; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MAXIMUM_STATUS:
        return value
    return None


def tokens_of(call: Request) -> CallTokens | None:
    """The tokens of a call as its reader counts them; None where none were counted."""
    written = call.cache_write_5m_tokens + call.cache_write_1h_tokens
    if not (call.input_tokens or call.output_tokens or call.cache_read_tokens or written):
        return None
    return CallTokens(
        input=call.input_tokens,
        output=call.output_tokens,
        cache_read=call.cache_read_tokens,
        cache_write=written,
        reasoning=call.reasoning_tokens,
    )


class Calls:
    """Tool calls by their id, so that a result can name its tool."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def __contains__(self, call_id: object) -> bool:
        return as_word(call_id) in self._names

    def call(self, call_id: object, name: object, arguments: object, at: int | None) -> Entry:
        """A tool call."""
        tool = as_word(name) or "tool"
        if (known := as_word(call_id)) is not None:
            self._names[known] = tool
            if len(self._names) > _MAXIMUM_CALLS:
                del self._names[next(iter(self._names))]
        told = told_arguments(arguments)
        return entry("tool_call", told, at, tool=tool, title=call_text(tool, arguments))

    def result(
        self,
        call_id: object,
        text: object,
        at: int | None,
        *,
        failed: bool | None,
        exit_status: int | None = None,
    ) -> Entry:
        """What a tool call came to. An exit status other than 0 is a failure."""
        tool = self._names.get(as_word(call_id) or "")
        if exit_status:
            failed = True
        return entry(
            "tool_result",
            text,
            at,
            tool=tool,
            title=tool or "",
            failed=failed,
            exit_status=exit_status,
            level="warning" if failed else "info",
        )
