"""The page of one session: what it is, and its transcript as far as it was read."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pandas as pd
import streamlit as st
from streamlit.components.v2 import component

from lib import cards, frame, transcript_view
from lib.cards import Row, View
from lib.entries import Level
from lib.markdown import plain
from lib.model import Session
from lib.server_log import is_of_server, read_server_log
from lib.settings import settings
from lib.transcript import FIRST_LIMIT, LARGEST_LIMIT, Transcript, read_transcript
from lib.transcript_view import KINDS, LEVELS, Wanted
from lib.ui.servers import lasted
from lib.ui.state import Shared, now, now_ms, viewer_zone

PARAMETER = "session"
_FOLDER = Path(__file__).parent
_COMPONENT = component(
    "quarterdeck_session",
    html=(_FOLDER / "session.html").read_text(encoding="utf-8"),
    css=(_FOLDER / "session.css").read_text(encoding="utf-8"),
    js=(_FOLDER / "session.js").read_text(encoding="utf-8"),
)
_KEY = "session_view"
_READ = "session_read"
_LIMITS = "session_limits"
_MOST_CHOICES = 500
_MOST_OPENED = 50


class Choice(NamedTuple):
    """What the viewer wants to see of the transcript."""

    wanted: Wanted
    follow: bool


class _Read(NamedTuple):
    key: str
    limit: int
    transcript: Transcript


def row_of(sessions: pd.DataFrame, key: str) -> Row | None:
    """The row of a session; None for a key that is not known."""
    found = sessions[sessions["key"] == key]
    return None if found.empty else found.iloc[0].to_dict()


def chooser(sessions: pd.DataFrame, key: str) -> None:
    """Say what is wrong with the link, and offer the sessions that there are."""
    if key:
        st.error("There is no session with the key of this link.", icon=":material/link_off:")
        st.text(key[:500])
    else:
        st.info("Choose a session, or follow “View Logs” on its card.")
    newest = sessions.sort_values("last_activity_at", ascending=False).head(_MOST_CHOICES)
    labels = {str(row["key"]): _label(row) for row in newest.to_dict("records")}
    chosen = st.selectbox(
        "Session",
        list(labels),
        index=None,
        format_func=labels.__getitem__,
        placeholder="Id or title…",
    )
    if chosen is not None:
        st.query_params[PARAMETER] = chosen
        st.rerun()


def header(shared: Shared, sessions: pd.DataFrame, row: Row) -> None:
    """What the session's card says, and the ways to its relatives."""
    view = View(viewer_zone(), now(), may_act=False)
    card = cards.card(row, view, machine=True)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.page_link("pages/sessions.py", label="All sessions", icon=":material/arrow_back:")
        with st.popover("Permalink", icon=":material/link:"):
            st.code(_permalink(card["id"]), language=None, wrap_lines=True)
    st.header(plain(card["title"]), anchor=False)
    words = f"{card['icon']} **{plain(card['words'])}**"
    lasted = _length(card)
    st.markdown(" · ".join([words, f"#{plain(card['short'])}", *map(plain, card["tags"])]))
    st.caption(" · ".join(plain(part) for part in (lasted, *card["meta"]) if part))
    if card["percent"] is not None:
        st.progress(card["percent"] / 100, text=card["todos"])
    if card["error"]:
        st.error(plain(card["errorClass"] or "Error"), icon=":material/error:")
        st.text(card["error"])
    for name, keys in frame.relatives(shared.store, card["id"], now_ms()).items():
        _links(name, sessions, keys)


def controls() -> Choice:
    """The filters of the transcript, and whether it is to follow."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Find in transcript",
            key="session_text",
            type="search",
            live="300ms",
            placeholder="Words, tools, models…",
            max_chars=200,
            width=260,
        )
        level = st.selectbox(
            "Level",
            list(LEVELS),
            index=1,
            key="session_level",
            format_func=LEVELS.__getitem__,
            width=200,
        )
        kinds = st.pills(
            "Kinds", list(KINDS), selection_mode="multi", key="session_kinds", wrap=True
        )
        follow = st.toggle("Follow", value=True, key="session_follow")
    lowest: Level = level or "info"
    return Choice(Wanted(tuple(kinds), lowest, text or ""), follow)


def transcript(shared: Shared, key: str, choice: Choice) -> None:
    """The wanted entries, a page of them at a time, the newest at first."""
    if shared.access.level != "act":
        st.info("Transcripts are shown to the person at this machine only.")
        return
    read = _read(shared, key, choice.follow)
    if read.problem is not None:
        st.info(plain(read.problem), icon=":material/description:")
        return
    entries = read.reading.entries
    numbers = transcript_view.matching(entries, choice.wanted)
    _above(key, read, len(numbers))
    count = transcript_view.pages(len(numbers))
    page = 1
    if count > 1:
        page = st.pagination(count, key=f"session_page {key} {count}") or 1
    rows = transcript_view.rows(entries, transcript_view.on_page(numbers, page), _opened())
    _COMPONENT(
        key=_KEY,
        data={
            "rows": rows,
            "search": choice.wanted.text.strip(),
            "view": f"{key} {page}",
            "newest": page == 1,
            "empty": "Nothing of this matches." if entries else "Nothing was recorded yet.",
        },
        on_opened_change=lambda: None,
    )
    _below(read)


def _read(shared: Shared, key: str, follow: bool) -> Transcript:
    limit = st.session_state.setdefault(_LIMITS, {}).get(key, FIRST_LIMIT)
    known: _Read | None = st.session_state.get(_READ)
    same = known is not None and (known.key, known.limit) == (key, limit)
    if known is not None and same and not follow:
        return known.transcript
    session = frame.session_facts(shared.store, key, now_ms())
    if session is None:
        return Transcript(problem="The session is no longer in the store.")
    if session.machine == frame.SAMPLE_MACHINE:
        return Transcript(problem="This is a sample: it has no transcript.")
    if is_of_server(session):
        found = _server_log(session, key, limit)
    else:
        before = known.transcript if known is not None and same else None
        found = read_transcript(session, settings().machine, os.environ, limit, before)
    st.session_state[_READ] = _Read(key, limit, found)
    return found


@st.cache_data(ttl=2, max_entries=50, show_spinner=False, refresh_mode="background")
def _server_log(_session: Session, key: str, limit: int) -> Transcript:  # noqa: ARG001 - what it is cached by
    """The log of a server's session: asked every two seconds at most, for all viewers."""
    return read_server_log(_session, settings(), os.environ, limit)


def _above(key: str, read: Transcript, matching: int) -> None:
    total = len(read.reading.entries)
    which = "the newest" if read.reading.earlier else "all"
    words = f"{matching:,} of {which} {total:,} entries"
    if matching == total:
        words = f"{which.capitalize()} {total:,} entries"
    if transcript_view.pages(matching) > 1:
        words += ", the newest on page 1"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(words)
        if read.reading.earlier and read.limit < LARGEST_LIMIT:
            st.button(
                "Load earlier",
                key=f"session_earlier {key}",
                icon=":material/history:",
                on_click=_load_more,
                args=(key, min(LARGEST_LIMIT, read.limit * 4)),
            )


def _load_more(key: str, limit: int) -> None:
    st.session_state[_LIMITS][key] = limit


def _below(read: Transcript) -> None:
    reading = read.reading
    if reading.skipped:
        plural = "" if reading.skipped == 1 else "s"
        st.warning(f"{reading.skipped:,} record{plural} could not be read.")
        where = "record" if reading.from_start else "record, counted from where reading began,"
        st.text("\n".join(f"{where} {one.line:,}: {one.reason}" for one in reading.skips))
    if read.path:
        st.caption(f"Read from {plain(read.path)}")


def _opened() -> Sequence[str]:
    state: Any = st.session_state.get(_KEY)
    opened = state.get("opened") if state else None
    if not isinstance(opened, list):
        return ()
    return [one for one in opened[-_MOST_OPENED:] if isinstance(one, str)]


def _links(name: str, sessions: pd.DataFrame, keys: Sequence[str]) -> None:
    found = sessions[sessions["key"].isin(keys)].to_dict("records")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(name, width="content")
        for row in found[:20]:
            st.page_link(
                "pages/session.py",
                label=plain(_label(row)[:80]),
                query_params={PARAMETER: str(row["key"])},
                width="content",
            )
        if len(found) > 20:
            st.caption(f"and {len(found) - 20:,} more", width="content")


def _label(row: Row) -> str:
    look = cards.LOOKS.get(str(row["status"]), cards.LOOKS["unknown"])
    return f"{look.icon} #{row['short_id']} {cards.title(row)}"


def _permalink(key: str) -> str:
    address: object = st.context.url
    base = address.partition("?")[0] if isinstance(address, str) else PARAMETER
    return f"{base}?{urlencode({PARAMETER: key})}"


def _length(card: cards.Card) -> str:
    length = card["durationMs"]
    if card["endedAt"] is None and card["startedAt"] is not None:
        length = max(0, now_ms() - card["startedAt"])
    return "" if length is None else lasted(length)
