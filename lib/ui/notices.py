"""What stands above the board: progress, nothing found, samples, and what can't be trusted."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from lib import heard, samples, sections
from lib.filters import Filters
from lib.model import DaemonRow, SourceRow
from lib.readers import LABELS
from lib.settings import settings
from lib.store import Store
from lib.ui import board, sidebar, state
from lib.ui.servers import counted
from lib.ui.state import Scan, Shared

_TOLD = "told_of_daemon"


def tell_of_daemon(started: state.Started) -> None:
    """Say once that a daemon was started, and as long as it holds that none could be."""
    if started.error is not None:
        st.error("The background daemon could not be started, so nothing new will appear.")
        st.text(started.error)
    if started.did and not st.session_state.get(_TOLD):
        st.toast("Started the background daemon that reads your session files.", icon="🛰️")
    st.session_state[_TOLD] = started.did


def show(shared: Shared, frame: pd.DataFrame, shown: int) -> None:
    """Everything there is to say about the state of things, the pressing first.

    `frame`: all sessions; `shown`: how many of them the filters leave.
    """
    store, may_act = shared.store, shared.access.level == "act"
    moment = state.now_ms()
    daemons, sources = heard.daemons(store, moment), store.sources()
    machine = settings().machine
    scan = state.scan(daemons, machine, moment)
    top = sections.top_level(frame)
    if shared.access.level == "look":
        st.caption(shared.access.reason)
    if (failed := board.failure()) is not None:
        st.error("The last click could not be done.")
        st.text(failed)
    wrong_link()
    _progress(scan, len(top))
    _silent_daemons(daemons, machine, moment)
    _unreadable_sources(sources)
    if bool(top["sample"].any()):
        _samples_banner(store, may_act)
    if top.empty and not scan.under_way:
        _nothing_found(store, sources, looked=bool(daemons), may_act=may_act)
    elif not shown and not top.empty:
        _nothing_left(len(top), int(top["dismissed_at"].notna().sum()), shared.filters)


def wrong_link() -> None:
    """What the address asked for that does not exist."""
    if wrong := sidebar.notes():
        st.warning("The link asked for what does not exist here; this part of it is ignored:")
        st.text("\n".join(wrong))


def _progress(scan: Scan, sessions: int) -> None:
    if not scan.under_way:
        return
    files = f"{scan.files_done:,} of {scan.files_total:,} files"
    size = f"{_size(scan.bytes_done)} of {_size(scan.bytes_total)}"
    st.progress(
        scan.share, f"Reading session files, newest first: {files}, {size}, {sessions:,} sessions"
    )


def _silent_daemons(daemons: Sequence[DaemonRow], machine: str, moment: int) -> None:
    for row in daemons:
        if row.machine == samples.MACHINE or not state.is_stale(row, moment):
            continue
        since = _lasted(moment - row.beat_at)
        how = "stopped" if row.phase == "stopped" else "gave its last sign of life"
        where = "This machine's daemon" if row.machine == machine else "The daemon of a machine"
        st.warning(
            f"{where} {how} {since} ago. What you see of its sessions may be old.",
            icon=":material/heart_broken:",
        )
        if row.machine != machine:
            st.text(row.machine)


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
        action.button("Remove samples", on_click=_remove_samples, args=(store,), width="stretch")


def _remove_samples(store: Store) -> None:
    store.remove_machine(samples.MACHINE)


def _nothing_found(
    store: Store, sources: Sequence[SourceRow], *, looked: bool, may_act: bool
) -> None:
    with st.container(border=True):
        st.subheader("No sessions yet")
        if looked:
            st.write("Start an agent in a terminal and its session appears here. It looked in:")
        else:
            st.write("The background daemon is starting. It will look in a moment.")
        st.text("\n".join(f"{_WORDS[one.state]}  {_label(one)}: {one.root}" for one in sources))
        if may_act:
            st.button("Show sample sessions", on_click=_write_samples, args=(store,))


_WORDS = {"ok": "✓ read", "absent": "– absent", "unreadable": "✗ unreadable"}


def _label(source: SourceRow) -> str:
    return LABELS.get(source.agent, source.agent)


def _write_samples(store: Store) -> None:
    samples.write(store, state.now_ms())


def _nothing_left(total: int, dismissed: int, chosen: Filters) -> None:
    words, action = st.columns([4, 1], vertical_alignment="center")
    if chosen.narrows():
        words.info(f"No session matches the filters. There are {total:,} in all.")
        action.button("Clear filters", key="clear_here", on_click=sidebar.clear, width="stretch")
    elif dismissed == total:
        words.info(f"Nothing is left to show: {counted(total, 'session')}, all dismissed.")
        action.button("Show them", on_click=sidebar.show_dismissed, width="stretch")
    else:
        older = total - dismissed
        words.info(f"No session runs or ended in the last 24 hours. There are {older:,} older.")
        action.button("Show all", on_click=sidebar.show_all, width="stretch")


def _size(count: int) -> str:
    size, unit = float(count), "B"
    for larger in ("kB", "MB", "GB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{size:,.0f} {unit}" if unit == "B" else f"{size:,.1f} {unit}"


def _lasted(milliseconds: int) -> str:
    seconds = milliseconds // 1000
    if seconds < 120:
        return f"{seconds} seconds"
    return f"{seconds // 60} minutes" if seconds < 7200 else f"{seconds // 3600} hours"
