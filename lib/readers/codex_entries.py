"""The entries of a Codex rollout. Record kinds: see `codex_records`.

Messages, reasoning and tool calls are taken from `response_item`, which every version writes;
the events beside them tell exit statuses, failures and tokens.
"""

import re
from pathlib import Path
from typing import Any

from lib.entries import CallTokens, Each, Entry, Reading
from lib.readers.codex_turns import request_in
from lib.readers.entry_lines import read_lines
from lib.readers.entry_tools import (
    Calls,
    as_status,
    decoded,
    error,
    notice,
    retry,
    said,
    status_in,
    texts_in,
    told_value,
)
from lib.readers.values import as_count, as_list, as_object, as_time, as_tokens, as_word

_EXIT = re.compile(r"^(?:Process exited with code|Exit code:) (-?\d+)", re.MULTILINE)
_KEPT_STATUSES = 1_000


def entries(
    path: Path,
    session_key: str,  # noqa: ARG001 - the shape
    limit: int,
    each: Each | None = None,
) -> Reading:
    """See `EntrySource`: entries of a rollout. Raises OSError."""
    return read_lines(path, lambda: _Records().take, limit, each)


class _Records:
    def __init__(self) -> None:
        self._calls = Calls()
        self._statuses: dict[str, int] = {}
        """Exit statuses that events told, by call: they come before the result."""
        self._model: str | None = None
        self._newest: Entry | None = None
        """The newest entry of the model, which bears the tokens of its call."""
        self._by_record = False
        """Tokens are told by `token_usage_record`; `token_count` then only repeats them."""

    def take(self, record: dict[str, Any]) -> list[Entry]:
        """The entries of one record."""
        at = as_time(record.get("timestamp"))
        payload = as_object(record["payload"]) if "payload" in record else record
        match record.get("type"):
            case "event_msg":
                return self._event(payload, at)
            case "turn_context":
                self._model = as_word(payload.get("model")) or self._model
                return []
            case "token_usage_record":
                self._by_record = True
                return self._count(payload.get("usage"), at)
            case "compacted":
                return [notice("The conversation was compacted", at, payload.get("message"))]
            case "session_meta" | "world_state":
                return []
            case _:
                return self._item(payload, at)

    def _item(self, item: dict[str, Any], at: int | None) -> list[Entry]:
        found: list[Entry] = []
        match item.get("type"):
            case "message":
                return self._message(item, at)
            case "reasoning":
                texts = (texts_in(item.get(name)) for name in ("summary", "content"))
                text = "\n\n".join(filter(None, texts))
                found = said("reasoning", text, at)
            case "function_call":
                found = [self._call(item, item.get("name"), decoded(item.get("arguments")), at)]
            case "custom_tool_call":
                found = [self._call(item, item.get("name"), {"input": item.get("input")}, at)]
            case "local_shell_call" | "web_search_call":
                name = str(item["type"]).removesuffix("_call")
                found = [self._call(item, name, item.get("action"), at)]
            case "function_call_output" | "custom_tool_call_output":
                return [self._result(item, at)]
            case _:
                return []
        return self._of_model(found)

    def _call(self, item: dict[str, Any], name: object, arguments: object, at: int | None) -> Entry:
        space = as_word(item.get("namespace")) or ""
        if space.startswith("mcp__"):
            name = f"{space.removesuffix('__')}__{name}"
        return self._calls.call(item.get("call_id"), name, _shown(arguments), at)

    def _of_model(self, found: list[Entry]) -> list[Entry]:
        for one in found:
            one.model = self._model
            self._newest = one
        return found

    def _message(self, item: dict[str, Any], at: int | None) -> list[Entry]:
        text = texts_in(item.get("content"))
        if item.get("role") == "assistant":
            return self._of_model(said("answer", text, at))
        typed = request_in(text) if item.get("role") == "user" else None
        if typed is not None:
            return said("prompt", typed.strip(), at)
        return said("notice", text, at, level="debug", title="The agent adds")

    def _result(self, item: dict[str, Any], at: int | None) -> Entry:
        output = decoded(item.get("output"))
        fields = as_object(output)
        text = item.get("output")
        if isinstance(output, dict):
            text = fields.get("output") or fields.get("content") or told_value(output)
        elif isinstance(output, list):
            text = texts_in(output)
        told = text if isinstance(text, str) else told_value(text)
        status = self._statuses.pop(as_word(item.get("call_id")) or "", None)
        if status is None:
            status = as_status(as_object(fields.get("metadata")).get("exit_code"))
        if status is None:
            status = status_in(_EXIT, told)
        failed = True if fields.get("success") is False else None
        if status is not None:
            failed = status != 0
        return self._calls.result(item.get("call_id"), told, at, failed=failed, exit_status=status)

    def _event(self, event: dict[str, Any], at: int | None) -> list[Entry]:
        match event.get("type"):
            case "item_completed":
                item = as_object(event.get("item"))
                self._note_status(item.get("id"), item.get("exit_code"))
            case "exec_command_end":
                self._note_status(event.get("call_id"), event.get("exit_code"))
            case "token_count" if not self._by_record:
                return self._count(as_object(event.get("info")).get("last_token_usage"), at)
            case "task_complete" if event.get("error"):
                return [_failure(event["error"], at)]
            case "task_complete":
                return _ended(event, at)
            case "error":
                return [_failure(event, at)]
            case "stream_error":
                return [retry(event.get("message"), at)]
            case "turn_aborted":
                return [notice("The turn was interrupted", at, level="warning")]
            case "context_compacted":
                return [notice("The conversation was compacted", at)]
            case _:
                pass
        return []

    def _note_status(self, call_id: object, status: object) -> None:
        name, code = as_word(call_id), as_status(status)
        if name is not None and code is not None:
            self._statuses[name] = code
            if len(self._statuses) > _KEPT_STATUSES:
                del self._statuses[next(iter(self._statuses))]

    def _count(self, usage: object, at: int | None) -> list[Entry]:
        """Give a call's tokens to the newest entry of the model, which its record follows."""
        told = as_object(usage)
        if not told:
            return []
        given = as_tokens(told.get("input_tokens"))
        read = as_tokens(told.get("cached_input_tokens"))
        written = as_tokens(told.get("cache_write_input_tokens"))
        counted = CallTokens(
            input=max(0, given - read - written),
            output=as_tokens(told.get("output_tokens")),
            cache_read=read,
            cache_write=written,
            reasoning=as_tokens(told.get("reasoning_output_tokens")),
        )
        if self._newest is None:
            if not self._by_record:
                return []  # `token_count` comes again whenever a rate limit moves.
            made = notice("A model call", at, level="debug", model=self._model, tokens=counted)
            return [made]
        self._newest.tokens, self._newest = counted, None
        return []


def _shown(arguments: object) -> object:
    """Arguments with a command line in place of its words."""
    fields = as_object(arguments)
    words = as_list(fields.get("command"))
    if not words or not all(isinstance(word, str) for word in words):
        return arguments
    line = words[-1] if len(words) == 3 and words[1] in ("-lc", "-c") else " ".join(words)
    return {**fields, "command": line}


def _failure(told: object, at: int | None) -> Entry:
    message = as_object(told).get("message") if isinstance(told, dict) else told
    return error(message, at, "The turn failed")


def _ended(event: dict[str, Any], at: int | None) -> list[Entry]:
    taken = as_count(event.get("duration_ms"))
    told = f"The turn took {taken / 1000:,.1f} s" if taken is not None else "The turn ended"
    return [notice(told, at, level="debug")]
