"""The columns of a session's row that tell what it is doing, and how full its context is."""

from typing import Any

from lib import pricing, status
from lib.failures import signature
from lib.model import Session


def doing(
    session: Session, state: status.Status, turn_limit: int | None, now: int
) -> dict[str, Any]:
    """`turn_limit`: model calls after which it stops by itself; `now` in milliseconds."""
    window = session.context_window or pricing.context_window(session.model)
    used = session.context_tokens
    share = used / window if used and window else None
    duration = None
    if state.ended_at is not None and session.started_at is not None:
        duration = max(0, state.ended_at - session.started_at)
    failed = state.status == "failed"
    told = signature(state.error_class, state.error_message) if failed else None
    return {
        "status": state.status,
        "section": status.section(state, session.last_activity_at, now),
        "process": state.process,
        "turn": state.turn,
        "activity": state.activity,
        "reason": state.reason,
        "error_class": state.error_class,
        "error_message": state.error_message,
        "error_signature": told.id if told else None,
        "error_text": told.text if told else None,
        "started_at": session.started_at,
        "ended_at": state.ended_at,
        "last_activity_at": session.last_activity_at,
        "since": state.since,
        "resets_at": session.resets_at if state.status == "rate-limited" else None,
        "duration_ms": duration,
        "turns": session.turns,
        "turn_requests": session.turn_requests,
        "turn_limit": turn_limit,
        "todo_done": session.todo_done,
        "todo_total": session.todo_total,
        "progress": session.todo_done / session.todo_total if session.todo_total else None,
        "context_tokens": used,
        "context_window": window,
        "context_share": share if share is not None and share <= 1 else None,
    }


def due_at(session: Session, state: status.Status, section: status.Section) -> int | None:
    """When (ms) the row changes by itself: a rate limit ends, a recent session becomes older."""
    if state.status == "rate-limited":
        return session.resets_at
    if section == "recent":
        return (state.ended_at or session.last_activity_at or 0) + status.RECENT_MS + 1
    return None
