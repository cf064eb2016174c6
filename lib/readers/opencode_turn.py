"""What an OpenCode session is doing, from its newest messages and their parts.

A step is one message: it ends with the reason `tool-calls` when another one follows. Nothing is
written while a failed request is retried, and nothing marks the end of a process. A permission
that is asked leaves the call `running` without `metadata`, which a started shell writes at once.
"""

from typing import Any, NamedTuple

from lib.model import ErrorClass, Session
from lib.readers.claude_code_errors import error_class
from lib.readers.opencode_records import Message, Part
from lib.readers.values import as_count, as_list, as_object, as_text, as_time

SETTLED_MS = 3_000
"""A started tool that has not written its metadata for so long waits for a permission."""

_DETAIL_LENGTH = 120
_CONTINUES = frozenset({"tool-calls", "unknown"})
_ANNOUNCES_ITS_START = frozenset({"bash", "edit", "multiedit", "write", "patch", "apply_patch"})
_ASKS = {"question": "an answer", "plan_exit": "approval of its plan"}
_REJECTED = "The user rejected permission"
_CORRECTED = "with the following feedback"
_ARGUMENTS = (
    "command", "filePath", "path", "pattern", "url", "query", "description", "name", "prompt",
)  # fmt: skip
_CLASSES: dict[object, ErrorClass] = {
    "ProviderAuthError": "authentication",
    "ContextOverflowError": "context_overflow",
    "MessageOutputLengthError": "api",
}


class Judgement(NamedTuple):
    """Whether there is more to come."""

    is_open: bool
    """The turn goes on, as far as the records know."""
    is_unsettled: bool = False
    """It will look different in a moment without any new record."""


def judge(
    session: Session, messages: list[Message], parts: list[Part], now: int, *, headless: bool
) -> Judgement:
    """Set the session's turn, detail and error from its messages, in order, and the newest's parts.

    `headless`: nobody can be asked, so that a permission that is needed ends the run.
    """
    newest = next((message for message in reversed(messages) if message.is_assistant), None)
    last = messages[-1] if messages else None
    if last is None:
        return Judgement(is_open=False)
    if newest is None or (last.is_user and not newest.is_open):
        session.turn = "running"
        return Judgement(is_open=True)
    own = [part for part in parts if part.message_id == newest.id]
    if newest.error:
        _fail(session, newest.error)
        return Judgement(is_open=False)
    if newest.completed is None:
        return _in_step(session, newest, own, now)
    rejection = _rejection(own)
    if rejection is not None:
        session.turn = "failed" if headless else "stopped"
        if headless:
            session.error_class, session.error_message = "permission", rejection
        return Judgement(is_open=False)
    if newest.finish in _CONTINUES:
        session.turn = "running"
        return Judgement(is_open=True)
    session.turn = "failed" if newest.finish == "error" else "idle"
    if session.turn == "failed":
        session.error_class, session.error_message = "unknown", "The model call ended in an error."
    return Judgement(is_open=False)


def _in_step(session: Session, message: Message, parts: list[Part], now: int) -> Judgement:
    session.turn = "running"
    if message.is_compaction:
        session.turn_detail = "compacting its context"
        return Judgement(is_open=True)
    for part in reversed(parts):
        state = as_object(part.data.get("state"))
        if part.data.get("type") != "tool" or state.get("status") not in ("pending", "running"):
            continue
        name = as_text(part.data.get("tool"), 80) or "tool"
        arguments = as_object(state.get("input"))
        session.turn_detail = _described(name, arguments)
        if name in _ASKS and state.get("status") == "running":
            session.turn = "waiting"
            session.turn_detail = _question(arguments) or _ASKS[name]
        elif _may_wait(name, state):
            began = as_time(as_object(state.get("time")).get("start")) or 0
            if now - began < SETTLED_MS:
                return Judgement(is_open=True, is_unsettled=True)
            session.turn = "waiting"
            session.turn_detail = f"permission to run {session.turn_detail}"
        break
    return Judgement(is_open=True)


def _may_wait(name: str, state: dict[str, Any]) -> bool:
    return (
        name in _ANNOUNCES_ITS_START
        and state.get("status") == "running"
        and state.get("metadata") is None
    )


def _fail(session: Session, error: dict[str, Any]) -> None:
    name = as_text(error.get("name"), 80)
    data = as_object(error.get("data"))
    message = as_text(data.get("message")) or as_text(error.get("message")) or name
    if name == "MessageAbortedError":
        session.turn = "stopped"
        return
    status = as_count(data.get("statusCode"))
    known = _CLASSES.get(name)
    told = known or error_class(status, name, message)
    if told == "api" and known is None and name != "APIError":
        told = "unknown"
    session.turn = "rate_limited" if told == "rate_limit" else "failed"
    session.error_class = told
    session.error_message = message


def _rejection(parts: list[Part]) -> str | None:
    """The user's no, or that of nobody being there, which ends a turn; with words it goes on."""
    for part in parts:
        state = as_object(part.data.get("state"))
        error = as_text(state.get("error"))
        if (
            state.get("status") == "error"
            and error is not None
            and error.startswith(_REJECTED)
            and _CORRECTED not in error
        ):
            return error
    return None


def _described(name: str, arguments: dict[str, Any]) -> str:
    for key in _ARGUMENTS:
        value = arguments.get(key)
        if isinstance(value, str) and value:
            line = " ".join(value[: _DETAIL_LENGTH * 4].split())
            return as_text(f"{name}: {line}", _DETAIL_LENGTH) or name
    return name


def _question(arguments: dict[str, Any]) -> str | None:
    first = next(iter(as_list(arguments.get("questions"))), None)
    return as_text(as_object(first).get("question"), _DETAIL_LENGTH)
