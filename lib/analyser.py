"""The pass over transcripts, behind the scenes: `python -m lib.analyser`.

It reads the transcripts of this machine's own sessions, newest first, and stores their tool calls
and what tells of their health. The daemon starts it after its first scan and whenever something
changed; it ends when there is nothing more to do, or when the daemon does. A transcript is read in
pieces, and again only when it changed: so seldom that this takes a twentieth of a core. What is
found in one transcript is written at once or not at all, so that it can be killed at any time.

Exit status: 0 done, 1 the store failed.
"""

import argparse
import heapq
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping

from lib.collector import now_ms
from lib.entries import Entry
from lib.model import Session
from lib.model_analysis import Analysis
from lib.readers.entries import ENTRY_SOURCES
from lib.settings import settings
from lib.store import Store, StoreError
from lib.store_tools import Finding
from lib.tool_calls import MEANING, Tally
from lib.transcript import read_through

log = logging.getLogger("quarterdeck.analyser")

REST = 20
"""A second of reading what was read before is followed by so many without."""
SHORTEST_REST_SECONDS = 10.0
"""A transcript is not read again sooner."""
IDLE_SECONDS = 60.0
_LOOK_SECONDS = 1.0
_NICENESS = 19
_WRITE_CALLS = 2_000
_WRITE_SECONDS = 1.0


class Analyser:
    """Which transcripts are to be read, and when."""

    def __init__(
        self,
        store: Store,
        machine: str,
        environ: Mapping[str, str],
        check: Callable[[], None] = lambda: None,
        since: int = 0,
    ) -> None:
        """`check` is called with every record that is read, and may raise SystemExit.

        `since`: a version of the store; what did not change after it is not looked at.
        """
        self._store = store
        self._check = check
        self._machine = machine
        self._environ = environ
        self._version = since
        self._marks = store.analyses.marks()
        self._problems = {one.session_key: one.problem for one in store.analyses.problems()}
        """Why a transcript could not be read, where that is stored."""
        self._new: list[tuple[bool, int, str]] = []
        """Heap of what this process did not read: what never was comes first, then the newest."""
        self._again: set[str] = set()
        """What it did read, and what changed since."""
        self._changed: dict[str, Session] = {}
        self._due: dict[str, float] = {}
        """When a session may be read again, on the clock of `time.monotonic`."""
        self._rested = 0.0
        self._found: list[Finding] = []
        self._held = 0
        self._held_since = 0.0

    def note(self) -> None:
        """Note which sessions changed. Raises StoreError."""
        version = self._store.version()
        if version == self._version:
            return
        for session in self._store.analyses.readable(self._machine, self._version):
            if session.agent not in ENTRY_SOURCES:
                continue
            if session.key in self._due:
                self._again.add(session.key)
            elif session.key not in self._changed:
                was_read = session.key in self._marks
                heapq.heappush(self._new, (was_read, -(session.last_activity_at or 0), session.key))
            self._changed[session.key] = session
        self._version = version

    def step(self, *, paced: bool = True) -> bool:
        """Read one transcript; False where there is none to read now. Raises StoreError.

        `paced`: what was read before is left for later while it was read just now.
        """
        session = self._next(paced)
        if session is None:
            self.write()
            return False
        began = time.process_time()
        was_known = session.key in self._marks
        if self._read(session) and was_known and paced:
            self.write()
        now, took = time.monotonic(), time.process_time() - began
        self._due[session.key] = now + max(SHORTEST_REST_SECONDS, REST * took)
        if was_known:
            self._rested = now + REST * took
        return True

    @property
    def is_done(self) -> bool:
        """Whether nothing is known that is to be read, now or later."""
        return not self._changed

    @property
    def pause(self) -> float:
        """Seconds after which another step is worth it, where one has just read nothing."""
        rest = self._rested - time.monotonic() if self._new else _LOOK_SECONDS
        return min(max(rest, 0.0), _LOOK_SECONDS)

    def write(self) -> None:
        """Store what was found. Raises StoreError; then it is still to be stored."""
        self._store.tool_calls.replace(self._found)
        self._found, self._held = [], 0

    def _next(self, paced: bool) -> Session | None:
        now = time.monotonic()
        if not self._new or self._new[0][0]:
            if paced and now < self._rested:
                return None
            again = min(self._again, key=self._due.__getitem__, default=None)
            if again is not None and not (paced and now < self._due[again]):
                self._again.remove(again)
                return self._changed.pop(again)
        return self._changed.pop(heapq.heappop(self._new)[2]) if self._new else None

    def _read(self, session: Session) -> bool:
        """Read a transcript; return whether there was anything new in it."""
        tally = Tally(session)
        known = self._marks.get(session.key, "").removeprefix(_MEANS)

        def each(entries: list[Entry]) -> None:
            self._check()
            tally.take(entries)

        try:
            mark, problem = read_through(session, self._machine, self._environ, known, each)
        except Exception as error:  # noqa: BLE001 - one odd transcript must not cost the others
            mark, problem = None, f"{type(error).__name__}: {error}"
        if mark == known or (mark is None and problem is None):
            return False
        if problem is not None:
            if self._problems.get(session.key) == problem:
                return False
            log.warning("%s: %s", session.key, problem)
            # Without a mark, so that it is tried again.
            failed = Analysis(
                session_key=session.key, mark="", analysed_at=now_ms(), problem=problem
            )
            self._keep(Finding(failed, None))
            return True
        calls, facts = tally.told()
        facts.analysed_at, facts.mark = now_ms(), _MEANS + (mark or "")
        self._keep(Finding(facts, calls))
        return True

    def _keep(self, found: Finding) -> None:
        if not self._found:
            self._held_since = time.monotonic()
        self._found.append(found)
        key, facts = found.analysis.session_key, found.analysis
        self._marks[key], self._problems[key] = facts.mark, facts.problem
        self._held += len(found.calls or ())
        if self._held >= _WRITE_CALLS or time.monotonic() - self._held_since >= _WRITE_SECONDS:
            self.write()


_MEANS = f"{MEANING}:"


def read_all(
    store: Store, machine: str, environ: Mapping[str, str], stopping: Callable[[], bool]
) -> None:
    """Read everything that changed, once. Raises StoreError."""
    analyser = Analyser(store, machine, environ)
    analyser.note()
    while not stopping() and analyser.step(paced=False):
        pass
    analyser.write()


def _follow(store: Store, machine: str, parent: int, since: int) -> None:
    """Read what changes until nothing has for a while, or the process `parent` ends."""

    def check() -> None:
        if os.getppid() != parent:
            raise SystemExit(0)

    analyser = Analyser(store, machine, os.environ, check, since)
    busy_at = time.monotonic()
    while time.monotonic() - busy_at < IDLE_SECONDS:
        check()
        analyser.note()
        worked = analyser.step()
        if worked or not analyser.is_done:
            busy_at = time.monotonic()
        if not worked:
            time.sleep(analyser.pause)


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m lib.analyser", description=__doc__)
    # Told by the parent: it may end before there is time to ask who it was.
    parser.add_argument("--parent", type=int, default=os.getppid(), help="end with this process")
    parser.add_argument("--since", type=int, default=0, help="a version that was seen whole")
    options = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    # The daemon ends it; Ctrl-C in a terminal reaches both.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICENESS)
    config = settings()
    try:
        store = Store.open(config.store_url)
        try:
            _follow(store, config.machine, options.parent, options.since)
        finally:
            store.close()
    except StoreError as error:
        log.error("%s", error)  # noqa: TRY400 - said in plain words
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
