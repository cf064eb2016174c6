"""What all viewers of one server share, and what one viewer has of its own."""

import gc
import runpy
import time
from datetime import UTC, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd
import streamlit as st

from lib import daemon, heard
from lib.filters import Filters
from lib.frame import load_sessions
from lib.model import DaemonRow
from lib.settings import PROJECT_FOLDER, settings
from lib.store import Store
from lib.ui.access import Access

_SHARED = "shared"
STALE_SECONDS = 60
"""A daemon beats every ten seconds; after six missed ones it is taken for dead."""


@st.cache_resource(show_spinner=False)
def freeze_startup_objects() -> int:
    """Keep what is imported out of all later collections of garbage: it never becomes any."""
    gc.collect()
    gc.freeze()
    return gc.get_freeze_count()


@st.cache_resource(
    show_spinner=False,
    validate=lambda store: not store.is_replaced(),
    on_release=Store.close,
)
def open_store() -> Store:
    """The one store of this server; a new one where its file was replaced. Raises StoreError."""
    return Store.open(settings().store_url)


class Started(NamedTuple):
    """What became of starting this machine's daemon."""

    did: bool = False
    error: str | None = None


@st.cache_resource(show_spinner=False, ttl=30)
def start_daemon() -> Started:
    """Start this machine's daemon unless one lives. Looks twice a minute for all viewers."""
    try:
        return Started(did=daemon.ensure_running(settings()))
    except OSError as error:
        return Started(error=str(error))


def now_ms() -> int:
    """The present in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def now() -> pd.Timestamp:
    """The present in UTC, as frames hold times."""
    return pd.Timestamp.now(UTC)


def sessions_frame(store: Store) -> pd.DataFrame:
    """The shared frame of all sessions: the same object until something changed."""
    return load_sessions(store, now_ms())


def viewer_zone() -> tzinfo:
    """The time zone of the viewer's browser, UTC where it does not say."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


class Shared(NamedTuple):
    """What `dashboard.py` hands to the page it runs."""

    store: Store
    access: Access
    filters: Filters
    refresh_seconds: int
    """0: refresh is off."""

    @property
    def board_seconds(self) -> float | None:
        """How often a page looks whether something moved: each second at the usual pace."""
        if not self.refresh_seconds:
            return None
        return 1 if self.refresh_seconds <= 5 else self.refresh_seconds


def share(shared: Shared) -> None:
    """Keep `shared` for the page that runs next."""
    st.session_state[_SHARED] = shared


def shared() -> Shared:
    """Take what `dashboard.py` handed over in this run."""
    if _SHARED not in st.session_state:
        # In a server's first run, and in every run of an AppTest, Streamlit takes `pages/` for
        # navigation of its old kind, and runs a page without `dashboard.py`. This runs it first.
        runpy.run_path(str(PROJECT_FOLDER / "dashboard.py"))
        st.stop()
    return st.session_state.pop(_SHARED)


class Scan(NamedTuple):
    """How far this machine's daemon is with reading everything for the first time."""

    under_way: bool
    files_done: int = 0
    files_total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0

    @property
    def share(self) -> float:
        """From 0 to 1, by bytes where known."""
        done, total = self.bytes_done, self.bytes_total
        if not total:
            done, total = self.files_done, self.files_total
        return min(1.0, done / total) if total else 0.0


def scan(daemons: list[DaemonRow], machine: str, moment: int) -> Scan:
    """The progress of `machine`'s first reading at `moment` (ms)."""
    row = next((row for row in daemons if row.machine == machine), None)
    if row is None or row.phase not in ("starting", "scanning") or is_stale(row, moment):
        return Scan(under_way=False)
    return Scan(
        under_way=True,
        files_done=row.files_done,
        files_total=row.files_total,
        bytes_done=row.bytes_done,
        bytes_total=row.bytes_total,
    )


def is_stale(row: DaemonRow, moment: int) -> bool:
    """Whether a daemon is to be taken for dead at `moment` (ms): it said goodbye, or no more."""
    return row.phase == "stopped" or moment - row.beat_at > STALE_SECONDS * 1000


def is_settled(store: Store) -> bool:
    """Whether this machine's daemon has read everything once."""
    machine = settings().machine
    moment = now_ms()
    rows = [row for row in heard.daemons(store, moment) if row.machine == machine]
    return bool(rows) and not scan(rows, machine, moment).under_way
