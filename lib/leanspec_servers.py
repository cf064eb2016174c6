"""All LeanSpec servers that are configured, followed as long as the daemon lives.

The configuration is looked at every second, and taken as it is without a restart. What talks to
servers is imported when the first one is switched on: without servers it costs nothing.
"""

import logging
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from lib import servers
from lib.collector import now_ms
from lib.model import ServerRow
from lib.servers import ServerSetting
from lib.settings import Settings
from lib.store import Store, StoreError

if TYPE_CHECKING:
    from lib.leanspec_live import Streams
    from lib.leanspec_poll import Poller

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
SAVE_SECONDS = 5.0
"""How often the servers' rows are written when nothing but the time of the last answer moved."""
_TIMES = ("checked_at", "seen_at", "retry_at")


class Servers:
    """Follows what is configured, in threads of its own."""

    def __init__(self, store: Store, config: Settings, environ: Mapping[str, str]) -> None:
        self._store = store
        self._config = config
        self._environ = environ
        self._stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, name="leanspec-servers", daemon=True)
        """To be started once."""
        self._lock = threading.Lock()
        self._settings: dict[str, ServerSetting] = {}
        self._pollers: dict[str, Poller] = {}
        self._streams: Streams | None = None
        self._rows: dict[str, ServerRow] = {}
        self._saved: list[ServerRow] = []
        self._saved_at = float("-inf")
        self._owners: dict[str, str] = {}

    def close(self) -> None:
        """End; what runs on the servers is from now on nothing that we know of."""
        self._stopping.set()
        if self.thread.is_alive():
            self.thread.join()

    def soon(self, url: str) -> None:
        """Ask a server at once: somebody has changed something there."""
        if (poller := self._pollers.get(url)) is not None:
            poller.soon()

    def _run(self) -> None:
        stamp: object = None
        known: dict[str, ServerRow] | None = None
        while not self._stopping.is_set():
            try:
                if known is None:
                    mine = [one for one in self._store.servers() if self._is_mine(one)]
                    self._leave([row.url for row in mine])
                    known = {row.url: row for row in mine}
                if (now := servers.stamp(self._config, self._environ)) != stamp:
                    stamp = now
                    self._follow(known)
                self._save()
            except StoreError as error:
                log.warning("LeanSpec servers: %s", error)
            except Exception:
                log.exception("LeanSpec servers")
            self._stopping.wait(LOOK_SECONDS)
        self._end(list(self._pollers))
        if self._streams is not None:
            self._streams.close()

    def _is_mine(self, row: ServerRow) -> bool:
        return row.machine == self._config.machine

    def _leave(self, urls: list[str]) -> None:
        """Believe no longer what an earlier daemon, if it was killed, left of servers that nobody
        follows now.
        """
        from lib.leanspec_keep import Kept  # noqa: PLC0415 - a daemon without servers needs it not

        configured = servers.configured(self._config, self._environ).servers
        followed = {one.url for one in configured if one.on}
        for url in urls:
            if url not in followed:
                kept = Kept(self._store, url, self._config.machine, lambda _key, _url: True)
                kept.silence(now_ms())

    def _follow(self, known: Mapping[str, ServerRow]) -> None:
        """Take up the configuration as it is now."""
        configured = servers.configured(self._config, self._environ)
        for problem in configured.problems:
            log.warning("LeanSpec servers: %s", problem)
        wanted = {one.url: one for one in configured.servers}
        changed = [url for url, one in self._settings.items() if wanted.get(url) != one]
        self._end(changed)
        with self._lock:
            for url in changed:
                self._rows.pop(url, None)
            for url, setting in wanted.items():
                if url not in self._rows:
                    self._rows[url] = _row(setting, self._config.machine, known.get(url))
            for session in self._store.sessions() if wanted != self._settings else ():
                owner = wanted.get(session.server or "")
                if owner is not None and owner.on and session.machine == self._config.machine:
                    self._owners.setdefault(session.key, owner.url)
        for url, setting in wanted.items():
            if setting.on and url not in self._pollers:
                self._pollers[url] = self._poller(setting)
                self._pollers[url].start()
        self._settings = wanted

    def _poller(self, setting: ServerSetting) -> "Poller":
        # Imported here: a daemon without servers needs none of it.
        from lib.leanspec_live import Streams  # noqa: PLC0415
        from lib.leanspec_poll import Poller  # noqa: PLC0415

        self._streams = self._streams or Streams()
        row = msgspec.structs.replace(self._rows[setting.url])
        return Poller(self._store, setting, self._streams, row, self._tell, self._is_ours)

    def _end(self, urls: list[str]) -> None:
        ending = [self._pollers.pop(url) for url in urls if url in self._pollers]
        for poller in ending:
            poller.stop()
        for poller in ending:
            poller.join()
        with self._lock:
            self._owners = {key: url for key, url in self._owners.items() if url not in urls}

    def _is_ours(self, key: str, url: str) -> bool:
        """Whether a session belongs to this URL: the first one of its server that named it."""
        with self._lock:
            return self._owners.setdefault(key, url) == url

    def _tell(self, row: ServerRow) -> None:
        with self._lock:
            self._rows[row.url] = row

    def _save(self) -> None:
        """Write the servers' rows where they differ, times alone not every time."""
        with self._lock:
            rows = list(self._rows.values())
        due = time.monotonic() - self._saved_at >= SAVE_SECONDS
        if rows != self._saved and (due or _timeless(rows) != _timeless(self._saved)):
            self._store.save_servers(self._config.machine, rows)
            self._saved = rows
            self._saved_at = time.monotonic()


def _row(setting: ServerSetting, machine: str, known: ServerRow | None) -> ServerRow:
    """A server's row before it was asked, with what an earlier daemon knew."""
    row = known or ServerRow(machine=machine, url=setting.url, name=setting.name)
    return msgspec.structs.replace(
        row,
        name=setting.name,
        state="connecting" if setting.on else "off",
        error=None,
        retry_at=None,
        checked_at=row.checked_at or now_ms(),
    )


def _timeless(rows: list[ServerRow]) -> list[ServerRow]:
    return [msgspec.structs.replace(row, **dict.fromkeys(_TIMES, 0)) for row in rows]
