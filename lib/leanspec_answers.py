"""What a LeanSpec server answers, read tolerantly.

Whatever is missing has a default, what is unknown is passed over, and a field of an unexpected
type is left out of its session instead of the session: a server of another version is still shown.
"""

import re
from typing import Any, TypeVar

import msgspec

Value = TypeVar("Value")

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_LONGEST_MESSAGE = 300
NAMELESS = "a session without an id"
"""Why a session could not be read at all; it may be any."""


class Health(msgspec.Struct):
    """`GET /health`."""

    status: str = ""
    version: str = ""


class Project(msgspec.Struct, kw_only=True):
    """A project as the server tells it."""

    id: str
    name: str | None = None
    path: str = ""


class Projects(msgspec.Struct):
    """`GET /api/projects`."""

    projects: list[Project]


class Runner(msgspec.Struct, kw_only=True):
    """A runner as the server tells it. `available` is missing for what it can't start."""

    id: str
    name: str | None = None
    available: bool | None = None


class Runners(msgspec.Struct, kw_only=True):
    """`GET /api/runners`."""

    default: str | None = None
    runners: list[Runner]


class ActiveTool(msgspec.Struct, kw_only=True):
    """The tool call that a session is in."""

    tool: str = ""
    status: str = ""


class PlanProgress(msgspec.Struct, kw_only=True):
    """How many entries of a session's plan are done."""

    completed: int = 0
    total: int = 0


class ServerSession(msgspec.Struct, kw_only=True):
    """A session as the server tells it. Times are RFC 3339 by the server's own clock."""

    id: str
    project_path: str | None = None
    spec_ids: list[str] = []
    prompt: str | None = None
    runner: str | None = None
    mode: str | None = None
    status: str | None = None
    started_at: str | None = None
    """When it was started; of a pending one, when it was created."""
    ended_at: str | None = None
    duration_ms: int | None = None
    token_count: int | None = None
    protocol: str | None = None
    active_tool_call: ActiveTool | None = None
    plan_progress: PlanProgress | None = None


class LogLine(msgspec.Struct, kw_only=True):
    """A line of a session's log. Of a runner that speaks ACP the message may be a JSON object."""

    id: int = 0
    timestamp: str | None = None
    level: str = ""
    message: str = ""


class Sessions(msgspec.Struct, kw_only=True):
    """The sessions of a server."""

    sessions: list[ServerSession]
    unreadable: dict[str, int] = {}
    """What could not be read, by reason: of single fields, and of sessions without a name."""
    complete: bool = True
    """Whether every project's are among them."""


def whole(content: bytes, kind: type[Value]) -> Value:
    """A JSON document as `kind`.

    Raises msgspec.MsgspecError, UnicodeDecodeError or RecursionError.
    """
    return msgspec.json.decode(content, type=kind)


def readable(items: list[msgspec.Raw]) -> Sessions:
    """The sessions in `items`, as much of each as can be read."""
    sessions: list[ServerSession] = []
    unreadable: dict[str, int] = {}
    decoder = msgspec.json.Decoder(ServerSession)
    for item in items:
        try:
            sessions.append(decoder.decode(item))
        except msgspec.MsgspecError:
            session, reasons = _salvaged(item)
            if session is not None:
                sessions.append(session)
            for reason in reasons:
                unreadable[reason] = unreadable.get(reason, 0) + 1
    return Sessions(sessions=sessions, unreadable=unreadable)


def _salvaged(item: msgspec.Raw) -> tuple[ServerSession | None, list[str]]:
    try:
        fields = msgspec.json.decode(item, type=dict[str, Any])
        session = ServerSession(id=msgspec.convert(fields.pop("id", None), str))
    except msgspec.MsgspecError:
        return None, [NAMELESS]
    reasons: list[str] = []
    for field in msgspec.structs.fields(ServerSession):
        if field.name in fields:
            try:
                setattr(session, field.name, msgspec.convert(fields[field.name], field.type))
            except msgspec.ValidationError:
                reasons.append(f"{field.name} of an unexpected kind")
    return session, reasons


def message_of(content_type: str, content: bytes) -> str:
    """What a server says of a failure in words, "" if it says nothing that a person could read."""
    if "html" in content_type:
        return ""
    try:
        answer: Any = msgspec.json.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return first_line(content[: 4 * _LONGEST_MESSAGE].decode(errors="replace"))
    if isinstance(answer, dict):
        answer = answer.get("message") or answer.get("error")
    if isinstance(answer, dict):
        answer = answer.get("message")
    return first_line(answer) if isinstance(answer, str) else ""


def first_line(text: str, longest: int = _LONGEST_MESSAGE) -> str:
    """Foreign text as one line without control characters, cut where it gets too long."""
    line = _CONTROL.sub(" ", text).strip()
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
