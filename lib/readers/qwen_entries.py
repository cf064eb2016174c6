"""The entries of a Qwen Code chat. Record kinds: see `qwen_parser`."""

import re
from pathlib import Path
from typing import Any

from lib.entries import Each, Entry, Reading
from lib.readers import genai, genai_entries
from lib.readers.entry_lines import read_lines
from lib.readers.entry_tools import Calls, as_status, entry, error, notice, said, status_in
from lib.readers.values import as_count, as_object, as_text, as_time, as_word

_EXIT = re.compile(r"^Exit Code: (\d+)", re.MULTILINE)


def entries(
    path: Path,
    session_key: str,  # noqa: ARG001 - the shape
    limit: int,
    each: Each | None = None,
) -> Reading:
    """See `EntrySource`: entries of a chat. Raises OSError."""
    return read_lines(path, lambda: _Records().take, limit, each)


class _Records:
    def __init__(self) -> None:
        self._calls = Calls()

    def take(self, record: dict[str, Any]) -> list[Entry]:
        """The entries of one record."""
        at = as_time(record.get("timestamp"))
        parts = as_object(record.get("message")).get("parts")
        match record.get("type"):
            case "user" if not genai.function_parts(parts, "functionResponse"):
                return _user(record, parts, at)
            case "user" | "tool_result":
                return self._results(record, parts, at)
            case "assistant":
                return self._assistant(record, parts, at)
            case "system":
                return _system(record, at)
            case _:
                return []

    def _assistant(self, record: dict[str, Any], parts: object, at: int | None) -> list[Entry]:
        found = genai_entries.answer(parts, at) + genai_entries.calls(parts, self._calls, at)
        if not found:
            return []
        usage = as_object(record.get("usageMetadata"))
        names = ("promptTokenCount", "candidatesTokenCount", "cachedContentTokenCount")
        counts = [usage.get(name) for name in (*names, "thoughtsTokenCount")]
        counted = genai.Counts(*counts, tool_prompt=None, total=usage.get("totalTokenCount"))
        found[0].tokens = genai_entries.tokens(counted, thoughts_inside=True)
        for one in found:
            one.model = as_word(record.get("model"))
        return found

    def _results(self, record: dict[str, Any], parts: object, at: int | None) -> list[Entry]:
        outcome = as_object(record.get("toolCallResult"))
        status = outcome.get("status")
        failed = None if status is None else status in ("error", "cancelled")
        denied = outcome.get("errorType") == "execution_denied"
        shown = as_object(outcome.get("resultDisplay"))
        found: list[Entry] = []
        for answer in genai.function_parts(parts, "functionResponse"):
            text = genai_entries.response_text(answer.get("response"))
            code = as_status(shown.get("exitCode"))
            if code is None and answer.get("name") == "run_shell_command":
                code = status_in(_EXIT, text)
            made = self._calls.result(
                answer.get("id"), text, at, failed=failed, exit_status=code, denied=denied
            )
            made.tool = made.tool or as_word(answer.get("name"))
            made.title = made.tool or made.title
            found.append(made)
        return found


def _user(record: dict[str, Any], parts: object, at: int | None) -> list[Entry]:
    text = genai.text_of(parts)
    typed = record.get("provenance") in (None, "real_user")
    if typed and record.get("subtype") in (None, "mid_turn_user_message"):
        return said("prompt", text, at)
    return said("notice", text, at, level="debug", title="The agent adds")


def _system(record: dict[str, Any], at: int | None) -> list[Entry]:
    payload = as_object(record.get("systemPayload"))
    subtype = record.get("subtype")
    event = as_object(payload.get("uiEvent"))
    if subtype == "ui_telemetry" and str(event.get("event.name")).endswith(".api_error"):
        status = as_count(event.get("status_code"))
        text = event.get("error_message") or event.get("error")
        failure = error(text, at, f"API error {status}" if status else "API error")
        failure.retries = 1
        return [failure]
    if subtype == "turn_result" and payload.get("state") == "error":
        return [error(as_object(payload.get("error")).get("message"), at, "The turn failed")]
    if subtype in ("chat_compression", "rewind"):
        told = "The conversation was compacted" if subtype != "rewind" else "Rewound"
        return [notice(told, at)]
    if subtype == "slash_command":
        name = as_text(payload.get("rawCommand") or payload.get("phase"), 200)
        return [entry("notice", name, at, level="debug", title="Command")] if name else []
    return []
