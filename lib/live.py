"""What is alive on this machine: every reader's claims, compared with what was known.

Waiting shows at once. Running to idle is believed when a second look agrees, because between
two tools an agent may seem idle for an instant. A claim that is missing means a dead process
when the process is gone; while it lives (its registry file is just being rewritten, or it moved
on to another session) the absence must last.
"""

import logging
from collections.abc import Iterable, Mapping
from itertools import chain

import msgspec

from lib import processes
from lib.model import Evidence, Process, Session
from lib.readers.base import Reader, ServingReader
from lib.status import strongest

log = logging.getLogger(__name__)

CONFIRM_MS = 1_000
"""How long a doubtful change must last."""
_WATCHED_MS = 60_000
"""What went since a look so long ago went at a time that nobody knows."""
CLOCK_SLACK_MS = 2_000
"""How far the start of a process as the kernel tells it and a record's own time may be apart."""
PROCESS_TABLE = "process-table"

_Key = tuple[str, str]


class Observer:
    """Asks the live sources of all readers, and remembers what was told to the store."""

    def __init__(
        self,
        readers: Iterable[Reader],
        environ: Mapping[str, str],
        machine: str,
        known: Iterable[Evidence],
    ) -> None:
        self._readers = tuple(readers)
        self._environ = environ
        self._machine = machine
        self._claims: dict[str, dict[str, Evidence]] = {}
        self._doubtful: dict[_Key, int] = {}
        self._looked_at = 0
        self.errors: dict[str, str] = {}
        """Agent to why its live sources could not be asked, at the last try."""
        self.remember(claim for claim in known if claim.machine == machine)

    def remember(self, claims: Iterable[Evidence]) -> None:
        """Take `claims` as told."""
        for claim in claims:
            self._claims.setdefault(claim.session_key, {})[claim.source] = claim

    @property
    def known(self) -> Mapping[str, Mapping[str, Evidence]]:
        """Session key to source to the newest claim."""
        return self._claims

    def observe(self, now: int) -> list[Evidence]:
        """Claims that are news at `now` (milliseconds), those of processes that went included."""
        seen: dict[_Key, Evidence] = {}
        asked: set[str] = set()
        for reader in self._readers:
            try:
                for claim in reader.live(self._environ, now):
                    claim.machine, claim.observed_at = self._machine, now
                    key = (claim.session_key, claim.source)
                    # What a process that is gone left behind may name the session too.
                    seen[key] = strongest(filter(None, (seen.get(key), claim))) or claim
            except Exception as error:
                # What one agent's files do to its reader must not blind us to the others, nor to
                # what it told before.
                problem = f"{type(error).__name__}: {error}"
                # Once per cause: a look comes every second.
                if self.errors.get(reader.AGENT) != problem:
                    log.exception("live sessions of %s", reader.LABEL)
                self.errors[reader.AGENT] = problem
            else:
                asked.add(reader.AGENT)
                self.errors.pop(reader.AGENT, None)
        news = [claim for key, claim in seen.items() if self._is_news(key, claim, now)]
        ended_at = now if 0 <= now - self._looked_at <= _WATCHED_MS else None
        self._looked_at = now
        return news + [
            _dead(claim, now, ended_at)
            for by_source in self._claims.values()
            for claim in by_source.values()
            if self._is_gone(claim, seen, now, may_be_silent=claim.agent not in asked)
        ]

    def judge_unannounced(self, sessions: Iterable[Session], now: int) -> list[Evidence]:
        """News of sessions whose processes no live source tells of.

        Of an agent's version that does not announce its process, by working folder: no process of
        the agent has worked in the session's folder since its last word, nor a server that works
        in any: it is dead; one has: unknown, for it may be another session's. Of an agent whose
        live source could not be asked: unknown. Only sessions in mid-turn are worth the look.
        """
        doubtful = [
            session
            for session in sessions
            if session.parent_key is None
            and session.turn in ("running", "waiting", "retrying")
            and (
                not session.registered
                or session.agent in self.errors
                or PROCESS_TABLE in self._claims.get(session.key, {})
            )
        ]
        programs = {reader.AGENT: reader.PROGRAMS for reader in self._readers}
        agents = {session.agent for session in doubtful} & programs.keys()
        folders = {agent: processes.working_folders(programs[agent]) for agent in agents}
        servers = {
            reader.AGENT: processes.working_folders(reader.SERVERS)
            for reader in self._readers
            if reader.AGENT in agents and isinstance(reader, ServingReader)
        }
        claims = [
            Evidence(
                session_key=session.key,
                source=PROCESS_TABLE,
                agent=session.agent,
                session_id=session.session_id,
                machine=self._machine,
                observed_at=now,
                process=self._judged(
                    session,
                    [
                        *folders[session.agent].get(session.project_path or "", ()),
                        *chain(*servers.get(session.agent, {}).values()),
                    ],
                ),
            )
            for session in doubtful
            if session.agent in folders
        ]
        return [
            claim
            for claim in claims
            if (known := self._claim(claim.session_key, PROCESS_TABLE)) is None
            or known.process != claim.process
        ]

    def _judged(self, session: Session, pids: Iterable[int]) -> Process:
        if session.agent in self.errors:
            return "unknown"
        if session.registered:
            return "dead"
        # A process that began after the session's last word can't be the one that said it.
        spoke = (session.last_activity_at or 0) + CLOCK_SLACK_MS
        looks = map(processes.look, pids)
        return "unknown" if any(fact and fact.created_ms <= spoke for fact in looks) else "dead"

    def _claim(self, session_key: str, source: str) -> Evidence | None:
        return self._claims.get(session_key, {}).get(source)

    def _is_news(self, key: _Key, claim: Evidence, now: int) -> bool:
        known = self._claim(*key)
        if known is None:
            return True
        doubtful = known.turn == "running" and claim.turn == "idle"
        if doubtful and not self._confirmed(key, now):
            return False
        self._doubtful.pop(key, None)
        return msgspec.structs.replace(known, observed_at=claim.observed_at) != claim

    def _is_gone(
        self, claim: Evidence, seen: Mapping[_Key, Evidence], now: int, *, may_be_silent: bool
    ) -> bool:
        key = (claim.session_key, claim.source)
        if key in seen or claim.process == "dead" or claim.source == PROCESS_TABLE:
            return False
        if may_be_silent and (claim.pid is None or claim.process == "unknown"):
            return False
        process = processes.look(claim.pid) if claim.pid is not None else None
        lives = process is not None and process.started == claim.process_started
        if lives and (may_be_silent or not self._confirmed(key, now)):
            return False
        self._doubtful.pop(key, None)
        return True

    def _confirmed(self, key: _Key, now: int) -> bool:
        first = self._doubtful.setdefault(key, now)
        # A clock that was set back starts the wait anew instead of prolonging it for ever.
        if now < first:
            self._doubtful[key] = first = now
        return now - first >= CONFIRM_MS


def _dead(claim: Evidence, now: int, ended_at: int | None) -> Evidence:
    return msgspec.structs.replace(
        claim, process="dead", turn=None, detail=None, observed_at=now, since=ended_at
    )


def announced(claim: Evidence) -> Session:
    """A session that a live source knows and no transcript tells of yet."""
    return Session(
        key=claim.session_key,
        agent=claim.agent,
        session_id=claim.session_id,
        machine=claim.machine,
        project_path=claim.project_path,
        title=claim.title,
        started_at=claim.started_at,
        registered=True,
    )
