"""What one LeanSpec server has said, compared with what it says now: only what is new is written.

Memory moves on only after the store took the write, so that a failed one is simply tried again.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from lib import heard, status
from lib.leanspec_answers import ServerSession
from lib.leanspec_facts import (
    DELETED,
    SOURCE,
    Origin,
    deleted,
    facts_of,
    is_lost,
    key_of,
    unreachable,
)
from lib.leanspec_log import SessionLog
from lib.model import Event, Evidence, Session
from lib.store import Batch, Store

FOREIGN_MS = 60_000
"""How long another machine's session is left alone before its machine is looked at again."""


class Seen(NamedTuple):
    """All that a session's facts were made of; the same again yields the same facts."""

    told: ServerSession
    lines: tuple[int, int | None] | None
    """How many there are, which is never over a thousand, and when the newest was written."""
    lost: bool


class Kept:
    """The sessions of one server in the store, as one machine's daemon keeps them."""

    def __init__(self, store: Store, url: str, machine: str, is_ours: Callable[[str, str], bool]):
        """`is_ours`: whether a session belongs to this URL, not to another one of the same server.

        Raises StoreError.
        """
        self._store = store
        self._machine = machine
        self._url = url
        self._is_ours = is_ours
        self.known: dict[str, Session] = {
            row.key: Session(**{name: getattr(row, name) for name in Session.__struct_fields__})
            for row in store.sessions()
            if row.server == url and row.machine == machine and is_ours(row.key, url)
        }
        self._claims = {
            claim.session_key: msgspec.structs.replace(claim, observed_at=0, since=None)
            for claim in store.evidence()
            if claim.source == SOURCE and claim.session_key in self.known
        }
        self._seen: dict[str, Seen] = {}
        self._foreign: dict[str, int] = {}
        self._statuses = {key: self._status(one, 0) for key, one in self.known.items()}
        self._tells_events = bool(self.known)

    def take(
        self,
        sessions: Iterable[ServerSession],
        logs: Mapping[str, SessionLog],
        origin: Origin,
        *,
        complete: bool,
    ) -> None:
        """Write what is new in an answer. `complete`: what is not in it is there no more.

        Raises StoreError.
        """
        told = {key_of(one.id): one for one in sessions}
        batch = Batch()
        seen: dict[str, Seen] = {}
        foreign = self._of_others([key for key in told if key not in self.known], origin.now)
        for key, one in told.items():
            if key in foreign:
                continue
            log = logs.get(one.id)
            lines = (log.lines, log.last_at) if log else None
            made_of = Seen(one, lines, is_lost(log, origin))
            if self._seen.get(key) != made_of:
                seen[key] = made_of
                self._compare(batch, *facts_of(one, origin, self.known.get(key), log))
        gone = self.known.keys() - told.keys() if complete else set[str]()
        for key in gone:
            if DELETED not in self.known[key].flags:
                self._compare(batch, *deleted(self.known[key], origin.now))
        self._write(batch, origin.now)
        self._seen.update(seen)
        for key in gone:
            self._seen.pop(key, None)
        self._tells_events = True

    def silence(self, now: int) -> None:
        """The server does not answer: what runs there is unknown. Raises StoreError."""
        batch = Batch()
        for key, claim in self._claims.items():
            if claim.process in ("alive", "suspended"):
                self._compare(batch, self.known[key], unreachable(self.known[key]))
        self._write(batch, now)
        self._seen.clear()

    def _compare(self, batch: Batch, session: Session, claim: Evidence) -> None:
        if session != self.known.get(session.key):
            batch.sessions.append(session)
        if claim != self._claims.get(session.key):
            batch.evidence.append(claim)

    def _of_others(self, keys: list[str], now: int) -> set[str]:
        """Those of `keys` that another URL of this server, or another machine, keeps."""
        asked = [key for key in keys if self._foreign.get(key, 0) <= now]
        if asked:
            machines = self._store.machines_of(asked)
            listening = {
                row.machine
                for row in heard.daemons(self._store, now)
                if now - row.beat_at < heard.SILENT_MS and row.phase != "stopped"
            } - {self._machine}
            for key in asked:
                self._foreign.pop(key, None)
                if machines.get(key) in listening or not self._is_ours(key, self._url):
                    self._foreign[key] = now + FOREIGN_MS
        return self._foreign.keys() & set(keys)

    def _write(self, batch: Batch, now: int) -> None:
        if not batch.sessions and not batch.evidence:
            return
        facts = {session.key: session for session in batch.sessions}
        claims = {claim.session_key: claim for claim in batch.evidence}
        batch.evidence = [
            msgspec.structs.replace(claim, observed_at=now, since=now)
            if claim.process in ("suspended", "dead")
            else msgspec.structs.replace(claim, observed_at=now)
            for claim in batch.evidence
        ]
        statuses = {
            key: self._status(facts.get(key) or self.known[key], now, claims.get(key))
            for key in facts.keys() | claims.keys()
        }
        if self._tells_events:
            batch.events = [
                Event(at=now, session_key=key, kind=name)
                for key, name in statuses.items()
                if self._statuses.get(key) != name
            ]
        self._store.write(batch)
        self.known.update(facts)
        self._claims.update(claims)
        self._statuses.update(statuses)

    def _status(self, session: Session, now: int, claim: Evidence | None = None) -> str:
        known = claim or self._claims.get(session.key)
        return status.derive(session, [known] if known else [], now).status
