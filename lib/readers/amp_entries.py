"""The entries of an Amp thread, one document. Messages: see `amp_thread`."""

from functools import partial
from pathlib import Path
from typing import Any

from lib.entries import Each, Entry, Reading, newest
from lib.readers.documents import read_document
from lib.readers.entry_lines import add, skip
from lib.readers.entry_tools import (
    Calls,
    as_status,
    error,
    notice,
    said,
    texts_in,
    told_value,
)
from lib.readers.values import (
    NOT_AN_OBJECT,
    Unreadable,
    as_count,
    as_list,
    as_object,
    as_time,
    as_word,
)

_VERSION = 0
_REJECTED = "rejected-by-user"
_ENDED = ("done", "error", "cancelled", _REJECTED)


def entries(
    path: Path,
    session_key: str,  # noqa: ARG001 - the shape
    limit: int,
    each: Each | None = None,
) -> Reading:
    """See `EntrySource`: entries of a thread. Raises OSError."""
    state, content = read_document(path, None, "amp", _VERSION)
    reading = Reading(each=each)
    if content is None:
        skip(reading, 1, state.error or "not readable")
        return reading
    thread = _Thread(content)
    for number, message in enumerate(as_list(content.get("messages")), 1):
        add(reading, number, partial(thread.take, message))
    return newest(reading, limit)


class _Thread:
    def __init__(self, thread: dict[str, Any]) -> None:
        self._calls = Calls()
        self._at = as_time(thread.get("created"))
        """When the newest message was made: results tell no time of their own."""
        ledger = as_list(as_object(thread.get("usageLedger")).get("events"))
        self._answered_at = {
            number: as_time(event.get("timestamp"))
            for event in map(as_object, ledger)
            if (number := as_count(event.get("toMessageId"))) is not None
        }

    def take(self, record: object) -> list[Entry]:
        """The entries of one message. Raises Unreadable when it is no object."""
        if not isinstance(record, dict):
            raise Unreadable(NOT_AN_OBJECT)
        message = as_object(record)
        if message.get("role") == "assistant":
            return self._answer(message)
        told = as_time(as_object(message.get("meta")).get("sentAt"))
        self._at = told or self._at
        found: list[Entry] = []
        for block in map(as_object, _blocks(message)):
            if block.get("type") == "tool_result":
                found += self._result(block, told)
            elif block.get("type") == "text":
                found += said("prompt", block.get("text"), self._at)
        if message.get("interrupted") is True:
            found.append(notice("Interrupted by the user", self._at, level="warning"))
        return found

    def _answer(self, message: dict[str, Any]) -> list[Entry]:
        usage = as_object(message.get("usage"))
        number = as_count(message.get("messageId"))
        noted = None if number is None else self._answered_at.get(number)
        at = self._at = as_time(usage.get("timestamp")) or noted or self._at
        found: list[Entry] = []
        for block in map(as_object, _blocks(message)):
            match block.get("type"):
                case "tool_use":
                    call = (block.get("id"), block.get("name"), block.get("input"), at)
                    found.append(self._calls.call(*call))
                case "thinking":
                    found += said("reasoning", block.get("thinking"), at)
                case _:
                    found += said("answer", block.get("text"), at)
        for one in found:
            one.model = as_word(usage.get("model"))
        state = as_object(message.get("state"))
        if state.get("type") == "error":
            found.append(error(as_object(state.get("error")).get("message"), at))
        return found

    def _result(self, block: dict[str, Any], at: int | None) -> list[Entry]:
        run = as_object(block.get("run"))
        status = run.get("status")
        if status not in (None, *_ENDED):
            return []
        result = run.get("result") if run else block.get("content")
        fields = as_object(result)
        failure = as_object(run.get("error")).get("message")
        text = failure or fields.get("output") or texts_in(result) or told_value(result or "")
        return [
            self._calls.result(
                block.get("toolUseID") or block.get("tool_use_id"),
                text,
                at,
                failed=None if status is None else status != "done",
                exit_status=as_status(fields.get("exitCode")),
                denied=status == _REJECTED,
            )
        ]


def _blocks(message: dict[str, Any]) -> list[Any]:
    content = message.get("content")
    return [{"type": "text", "text": content}] if isinstance(content, str) else as_list(content)
