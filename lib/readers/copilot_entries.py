"""The entries of a Copilot CLI session. Event kinds: see `copilot_events`.

Subagents write into the file of their session; each event names its agent.
"""

import re
from pathlib import Path
from typing import Any

from lib.entries import CallTokens, Each, Entry, Reading
from lib.readers.entry_lines import read_lines
from lib.readers.entry_tools import (
    Calls,
    as_status,
    decoded,
    error,
    notice,
    retry,
    said,
    texts_in,
)
from lib.readers.values import as_count, as_list, as_object, as_text, as_time, as_tokens, as_word

_TYPED = (None, "user")
_RETRIED = re.compile(r"; retried (\d{1,4}) times")


def entries(
    path: Path,
    session_key: str,
    limit: int,
    each: Each | None = None,
) -> Reading:
    """See `EntrySource`: entries of a session or of a subagent in it. Raises OSError."""
    agent_id = session_key.partition("/")[2] or None
    return read_lines(path, lambda: _Records(agent_id).take, limit, each)


class _Records:
    def __init__(self, agent_id: str | None) -> None:
        self._agent_id = agent_id
        self._calls = Calls()
        self._agent_of_call: dict[str, str] = {}
        self._tokens: CallTokens | None = None
        """Tokens of the call whose answer comes next."""

    def take(self, record: dict[str, Any]) -> list[Entry]:
        """The entries of one event, where it is of the wanted agent."""
        kind = record.get("type")
        if not isinstance(kind, str):
            return []
        data = as_object(record.get("data"))
        if self._actor(record, kind, data) != self._agent_id:
            return []
        at = as_time(record.get("timestamp"))
        match kind:
            case "session.usage_record":
                self._tokens = _tokens(as_object(data.get("usage")))
                return []
            case "assistant.message":
                return self._answer(data, at)
            case "tool.execution_start" if data.get("toolCallId") not in self._calls:
                call = (data.get("toolCallId"), data.get("toolName"), data.get("arguments"), at)
                server = as_word(data.get("mcpServerName"))
                return [self._calls.call(*call, mcp_server=server)]
            case "tool.execution_complete":
                return [self._result(data, at)]
            case "assistant.reasoning":
                return said("reasoning", data.get("content"), at)
            case _:
                return _other(kind, data, at, is_subagent=self._agent_id is not None)

    def _actor(self, record: dict[str, Any], kind: str, data: dict[str, Any]) -> str | None:
        """The subagent that an event is of; None for the session itself."""
        agent_id = as_word(record.get("agentId"))
        call_id = as_word(data.get("parentToolCallId"))
        if kind.startswith("subagent."):
            call_id = as_word(data.get("toolCallId"))
            if kind == "subagent.started" and call_id is not None:
                self._agent_of_call[call_id] = agent_id or call_id
        return agent_id or self._agent_of_call.get(call_id or "")

    def _answer(self, data: dict[str, Any], at: int | None) -> list[Entry]:
        found = [
            *said("reasoning", data.get("reasoningText"), at),
            *said("answer", data.get("content"), at),
        ]
        for call in map(as_object, as_list(data.get("toolRequests"))):
            told = (call.get("toolCallId"), call.get("name"), decoded(call.get("arguments")), at)
            server = as_word(call.get("mcpServerName"))
            found.append(self._calls.call(*told, mcp_server=server))
        for one in found:
            one.model = as_word(data.get("model"))
        if found:
            found[0].tokens, self._tokens = self._tokens, None
        return found

    def _result(self, data: dict[str, Any], at: int | None) -> Entry:
        failure = as_object(data.get("error"))
        result = data.get("result")
        content = as_object(result).get("content") if isinstance(result, dict) else result
        return self._calls.result(
            data.get("toolCallId"),
            failure.get("message") or texts_in(content),
            at,
            failed=data.get("success") is False,
            exit_status=as_status(as_object(data.get("shellExecution")).get("exitCode")),
            denied=failure.get("code") in ("denied", "rejected"),
        )


def _tokens(usage: dict[str, Any]) -> CallTokens:
    read = as_tokens(usage.get("cacheReadTokens"))
    written = as_tokens(usage.get("cacheWriteTokens"))
    return CallTokens(
        input=max(0, as_tokens(usage.get("inputTokens")) - read - written),
        output=as_tokens(usage.get("outputTokens")),
        cache_read=read,
        cache_write=written,
        reasoning=as_tokens(usage.get("reasoningTokens")),
    )


def _other(kind: str, data: dict[str, Any], at: int | None, *, is_subagent: bool) -> list[Entry]:
    match kind:
        case "user.message":
            source = as_word(data.get("source"))
            asked = source in _TYPED or (is_subagent and (source or "").startswith("agent-"))
            if asked:
                return said("prompt", data.get("content"), at)
            return said("notice", data.get("content"), at, level="debug", title="The agent adds")
        case "session.error" | "subagent.failed":
            status = as_count(data.get("statusCode"))
            title = f"API error {status}" if status else "Error"
            told = error(data.get("message") or data.get("error"), at, title)
            tries = _RETRIED.search(told.text[:2_000])
            told.retries = int(tries[1]) if tries else 0
            return [told]
        case "model.call_failure":
            text = data.get("errorMessage") or data.get("message")
            return [retry(text, at, "A model call failed")]
        case "session.warning" | "session.info":
            level = kind.rpartition(".")[2]
            return said("notice", data.get("message"), at, level=level, title="Copilot CLI")
        case "permission.requested":
            wanted = as_object(data.get("permissionRequest"))
            asked_for = wanted.get("fullCommandText") or wanted.get("intention")
            return [notice("Permission was asked for", at, asked_for)]
        case "permission.completed":
            answer = as_text(as_object(data.get("result")).get("kind"), 200)
            return [notice(f"Permission: {answer}", at)] if answer else []
        case "abort":
            return [notice("Interrupted", at, data.get("reason"), level="warning")]
        case "session.compaction_complete" | "session.truncation":
            return [notice("The conversation was compacted", at)]
        case "session.resume" | "session.shutdown":
            return [notice("Resumed" if kind.endswith("resume") else "The process ended", at)]
        case _:
            return []
