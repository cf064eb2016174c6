"""The tables of the Machines page."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from lib import heard, samples
from lib.model import DaemonRow, ServerRow, SourceRow
from lib.quality import COPIES
from lib.readers import LABELS
from lib.store import Counts, FileRow, Store
from lib.ui import state
from lib.ui.servers import STATES as SERVER_STATES
from lib.ui.servers import lasted

PATH_WIDTH = 330
NOTED_CLOCK_MS = 10_000
"""A clock that is off by less is called right: by so much a look may come late."""


def daemons(store: Store) -> None:
    """Who collects, and whether it lives."""
    st.subheader("Daemons")
    moment = state.now_ms()
    rows = heard.daemons(store, moment)
    real = [row for row in rows if row.machine != samples.MACHINE]
    if not real:
        st.info("No daemon has reported yet.")
        return
    table = pd.DataFrame(
        {
            "Machine": [row.machine for row in real],
            "State": [_state(row, moment) for row in real],
            "Process": [row.pid for row in real],
            "Since": _times([row.started_at for row in real]),
            "Last beat": _times([row.beat_at for row in real]),
            "Clock": [_clock(heard.ahead_ms(store, row.machine)) for row in real],
            "Files read": [f"{row.files_done:,} of {row.files_total:,}" for row in real],
            "Last error": [row.last_error or "" for row in real],
        }
    )
    _table(table)


def sources(rows: Sequence[SourceRow]) -> None:
    """Where it looked for sessions, and what it found there."""
    st.subheader("Sources")
    real = [row for row in rows if row.machine != samples.MACHINE]
    if not real:
        st.info("No daemon has looked anywhere yet.")
        return
    table = pd.DataFrame(
        {
            "Machine": [row.machine for row in real],
            "Tool": [LABELS.get(row.agent, row.agent) for row in real],
            "Folder": [row.root for row in real],
            "State": [_SOURCE_STATES[row.state] for row in real],
            "Files": [row.files for row in real],
            "Error": [row.error or "" for row in real],
            "Checked": _times([row.checked_at for row in real]),
        }
    )
    _table(table)


_SOURCE_STATES = {"ok": "✅ read", "absent": "⚪ absent", "unreadable": "❌ unreadable"}


def servers(rows: Sequence[ServerRow], *, with_addresses: bool) -> None:
    """Every machine's LeanSpec servers, as its daemon last found them."""
    st.subheader("LeanSpec servers")
    real = [row for row in rows if row.machine != samples.MACHINE]
    if not real:
        st.info("No LeanSpec server is asked. Settings adds one.")
        return
    table = pd.DataFrame(
        {
            "Machine": [row.machine for row in real],
            "Server": [row.name for row in real],
            "URL": [row.url for row in real],
            "State": [SERVER_STATES[row.state] for row in real],
            "Version": [row.version or "" for row in real],
            "Projects": [len(row.projects) for row in real],
            "Sessions": [row.sessions for row in real],
            "Last answer": _times([row.seen_at for row in real]),
            "Next try": _times([row.retry_at for row in real]),
            "Error": [row.error or "" for row in real],
        }
    )
    if not with_addresses:
        # What could not be reached is told with its address.
        table = table.drop(columns=["URL", "Error"])
    _table(table)


def records(counts: Counts) -> None:
    """What became of all records."""
    st.subheader("Records")
    skipped = sum(counts.skipped.values())
    figures = {
        "Records read": counts.records,
        "Model calls": counts.requests,
        "Copies not counted": sum(counts.duplicates.values()),
        "Records skipped": skipped,
    }
    for column, (name, value) in zip(st.columns(len(figures)), figures.items(), strict=True):
        column.metric(name, f"{value:,}")
    reasons = [("Skipped", name.replace("_", " "), count) for name, count in counts.skipped.items()]
    reasons += [("Copy", COPIES[name], count) for name, count in counts.duplicates.items()]
    reasons = [reason for reason in reasons if reason[2]]
    if reasons:
        table = pd.DataFrame(reasons, columns=["What", "Reason", "Records"])
        _table(table)


def skipped(files: Sequence[FileRow]) -> None:
    """The files of which something could not be read."""
    st.subheader("Files with skipped records")
    rows = [
        {
            "File": file.path,
            "Tool": LABELS.get(file.agent, file.agent),
            "Machine": file.machine,
            "Reason": reason.replace("_", " "),
            "Records": count,
            "First lines": ", ".join(
                f"{skip.line:,}" for skip in file.skips if skip.reason == reason
            ),
        }
        for file in files
        for reason, count in _reasons(file).items()
    ]
    if not rows:
        st.success("Every record of every file could be read.")
        return
    _table(pd.DataFrame(rows))


def _reasons(file: FileRow) -> dict[str, int]:
    whole_file = {file.error: 1} if file.error else {}
    return {**whole_file, **file.skipped}


def _state(row: DaemonRow, moment: int) -> str:
    if row.phase == "stopped":
        return "⏹️ stopped"
    return "❔ silent" if state.is_stale(row, moment) else f"🟢 {row.phase}"


def _clock(ahead_ms: int) -> str:
    if abs(ahead_ms) < NOTED_CLOCK_MS:
        return "right"
    return f"⚠️ {lasted(abs(ahead_ms))} {'ahead' if ahead_ms > 0 else 'behind'}"


def _times(values: Sequence[int | None]) -> "pd.Series[pd.Timestamp]":
    zone = state.viewer_zone()
    times = pd.Series(list(values), dtype="Int64")
    return pd.to_datetime(times, unit="ms", utc=True).dt.tz_convert(zone)


def _table(table: pd.DataFrame) -> None:
    config: dict[str, Any] = {
        str(name): st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss")
        for name in table.select_dtypes("datetimetz")
    }
    number = st.column_config.NumberColumn(format="localized")
    config |= dict.fromkeys(("Files", "Projects", "Sessions", "Records"), number)
    # A path would push everything else out of sight.
    config |= dict.fromkeys(("Folder", "File"), st.column_config.TextColumn(width=PATH_WIDTH))
    st.dataframe(table, hide_index=True, width="stretch", placeholder="–", column_config=config)
