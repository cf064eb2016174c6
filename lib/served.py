"""What the rows of sessions tell of LeanSpec servers: which one runs it, and how it is there."""

from collections.abc import Mapping
from typing import Any

from lib.leanspec_facts import DELETED, tool_label, tool_of
from lib.model import ServerRow, Session
from lib.readers import LABELS
from lib.status import Status

Servers = Mapping[tuple[str, str], ServerRow]
"""By machine and URL."""


def differing(before: Servers, now: Servers) -> set[tuple[str, str]]:
    """The servers of which the rows of sessions tell something else than before."""
    places = before.keys() | now.keys()
    return {place for place in places if _shown(before.get(place)) != _shown(now.get(place))}


def _shown(row: ServerRow | None) -> tuple[Any, ...]:
    if row is None:
        return ()
    # The time of the last answer moves every few seconds, and shows only when no more comes.
    seen_at = None if row.state == "ok" else row.seen_at
    return row.state == "ok", row.name, seen_at, [(one.id, one.name) for one in row.runners]


def columns(
    session: Session, state: Status, servers: Servers, twin: str | None, requests: int
) -> dict[str, Any]:
    """The columns of a session's row that depend on its server; most of a local one are empty.

    `agent` and `agent_label` are the runner's, `deleted` says that the server has it no longer,
    `last_seen_at` when the server last answered, while it does not. `twin`: key of the local
    session that it is, too; that one's row then has it for a parent. `requests`: known model calls.
    """
    found: dict[str, Any] = {
        "agent": session.agent,
        "agent_label": LABELS.get(session.agent, session.agent),
        "server_name": None,
        "runner": session.runner,
        "mode": session.mode,
        "exit_code": session.exit_code,
        "reported_tokens": session.reported_tokens,
        "last_seen_at": None,
        "twin": twin,
        "deleted": DELETED in session.flags,
    }
    if session.server is None:
        return found
    server = servers.get((session.machine, session.server))
    names = {one.id: one.name for one in server.runners} if server is not None else {}
    found["agent"] = tool_of(session.runner)
    found["agent_label"] = tool_label(session.runner, names)
    found["server_name"] = server.name if server is not None else session.server
    if server is not None and server.state != "ok" and state.ended_at is None:
        found["last_seen_at"] = server.seen_at
    if not requests:
        # Nobody knows what it has cost; that is not nothing.
        found["cost_usd"] = None
    return found


def with_local(state: Status, local: Status) -> Status:
    """What a session is doing when its server and its agent's own files both tell of it.

    The server decides whether it runs. What it is at while it runs, the agent knows better, and
    while the server can't be asked, whether its process is there.
    """
    if state.status == "unknown" and local.process in ("alive", "suspended"):
        return local
    if state.status == "running" and local.status in ("running", "waiting", "rate-limited"):
        return local._replace(process=state.process)
    return state
