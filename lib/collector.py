"""Collecting: which files changed, what they say, what is live, and writing it as facts.

One `Collector` a daemon. It holds what it needs to compare against (how far each file was read,
the newest facts of each session, the newest claim of each live source), and moves that memory
on only after the store took the write, so that a failed write is simply tried again.
"""

import contextlib
import gc
import logging
import os
import stat
import time
from collections import ChainMap
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from lib import status
from lib.live import PROCESS_TABLE, Observer, announced
from lib.model import Event, Evidence, FileState, Session, SourceRow
from lib.pool import Work, read_all
from lib.readers.base import Reader
from lib.readers.databases import database_of, status_of
from lib.readers.values import path_name
from lib.readers.worker import Answer, Task
from lib.store_rows import Batch, FactStore
from lib.sweep import Found, Tree, changed

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Told after every written group: files and bytes read in it."""

_WRITE_REQUESTS = 10_000
"""Requests gathered before a write of a large scan. The first write is small: the newest show."""


CLOCK_SLACK_MS = 86_400_000
"""A record dated later than this from now was written by a clock that was wrong."""
FUTURE = "clock_ahead"
"""Flag of a session with records dated in the future; its own times are its file's."""


def now_ms() -> int:
    """The wall clock, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


@contextlib.contextmanager
def _without_cycle_search() -> Generator[None]:
    """Leave reference cycles alone for a while.

    Facts form none, but there are so many that looking took a quarter of a first scan's CPU time
    in this process (1.7 s against 1.3 s).
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Collector:
    """Everything one machine knows about its agents, brought into the store."""

    def __init__(
        self,
        store: FactStore,
        readers: Iterable[Reader],
        environ: Mapping[str, str],
        machine: str,
    ) -> None:
        readers = tuple(readers)
        self._store = store
        self._machine = machine
        self._trees = [
            Tree(reader, root) for reader in readers for root in _places(reader.roots(environ))
        ]
        self._files = store.file_states(machine)
        self._named = {
            (state.agent, name) for state in self._files.values() for name in state.unknown
        }
        rows = [row for row in store.sessions() if row.machine == machine]
        self._sessions: dict[str, Session] = {row.key: row for row in rows}
        self.observer = Observer(readers, environ, machine, store.evidence())
        self._statuses = {
            row.key: _status(row, self._sessions, self.observer.known) for row in rows
        }
        # Sessions found by the very first scan are history, not events.
        self._tells_events = bool(self._files)

    @property
    def roots(self) -> list[Path]:
        """Folders worth watching for changes: a watch is on all that is below."""
        return [tree.root for tree in self._trees if not tree.is_partial]

    def sweep(self, full: bool = True) -> list[Found]:
        """The session files that must be read, newest first."""
        found = [item for tree in self._trees for item in tree.sweep(full, self._files)]
        found.sort(key=lambda item: -item.status.st_mtime_ns)
        return found

    def look_at(self, paths: Iterable[str]) -> list[Found]:
        """Session files that must be read: those of `paths` (from a change notice), and of the
        trees that are not watched.
        """
        unwatched = [tree for tree in self._trees if tree.is_partial]
        found = [item for tree in unwatched for item in tree.sweep(False, self._files)]
        for path in dict.fromkeys(map(database_of, paths)):
            reader = self._reader_of(path)
            if reader is None:
                continue
            try:
                item = Found(reader, path, status_of(path))
            except OSError:
                continue  # Gone again; the next sweep marks it so.
            if changed(item.status, self._known(path)):
                found.append(item)
        return found

    @_without_cycle_search()
    def collect(
        self,
        found: list[Found],
        progress: Progress = lambda _files, _bytes: None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """Observe what is live, read `found`, and write both.

        A process counts as gone only if it was gone before its file was read: what it had to say
        is then in the facts, and a session never looks killed for the moment between the two.
        Raises StoreError when the store refuses; the same facts are then collected again.
        """
        news = self.observer.observe(now_ms())
        gone = {claim.session_key for claim in news if claim.process == "dead"}
        if gone:
            # A change notice may lag behind what a process wrote last, and what it wrote beside
            # its session's file gives none.
            last_words = [*self.sweep(full=False), *self._files_of(gone)]
            found = list({item.path: item for item in [*found, *last_words]}.values())
        if not found:
            self._write(Batch(), news)
            self._tells_events = True
            return
        batch = Batch()
        files = read = 0
        written = False
        for answers in read_all([self._work(item) for item in found]):
            for item, answer in answers:
                self._add(batch, item, answer)
                files += 1
                read += item.size
            if not written or len(batch.requests) > _WRITE_REQUESTS:
                self._write(batch, self._claims(gone))
                progress(files, read)
                batch, files, read, written = Batch(), 0, 0, True
            if stopping():
                break
        self._write(batch, self._claims(gone))
        progress(files, read)
        self._tells_events = True

    def judge_unannounced(self) -> None:
        """Look for the processes of sessions whose agent's version does not announce them."""
        claims = self.observer.judge_unannounced(self._sessions.values(), now_ms())
        gone = {claim.session_key for claim in claims if claim.process == "dead"}
        batch = Batch()
        for answers in read_all([self._work(item) for item in self._files_of(gone)]):
            for item, answer in answers:
                self._add(batch, item, answer)
        self._write(batch, claims)

    def note_gone(self) -> None:
        """Mark files that their agent deleted. Their facts stay."""
        present = {path_name(path) for tree in self._trees for path in tree.paths()}
        blind = tuple(f"{path_name(path)}/" for tree in self._trees for path in tree.blind_spots())
        gone = [
            msgspec.structs.replace(state, gone=True)
            for path, state in self._files.items()
            if not state.gone and path not in present and not path.startswith(blind)
        ]
        self._write(Batch(files=gone), [])

    def sources(self) -> list[SourceRow]:
        """How every root looks after the last sweep."""
        now = now_ms()
        return [tree.source(self._machine, now) for tree in self._trees]

    def _known(self, path: str) -> FileState | None:
        return self._files.get(path_name(path))

    def _reader_of(self, path: str) -> Reader | None:
        for tree in self._trees:
            inside = path.startswith(f"{tree.root}{os.sep}")
            if inside and tree.reader.is_session_file(Path(path)):
                return tree.reader
        return None

    def _files_of(self, keys: Iterable[str]) -> Iterator[Found]:
        """The files of sessions, changed or not."""
        for key in keys:
            path = self._sessions[key].source_path if key in self._sessions else ""
            reader = self._reader_of(path)
            if reader is None:
                continue
            try:
                status = status_of(path)
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                yield Found(reader, path, status)

    def _work(self, item: Found) -> Work:
        known = self._known(item.path)
        done = known.offset if known is not None else 0
        task = Task(item.reader.AGENT, os.fsencode(item.path), known)
        return Work(task, max(0, item.status.st_size - done))

    def _add(self, batch: Batch, item: Work, answer: Answer) -> None:
        if answer.facts is None:
            path = path_name(os.fsdecode(item.task.path))
            known = item.task.previous or FileState(path=path, agent=item.task.agent)
            if known.error != answer.error:
                log.warning("%s: %s", path, answer.error)
            failed = msgspec.structs.replace(known, machine=self._machine, error=answer.error)
            batch.files.append(failed)
            return
        facts = answer.facts
        facts.state.machine = self._machine
        self._name_unknown(facts.state)
        batch.files.append(facts.state)
        batch.requests.extend(facts.requests)
        for session in (facts.session, *facts.more_sessions):
            if session is not None:
                session.machine = self._machine
                _mend_times(session, facts.state.mtime_ns // 1_000_000)
                batch.sessions.append(session)

    def _name_unknown(self, state: FileState) -> None:
        """Log what a reader does not know, once for each agent."""
        for name in state.unknown:
            if (state.agent, name) not in self._named:
                self._named.add((state.agent, name))
                log.warning("%s: unknown %s, first in %s", state.agent, name, state.path)

    def _claims(self, gone: set[str]) -> list[Evidence]:
        news = self.observer.observe(now_ms())
        return [claim for claim in news if claim.process != "dead" or claim.session_key in gone]

    def _write(self, batch: Batch, claims: list[Evidence]) -> None:
        """Store facts, claims and what they mean; then, and only then, remember them."""
        known = self.observer.known
        moved_on = [one for one in batch.sessions if PROCESS_TABLE in known.get(one.key, ())]
        claims = [*claims, *self.observer.judge_unannounced(moved_on, now_ms())]
        batch.evidence = claims
        facts: dict[str, Session] = {}
        for session in batch.sessions:
            # A resumed or moved session may come from two files of one batch.
            if _supersedes(session, facts.get(session.key) or self._sessions.get(session.key)):
                facts[session.key] = session
        for claim in claims:
            if claim.session_key not in self._sessions and claim.session_key not in facts:
                facts[claim.session_key] = announced(claim)
                batch.sessions.append(facts[claim.session_key])
        statuses = self._touched(facts, claims)
        if self._tells_events:
            now = now_ms()
            batch.events = [
                Event(at=now, session_key=key, kind=name)
                for key, name in statuses.items()
                if self._statuses.get(key) != name
            ]
        if batch.files or batch.sessions or batch.requests or batch.evidence:
            self._store.write(batch)
        self.observer.remember(claims)
        self._sessions.update(facts)
        self._statuses.update(statuses)
        self._files.update((state.path, state) for state in batch.files)

    def _touched(self, facts: Mapping[str, Session], claims: list[Evidence]) -> dict[str, str]:
        """The new status of every session that a write is about."""
        evidence = dict(self.observer.known)
        for claim in claims:
            known = evidence.get(claim.session_key, {})
            evidence[claim.session_key] = {**known, claim.source: claim}
        sessions = ChainMap(dict(facts), self._sessions)
        claimed = {claim.session_key for claim in claims}
        keys = facts.keys() | claimed
        if claimed:  # a parent's process is its subagents' process
            keys |= {key for key, one in self._sessions.items() if one.parent_key in claimed}
        return {key: _status(sessions[key], sessions, evidence) for key in keys}


def _places(roots: Iterable[Path]) -> Iterable[Path]:
    """Each folder once, by the first of its names."""
    found: dict[str, Path] = {}
    for root in roots:
        found.setdefault(os.path.realpath(root), root)
    return found.values()


def _status(
    session: Session,
    sessions: Mapping[str, Session],
    evidence: Mapping[str, Mapping[str, Evidence]],
) -> str:
    claims = status.evidence_for(session, sessions, evidence)
    return status.derive(session, claims, now_ms()).status


def _mend_times(session: Session, written_at: int) -> None:
    """Put a session that claims to be of the future where its file says it is."""
    latest = now_ms() + CLOCK_SLACK_MS
    if (session.last_activity_at or 0) > latest or (session.started_at or 0) > latest:
        session.last_activity_at = min(session.last_activity_at or written_at, written_at)
        session.started_at = min(session.started_at or written_at, written_at)
        session.flags = [*session.flags, FUTURE]


def _supersedes(session: Session, known: Session | None) -> bool:
    """The store's rule: of two files that tell of one session, the later activity holds."""
    return (
        known is None
        or session.source_path == known.source_path
        or (session.last_activity_at or 0) >= (known.last_activity_at or 0)
    )
