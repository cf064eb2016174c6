"""Following one LeanSpec server: asking it again and again, and listening to what runs there.

It is asked every two seconds while sessions run, else every five; after a failure less and less
often. What streams bring is written at once.
"""

import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

from lib.collector import now_ms
from lib.leanspec import Client, LeanSpecError
from lib.leanspec_answers import NAMELESS, ServerSession, Sessions
from lib.leanspec_facts import ENDED, LIVE, Origin, key_of, status_of
from lib.leanspec_keep import Kept
from lib.leanspec_live import Listener, Payload, Streams
from lib.leanspec_log import SessionLog
from lib.model import ServerProject, ServerRow, ServerRunner
from lib.readers.values import as_time
from lib.servers import ServerSetting
from lib.status import RECENT_MS
from lib.store import Store, StoreError

log = logging.getLogger(__name__)

BUSY_SECONDS = 2.0
CALM_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 60.0
CALL_SECONDS = 8.0
SILENT_MS = 15_000
"""Without an answer for so long, what runs there is no longer believed to run."""
AROUND_SECONDS = 30.0
"""How often the version, the projects and the runners are asked for."""
MOST_STREAMS = 20
"""Sessions of a server that are listened to at once; the logs of others are asked for in turn."""
MOST_LOGS = 10
"""Logs that are read in one round."""
MOST_READS = 3
"""How often the end of an ended session's log is looked for."""
QUIET_MS = 40_000
"""What a stream leaves out, the server's line every 30 seconds, is looked for after so long."""
GATHER_SECONDS = 0.25
"""What streams bring within this time is written together."""
CLOCK_SLACK_MS = 5_000
"""A server's clock that is off by less counts as right: HTTP tells the time in whole seconds."""
_MOST_PROJECTS = 10
_NO_ANSWER = frozenset({"unreachable", "broken-off", "timeout"})
_STATES: dict[str, Literal["refused", "no-leanspec"]] = {
    "refused": "refused",
    "no-leanspec": "no-leanspec",
    "not-found": "no-leanspec",
}


class Poller:
    """One server, followed by a thread of its own from `start` to `stop`."""

    def __init__(
        self,
        store: Store,
        setting: ServerSetting,
        streams: Streams,
        row: ServerRow,
        tell: Callable[[ServerRow], None],
        is_ours: Callable[[str, str], bool],
    ) -> None:
        """`row`: what was known of the server; `tell` is given each new state of it."""
        self._store = store
        self._setting = setting
        self._streams = streams
        self._row = row
        self._tell = tell
        self._is_ours = is_ours
        self._kept: Kept | None = None
        self._answer = Sessions(sessions=[], complete=False)
        self._projects: list[ServerProject] = []
        self._looked_around = float("-inf")
        self._failures = 0
        self._is_silenced = False
        self._offset_ms = 0
        self._logs: dict[str, SessionLog] = {}
        self._reads: dict[str, int] = {}
        self._heard: set[str] = set()
        """Sessions whose streams are open."""
        self._has_news = False
        self._is_asked = False
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"leanspec {setting.url}", daemon=True
        )

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the call that is under way; what was known stays in the store."""
        self._stopping.set()
        self._woken.set()

    def join(self) -> None:
        """Wait until it has ended."""
        self._thread.join()

    def soon(self) -> None:
        """Ask the server at once: somebody has changed something there."""
        self._is_asked = True
        self._woken.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow()
            except Exception as error:
                # Whatever a server's answers do to us, it is asked again.
                log.exception("%s", self._setting.name)
                problem = f"{type(error).__name__}: {error}"
                self._stopping.wait(self._failed("unreachable", problem))
        self._streams.want(self._setting.url, (), self._listener())
        with contextlib.suppress(StoreError):
            self._silence()

    def _follow(self) -> None:
        try:
            with Client(self._setting.url, self._setting.token, CALL_SECONDS) as client:
                while not self._stopping.is_set():
                    self._wait(self._round(client))
        except LeanSpecError as error:
            self._wait(self._failed("unreachable", str(error)))

    def _round(self, client: Client) -> float:
        """Ask once; answer how many seconds to wait until the next time."""
        try:
            self._ask(client)
        except LeanSpecError as error:
            return self._failed(_STATES.get(error.kind, "unreachable"), str(error))
        except StoreError as error:
            log.warning("%s: %s", self._setting.name, error)
            return CALM_SECONDS
        self._failures = 0
        self._is_silenced = False
        return BUSY_SECONDS if self._running() else CALM_SECONDS

    def _ask(self, client: Client) -> None:
        around = time.monotonic() - self._looked_around >= AROUND_SECONDS or self._failures > 0
        client.seconds = self._patience()
        if around:
            self._row.version = client.version()
            self._projects = client.projects()
        answer = client.sessions(self._projects)
        self._note_clock(client.clock_offset_ms)
        with self._lock:
            before = {one.id: one.status for one in self._answer.sessions}
            self._answer = answer
            self._forget_logs()
        self._read(client, self._just_ended(before))
        self._write()
        self._listen()
        if self._read(client, self._unread()):
            self._write()
        if around:
            self._note_runners(client)
            self._looked_around = time.monotonic()
        self._answered(answer)

    def _patience(self) -> float:
        """What a call may take: not beyond the moment at which the server counts as silent."""
        if not self._failures or self._is_silenced:
            return CALL_SECONDS
        left = ((self._row.seen_at or 0) + SILENT_MS - now_ms()) / 1000
        return min(CALL_SECONDS, max(1.0, left))

    def _note_clock(self, offset_ms: int | None) -> None:
        # Held as long as it fits, so that no time moves by the rounding of the next answer.
        if offset_ms is not None and abs(offset_ms - self._offset_ms) > CLOCK_SLACK_MS:
            self._offset_ms = offset_ms if abs(offset_ms) > CLOCK_SLACK_MS else 0

    def _note_runners(self, client: Client) -> None:
        """What can run sessions in any of the projects."""
        found: dict[str, ServerRunner] = {}
        for project in self._projects[:_MOST_PROJECTS]:
            try:
                answer = client.runners(project.path)
            except LeanSpecError as error:
                log.info("%s: runners of %s: %s", self._setting.name, project.name, error)
                return
            self._row.default_runner = answer.default
            for one in answer.runners:
                known = found.get(one.id)
                available = one.available or (known.available if known else one.available)
                found[one.id] = ServerRunner(
                    id=one.id, name=one.name or one.id, available=available
                )
        self._row.runners = list(found.values())

    def _answered(self, answer: Sessions) -> None:
        self._row.state = "ok"
        self._row.projects = self._projects
        self._row.sessions = len(answer.sessions)
        self._row.checked_at = self._row.seen_at = now_ms()
        self._row.retry_at = None
        problems = [f"{count:,} × {what}" for what, count in answer.unreadable.items()]
        if not answer.complete:
            problems.append("some projects' sessions can't be listed")
        self._row.error = (
            f"Not everything could be read: {'; '.join(problems)}" if problems else None
        )
        self._tell(msgspec.structs.replace(self._row))

    def _failed(
        self, state: Literal["refused", "no-leanspec", "unreachable"], message: str
    ) -> float:
        """Note a failure; answer how long to wait before the next try, longer each time."""
        pause = min(LONGEST_PAUSE_SECONDS, BUSY_SECONDS * 2 ** min(self._failures, 10))
        pause *= random.uniform(0.8, 1.2)
        self._failures += 1
        if (self._row.state, self._row.error) != (state, message):
            log.warning("%s: %s", self._setting.name, message)
        self._row.state = state
        self._row.error = message
        self._row.checked_at = now_ms()
        self._row.retry_at = self._row.checked_at + int(pause * 1000)
        self._tell(msgspec.structs.replace(self._row))
        return pause

    def _wait(self, seconds: float) -> None:
        """Wait for the next round; meanwhile write what streams bring, and notice silence."""
        until = time.monotonic() + seconds
        while not self._stopping.is_set() and not self._is_asked:
            with contextlib.suppress(StoreError):  # What could not be written comes up again.
                self._notice_silence()
            left = until - time.monotonic()
            if left <= 0:
                return
            if self._failures and not self._is_silenced:
                left = min(left, 1.0)
            if self._woken.wait(left) and not self._is_asked:
                self._stopping.wait(GATHER_SECONDS)
                self._woken.clear()
                with contextlib.suppress(StoreError):
                    if self._has_news:
                        self._has_news = False
                        self._write()
        self._is_asked = False
        self._woken.clear()

    def _notice_silence(self) -> None:
        if not self._failures or self._is_silenced:
            return
        if now_ms() - (self._row.seen_at or 0) >= SILENT_MS:
            self._silence()
            self._is_silenced = True

    def _silence(self) -> None:
        self._ours().silence(now_ms())

    def _ours(self) -> Kept:
        if self._kept is None:
            url, machine = self._setting.url, self._row.machine
            self._kept = Kept(self._store, url, machine, self._is_ours)
        return self._kept

    def _origin(self) -> Origin:
        return Origin(self._setting.url, self._row.machine, now_ms(), self._offset_ms)

    def _write(self) -> None:
        kept = self._ours()
        with self._lock:
            answer, logs = self._answer, self._logs
            nameless = NAMELESS in answer.unreadable
            kept.take(
                answer.sessions, logs, self._origin(), complete=answer.complete and not nameless
            )

    def _running(self) -> list[ServerSession]:
        return [
            one for one in self._answer.sessions if status_of(one, self._logs.get(one.id)) in LIVE
        ]

    def _listen(self) -> None:
        """Listen to the newest running sessions."""
        newest = sorted(self._running(), key=lambda one: one.started_at or "", reverse=True)
        ids = [one.id for one in newest[:MOST_STREAMS]]
        self._streams.want(self._setting.url, ids, self._listener())

    def _listener(self) -> Listener:
        return Listener(self._setting.token, self._opened, self._streamed, self._closed)

    def _opened(self, session_id: str) -> None:
        with self._lock:
            self._logs[session_id] = SessionLog()
            self._heard.add(session_id)

    def _streamed(self, session_id: str, payload: Payload) -> None:
        with self._lock:
            if (found := self._logs.get(session_id)) is not None:
                found.add_streamed(payload)
        self._has_news = True
        self._woken.set()

    def _closed(self, session_id: str) -> None:
        with self._lock:
            self._heard.discard(session_id)

    def _just_ended(self, before: dict[str, str | None]) -> list[ServerSession]:
        """Sessions that ended since the last answer: their logs say how."""
        return [
            one
            for one in self._answer.sessions
            if one.status in ENDED and before.get(one.id, one.status) != one.status
        ][:MOST_LOGS]

    def _unread(self) -> list[ServerSession]:
        """Sessions whose logs have something to say that nobody has heard."""
        doubtful = [
            one
            for one in self._answer.sessions
            if (one.id not in self._heard or self._is_quiet(one.id))
            and (one.status in LIVE or (one.status == "pending" and one.protocol == "acp"))
        ]
        doubtful.sort(key=lambda one: self._logs[one.id].read_at if one.id in self._logs else 0)
        ended = [one for one in self._answer.sessions if self._has_unread_end(one)]
        ended.sort(key=lambda one: one.ended_at or "", reverse=True)
        half = MOST_LOGS // 2
        return (doubtful[: max(half, MOST_LOGS - len(ended))] + ended)[:MOST_LOGS]

    def _is_quiet(self, session_id: str) -> bool:
        """Whether a stream has brought nothing for so long that the log should be asked for."""
        found = self._logs.get(session_id)
        if found is None or found.last_at is None:
            return False
        now = now_ms()
        return (
            now + self._offset_ms - found.last_at > QUIET_MS and now - found.read_at > QUIET_MS / 2
        )

    def _has_unread_end(self, one: ServerSession) -> bool:
        if one.status not in ENDED or self._reads.get(one.id, 0) >= MOST_READS:
            return False
        found = self._logs.get(one.id)
        if found is not None:
            return not found.ended
        known = self._ours().known.get(key_of(one.id))
        if known is None:
            return False
        if one.status == "failed":
            return known.error_message is None and known.turn != "stopped"
        return known.last_message is None and self._is_recent(one)

    def _is_recent(self, one: ServerSession) -> bool:
        ended = as_time(one.ended_at)
        return ended is not None and now_ms() + self._offset_ms - ended <= RECENT_MS

    def _read(self, client: Client, sessions: Iterable[ServerSession]) -> bool:
        """Read the logs of `sessions`; return whether any could be read."""
        some = False
        for one in sessions:
            if self._stopping.is_set():
                break
            if one.status in ENDED:
                self._reads[one.id] = self._reads.get(one.id, 0) + 1
            found = SessionLog()
            found.read_at = now_ms()
            try:
                lines = client.logs(one.id)
            except LeanSpecError as error:
                # The list of sessions tells whether the server is there; one log does not.
                log.info("%s: log of %s: %s", self._setting.name, one.id, error)
                if error.kind in _NO_ANSWER:
                    break
                continue
            for line in lines:
                found.add(line.level, line.message, line.timestamp)
            with self._lock:
                self._logs[one.id] = found
            some = True
        return some

    def _forget_logs(self) -> None:
        """What the log of an ended session has said is in the store."""
        ids = {one.id: one.status for one in self._answer.sessions}
        for session_id in list(self._logs):
            over = ids.get(session_id) in ENDED and (
                self._logs[session_id].ended or self._reads.get(session_id, 0) >= MOST_READS
            )
            if over and self._reads.get(session_id):
                self._reads[session_id] = MOST_READS
                del self._logs[session_id]
            elif session_id not in ids:
                del self._logs[session_id]
        self._reads = {one: count for one, count in self._reads.items() if one in ids}
