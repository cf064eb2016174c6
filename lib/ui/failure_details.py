"""One group of failures: its newest message, what people decided about it, and its sessions."""

import pandas as pd
import streamlit as st

from lib import failure_groups, filters
from lib.cards import LONGEST_ERROR
from lib.failure_notes import GroupState, decision
from lib.failures import Signature, error_words, group_name
from lib.filters import Filters
from lib.markdown import plain
from lib.model_notes import FailureNote, FailureNoteKind
from lib.settings import settings
from lib.store import StoreError
from lib.ui import state
from lib.ui.failures import STATES, TIME, Shown, draw_sessions, selected, session_table
from lib.ui.state import Shared

LONGEST_NOTE = 2_000
_TEXT = "failure_note"
_FAILURE = "failure_note_failure"
_WORDS: dict[FailureNoteKind, str] = {
    "resolve": "resolved it",
    "ignore": "ignored it",
    "reopen": "reopened it",
    "note": "said",
}


def details(shared: Shared, shown: Shown, found: pd.DataFrame) -> None:
    """Draw the group that the address names. `found`: the groups of the period."""
    chosen = selected()
    if chosen is None:
        st.caption("Select a row for its newest message, its notes and its sessions.")
        return
    rows = found[found["signature"] == chosen].to_dict("records")
    if not rows:
        st.info("The group that this link names did not fail in this period, or is filtered out.")
        return
    group = rows[0]
    signature = Signature(chosen, group["class"], group["text"])
    st.subheader(plain(error_words(signature.error_class)))
    st.text(signature.text)
    _message(group["example"])
    _decisions(shared, signature, group["state"], shown.notes.get(chosen, []))
    lost = failure_groups.failed(shown.over)
    _sessions(shared, lost[lost["error_signature"] == chosen], signature)


def _message(example: str) -> None:
    st.markdown("**Newest message**")
    if not example:
        st.caption("No message was recorded.")
        return
    left_out = len(example) - LONGEST_ERROR
    # Streamlit takes a line break off each end; the copy is to be letter by letter.
    st.code(
        f"\n{example[:LONGEST_ERROR]}\n",
        language=None,
        wrap_lines=True,
        height=300 if left_out > 0 or example.count("\n") > 12 else "content",
    )
    if left_out > 0:
        st.caption(f"{left_out:,} more characters")


def _decisions(
    shared: Shared, signature: Signature, stands: GroupState, notes: list[FailureNote]
) -> None:
    st.markdown(f"**State:** {STATES[stands]}")
    zone = state.viewer_zone()
    for note in notes:
        at = pd.Timestamp(note.at, unit="ms", tz="UTC").tz_convert(zone)
        said = f": {note.text}" if note.text else ""
        st.text(f"{at:%Y-%m-%d %H:%M}  {note.by} {_WORDS[note.kind]}{said}")
    if shared.access.level != "act":
        return
    if failure := st.session_state.pop(_FAILURE, None):
        st.error(f"It was not noted: {plain(failure)}")
    with st.form("decide", clear_on_submit=True, border=False):
        st.text_area("Note", key=_TEXT, max_chars=LONGEST_NOTE, height=80)
        with st.container(horizontal=True):
            for kind in _OFFERED[stands]:
                label, icon = _BUTTONS[kind]
                asked = (shared, signature.id, kind, notes[-1].id if notes else 0)
                st.form_submit_button(label, on_click=_decide, args=asked, icon=icon)


_BUTTONS: dict[FailureNoteKind, tuple[str, str]] = {
    "resolve": ("Resolve", ":material/check:"),
    "ignore": ("Ignore until it comes back", ":material/notifications_off:"),
    "reopen": ("Reopen", ":material/undo:"),
    "note": ("Add note", ":material/note_add:"),
}
_OFFERED: dict[GroupState, tuple[FailureNoteKind, ...]] = {
    "open": ("resolve", "ignore", "note"),
    "returned": ("resolve", "ignore", "note"),
    "resolved": ("reopen", "note"),
    "ignored": ("resolve", "reopen", "note"),
}


def _decide(shared: Shared, signature: str, kind: FailureNoteKind, seen: int) -> None:
    """Note what a viewer asked for, who had seen the notes up to the id `seen`."""
    text = str(st.session_state.get(_TEXT) or "").strip()[:LONGEST_NOTE]
    if shared.access.level != "act" or (kind == "note" and not text):
        return
    note = FailureNote(
        signature=signature,
        kind=kind,
        text=text or None,
        by=settings().machine,
        at=state.now_ms(),
    )
    try:
        newest = decision(shared.store.failure_notes.of(signature))
        # A double click, or somebody else did the same in the meantime.
        if newest is None or newest.id <= seen or newest.kind != kind:
            shared.store.failure_notes.add(note)
    except StoreError as error:
        st.session_state[_FAILURE] = str(error)


def board_filters(chosen: Filters, signature: str) -> Filters:
    """What the board is to show: the failures of a group under the filters that are chosen."""
    return chosen.model_copy(
        update={"error": (signature,), "range": "all", "dismissed": True, "sort": "newest"}
    )


def _sessions(shared: Shared, lost: pd.DataFrame, signature: Signature) -> None:
    """Its sessions with links, and a link to the board with them."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**Sessions**", width="content")
        st.page_link(
            "pages/sessions.py",
            label="On the board, of all time",
            icon=":material/dashboard:",
            help=plain(group_name(signature)),
            query_params=filters.to_query(board_filters(shared.filters, signature.id)),
        )
    table = session_table(
        lost,
        {
            "model": lost["model"],
            "failed_at": lost["at"].dt.tz_convert(state.viewer_zone()),
            "cost_usd": lost["whole_cost_usd"],
        },
    )
    columns = {
        "model": "Model",
        "failed_at": st.column_config.DatetimeColumn("Failed", format=TIME),
        "cost_usd": st.column_config.NumberColumn("Cost", format="dollar"),
    }
    in_order = table.sort_values("failed_at", ascending=False)
    draw_sessions(in_order, columns, "failed-sessions")
