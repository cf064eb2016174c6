"""When each machine's daemon was last heard, by the clock of who asks.

A daemon dates its beats by its own machine's clock, which may be wrong by more than a daemon may
be silent. But a beat that was not there at one look and is there at the next happened between
the two, and that tells how far the clocks are apart.
"""

import threading
from collections.abc import Callable, Iterable
from weakref import WeakKeyDictionary

import msgspec

from lib.model import DaemonRow
from lib.store import Store

SILENT_MS = 120_000
"""A machine whose daemon has not beaten for so long: what is alive there is unknown."""


class Clocks:
    """How far the machines' clocks are off, as far as looks at their beats prove it.

    Threads may share it.
    """

    def __init__(self) -> None:
        self._beats: dict[str, int] = {}
        self._ahead: dict[str, int] = {}
        self._looked_at: int | None = None
        self._lock = threading.Lock()

    def look(self, read: Callable[[], Iterable[DaemonRow]], now: int) -> list[DaemonRow]:
        """The daemons that `read` tells at `now` (ms), their beats dated by the clock of `now`."""
        with self._lock:
            heard = [self._heard(row, now) for row in read()]
            self._looked_at = now
        return heard

    def ahead_ms(self, machine: str) -> int:
        """How far a machine's clock is ahead, at least; below 0 where it is behind."""
        return self._ahead.get(machine, 0)

    def _heard(self, row: DaemonRow, now: int) -> DaemonRow:
        ahead = self._ahead.get(row.machine, 0)
        known = self._beats.get(row.machine)
        if row.beat_at != known:
            if known is not None and self._looked_at is not None:
                ahead = min(ahead, row.beat_at - self._looked_at)
            ahead = max(ahead, row.beat_at - now)
            self._beats[row.machine], self._ahead[row.machine] = row.beat_at, ahead
        return msgspec.structs.replace(row, beat_at=row.beat_at - ahead)


_clocks: WeakKeyDictionary[Store, Clocks] = WeakKeyDictionary()
_lock = threading.Lock()


def daemons(store: Store, now: int) -> list[DaemonRow]:
    """The daemons of a store, with `beat_at` by the clock of `now` (ms). Raises StoreError."""
    return _of(store).look(store.daemons, now)


def ahead_ms(store: Store, machine: str) -> int:
    """How far a machine's clock is ahead of this one's, as far as its beats proved it."""
    return _of(store).ahead_ms(machine)


def _of(store: Store) -> Clocks:
    with _lock:
        return _clocks.setdefault(store, Clocks())
