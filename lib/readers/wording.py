"""What tool calls and failures are called, for agents that leave both to free text."""

import re
from typing import Any

from lib.model import ErrorClass
from lib.readers.values import as_count, as_list, as_object, as_text

DETAIL_LENGTH = 120

_STATUS_IN_TEXT = re.compile(
    r"(?:^|\bHTTP |\bstatus(?: code)?:? |\berror:? )([45]\d\d)\b", re.IGNORECASE
)
_CLASS_OF_STATUS: dict[int, ErrorClass] = {
    401: "authentication",
    402: "rate_limit",
    403: "authentication",
    408: "timeout",
    413: "context_overflow",
    429: "rate_limit",
    504: "timeout",
}
_CLASSES: tuple[tuple[ErrorClass, re.Pattern[str]], ...] = (
    (
        "context_overflow",
        re.compile(
            r"context.?(?:window|length|limit|size)|maximum context|prompt is too long",
            re.IGNORECASE,
        ),
    ),
    ("rate_limit", re.compile(r"(?:usage|rate).?limit|quota|too many requests", re.IGNORECASE)),
    (
        "authentication",
        re.compile(
            r"unauthorized|authenticat|authoriz|(?:invalid|incorrect) api key", re.IGNORECASE
        ),
    ),
    ("timeout", re.compile(r"timed? ?out", re.IGNORECASE)),
)
_TELLING = ("command", "cmd", "file_path", "path", "query", "pattern", "url", "prompt", "question")
"""Arguments that say most of what a call does, the best first."""


def error_class(message: str | None, kind: str | None = None, status: object = None) -> ErrorClass:
    """The class of a failed model call: by the agent's own word, its HTTP status, its text."""
    told = _class_by_words(kind)
    if told is not None:
        return told
    number = as_count(status)
    if number is None and (found := _STATUS_IN_TEXT.search((message or "")[:500])):
        number = int(found[1])
    if number is not None and number in _CLASS_OF_STATUS:
        return _CLASS_OF_STATUS[number]
    return _class_by_words(message) or "api"


def call_text(name: str | None, arguments: object) -> str:
    """What a tool call does, on one line for people: `bash: make test`."""
    told = one_line(name) or "tool"
    given: dict[str, Any] = as_object(arguments)
    questions = [
        as_object(question).get("question") for question in as_list(given.get("questions"))
    ]
    values = [*(given.get(key) for key in _TELLING), *questions, *given.values()]
    value = next((value for value in values if isinstance(value, str) and value.strip()), None)
    return one_line(f"{told}: {value[: DETAIL_LENGTH * 8]}") or told if value else told


def one_line(value: object) -> str | None:
    """Text on one line, short enough to stand on a card; None for anything else."""
    if not isinstance(value, str):
        return None
    return as_text(" ".join(value[: DETAIL_LENGTH * 8].split()), DETAIL_LENGTH)


def _class_by_words(text: str | None) -> ErrorClass | None:
    if not text:
        return None
    return next((name for name, pattern in _CLASSES if pattern.search(text)), None)
