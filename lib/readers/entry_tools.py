"""Making entries of a transcript out of untrusted records."""

import json
import re
from hashlib import blake2b
from typing import Any

import msgspec

from lib.entries import LONGEST_TEXT, CallTokens, Entry, Kind
from lib.model import Request
from lib.readers.values import as_list, as_object, as_text, as_word
from lib.readers.wording import call_text, one_line

_MAXIMUM_CALLS = 10_000
_MAXIMUM_STATUS = 2**32
_HASH_BYTES = 12
_LONGEST_WAIT_MS = 7 * 86_400_000
_DENIED = re.compile(
    r"(?:error:? )?(?:"
    r"(?:the )?user (?:has )?(?:rejected|denied|declined|did not allow|has specified a rule which)"
    r"|(?:\[operation cancelled\] reason: )user denied"
    r"|(?:exec command |patch |tool call |the tool call is )?rejected(?: by (?:the )?user|:)"
    r"|tool execution (?:was )?denied"
    r"|permission denied because no interactive user"
    r")",
    re.IGNORECASE,
)
"""How results begin that agents write in place of a call which they were not allowed to make:
OpenCode, Cline, Goose, Kimi, Gemini CLI, Codex, Copilot CLI."""
_MCP = re.compile(r"mcp__(.+?)__.")
"""How agents name the tools of an MCP server: `mcp__<server>__<tool>`."""


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


def retry(text: object, at: int | None, title: str = "Retrying", wait_ms: object = None) -> Entry:
    """A model call that failed and is tried again, after `wait_ms` where the record tells."""
    told = entry("error", text, at, level="warning", title=title, retries=1)
    if isinstance(wait_ms, int | float) and 0 <= wait_ms <= _LONGEST_WAIT_MS:
        told.wait_ms = int(wait_ms)
    return told


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

    def call(
        self,
        call_id: object,
        name: object,
        arguments: object,
        at: int | None,
        *,
        mcp_server: str | None = None,
    ) -> Entry:
        """A tool call. `mcp_server`: where the record tells what the tool's name does not."""
        tool = as_word(name) or "tool"
        if (known := as_word(call_id)) is not None:
            self._names[known] = tool
            if len(self._names) > _MAXIMUM_CALLS:
                del self._names[next(iter(self._names))]
        told = told_arguments(arguments)
        made = entry("tool_call", told, at, tool=tool, title=call_text(tool, arguments))
        server = _MCP.match(tool)
        made.mcp_server = mcp_server or (server[1] if server else None)
        made.call_id, made.input_hash = known, _hash(tool, arguments)
        return made

    def result(
        self,
        call_id: object,
        text: object,
        at: int | None,
        *,
        failed: bool | None,
        exit_status: int | None = None,
        denied: bool = False,
    ) -> Entry:
        """What a tool call came to. An exit status other than 0 is a failure."""
        known = as_word(call_id)
        tool = self._names.get(known or "")
        if exit_status:
            failed = True
        if failed is not False and exit_status is None and isinstance(text, str):
            denied = denied or _DENIED.match(text.lstrip()[:200]) is not None
        return entry(
            "tool_result",
            text,
            at,
            tool=tool,
            title=tool or "",
            call_id=known,
            characters=len(text) if isinstance(text, str) else 0,
            failed=failed,
            denied=denied,
            exit_status=exit_status,
            level="warning" if failed or denied else "info",
        )


def _hash(tool: str, arguments: object) -> str:
    """Of tool and arguments, whatever their order."""
    try:
        told = msgspec.json.encode([tool, arguments], order="deterministic")
    except (TypeError, ValueError, RecursionError):
        # What the JSON of other libraries holds beyond it: lone surrogates, huge numbers.
        told = f"{tool}{arguments!r}".encode("utf-8", "replace")
    return blake2b(told, digest_size=_HASH_BYTES).hexdigest()
