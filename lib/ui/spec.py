"""The page of one spec: what it says, how far it is, and its sessions."""

from datetime import datetime
from html import escape
from pathlib import Path
from typing import Literal

import pandas as pd
import streamlit as st

from lib import filters, spec_places
from lib.cards import Card, View, card
from lib.markdown import plain, to_html
from lib.sections import ordered, top_level
from lib.spec_places import Place
from lib.spec_reader import SpecError
from lib.spec_text import Spec
from lib.specs import README, page_link, resolved
from lib.ui import sidebar
from lib.ui.state import Shared, is_settled, now, viewer_zone

Color = Literal["gray", "blue", "orange", "green", "red"]

_STYLE = (Path(__file__).parent / "spec.css").read_text(encoding="utf-8")
_STATUS_COLORS: dict[str, Color] = {
    "draft": "gray",
    "planned": "blue",
    "in-progress": "orange",
    "complete": "green",
    "archived": "gray",
}
_PRIORITY_COLORS: dict[str, Color] = {
    "critical": "red",
    "high": "orange",
    "medium": "blue",
    "low": "gray",
}
MOST_SESSIONS = 20


def asked(frame: pd.DataFrame, chosen: tuple[str, ...]) -> tuple[str | None, str | None]:
    """Project and spec that the address asks for; the project is the one that is filtered by.

    Where it names no project, the only one that has sessions of the spec is meant.
    """
    name = st.query_params.get("spec")
    candidates = [project for project in chosen if project != filters.NONE]
    if not candidates and name:
        rows = top_level(frame)
        candidates = sorted(rows[_has(rows, name)]["project"].dropna().unique())
    return (candidates[0] if len(candidates) == 1 else None), name


def show(shared: Shared, frame: pd.DataFrame, project: str, name: str) -> None:
    """The spec `name` of a project with its sessions, or why there is none to show."""
    try:
        spec = _spec_at(_places(shared, frame, project), name)
    except SpecError as error:
        st.title("Spec")
        if is_settled(shared.store):
            st.error(f"The spec {plain(name[:100])} of {plain(project)} can't be shown.")
            st.text(str(error))
            choose(shared, frame, project)
        else:
            st.info("Sessions are still being read, so not every project is known yet.")
        spec = None
    if spec is not None:
        _head(spec, project)
        _relations(spec, project)
    _sessions(frame, project, name)
    if spec is not None:
        _text(spec, project)
        st.caption(f"Read from {plain(spec.origin)}")


def choose(shared: Shared, frame: pd.DataFrame, project: str | None) -> None:
    """Let the viewer choose a spec of the project, or first a project."""
    names: list[str] = []
    if project is not None:
        try:
            names = _names_at(_places(shared, frame, project))
        except SpecError as error:
            st.info(f"The specs of {plain(project)} can't be listed.")
            st.text(str(error))
    if names:
        st.selectbox(
            f"Specs of {plain(project or '')}",
            names,
            index=None,
            placeholder=f"Choose one of {len(names):,}",
            key="spec_name",
            on_change=_take_name,
        )
    else:
        projects = [one for one in filters.values(frame, "project") if one != filters.NONE]
        st.selectbox(
            "Project",
            projects,
            index=None,
            placeholder=f"Choose one of {len(projects):,}",
            key="spec_project",
            on_change=_take_project,
        )


def _take_project() -> None:
    if project := st.session_state["spec_project"]:
        sidebar.choose_project(project)
        st.session_state["spec_project"] = None


def _take_name() -> None:
    if name := st.session_state["spec_name"]:
        st.query_params["spec"] = name
        st.session_state["spec_name"] = None


def _take_file(key: str) -> None:
    st.query_params["file"] = st.session_state[key]


def _places(shared: Shared, frame: pd.DataFrame, project: str) -> list[Place]:
    # Servers know their owner by a token; they tell nothing to whoever looks at a public board.
    known = shared.store.servers() if shared.access.level == "act" else []
    return spec_places.places(frame, known, project)


@st.cache_data(ttl=5, max_entries=100, show_spinner=False)
def _spec_at(places: list[spec_places.Place], name: str) -> Spec:
    return spec_places.read(places, name)


@st.cache_data(ttl=5, max_entries=100, show_spinner=False)
def _names_at(places: list[spec_places.Place]) -> list[str]:
    return spec_places.names(places)


@st.cache_data(max_entries=100, show_spinner=False)
def _html(text: str, project: str, name: str) -> str:
    body = to_html(text, lambda target: resolved(target, project, name))
    return f'<style>{_STYLE}</style><div class="spec text">{body}</div>'


def _head(spec: Spec, project: str) -> None:
    st.title(plain(spec.title))
    st.caption(f"{plain(spec.name)} · {plain(project)}{_dates(spec)}")
    with st.container(horizontal=True, gap="small"):
        if spec.status:
            st.badge(plain(spec.status), color=_STATUS_COLORS.get(spec.status, "gray"))
        if spec.priority:
            color = _PRIORITY_COLORS.get(spec.priority, "gray")
            st.badge(plain(f"{spec.priority} priority"), color=color)
        for tag in spec.tags:
            st.badge(plain(f"#{tag}"), color="gray")
    if spec.tasks_total:
        share = spec.tasks_done / spec.tasks_total
        words = f"{spec.tasks_done:,} of {spec.tasks_total:,} tasks done ({share:.0%})"
        st.progress(share, words)
    for problem in spec.problems:
        st.warning(plain(problem))


def _dates(spec: Spec) -> str:
    told = {"created": spec.created, "updated": spec.updated}
    return "".join(f" · {word} {day}" for word, day in told.items() if day)


def _relations(spec: Spec, project: str) -> None:
    """Links to the specs that this one belongs to, needs and is needed by."""
    relations = {
        "Part of": [spec.parent] if spec.parent else [],
        "Depends on": spec.depends_on,
        "Required by": spec.required_by,
    }
    parts = [
        f"<dt>{words}</dt>"
        + "".join(f"<dd>{_link(page_link(project, name), name)}</dd>" for name in names)
        for words, names in relations.items()
        if names
    ]
    if parts:
        _draw("".join(f"<dl>{part}</dl>" for part in parts))


def _link(address: str, words: str) -> str:
    return f'<a href="{escape(address)}">{escape(words)}</a>'


def _draw(body: str) -> None:
    """HTML of which everything that is not ours is escaped."""
    st.html(f'<style>{_STYLE}</style><div class="spec">{body}</div>')


def _has(rows: pd.DataFrame, name: str) -> "pd.Series[bool]":
    return pd.Series([name in specs for specs in rows["specs"]], index=rows.index, dtype=bool)


def _sessions(frame: pd.DataFrame, project: str, name: str) -> None:
    rows = top_level(frame)
    rows = rows[(rows["project"] == project) & _has(rows, name)]
    rows = ordered(rows, "running", "newest")
    st.subheader(f"Sessions ({len(rows):,})")
    if rows.empty:
        st.caption("No session has worked on it yet.")
        return
    view = View(viewer_zone(), now())
    found = rows.head(MOST_SESSIONS).to_dict("records")
    _draw(f"<ul>{''.join(_session(card(row, view), view) for row in found)}</ul>")
    if len(rows) > MOST_SESSIONS:
        st.caption(f"{len(rows) - MOST_SESSIONS:,} older ones are not shown.")


def _session(one: Card, view: View) -> str:
    """A session in one line, with a link to its page."""
    facts = [one["tags"][0], *one["meta"][:1]]
    if one["startedAt"] is not None:
        began = datetime.fromtimestamp(one["startedAt"] / 1000, view.zone)
        facts.insert(1, f"{began:%d %b %Y, %H:%M}")
    link = _link(one["link"], one["title"])
    return (
        f"<li>{escape(one['icon'])} <b>{escape(one['words'])}</b> {link}"
        f"<small>{escape(' · '.join(facts))}</small></li>"
    )


def _text(spec: Spec, project: str) -> None:
    """The spec itself, or another file of it."""
    # The page's own title says it already.
    files = {README: spec.text.removeprefix(f"# {spec.title}\n")} | {
        one.file: one.text for one in spec.sub_specs
    }
    file = README
    if len(files) > 1:
        wanted = st.query_params.get("file", README)
        index = list(files).index(wanted) if wanted in files else 0
        key = f"spec_file_{spec.name}_{wanted}"
        file = st.selectbox(
            "File",
            list(files),
            index=index,
            key=key,
            on_change=_take_file,
            args=(key,),
            width=360,
        )
    st.html(_html(files[file], project, spec.name))
