"""The one place that says what a session is doing: from facts and evidence to a status.

Two axes: is the *process* there, and what is the newest *turn* doing. Precedence, strongest
first: a process that is gone, what a live source says of the turn, the end of the transcript.
The age of a file decides nothing. What can't be known is `unknown`, with the reason in words.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from lib.model import DELETED, ActionKind, ErrorClass, Evidence, Process, Session, Turn

StatusName = Literal[
    "running",
    "waiting",
    "paused",
    "rate-limited",
    "idle",
    "pending",
    "queued",
    "completed",
    "failed",
    "cancelled",
    "unknown",
]
Section = Literal["running", "pending", "recent", "older"]

_DEEPEST = 8
"""Generations of subagents that are looked through; a file can't name endless parents."""
RECENT_MS = 24 * 60 * 60 * 1000
ENDED: frozenset[StatusName] = frozenset({"completed", "failed", "cancelled"})
_MID_TURN: frozenset[Turn] = frozenset({"running", "waiting", "retrying"})


_IN_PROGRESS: tuple[ActionKind, ...] = ("pause", "stop")
_OVER: tuple[ActionKind, ...] = ("retry", "archive", "delete")
_PERMITTED: dict[StatusName, tuple[ActionKind, ...]] = {
    "pending": ("start", "stop", "delete"),
    "queued": ("start", "stop", "delete"),
    "running": _IN_PROGRESS,
    "waiting": _IN_PROGRESS,
    "rate-limited": _IN_PROGRESS,
    "idle": _IN_PROGRESS,
    "paused": ("resume", "stop"),
    "completed": _OVER,
    "failed": _OVER,
    "cancelled": _OVER,
    "unknown": (),
}


class Status(NamedTuple):
    """What a session is doing, and why we believe it."""

    process: Process
    turn: Turn
    status: StatusName
    activity: str | None
    """The current tool, what is waited for, the retry under way; None if there is no such thing."""
    reason: str
    """Why this status is believed, for the curious."""
    since: int | None
    """Since when, in milliseconds since the epoch."""
    ended_at: int | None
    error_class: ErrorClass | None = None
    error_message: str | None = None
    may_live: bool = False
    """Of an unknown status: a live source could not rule out that its process lives."""


def derive(session: Session, evidence: Iterable[Evidence], now: int) -> Status:
    """The status of `session` at `now`, given every live source's newest claim about it.

    See `evidence_for`: a subagent lives in its parent's process.
    """
    claim = strongest(evidence)
    if claim is not None and claim.session_key != session.key:
        # The parent's process speaks for its subagent; what the parent's turn does, does not.
        claim = msgspec.structs.replace(claim, turn=None, detail=None, since=None)
    process = _process(session, claim)
    if session.turn == "pending" and process != "dead":
        created = session.started_at
        return Status(process, "pending", "pending", None, "created and not started", created, None)
    if process == "suspended":
        return Status(
            process,
            session.turn,
            "paused",
            session.turn_detail,
            "its process is stopped by a signal",
            claim.since if claim else None,
            None,
        )
    if process == "alive" and claim is not None:
        return _of_live(session, claim, now)
    if process == "dead":
        return _of_dead(session, claim)
    return _of_unknown(session, claim)


def evidence_for(
    session: Session,
    sessions: Mapping[str, Session],
    evidence: Mapping[str, Mapping[Any, Evidence]],
) -> list[Evidence]:
    """The claims that speak for a session: its own, or for a subagent its nearest ancestor's.

    `evidence`: session key to claims by where they come from.
    """
    for _ in range(_DEEPEST):
        own = evidence.get(session.key)
        if own:
            return list(own.values())
        parent = sessions.get(session.parent_key) if session.parent_key else None
        if parent is None:
            return list(evidence.get(session.parent_key or "", {}).values())
        session = parent
    return []


def section(status: Status, last_activity_at: int | None, now: int) -> Section:
    """Where on the board a session stands. Ended ones are `recent` for 24 hours."""
    if status.status in ("pending", "queued"):
        return "pending"
    lives = status.process == "alive" or status.may_live
    if status.status not in ENDED and (status.status != "unknown" or lives):
        return "running"
    moment = status.ended_at or last_activity_at
    return "recent" if moment is not None and now - moment <= RECENT_MS else "older"


def stays_dismissed(at: int | None, status: Status, stands_in: Section, last: int | None) -> bool:
    """Whether a dismissal at `at` still hides a session: not what went on or ended anew since."""
    ended_at = status.ended_at or last or 0
    return at is not None and stands_in in ("recent", "older") and ended_at <= at


def permitted(session: Session, status: Status) -> tuple[ActionKind, ...]:
    """What may be asked for now, most likely first. Of a state that is not known: nothing.

    Only a LeanSpec server's sessions can be acted upon. Whether it agrees is the server's to say.
    """
    if session.server is None or DELETED in session.flags:
        return ()
    return _PERMITTED[status.status]


def strongest(evidence: Iterable[Evidence]) -> Evidence | None:
    """The claim that counts where several are made of one session."""
    order = {"suspended": 0, "alive": 1, "dead": 2, "unknown": 3}
    return min(
        evidence,
        key=lambda item: (order[item.process], item.turn is None, -item.observed_at),
        default=None,
    )


def _process(session: Session, claim: Evidence | None) -> Process:
    if claim is not None:
        return claim.process
    return "dead" if session.registered else "unknown"


def _of_live(session: Session, claim: Evidence, now: int) -> Status:
    turn, activity, reason = _live_turn(session, claim)
    if session.parent_key is not None and turn == "idle":
        return _ended(session, "completed", "the subagent answered", claim.process)
    status: StatusName
    match turn:
        case "running" | "retrying":
            status = "running"
        case "waiting":
            status = "waiting"
        case "failed":
            return _ended(session, "failed", reason, claim.process)
        case "rate_limited":
            over = session.resets_at is not None and session.resets_at <= now
            status = "idle" if over else "rate-limited"
            activity = None if over else session.error_message
        case "idle" | "stopped":
            status = "idle"
        case "pending" | "unknown":
            status = "unknown" if session.turns else "idle"
            reason = reason if session.turns else "alive, and no prompt yet"
    since = claim.since or session.turn_started_at
    if status in ("idle", "rate-limited", "waiting"):
        since = claim.since or session.last_activity_at
    return Status(claim.process, turn, status, activity, reason, since, None)


def _live_turn(session: Session, claim: Evidence) -> tuple[Turn, str | None, str]:
    """Turn, activity and reason of a session with a live process."""
    heard = f"{claim.source} says so"
    told = session.turn
    detail = session.turn_detail
    if claim.turn is None or claim.turn == "unknown":
        return told, detail, "its process is alive; the rest is from its transcript"
    if claim.turn == "running":
        if told == "retrying":
            return "retrying", detail, heard
        return "running", detail if told in _MID_TURN else None, heard
    if claim.turn == "waiting":
        asked = detail if told in _MID_TURN else None
        words = ": ".join(word for word in (claim.detail, asked) if word)
        return "waiting", words or None, heard
    if claim.turn == "idle" and told in ("failed", "rate_limited"):
        return told, detail, "idle after an error"
    if claim.turn == "idle" and told == "waiting":
        # Claude Code 2.1.220 calls a session idle whose question nobody has answered.
        return "waiting", detail, "its transcript ends with an open question"
    if claim.turn == "idle":
        return (
            "idle",
            claim.detail or ("interrupted" if told == "stopped" else None),
            heard,
        )
    return claim.turn, claim.detail or detail, heard


def _of_dead(session: Session, claim: Evidence | None) -> Status:
    gone = "its process is gone"
    match session.turn:
        case "idle":
            return _ended(session, "completed", f"{gone} after an answered turn", "dead")
        case "failed" | "rate_limited":
            return _ended(session, "failed", f"{gone} after an error", "dead")
        case "stopped":
            return _ended(session, "cancelled", "interrupted by the user", "dead")
        case "running" | "waiting" | "retrying":
            return _of_dead_in_turn(session, claim)
        case "pending":
            return _ended(session, "cancelled", f"{gone} before it was started", "dead")
        case "unknown":
            if session.turns == 0:
                return _ended(session, "completed", "closed without a prompt", "dead")
            return _unknown(session, "dead", "its transcript does not say how the last turn ended")


def _of_dead_in_turn(session: Session, claim: Evidence | None) -> Status:
    if session.ended_cleanly:
        return _ended(session, "cancelled", "stopped by a signal in mid-turn", "dead")
    if session.turn == "retrying":
        return _ended(session, "failed", "its process is gone while retrying", "dead")
    doing = f" ({session.turn_detail})" if session.turn_detail else ""
    noticed = claim.since if claim is not None else None
    return Status(
        process="dead",
        turn="failed",
        status="failed",
        activity=None,
        reason="its process is gone in mid-turn",
        since=noticed or session.last_activity_at,
        ended_at=noticed or session.last_activity_at,
        error_class="killed",
        error_message=f"The process ended in the middle of a turn{doing}.",
    )


def _of_unknown(session: Session, claim: Evidence | None) -> Status:
    why = (
        f"{claim.source} can't tell whether its process is alive"
        if claim is not None
        else "this version of the agent does not announce its process"
    )
    match session.turn:
        case "idle":
            return _ended(session, "completed", f"last turn answered; {why}", "unknown")
        case "failed" | "rate_limited":
            return _ended(session, "failed", f"last turn failed; {why}", "unknown")
        case "stopped":
            return _ended(session, "cancelled", f"interrupted by the user; {why}", "unknown")
        case "running" | "waiting" | "retrying" | "pending" | "unknown":
            state = _unknown(session, "unknown", why)
            return state._replace(may_live=claim is not None)


def _ended(session: Session, status: StatusName, reason: str, process: Process) -> Status:
    failed = status == "failed"
    return Status(
        process=process,
        turn=session.turn,
        status=status,
        activity=None,
        reason=reason,
        since=session.last_activity_at,
        ended_at=session.last_activity_at,
        error_class=(session.error_class or "unknown") if failed else None,
        error_message=session.error_message if failed else None,
    )


def _unknown(session: Session, process: Process, reason: str) -> Status:
    return Status(
        process,
        session.turn,
        "unknown",
        session.turn_detail,
        reason,
        session.last_activity_at,
        None,
    )
