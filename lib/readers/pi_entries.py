"""The entries of a pi session. Record kinds: see `pi_parser`."""

import re
from pathlib import Path
from typing import Any

from lib.entries import CallTokens, Each, Entry, Reading
from lib.readers.entry_lines import read_lines
from lib.readers.entry_tools import (
    Calls,
    as_status,
    error,
    notice,
    said,
    status_in,
    texts_in,
    told_value,
)
from lib.readers.values import as_list, as_object, as_text, as_time, as_tokens, as_word

_EXIT = re.compile(r"^Command exited with code (\d+)", re.MULTILINE)
_COUNTS = ("input", "output", "cacheRead", "cacheWrite")


def entries(
    path: Path,
    session_key: str,  # noqa: ARG001 - the shape
    limit: int,
    each: Each | None = None,
) -> Reading:
    """See `EntrySource`: entries of a session. Raises OSError."""
    return read_lines(path, lambda: _Records().take, limit, each)


class _Records:
    def __init__(self) -> None:
        self._calls = Calls()

    def take(self, record: dict[str, Any]) -> list[Entry]:
        """The entries of one record."""
        at = as_time(record.get("timestamp"))
        match record.get("type"):
            case "message":
                return self._message(as_object(record.get("message")), at)
            case "compaction" | "branch_summary":
                told = "The conversation was compacted"
                return [notice(told, at, record.get("summary"))]
            case "model_change":
                model = as_text(record.get("modelId"), 200)
                return [notice(f"Model: {model}", at, level="debug")] if model else []
            case _:
                return []

    def _message(self, message: dict[str, Any], at: int | None) -> list[Entry]:
        content = message.get("content")
        match message.get("role"):
            case "user":
                return said("prompt", texts_in(content), at)
            case "assistant":
                return self._answer(message, at)
            case "toolResult":
                return [self._result(message, at)]
            case "bashExecution":
                call = self._calls.call(None, "bash", {"command": message.get("command")}, at)
                status = as_status(message.get("exitCode"))
                output = told_value(message.get("output") or "")
                return [
                    call,
                    self._calls.result(None, output, at, failed=None, exit_status=status),
                ]
            case "custom" | "compactionSummary" | "branchSummary":
                text = texts_in(content) or message.get("summary")
                return said("notice", text, at, level="debug", title="The agent adds")
            case _:
                return []

    def _answer(self, message: dict[str, Any], at: int | None) -> list[Entry]:
        found: list[Entry] = []
        content = message.get("content")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for block in map(as_object, as_list(blocks)):
            match block.get("type"):
                case "thinking":
                    found += said("reasoning", block.get("thinking"), at)
                case "toolCall":
                    call = (block.get("id"), block.get("name"), block.get("arguments"), at)
                    found.append(self._calls.call(*call))
                case _:
                    found += said("answer", block.get("text"), at)
        if message.get("stopReason") == "error":
            found.append(error(message.get("errorMessage"), at, "A model call failed"))
        elif message.get("stopReason") == "aborted":
            found.append(notice("Interrupted by the user", at, level="warning"))
        for one in found:
            one.model = as_word(message.get("model"))
        counts = [as_tokens(as_object(message.get("usage")).get(name)) for name in _COUNTS]
        if found and any(counts):
            found[0].tokens = CallTokens(
                input=counts[0], output=counts[1], cache_read=counts[2], cache_write=counts[3]
            )
        return found

    def _result(self, message: dict[str, Any], at: int | None) -> Entry:
        text = texts_in(message.get("content"))
        failed = message.get("isError") is True
        tool = as_word(message.get("toolName"))
        status = status_in(_EXIT, text) if failed and tool == "bash" else None
        made = self._calls.result(
            message.get("toolCallId"), text, at, failed=failed, exit_status=status
        )
        made.tool = made.tool or tool
        made.title = made.tool or ""
        return made
