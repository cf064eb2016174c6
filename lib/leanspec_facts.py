"""What a LeanSpec server says of a session, as facts: a `Session`, and `Evidence` of its process.

The server's clock may be wrong: its times are moved by how far it is off, and the length of a
session that has ended is the server's own measure. Nothing here talks to a server or the store.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from lib.leanspec_answers import ServerSession
from lib.leanspec_log import SessionLog
from lib.model import DELETED, MAXIMUM_TOKENS, Evidence, Process, Session, Turn
from lib.readers import LABELS
from lib.readers.values import TITLE_LENGTH, as_text, as_time, as_word
from lib.specs import is_spec_name

MOST_STEPS = 1_000_000
AGENT = "leanspec"
SOURCE = "leanspec-server"

AGENTS_OF_RUNNERS = {
    "claude": "claude-code",
    "qwen-code": "qwen",
    **{agent: agent for agent in LABELS},
}
"""Agent whose sessions a runner leaves on its machine, by the runner's id."""
_MEANINGS: dict[str, tuple[Turn, Process]] = {
    "pending": ("pending", "unknown"),
    "running": ("running", "alive"),
    "paused": ("running", "suspended"),
    "completed": ("idle", "dead"),
    "failed": ("failed", "dead"),
    "cancelled": ("stopped", "dead"),
}
ENDED = frozenset({"completed", "failed", "cancelled"})
LIVE = frozenset({"running", "paused"})
SILENT_LOG_MS = 90_000
"""Three times what passes between two lines of a server that watches over a session."""
_MOST_SPECS = 50


class Origin(NamedTuple):
    """Where an answer came from, and when."""

    url: str
    machine: str
    now: int
    """When it came, in milliseconds since the epoch, by our clock."""
    clock_offset_ms: int = 0
    """How far the server's clock is ahead of ours."""


def key_of(session_id: str) -> str:
    """Key of a server's session."""
    return f"{AGENT}:{session_id}"


def tool_of(runner: str | None) -> str:
    """The tool that a runner is, for the board and its filters: a known agent, or its own id."""
    return AGENTS_OF_RUNNERS.get(runner or "", runner or AGENT)


def tool_label(runner: str | None, names: Mapping[str, str]) -> str:
    """The name of `tool_of` for people; `names` are the server's own, by runner."""
    found = LABELS.get(tool_of(runner)) or names.get(runner or "")
    return found or runner or "LeanSpec"


def status_of(told: ServerSession, log: SessionLog | None, known: Session | None = None) -> str:
    """The server's word for what a session is doing, where its own log does not correct it.

    Version 0.2.28 calls a session failed that a user stopped, and may leave one pending that it
    has started.
    """
    status = told.status or ""
    was_stopped = known is not None and known.turn == "stopped" if log is None else log.stopped
    if status == "failed" and was_stopped:
        return "cancelled"
    if status == "pending" and log is not None and log.started:
        return "running"
    return status


def is_lost(log: SessionLog | None, origin: Origin) -> bool:
    """Whether the server watches over a session that it calls running no more.

    While it does, it writes a line every 30 seconds, which its stream leaves out: only a log that
    was asked for, and that had been silent for long then, tells. A server that was restarted
    writes none.
    """
    if log is None or log.last_at is None or not log.read_at:
        return False
    return log.read_at + origin.clock_offset_ms - log.last_at > SILENT_LOG_MS


def facts_of(
    told: ServerSession, origin: Origin, known: Session | None, log: SessionLog | None
) -> tuple[Session, Evidence]:
    """The session, and what the server's word means for the process behind it.

    `known` is what was stored of it, `log` what its log has said so far. What they and the answer
    leave out stays as it was known.
    """
    before = known or Session(key="", agent=AGENT, session_id="")
    status = status_of(told, log, known)
    turn, process = _MEANINGS.get(status, ("unknown", "unknown"))
    session = _session(told, origin, before, log)
    session.turn = turn
    if turn == "unknown":
        session.turn_detail = as_text(f"its server says “{status or 'nothing'}”", TITLE_LENGTH)
    if turn == "failed":
        _add_error(session, before, log)
    if turn == "running":
        _add_activity(session, told, log)
    claim = _claim(session, process)
    if process == "alive":
        claim.turn = session.turn
        claim.detail = "permission" if session.turn == "waiting" else None
    if turn == "running" and is_lost(log, origin):
        claim = _claim(session, "unknown")
        session.turn_detail = "its server does not watch over it any more"
    return session, claim


def unreachable(session: Session) -> Evidence:
    """The claim on a session whose server does not answer."""
    return _claim(session, "unknown")


def deleted(session: Session, now: int) -> tuple[Session, Evidence]:
    """A session that its server has no longer: what ran was stopped by that."""
    if session.turn in ("running", "waiting", "retrying", "pending", "unknown"):
        # What had not begun had no activity that could end now.
        ended_at = session.last_activity_at if session.turn == "pending" else now
        session = msgspec.structs.replace(
            session, turn="stopped", turn_detail=None, last_activity_at=ended_at
        )
    flags = [*(flag for flag in session.flags if flag != DELETED), DELETED]
    return msgspec.structs.replace(session, flags=flags), _claim(session, "dead")


def _session(
    told: ServerSession, origin: Origin, before: Session, log: SessionLog | None
) -> Session:
    """Everything but what it is doing."""
    started_at, last_at = _times(told, origin, before, log)
    prompt = as_text(told.prompt)
    # A server that writes at this moment may leave them out.
    specs = _specs(told.spec_ids) or before.specs
    session = Session(
        key=key_of(told.id),
        agent=AGENT,
        session_id=told.id,
        machine=origin.machine,
        source_path=origin.url,
        project_path=as_word(told.project_path),
        title=as_text(_first_line(prompt) or ", ".join(specs), TITLE_LENGTH),
        first_prompt=prompt,
        last_message=before.last_message,
        started_at=started_at,
        last_activity_at=last_at,
        todo_done=before.todo_done,
        todo_total=before.todo_total,
        specs=specs,
        server=origin.url,
        runner=as_word(told.runner),
        mode=as_word(told.mode),
        protocol=as_word(told.protocol),
        exit_code=before.exit_code,
        retry_of=before.retry_of,
        reported_tokens=_tokens(told.token_count),
    )
    if log is not None:
        session.last_message = as_text(log.last_message) or session.last_message
        session.exit_code = session.exit_code if log.exit_code is None else log.exit_code
        session.todo_done, session.todo_total = log.plan or (before.todo_done, before.todo_total)
    if told.plan_progress is not None:
        steps = told.plan_progress
        session.todo_done = min(max(0, steps.completed), MOST_STEPS)
        session.todo_total = min(max(session.todo_done, steps.total), MOST_STEPS)
    return session


def _claim(session: Session, process: Process) -> Evidence:
    return Evidence(
        session_key=session.key,
        source=SOURCE,
        agent=AGENT,
        session_id=session.session_id,
        machine=session.machine,
        process=process,
    )


def _times(
    told: ServerSession, origin: Origin, before: Session, log: SessionLog | None
) -> tuple[int, int]:
    """When it was started and last active, by our clock."""
    started = _ours(told.started_at, origin)
    if started is None or started > origin.now:
        # No server knows the future: then our own first sight must do.
        started = min(before.started_at or origin.now, origin.now)
    ended = _ours(told.ended_at, origin)
    if told.status in ENDED:
        if told.duration_ms is not None and 0 <= told.duration_ms <= MAXIMUM_TOKENS:
            ended = started + told.duration_ms
        return started, max(started, min(ended or before.last_activity_at or started, origin.now))
    heard = None if log is None else _moved(log.last_at, origin)
    newest = max(started, heard or 0, before.last_activity_at or 0)
    return started, min(newest, origin.now)


def _ours(text: str | None, origin: Origin) -> int | None:
    return _moved(as_time(text), origin)


def _moved(moment: int | None, origin: Origin) -> int | None:
    return None if moment is None else moment - origin.clock_offset_ms


def _tokens(count: int | None) -> int | None:
    return count if count is not None and 0 <= count <= MAXIMUM_TOKENS else None


def _specs(names: Sequence[str]) -> list[str]:
    # A spec may also be named by its path, or by its number alone.
    folders = [name.rstrip("/").rpartition("/")[2] for name in names[:_MOST_SPECS]]
    return [name for name in dict.fromkeys(folders) if is_spec_name(name)]


def _first_line(text: str | None) -> str | None:
    return text.splitlines()[0] if text else None


def _add_activity(session: Session, told: ServerSession, log: SessionLog | None) -> None:
    tool = told.active_tool_call.tool if told.active_tool_call else None
    session.turn_detail = log.activity if log is not None else None
    session.turn_detail = session.turn_detail or as_text(tool, TITLE_LENGTH)
    if log is not None and log.asks is not None:
        session.turn, session.turn_detail = "waiting", log.asks


def _add_error(session: Session, before: Session, log: SessionLog | None) -> None:
    if log is None:
        session.error_class = before.error_class
        session.error_message = before.error_message
        return
    session.error_class = log.error_class
    session.error_message = log.error_message or "Its log does not say why."
