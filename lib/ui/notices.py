"""What stands above the board: progress, nothing found, samples, and what can't be trusted."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from lib import cards, samples
from lib.filters import Filters
from lib.model import DaemonRow, SourceRow
from lib.readers import LABELS
from lib.settings import settings
from lib.store import Store
from lib.ui import sidebar, state
from lib.ui.state import Scan, Shared


def show(shared: Shared, frame: pd.DataFrame, shown: int) -> None:
    """Everything there is to say about the state of things, the pressing first.

    `frame`: all sessions; `shown`: how many of them the filters leave.
    """
    store, may_act = shared.store, shared.access.level == "act"
    moment = state.now_ms()
    daemons, sources = store.daemons(), store.sources()
    machine = settings().machine
    scan = state.scan(daemons, machine, moment)
    top = cards.top_level(frame)
    if shared.access.level == "look":
        st.caption(shared.access.reason)
    if shared.filters is not None and (wrong := sidebar.notes()):
        st.warning("The link asked for what does not exist here; this part of it is ignored:")
        st.text("\n".join(wrong))
    _progress(scan, len(top))
    _silent_daemons(daemons, machine, moment, may_act)
    _unreadable_sources(sources)
    if bool(top["sample"].any()):
        _samples_banner(store, may_act)
    if top.empty and not scan.under_way:
        _nothing_found(store, sources, bool(daemons), may_act)
    elif not shown and not top.empty:
        _nothing_left(len(top), shared.filters)


def _progress(scan: Scan, sessions: int) -> None:
    if not scan.under_way:
        return
    files = f"{scan.files_done:,} of {scan.files_total:,} files"
    size = f"{_size(scan.bytes_done)} of {_size(scan.bytes_total)}"
    st.progress(
        scan.share, f"Reading session files, newest first: {files}, {size}, {sessions:,} sessions"
    )


def _silent_daemons(
    daemons: Sequence[DaemonRow], machine: str, moment: int, may_act: bool
) -> None:
    for row in daemons:
        if row.machine == samples.MACHINE or not state.is_stale(row, moment):
            continue
        since = _lasted(moment - row.beat_at)
        how = "has stopped" if row.phase == "stopped" else "gives no sign of life"
        where = "This machine's daemon" if row.machine == machine else "A daemon elsewhere"
        st.warning(
            f"{where} {how} since {since}. What you see of it may be old.",
            icon=":material/heart_broken:",
        )
        if row.machine != machine:
            st.text(row.machine)
        elif may_act:
            st.button("Start the daemon", on_click=_start_again)


def _start_again() -> None:
    state.start_daemon.clear()
    state.start_daemon()


def _unreadable_sources(sources: Sequence[SourceRow]) -> None:
    for source in sources:
        if source.state == "unreadable":
            st.error(
                f"{LABELS.get(source.agent, source.agent)}: this folder can't be read. "
                "All others are shown.",
                icon=":material/folder_off:",
            )
            st.text(f"{source.root}\n{source.error or ''}".strip())


def _samples_banner(store: Store, may_act: bool) -> None:
    words, action = st.columns([4, 1], vertical_alignment="center")
    words.info("Some of these are samples, not real sessions. Each says so.", icon="🧪")
    if may_act:
        action.button(
            "Remove samples", on_click=store.remove_machine, args=(samples.MACHINE,), width="stretch"
        )


def _nothing_found(
    store: Store, sources: Sequence[SourceRow], looked: bool, may_act: bool
) -> None:
    with st.container(border=True):
        st.subheader("No sessions yet")
        if not looked:
            st.write("The background daemon is starting. It will look in a moment.")
        else:
            st.write("Start an agent in a terminal and its session appears here. This is where it looked:")
        st.text("\n".join(f"{_WORDS[one.state]}  {_label(one)}: {one.root}" for one in sources))
        if may_act:
            st.button("Show sample sessions", on_click=_write_samples, args=(store,))


_WORDS = {"ok": "✓ read", "absent": "– absent", "unreadable": "✗ unreadable"}


def _label(source: SourceRow) -> str:
    return LABELS.get(source.agent, source.agent)


def _write_samples(store: Store) -> None:
    samples.write(store, state.now_ms())


def _nothing_left(total: int, chosen: Filters) -> None:
    words, action = st.columns([4, 1], vertical_alignment="center")
    what = "No session matches the filters" if chosen.narrows() else "No session is running or ended lately"
    words.info(f"{what}. There are {total:,} in all; a longer time range shows the older ones.")
    if chosen.narrows():
        action.button("Clear filters", key="clear_here", on_click=sidebar.clear, width="stretch")


def _size(count: int) -> str:
    if count < 1024:
        return f"{count} B"
    size = float(count)
    for unit in ("kB", "MB", "GB"):
        size /= 1024
        if size < 1024:
            break
    return f"{size:,.1f} {unit}"


def _lasted(milliseconds: int) -> str:
    minutes = milliseconds // 60_000
    if minutes < 1:
        return f"{milliseconds // 1000} seconds"
    if minutes < 120:
        return f"{minutes} minute{'' if minutes == 1 else 's'}"
    return f"{minutes // 60} hours"
