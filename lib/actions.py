"""Having done what pages ask for. One `Executor` a daemon takes its machine's requests from the
store, has them carried out, and writes what became of them.

Actions on different sessions don't wait for each other; those on one session are done in their
order. What was taken is never done again, whatever happens to the daemon in between.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from lib.collector import now_ms
from lib.model import Action, Session
from lib.servers import ServerSetting
from lib.store import Store, StoreError

if TYPE_CHECKING:
    from lib.server_actions import Outcome

log = logging.getLogger(__name__)

PACE_SECONDS = 0.25
"""How often the store is asked for requests."""
RETRY_SECONDS = 5.0
OVERDUE_MS = 10 * 60 * 1000
"""A request that waited longer is not carried out: who asked has long seen something else."""
MOST_AT_ONCE = 8


class Refused(Exception):
    """An action is not carried out, because of what `str()` says."""


class Executor:
    """Has one machine's actions carried out, until `stopping` is set."""

    def __init__(
        self,
        store: Store,
        machine: str,
        servers: Callable[[], Iterable[ServerSetting]],
        stopping: threading.Event,
        acted: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`servers`: as they are configured when it is called. `acted` is told the URL of every
        server that was asked for something, so that its sessions are looked at at once.
        """
        self._store = store
        self._machine = machine
        self._servers = servers
        self._stopping = stopping
        self._acted = acted
        self._pool: ThreadPoolExecutor | None = None
        self._busy: set[str] = set()
        self._failure = ""

    def run(self) -> None:
        """Take requests and have them carried out, until told to stop; then end what is begun."""
        inherited = True
        while not self._stopping.is_set():
            try:
                if inherited:
                    self._store.actions.interrupted(self._machine, now_ms())
                    inherited = False
                self._take()
                self._failure = ""
                self._stopping.wait(PACE_SECONDS)
            except Exception as error:  # noqa: BLE001 - logged in `_failed`; the next round is tried
                self._failed(error)
                self._stopping.wait(RETRY_SECONDS)
        if self._pool is not None:
            self._pool.shutdown()

    def _take(self) -> None:
        """Begin what can begin now."""
        for asked in self._store.actions.requested(self._machine):
            target = asked.session_key or asked.id
            if target in self._busy or len(self._busy) >= MOST_AT_ONCE:
                continue
            if self._store.actions.claim(asked.id, now_ms()):
                self._pool = self._pool or ThreadPoolExecutor(MOST_AT_ONCE, "action")
                self._busy.add(target)
                self._pool.submit(self._do, asked, target)

    def _do(self, asked: Action, target: str) -> None:
        try:
            outcome = self._outcome(asked)
            while not self._written(asked, outcome) and not self._stopping.wait(RETRY_SECONDS):
                pass
        finally:
            self._busy.discard(target)

    def _outcome(self, asked: Action) -> "Outcome":
        # Imported here: a daemon that is never asked for anything holds no HTTP client.
        from lib.leanspec import Client, LeanSpecError  # noqa: PLC0415
        from lib.server_actions import Outcome, carry_out  # noqa: PLC0415

        try:
            session = self._session(asked)
            setting = self._server(asked, session)
            with Client(setting.url, setting.token) as client:
                outcome = carry_out(client, asked, session, self._stopping.wait)
            self._acted(setting.url)
        except (Refused, LeanSpecError) as error:
            return Outcome("refused", str(error))
        except Exception as error:
            log.exception("%s of %s", asked.kind, asked.target)
            return Outcome("failed", f"{type(error).__name__}: {error}")
        return outcome

    def _session(self, asked: Action) -> Session | None:
        waited = now_ms() - asked.at
        if waited > OVERDUE_MS:
            minutes = waited // 60_000
            raise Refused(f"Asked for {minutes:,} minutes ago, which is too long to do it now.")
        if asked.kind == "create":
            return None
        session = self._store.session(asked.session_key or "")
        if session is None:
            raise Refused("There is no such session.")
        if session.server is None:
            raise Refused("Only sessions of a LeanSpec server can be acted upon.")
        return session

    def _server(self, asked: Action, session: Session | None) -> ServerSetting:
        url = asked.arguments.get("server") if session is None else session.server
        setting = next((one for one in self._servers() if one.url == url), None)
        if setting is None:
            raise Refused(f"No server {url} is configured on {self._machine}.")
        if not setting.on:
            raise Refused(f"The server {setting.name} is switched off on {self._machine}.")
        return setting

    def _written(self, asked: Action, outcome: "Outcome") -> bool:
        try:
            if asked.kind == "delete" and asked.session_key and outcome.state == "done":
                # Its facts stay; the card is gone from the board as it is from the server.
                self._store.dismiss(asked.session_key, now_ms())
            self._store.actions.finish(asked.id, *outcome, now_ms())
        except StoreError as error:
            self._failed(error)
            return False
        return True

    def _failed(self, error: Exception) -> None:
        # Once per cause: a full disk must not be filled by messages about it.
        if str(error) != self._failure:
            log.error(error, exc_info=None if isinstance(error, StoreError) else error)
        self._failure = str(error)
