"""What Gemini CLI and Qwen Code share, which grew out of it: Google's shapes of content and usage.

Content is text or a list of parts (`{text}`, `{functionCall}`, `{functionResponse}`). Whether
the thoughts are inside the output, and the tool prompt inside the total, differs by CLI and by
provider; the total beside the counts tells.
"""

import re
from functools import lru_cache
from typing import Any, NamedTuple

from lib.model import ErrorClass, Request
from lib.readers.values import as_count, as_list, as_object, as_text, as_tokens, as_word

TOTAL_MISMATCH = "total_mismatch"

DETAIL_LENGTH = 120
_ARGUMENTS = (
    "command",
    "file_path",
    "absolute_path",
    "path",
    "dir_path",
    "pattern",
    "query",
    "url",
    "description",
    "prompt",
)
"""Arguments that say most about a call, best first."""

_CLASS_OF_STATUS: dict[int, ErrorClass] = {
    401: "authentication",
    403: "authentication",
    408: "timeout",
    429: "rate_limit",
    504: "timeout",
}
_CLASSES: tuple[tuple[ErrorClass, re.Pattern[str]], ...] = (
    (
        "authentication",
        re.compile(r"\b40[13]\b|api.?key|unauthenticated|authenticat|permission_denied|log ?in"),
    ),
    ("rate_limit", re.compile(r"\b429\b|rate.?limit|resource_exhausted|quota|too many requests")),
    (
        "context_overflow",
        re.compile(r"context.{0,12}(length|window|limit|exceed)|(input|prompt).{0,20}too long"),
    ),
    ("timeout", re.compile(r"\b(408|504)\b|time.?d?.?out|deadline")),
)


_known_word = lru_cache(maxsize=1024)(as_word)


class Counts(NamedTuple):
    """The fields of a usage object, as they are: anything."""

    prompt: object
    """With what is cached."""
    output: object
    cached: object
    thoughts: object
    tool_prompt: object
    total: object


class Usage(NamedTuple):
    """The token counts of one call, each kind apart from the others."""

    input: int
    """Without anything cached."""
    output: int
    """With the thoughts."""
    cached: int
    thoughts: int
    adds_up: bool
    """The parts make the provider's total, where there is one, and none is more than its whole."""
    total: int
    """The provider's total; where there is none, what it counts as prompt and output."""

    @property
    def context(self) -> int:
        """Tokens in the context behind the call."""
        return self.input + self.cached + self.output


def usage_of(counts: Counts, *, thoughts_inside: bool) -> Usage:
    """The kinds of `counts`, told apart by their total.

    `thoughts_inside`: whether the thoughts are part of the output where the total can't tell.
    Raises Unreadable when a count is negative or implausible.
    """
    prompt, output, cached, thoughts, tool, total = map(as_tokens, counts)
    outputs = [output, output + thoughts] if thoughts_inside else [output + thoughts, output]
    shapes = [(prompt + extra, one) for one in outputs for extra in (tool, 0)]
    fitting = [shape for shape in shapes if not total or sum(shape) == total]
    given, made = (fitting or shapes)[0]
    adds_up = bool(fitting) and cached <= given and thoughts <= made
    own = total or given + made
    return Usage(max(0, given - cached), made, cached, min(thoughts, made), adds_up, own)


def request(
    key: str, usage: Usage, at: int | None, model: str | None, owner: tuple[str, str]
) -> Request:
    """The call; `owner` is session key and rank."""
    return Request(
        key=key,
        session_key=owner[0],
        owner_rank=owner[1],
        at=at,
        model=model,
        input_tokens=usage.input,
        output_tokens=usage.output,
        cache_read_tokens=usage.cached,
        reasoning_tokens=usage.thoughts,
        provider_total=None if usage.total == usage.context else usage.total,
    )


def keep_fuller(requests: dict[str, Request], new: Request) -> None:
    """Merge a record of a call into what this reading knows of it, as the store merges calls."""
    old = requests.get(new.key)
    if old is None or _fullness(new) >= _fullness(old):
        requests[new.key] = new


def _fullness(one: Request) -> tuple[int, int, int]:
    return one.output_tokens, one.input_tokens + one.cache_read_tokens, one.at or -1


def repeated_word(value: object) -> str | None:
    """`as_word` for words that come over and over: models, folders, branches."""
    return _known_word(value) if isinstance(value, str) else None


def text_of(content: object) -> str | None:
    """The text in content, its thoughts left out; None where there is none."""
    if isinstance(content, str):
        return content or None
    texts: list[str] = []
    for item in as_list(content):
        text = item if isinstance(item, str) else as_object(item).get("text")
        if isinstance(text, str) and not as_object(item).get("thought"):
            texts.append(text)
    return "".join(texts) or None


def function_parts(content: object, kind: str) -> list[dict[str, Any]]:
    """The `functionCall` or `functionResponse` objects among the parts."""
    parts = (as_object(item).get(kind) for item in as_list(content))
    return [as_object(part) for part in parts if isinstance(part, dict)]


def describe(name: str, arguments: object) -> str:
    """What a tool call does, in one line for people: `run_shell_command: make test`."""
    given = as_object(arguments)
    for key in _ARGUMENTS:
        value = given.get(key)
        if isinstance(value, str) and value.strip():
            line = " ".join(value[: DETAIL_LENGTH * 4].split())
            return as_text(f"{name}: {line}", DETAIL_LENGTH) or name
    return name


def todo_counts(arguments: object) -> tuple[int, int]:
    """How many to-dos of a plan are completed, and how many there are but for the cancelled."""
    todos = [as_object(todo).get("status") for todo in as_list(as_object(arguments).get("todos"))]
    return todos.count("completed"), len(todos) - todos.count("cancelled")


def error_class(status: object, text: str | None) -> ErrorClass:
    """The class of an API failure, from its HTTP status, else from its words."""
    known = _CLASS_OF_STATUS.get(as_count(status) or 0)
    if known is not None:
        return known
    said = (text or "").lower()
    for name, pattern in _CLASSES:
        if pattern.search(said):
            return name
    return "api"
