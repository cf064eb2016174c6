"""What a Copilot session, or a subagent of it, is doing: from the events of its file.

A turn begins with a prompt. Within it `assistant.turn_start` and `assistant.turn_end` enclose
each model call, so that a turn is over when a call that asked for no tool has ended. A tool
that needs a permission is asked for by `permission.requested` until `permission.completed`.
"""

from typing import Any

import msgspec

from lib.model import Session
from lib.readers.values import as_count, as_list, as_object, as_text, as_word
from lib.readers.wording import call_text, error_class, one_line
from lib.specs import note_touched_by

AGENT = "copilot"

_MAXIMUM_PENDING = 64
_ASKING = {"ask_user": "an answer", "exit_plan_mode": "approval of its plan"}
_TYPED = (None, "user")


class Call(msgspec.Struct, array_like=True):
    """A tool call that has begun and not ended."""

    name: str
    text: str


class Request(msgspec.Struct, array_like=True):
    """Something that the user is asked."""

    text: str
    call_id: str | None = None


class Actor(msgspec.Struct, omit_defaults=True):
    """A session or a subagent, and what is open in its turn."""

    session: Session
    pending: dict[str, Call] = {}
    asked: dict[str, Request] = {}
    answered: bool = False
    """The newest model call asked for no tool."""


def told(actor: Actor) -> Session:
    """The session with what follows from what is open in its turn."""
    session = msgspec.structs.replace(actor.session)
    if session.turn == "running":
        call = next(reversed(actor.pending.values()), None)
        session.turn_detail = call.text if call else None
        if call is not None and call.name in _ASKING:
            session.turn, session.turn_detail = "waiting", _ASKING[call.name]
        question = next(reversed(actor.asked.values()), None)
        if question is not None:
            session.turn, session.turn_detail = "waiting", question.text
    return session


def take(actor: Actor, kind: str, data: dict[str, Any], at: int | None) -> None:
    """One event of this actor. Unknown kinds say nothing of its turn."""
    session = actor.session
    match kind:
        case "user.message":
            _prompt(actor, data, at)
        case "assistant.turn_start":
            _progress(actor)
            actor.answered = False
        case "assistant.message":
            _progress(actor)
            actor.answered = not as_list(data.get("toolRequests"))
            session.last_message = as_text(data.get("content")) or session.last_message
            session.model = as_word(data.get("model")) or session.model
        case "assistant.turn_end":
            actor.asked.clear()
            if actor.answered and session.turn == "running":
                close(actor)
                session.turn = "idle"
        case "tool.execution_start":
            _called(actor, data)
        case "tool.execution_complete":
            _returned(actor, data)
        case "permission.requested" | "user_input.requested" | "elicitation.requested":
            _asked(actor, kind, data)
        case "permission.completed" | "user_input.completed" | "elicitation.completed":
            actor.asked.pop(as_word(data.get("requestId")) or "", None)
        case "model.call_failure":
            _failing(actor, data)
        case _:
            _ended(actor, kind, data)


def _ended(actor: Actor, kind: str, data: dict[str, Any]) -> None:
    session = actor.session
    match kind:
        case "session.idle" | "subagent.completed":
            close(actor)
            session.turn = "stopped" if data.get("cancelled") is True else "idle"
        case "session.error" | "subagent.failed":
            failed(actor, data)
        case "abort":
            close(actor)
            session.turn = "stopped"
        case "session.model_change":
            session.model = as_word(data.get("newModel")) or session.model
        case _:
            pass


def close(actor: Actor) -> None:
    """Nothing is open in the turn any more."""
    actor.pending.clear()
    actor.asked.clear()
    actor.session.turn_detail = None


def interrupted(actor: Actor) -> None:
    """The process went in mid-turn, and another one has opened the session."""
    if actor.session.turn in ("running", "waiting", "retrying"):
        actor.session.turn = "stopped"
    close(actor)


def failed(actor: Actor, data: dict[str, Any]) -> None:
    """`session.error{errorType,message,statusCode}` or `subagent.failed{error}`."""
    session = actor.session
    close(actor)
    message = as_text(data.get("message")) or as_text(data.get("error"))
    kind = as_word(data.get("errorType"))
    session.error_message = message
    session.error_class = error_class(message, kind, as_count(data.get("statusCode")))
    session.turn = "rate_limited" if session.error_class == "rate_limit" else "failed"


def _prompt(actor: Actor, data: dict[str, Any], at: int | None) -> None:
    session = actor.session
    close(actor)
    session.turn, session.turn_started_at = "running", at
    session.error_class = session.error_message = None
    source, text = as_word(data.get("source")), as_text(data.get("content"))
    typed = source in _TYPED and not (text or "").startswith("<system_notification>")
    # A subagent is prompted by its parent; everything else with a source was put in by the agent.
    if typed or (session.parent_key is not None and (source or "").startswith("agent-")):
        session.turns += 1
        session.turn_requests = 0
        session.first_prompt = session.first_prompt or text


def _progress(actor: Actor) -> None:
    session = actor.session
    session.turn, session.turn_detail = "running", None
    session.error_class = session.error_message = None


def _called(actor: Actor, data: dict[str, Any]) -> None:
    _progress(actor)
    note_touched_by(actor.session.specs, data.get("arguments"))
    call_id = as_word(data.get("toolCallId"))
    if call_id is not None and len(actor.pending) < _MAXIMUM_PENDING:
        name = as_word(data.get("toolName"))
        actor.pending[call_id] = Call(name or "tool", call_text(name, data.get("arguments")))


def _returned(actor: Actor, data: dict[str, Any]) -> None:
    call_id = as_word(data.get("toolCallId"))
    actor.pending.pop(call_id or "", None)
    # What was asked for this call is settled, whether or not the answer was recorded.
    for request_id in [key for key, one in actor.asked.items() if one.call_id == call_id]:
        del actor.asked[request_id]


def _asked(actor: Actor, kind: str, data: dict[str, Any]) -> None:
    request_id = as_word(data.get("requestId"))
    settled = data.get("resolvedByHook") is True
    if request_id is None or settled or len(actor.asked) >= _MAXIMUM_PENDING:
        return
    wanted = as_object(data.get("permissionRequest"))
    call_id = as_word(wanted.get("toolCallId")) or as_word(data.get("toolCallId"))
    if kind == "permission.requested":
        call = actor.pending.get(call_id or "")
        what = call.text if call else one_line(wanted.get("intention") or wanted.get("kind"))
        text = f"permission: {what}" if what else "permission"
    else:
        what = one_line(data.get("question") or data.get("message"))
        text = f"an answer: {what}" if what else "an answer"
    actor.asked[request_id] = Request(text, call_id)


def _failing(actor: Actor, data: dict[str, Any]) -> None:
    """`model.call_failure`: the call is made again, unless `session.error` follows."""
    session = actor.session
    if session.turn == "running":
        session.turn = "retrying"
        session.turn_detail = one_line(data.get("errorMessage") or data.get("message"))
