"""Sessions that are seen twice: a LeanSpec server on this machine runs them, and their agent's
own files tell of them too. Each is shown once, with what both know.

Taken for the same: same machine, the runner's agent, same project folder, begun at the same time,
and the same prompt where both tell one. One local session is at most one server session's.
"""

from collections.abc import Iterable
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from lib.leanspec_facts import AGENTS_OF_RUNNERS
from lib.model import Session
from lib.servers import is_loopback

AFTER_MS = 30_000
"""How long after its server said so a session's own records may begin."""
BEFORE_MS = 45_000
"""How long before: a runner that speaks ACP is greeted first, and called running then."""
_COMPARED = 300
"""Characters of two prompts that are compared: what is kept of them may be cut."""

Known = TypeVar("Known", bound=Session)
Place = tuple[str, str, str]
"""Machine, agent and project folder."""


def pairs(served: Iterable[Session], local: Iterable[Session]) -> dict[str, str]:
    """Key of a local session to that of the server session that it is, for those of one place."""
    local = list(local)
    likely = sorted(
        (abs((mine.started_at or 0) - (theirs.started_at or 0)), mine.key, theirs.key)
        for theirs in served
        for mine in local
        if _may_be_same(theirs, mine)
    )
    found: dict[str, str] = {}
    taken: set[str] = set()
    for _, mine, theirs in likely:
        if mine not in found and theirs not in taken:
            found[mine] = theirs
            taken.add(theirs)
    return found


def _may_be_same(theirs: Session, mine: Session) -> bool:
    if theirs.started_at is None or mine.started_at is None or theirs.turn == "pending":
        return False
    before = BEFORE_MS if theirs.protocol == "acp" else AFTER_MS // 10
    if not -before <= mine.started_at - theirs.started_at <= AFTER_MS:
        return False
    prompts = [_comparable(one.first_prompt) for one in (theirs, mine)]
    return None in prompts or prompts[0] == prompts[1]


def _comparable(prompt: str | None) -> str | None:
    return " ".join(prompt.split())[:_COMPARED] if prompt else None


def place_of(session: Session) -> Place | None:
    """Where a session can have a twin; None for one that can have none."""
    if session.parent_key is not None or session.project_path is None:
        return None
    folder = session.project_path.rstrip("/")
    if session.server is None:
        return session.machine, session.agent, folder
    agent = AGENTS_OF_RUNNERS.get(session.runner or "")
    if agent is None or not is_loopback(urlsplit(session.server).hostname or ""):
        return None
    return session.machine, agent, folder


class Twins:
    """The pairs among all sessions, kept up as sessions change."""

    def __init__(self) -> None:
        self.server_of: dict[str, str] = {}
        """Key of a local session to its server session's."""
        self.local_of: dict[str, str] = {}
        self._served: dict[Place, dict[str, Session]] = {}
        self._local: dict[Place, dict[str, Session]] = {}
        self._places: dict[str, Place] = {}

    def clear(self) -> None:
        """Forget everything."""
        for known in (self.server_of, self.local_of, self._served, self._local, self._places):
            known.clear()

    def note(self, sessions: Iterable[Session]) -> set[str]:
        """Take in new or changed sessions; return the keys of those whose twin is another now."""
        moved: set[Place] = set()
        for session in sessions:
            side = self._local if session.server is None else self._served
            if (before := self._places.pop(session.key, None)) is not None:
                side[before].pop(session.key, None)
                moved.add(before)
            if (place := place_of(session)) is not None:
                self._places[session.key] = place
                side.setdefault(place, {})[session.key] = session
                moved.add(place)
        changed: set[str] = set()
        for place in moved & self._served.keys():
            changed |= self._pair(place)
        return changed

    def _pair(self, place: Place) -> set[str]:
        local = self._local.get(place, {})
        served = self._served[place]
        before = {
            mine: theirs
            for mine, theirs in self.server_of.items()
            if mine in local or theirs in served
        }
        now = pairs(served.values(), local.values())
        for mine, theirs in before.items() - now.items():
            del self.server_of[mine], self.local_of[theirs]
        for mine, theirs in now.items() - before.items():
            self.server_of[mine], self.local_of[theirs] = theirs, mine
        return {key for pair in before.items() ^ now.items() for key in pair}


def joined(server: Known, local: Session) -> Known:
    """The server's session with what its agent's own files know better."""
    return msgspec.structs.replace(
        server,
        branch=local.branch,
        model=local.model,
        agent_version=local.agent_version,
        context_tokens=local.context_tokens,
        context_window=local.context_window,
        last_message=local.last_message or server.last_message,
        turns=local.turns,
        turn_requests=local.turn_requests,
        todo_done=server.todo_done if server.todo_total else local.todo_done,
        todo_total=server.todo_total or local.todo_total,
        flags=list(dict.fromkeys([*server.flags, *local.flags])),
    )
