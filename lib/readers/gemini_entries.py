"""The entries of a Gemini CLI chat. Record kinds: see `gemini_parser`.

A message is written again when its tool calls have ended; what it told before is not told again.
"""

import re
from functools import partial
from pathlib import Path
from typing import Any

from lib.entries import CallTokens, Each, Entry, Reading, newest
from lib.readers import genai, genai_entries
from lib.readers.documents import read_document
from lib.readers.entry_lines import add, read_lines, skip
from lib.readers.entry_tools import Calls, entry, error, notice, said, status_in, texts_in
from lib.readers.values import as_list, as_object, as_text, as_time, as_word

_EXIT = re.compile(r"^Exit Code: (\d+)$", re.MULTILINE)
_SERVER = re.compile(r" \((.+) MCP Server\)$")
_NOT_PROMPTS = ("<session_context>", "<hook_context>", "<state_snapshot>")
_VERSION = 0


def entries(
    path: Path,
    session_key: str,  # noqa: ARG001 - the shape
    limit: int,
    each: Each | None = None,
) -> Reading:
    """See `EntrySource`: entries of a chat; one document in older versions. Raises OSError."""
    if path.suffix == ".jsonl":
        return read_lines(path, lambda: _Records().take, limit, each)
    state, content = read_document(path, None, "gemini", _VERSION)
    reading = Reading(each=each)
    if content is None:
        skip(reading, 1, state.error or "not readable")
        return reading
    records = _Records()
    for number, message in enumerate(as_list(content.get("messages")), 1):
        add(reading, number, partial(records.take, as_object(message)))
    return newest(reading, limit)


class _Records:
    def __init__(self) -> None:
        self._calls = Calls()
        self._told: dict[str, Entry | None] = {}
        """The entry of each message's words, by the message's id."""

    def take(self, record: dict[str, Any]) -> list[Entry]:
        """The entries of one record."""
        at = as_time(record.get("timestamp"))
        if isinstance(record.get("$rewindTo"), str):
            return [notice("Rewound", at)]
        if isinstance(record.get("$set"), dict):
            messages = as_list(as_object(record["$set"]).get("messages"))
            return [one for message in messages for one in self.take(as_object(message))]
        identity = as_word(record.get("id"))
        if identity is None:
            return []
        content = record.get("content")
        match record.get("type"):
            case "gemini" | "model" | "assistant":
                return self._answer(record, identity, at)
            case "user" if identity not in self._told:
                self._told[identity] = None
                return _user(record, content, at)
            case "error":
                return [error(texts_in(content), at)]
            case "info" | "warning":
                level = "info" if record["type"] == "info" else "warning"
                return said("notice", texts_in(content), at, level=level, title="Gemini CLI")
            case _:
                return []

    def _answer(self, record: dict[str, Any], identity: str, at: int | None) -> list[Entry]:
        found: list[Entry] = []
        content = record.get("content")
        model = as_word(record.get("model"))
        if identity not in self._told:
            found += _thoughts(record.get("thoughts"), at)
            found += genai_entries.answer(content, at)
        for call in map(as_object, as_list(record.get("toolCalls"))):
            found += self._call(call, at)
        for one in found:
            one.model = None if one.kind == "tool_result" else model
        bearer = self._told.get(identity) or next(iter(found), None)
        if bearer is not None:
            bearer.tokens = _tokens(as_object(record.get("tokens"))) or bearer.tokens
            self._told[identity] = bearer
        return found

    def _call(self, call: dict[str, Any], at: int | None) -> list[Entry]:
        if call.get("id") in self._calls:
            return []
        name = as_word(call.get("name"))
        ended = as_time(call.get("timestamp")) or at
        server = _SERVER.search(as_word(call.get("displayName")) or "")
        made = self._calls.call(
            call.get("id"), name, call.get("args"), at, mcp_server=server[1] if server else None
        )
        found = [made]
        parts = genai.function_parts(call.get("result"), "functionResponse")
        status = as_text(call.get("status"), 40)
        if not parts and status is None:
            return found
        texts = [genai_entries.response_text(part.get("response")) for part in parts]
        text = "\n".join(texts)
        code = status_in(_EXIT, text) if name == "run_shell_command" else None
        failed = None if status is None else status in ("error", "cancelled")
        result = self._calls.result(call.get("id"), text, ended, failed=failed, exit_status=code)
        return [*found, result]


def _user(record: dict[str, Any], content: object, at: int | None) -> list[Entry]:
    if genai.function_parts(content, "functionResponse"):
        return []  # Told with its call.
    text = genai.text_of(record.get("displayContent")) or genai.text_of(content) or ""
    if text.lstrip().startswith(_NOT_PROMPTS):
        return said("notice", text, at, level="debug", title="The agent adds")
    return said("prompt", text, at)


def _thoughts(thoughts: object, at: int | None) -> list[Entry]:
    found: list[Entry] = []
    for thought in map(as_object, as_list(thoughts)):
        subject = as_text(thought.get("subject"), 200) or ""
        text = thought.get("description") or thought.get("text") or subject
        found.append(entry("reasoning", text, at, title=subject))
    return [one for one in found if one.text]


def _tokens(counts: dict[str, Any]) -> CallTokens | None:
    names = ("input", "output", "cached", "thoughts", "tool", "total")
    return genai_entries.tokens(
        genai.Counts(*(counts.get(name) for name in names)), thoughts_inside=False
    )
