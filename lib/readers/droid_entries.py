"""The entries of a Droid session. Record kinds: see `droid_parser`. Its files tell no tokens of
single calls.
"""

import re
from pathlib import Path
from typing import Any

from lib.entries import Each, Entry, Reading
from lib.readers.entry_lines import read_lines
from lib.readers.entry_tools import Calls, error, notice, said, status_in, texts_in
from lib.readers.values import as_list, as_object, as_text, as_time, as_word

_EXIT = re.compile(r"(?:\bexit code:|\[Process exited with code) (\d+)[)\]]")
_SERVER = re.compile(r"(.+?)___.")
_REMINDER = re.compile(r"<system-reminder>.*?(?:</system-reminder>|\Z)", re.DOTALL)
_FAILED = re.compile(r"fail|error|limit|exceed|denied|timeout|overflow", re.IGNORECASE)


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
            case "agent_turn_outcome":
                reason = as_text(record.get("reason"), 200) or "unknown"
                if _FAILED.search(reason):
                    return [error(reason.replace("_", " "), at, "The turn failed")]
                told = f"The turn ended: {reason.replace('_', ' ')}"
                return [notice(told, at, level="debug")]
            case "compaction_state":
                return [notice("The conversation was compacted", at)]
            case _:
                return []

    def _message(self, message: dict[str, Any], at: int | None) -> list[Entry]:
        content = message.get("content")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        of_model = message.get("role") == "assistant"
        found: list[Entry] = []
        for block in map(as_object, as_list(blocks)):
            match block.get("type"):
                case "tool_result":
                    found.append(self._result(block, at))
                case "tool_use":
                    call = (block.get("id"), block.get("name"), block.get("input"), at)
                    server = _SERVER.match(as_word(block.get("name")) or "")
                    name = server[1] if server else None
                    found.append(self._calls.call(*call, mcp_server=name))
                case "thinking":
                    found += said("reasoning", block.get("thinking"), at)
                case "text" if of_model:
                    found += said("answer", block.get("text"), at)
                case "text" if message.get("visibility") == "user_only":
                    found += said("notice", block.get("text"), at, level="warning", title="Droid")
                case "text":
                    found += _typed(block.get("text"), at)
                case _:
                    pass
        for one in found if of_model else ():
            one.model = as_word(message.get("modelId"))
        return found

    def _result(self, block: dict[str, Any], at: int | None) -> Entry:
        text = texts_in(block.get("content"))
        failed = block.get("is_error") is True
        status = status_in(_EXIT, text) if failed else None
        return self._calls.result(
            block.get("tool_use_id"), text, at, failed=failed, exit_status=status
        )


def _typed(text: object, at: int | None) -> list[Entry]:
    words = text if isinstance(text, str) else ""
    typed = _REMINDER.sub("", words).strip()
    if typed:
        return said("prompt", typed, at)
    return said("notice", words, at, level="debug", title="The agent adds")
