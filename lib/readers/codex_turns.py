"""What a Codex thread is doing, from the records of its rollout.

Turns are marked by `task_started` and `task_complete` or `turn_aborted`. Versions that write no
such marks leave it open whether an answer ends the turn: it is then unknown until the next
record that tells.
"""

import re
from typing import Any

import msgspec

from lib.model import ErrorClass, Session
from lib.readers.codex_records import CallFields, Payload, identifier
from lib.readers.values import as_list, as_object, as_text
from lib.specs import note_touched

BROKEN_STREAMS = "broken_streams"
NO_TURN_MARKS = "no_turn_marks"

DETAIL_LENGTH = 120
_MAXIMUM_PENDING = 64
_ASKS_THE_USER = "request_user_input"

_WRAPPERS = (
    "<environment_context>",
    "<user_instructions>",
    "<user_shell_command>",
    "<turn_aborted>",
    "<subagent_notification>",
    "<permissions instructions>",
    "<skills_instructions>",
    "<skill>",
    "<INSTRUCTIONS>",
    "<collaboration_mode>",
    "<tools>",
    "# AGENTS.md instructions",
)
_REQUEST_OF_AN_EDITOR = "## My request for Codex:"
_PATCHED_FILE = re.compile(r"^\*\*\* \w+ File: (.+)$", re.MULTILINE)
_STATUS_IN_TEXT = re.compile(r"\bstatus(?: code)?:? (\d{3})\b")
_CLASSES: tuple[tuple[ErrorClass, re.Pattern[str]], ...] = (
    (
        "context_overflow",
        re.compile(r"context.?window|context.?length|maximum context", re.IGNORECASE),
    ),
    ("rate_limit", re.compile(r"usage.?limit|rate.?limit|quota|too many requests", re.IGNORECASE)),
    ("authentication", re.compile(r"unauthorized|authentication|invalid api key", re.IGNORECASE)),
)
_CLASS_OF_STATUS: dict[int, ErrorClass] = {
    401: "authentication",
    403: "authentication",
    429: "rate_limit",
}


class Call(msgspec.Struct, omit_defaults=True):
    """A tool call without its output so far."""

    name: str
    asks: bool
    """It needs a permission that the sandbox does not give, and the user would be asked."""
    argument: str = ""
    record: CallFields | None = None
    """What the rest is still to be told from: most calls get their output before anyone asks."""


class Turns(msgspec.Struct, omit_defaults=True):
    """What is kept between two readings besides the session itself."""

    marked: bool = False
    """`task_started` was seen."""
    tasks: int = 0
    prompts_by_event: bool = False
    answers_by_event: bool = False
    """Messages are told by events; their raw copies in `response_item` are passed over."""
    pending: dict[str, Call] = {}
    asks_user: bool = True
    """The approval policy lets the user decide."""


def request_in(text: str) -> str | None:
    """What the user typed in a message; None when the agent itself wrote the message."""
    if text.lstrip().startswith(_WRAPPERS):
        return None
    return text.rpartition(_REQUEST_OF_AN_EDITOR)[2]


def prompt(session: Session, turns: Turns, text: str, at: int | None, *, by_event: bool) -> None:
    """A message of the user. Those in events replace what raw messages told before."""
    if turns.prompts_by_event and not by_event:
        return
    request = request_in(text)
    if request is None:
        return
    if by_event and not turns.prompts_by_event:
        turns.prompts_by_event = True
        session.turns, session.first_prompt = 0, None
    session.turns += 1
    session.turn_requests = 0
    session.first_prompt = session.first_prompt or as_text(request)
    if not turns.marked:
        _begin(session, turns, at)


def started(session: Session, turns: Turns, at: int | None) -> None:
    """`task_started`."""
    turns.marked = True
    turns.tasks += 1
    _begin(session, turns, at)


def _begin(session: Session, turns: Turns, at: int | None) -> None:
    turns.pending.clear()
    session.turn, session.turn_detail, session.turn_started_at = "running", None, at
    session.error_class = session.error_message = None


def answered(session: Session, turns: Turns, *, by_event: bool) -> None:
    """A message of the agent, which in versions without marks may be the last of the turn."""
    turns.answers_by_event = turns.answers_by_event or by_event
    progress(session)
    if not turns.marked and session.turn == "running" and not turns.pending:
        session.turn = "unknown"


def requested(session: Session) -> None:
    """A call of the model has ended."""
    session.turn_requests += 1
    progress(session)


def progress(session: Session) -> None:
    """A sign of life: what was being retried has succeeded."""
    if session.turn == "retrying":
        session.turn, session.turn_detail = "running", None


def called(session: Session, turns: Turns, payload: CallFields) -> None:
    """A tool call."""
    progress(session)
    if not turns.marked:
        session.turn = "running"
    note_touched(session.specs, payload.arguments or _patched(payload.input))
    call_id = identifier(payload.call_id or payload.id)
    if call_id is None:
        return
    name = identifier(payload.name) or ("shell" if payload.action is not None else "tool")
    if name == "update_plan":
        steps = [as_object(step) for step in as_list(_arguments(payload).get("plan"))]
        session.todo_total = len(steps)
        session.todo_done = sum(step.get("status") == "completed" for step in steps)
    turns.pending[call_id] = Call(name, turns.asks_user, record=payload)
    if len(turns.pending) > _MAXIMUM_PENDING:
        del turns.pending[next(iter(turns.pending))]


def _patched(patch: str | None) -> str | None:
    """The files that a patch changes; another call's input as it is."""
    if patch is None or "specs" not in patch or not patch.startswith("*** Begin Patch"):
        return patch
    return "\n".join(_PATCHED_FILE.findall(patch))


def settle(turns: Turns) -> None:
    """Tell from their records what is to be kept of the pending calls."""
    for call in turns.pending.values():
        if call.record is None:
            continue
        arguments = _arguments(call.record)
        call.argument = _short(call.record.input, arguments)
        call.asks = call.asks and (
            arguments.get("sandbox_permissions") == "require_escalated"
            or arguments.get("with_escalated_permissions") is True
        )
        call.record = None


def completed(session: Session, turns: Turns, payload: Payload) -> None:
    """`task_complete`, which also ends a turn that failed."""
    turns.pending.clear()
    if payload.error:
        failed(session, turns, payload.error)
    elif session.turn not in ("failed", "rate_limited") or payload.last_agent_message:
        session.turn, session.turn_detail = "idle", None
        session.error_class = session.error_message = None


def aborted(session: Session, turns: Turns) -> None:
    """`turn_aborted`: the user interrupted it."""
    turns.pending.clear()
    session.turn, session.turn_detail = "stopped", None


def failed(session: Session, turns: Turns, error: object) -> None:
    """The turn ended with `error`: text, or an object of `message` and `codex_error_info`."""
    fields: dict[str, Any] = as_object(error)
    message = as_text(fields.get("message")) or as_text(error)
    turns.pending.clear()
    session.turn, session.turn_detail = "failed", None
    session.error_message = message
    session.error_class = error_class(fields.get("codex_error_info"), message or "")
    if session.error_class == "rate_limit":
        session.turn = "rate_limited"


def broke_off(session: Session) -> bool:
    """Whether the turn failed with an answer under way, not by a refusal of the request."""
    return session.turn == "failed" and session.error_class == "api"


def retrying(session: Session, message: str | None) -> None:
    """`stream_error`: the request is being made again."""
    session.turn, session.turn_detail = "retrying", as_text(message, DETAIL_LENGTH)


def error_class(info: object, message: str) -> ErrorClass:
    """Class of an error by `codex_error_info` (a word, or a word with details) and its text."""
    details = as_object(info)
    word = info if isinstance(info, str) else next(iter(details), "")
    status = as_object(details.get(word)).get("http_status_code")
    if status is None and (found := _STATUS_IN_TEXT.search(message)):
        status = int(found[1])
    if isinstance(status, int) and status in _CLASS_OF_STATUS:
        return _CLASS_OF_STATUS[status]
    for text in (word, message):
        for name, pattern in _CLASSES:
            if pattern.search(text):
                return name
    return "api"


def newest_call(turns: Turns) -> Call | None:
    """The newest call that has no output yet."""
    return next(reversed(turns.pending.values()), None)


def show(session: Session, turns: Turns) -> None:
    """Put the newest pending call, which is settled, into the session's turn."""
    call = newest_call(turns)
    if session.turn not in ("running", "waiting"):
        return
    asks = call is not None and call.name == _ASKS_THE_USER
    session.turn = "waiting" if asks else "running"
    if call is None:
        session.turn_detail = None
    elif asks:
        session.turn_detail = f"an answer: {call.argument}" if call.argument else "an answer"
    else:
        session.turn_detail = f"{call.name}: {call.argument}" if call.argument else call.name


def _arguments(payload: CallFields) -> dict[str, Any]:
    """The arguments of a call; empty where they are no object."""
    try:
        return as_object(msgspec.json.decode(payload.arguments or "{}")) or as_object(
            payload.action
        )
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return {}


def _short(given: str | None, arguments: dict[str, Any]) -> str:
    """The argument that says most, on one line."""
    value: object = given
    if given is None:
        command = arguments.get("cmd", arguments.get("command"))
        value = _command(command) if command is not None else _first_text(arguments)
    elif (
        patched := re.search(r"^\*\*\* \w+ File: (.+)$", given[:2_000], re.MULTILINE)
    ) is not None:
        value = patched[1]
    if not isinstance(value, str):
        return ""
    return as_text(" ".join(value[: DETAIL_LENGTH * 8].split()), DETAIL_LENGTH) or ""


def _command(command: object) -> object:
    words = as_list(command)
    if not words:
        return command
    if len(words) == 3 and words[1] in ("-lc", "-c"):
        return words[2]
    return " ".join(word for word in words if isinstance(word, str))


def _first_text(arguments: dict[str, Any]) -> object:
    questions = as_list(arguments.get("questions"))
    if questions:
        return as_object(questions[0]).get("question")
    return next((value for value in arguments.values() if isinstance(value, str)), None)
