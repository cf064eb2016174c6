"""What Claude Code's tool calls say of a session: what it does now, what it asks, what is done."""

from typing import Any

from lib.readers.claude_code_records import ToolInput
from lib.readers.values import as_list, as_object, as_text

MATTERING_RESULTS = frozenset({"TaskCreate", "TaskUpdate", "WebSearch"})
"""Tools whose results carry facts; of every other result only its arrival counts."""

_ASKING = frozenset({"AskUserQuestion", "ExitPlanMode"})
_DETAIL_LENGTH = 120


def is_asking(name: str) -> bool:
    """Whether this tool waits for the user rather than works."""
    return name in _ASKING


def describe(name: str, arguments: ToolInput | None) -> str:
    """What the call does, in one line for people: `Bash: make test`."""
    if name == "ExitPlanMode":
        return "approval of its plan"
    if arguments is None:
        return name
    if name == "AskUserQuestion":
        return _first_question(arguments.questions) or "an answer"
    for value in (
        arguments.command,
        arguments.file_path,
        arguments.notebook_path,
        arguments.url,
        arguments.pattern,
        arguments.query,
        arguments.description,
        arguments.subject,
        arguments.skill,
    ):
        if isinstance(value, str) and value:
            line = " ".join(value[: _DETAIL_LENGTH * 4].split())
            return as_text(f"{name}: {line}", _DETAIL_LENGTH) or name
    return name


def todo_counts(todos: object) -> tuple[int, int]:
    """How many of the to-dos are completed, and how many there are."""
    states: list[Any] = [as_object(todo).get("status") for todo in as_list(todos)]
    return states.count("completed"), len(states)


def _first_question(questions: object) -> str | None:
    first = next(iter(as_list(questions)), None)
    question = as_object(first).get("question")
    if not isinstance(question, str):
        return None
    return as_text(" ".join(question[: _DETAIL_LENGTH * 4].split()), _DETAIL_LENGTH)
