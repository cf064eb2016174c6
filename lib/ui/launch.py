"""The form of the New session page, and what becomes of what it asks for."""

import os
import uuid

import streamlit as st

from lib import launching, specs
from lib.actions import OVERDUE_MS
from lib.asked import PATIENCE_MS
from lib.launching import MODES, Choice, Offer
from lib.model import Action, ServerProject, ServerRow
from lib.servers import ServerSetting, configured
from lib.settings import settings
from lib.store import Store, StoreError
from lib.store_actions import OPEN
from lib.ui import state
from lib.ui.servers import STATES, plain

_ACTION = "launch_action"
_REFUSAL = "launch_refusal"
_NOTES = "launch_notes"
_QUERY = "launch_query"
PARAMETERS = ("server", "project", "spec")
"""The query parameters that choose for the viewer. None of them starts anything."""


def arrive(store: Store, rows: list[ServerRow]) -> None:
    """For a viewer who comes to the page: choose what the address names, note what does not
    exist, and show the form without the outcome of an earlier visit.
    """
    query = {name: st.query_params.get_all(name) for name in PARAMETERS}
    # Streamlit forgets the choices of a page that is left.
    if query == st.session_state.get(_QUERY) and "launch_server" in st.session_state:
        return
    earlier = _asked_for(store)
    if earlier is not None and earlier.state not in OPEN:
        del st.session_state[_ACTION]
    st.session_state[_QUERY] = query
    notes = st.session_state[_NOTES] = []
    asked = next(iter(query["server"]), None)
    row = launching.server_asked_for(rows, asked) if asked else rows[0]
    if row is None:
        notes.append(f"no server “{asked}”")
        return
    st.session_state["launch_server"] = _id(row)
    if wanted := next(iter(query["project"]), None):
        project = launching.project_asked_for(row.projects, wanted)
        if project is None:
            notes.append(f"no project “{wanted}” on {row.name}")
            return
        st.session_state[f"launch_project {_id(row)}"] = project.id
        chosen = [name for name in query["spec"] if specs.is_spec_name(name)]
        notes += [f"no spec “{name}”" for name in query["spec"] if name not in chosen]
        st.session_state[f"launch_specs {_id(row)} {project.id}"] = chosen


def notes() -> list[str]:
    """What the address asked for that does not exist."""
    return st.session_state.get(_NOTES, [])


def choose_server(rows: list[ServerRow]) -> ServerRow:
    """Draw the choice of a server."""
    by_id = {_id(row): row for row in rows}
    machines = len({row.machine for row in rows}) > 1

    def label(key: str) -> str:
        row = by_id[key]
        words = [row.name, *([row.machine] if machines else [])]
        return " · ".join([*words, *([STATES[row.state]] if row.state != "ok" else [])])

    return by_id[st.selectbox("Server", list(by_id), key="launch_server", format_func=label)]


def choose_project(row: ServerRow) -> ServerProject:
    """Draw the choice of a project."""
    by_id = {project.id: project for project in row.projects}
    names = [project.name for project in row.projects]

    def label(key: str) -> str:
        project = by_id[key]
        return (
            project.name if names.count(project.name) == 1 else f"{project.name} · {project.path}"
        )

    key = f"launch_project {_id(row)}"
    return by_id[st.selectbox("Project", list(by_id), key=key, format_func=label)]


def offer(row: ServerRow, project: ServerProject) -> Offer:
    """What there is to choose from: asked of the server where this machine may, at most twice a
    minute, else what the daemon has heard.
    """
    servers = {one.url: one for one in configured(settings(), os.environ).servers if one.on}
    if row.machine != settings().machine or row.url not in servers:
        found = launching.known(row)
        found.specs_error = f"Only {row.machine} can ask this server for its specs."
        return found
    return _asked(row.url, project.id, servers[row.url], row, project)


# Without a spinner: at its end a waiting refresh would begin, and the answer would be lost.
@st.cache_data(ttl=30, max_entries=100, show_spinner=False)
def _asked(
    url: str,  # noqa: ARG001 - with the project it is what is asked for
    project_id: str,  # noqa: ARG001
    _setting: ServerSetting,
    _row: ServerRow,
    _project: ServerProject,
) -> Offer:
    return launching.ask(_setting, _row, _project)


def forget_offers() -> None:
    """Ask all servers anew."""
    _asked.clear()


def draw(store: Store, row: ServerRow, project: ServerProject, offered: Offer) -> None:
    """Draw what is chosen of a project, and below it what became of the last request."""
    where = f"{_id(row)} {project.id}"
    asked = _asked_for(store)
    with st.form("launch_form", enter_to_submit=False):
        _choose_specs(offered, f"launch_specs {where}")
        runner, mode = st.columns(2)
        with runner:
            _choose_runner(offered, f"launch_runner {where}")
        mode.selectbox("Mode", list(MODES), key="launch_mode", format_func=MODES.__getitem__)
        st.text_area(
            "Prompt",
            key="launch_prompt",
            max_chars=launching.LONGEST_PROMPT,
            height=140,
            placeholder="What it shall do. With specs it may stay empty.",
        )
        st.caption(
            f"⚠️ This runs a program on the machine of the server {plain(row.name)}, in "
            f"{plain(project.path)}, with that server's rights."
        )
        st.form_submit_button(
            "Start session",
            type="primary",
            icon=":material/play_arrow:",
            disabled=asked is not None or not offered.runners,
            on_click=_submit,
            args=(store, row, project, offered),
        )
    if told := st.session_state.pop(_REFUSAL, None):
        st.warning(told)
    if asked is not None:
        seconds = 1 if asked.state in OPEN else None
        st.fragment(_outcome, run_every=seconds)(store, asked)


def _choose_specs(offered: Offer, key: str) -> None:
    titles = {spec.name: spec for spec in offered.specs}
    options = list(titles)
    options += [name for name in st.session_state.get(key, []) if name not in titles]

    def label(name: str) -> str:
        if name not in titles:
            return name
        spec = titles[name]
        return " · ".join(filter(None, (name, spec.title, spec.status)))

    st.multiselect(
        "Specs",
        options,
        key=key,
        format_func=label,
        placeholder="None, or several; type to search",
        accept_new_options=offered.specs_error is not None,
        help=offered.specs_error and "They could not be listed. Type their names.",
    )
    if offered.specs_error:
        st.caption(f"Its specs can't be listed: {plain(offered.specs_error)}")


def _choose_runner(offered: Offer, key: str) -> None:
    options = list(offered.runners)
    default = offered.default_runner
    st.selectbox(
        "Runner",
        options,
        index=options.index(default) if default in options else 0,
        key=key,
        format_func=lambda name: offered.runners.get(name) or str(name),
        placeholder="None can be started there",
        disabled=not options,
    )
    if offered.runners_error:
        st.caption(f"Its runners can't be listed: {plain(offered.runners_error)}")
    elif not options:
        st.caption("The server finds no program that it could start.")


def _submit(store: Store, row: ServerRow, project: ServerProject, offered: Offer) -> None:
    chosen = st.session_state
    where = f"{_id(row)} {project.id}"
    choice = Choice(
        project=project,
        specs=chosen[f"launch_specs {where}"],
        runner=chosen[f"launch_runner {where}"],
        mode=chosen["launch_mode"],
        prompt=chosen["launch_prompt"] or "",
    )
    told = launching.refusal(choice, offered)
    if told is None:
        by = settings().machine
        action = launching.request(_action_id(), row, choice, by, state.now_ms())
        try:
            store.actions.request(action)
        except StoreError as error:
            told = f"It could not be asked for: {error}"
    st.session_state[_REFUSAL] = told


def _asked_for(store: Store) -> Action | None:
    return store.actions.find(_action_id())


def _action_id() -> str:
    """The id of the form's one action: however often it is sent, it is done once."""
    return st.session_state.setdefault(_ACTION, uuid.uuid4().hex)


def _outcome(store: Store, drawn: Action) -> None:
    """What becomes of the request, until it is known."""
    action = store.actions.find(drawn.id) or drawn
    if action.state != drawn.state:
        st.rerun()
    if action.state == "requested" and state.now_ms() - action.at >= PATIENCE_MS:
        st.warning("Asked for, and nobody has taken it up.", icon=":material/hourglass_disabled:")
        st.text(
            f"The daemon of {action.machine} does not answer. It starts the session if it comes "
            f"back within {OVERDUE_MS // 60_000} minutes."
        )
        return
    if action.state in OPEN:
        st.info("Asked for. It starts in a moment.", icon=":material/hourglass_top:")
        return
    if action.state == "done":
        st.success("The session was started.", icon=":material/check:")
    elif action.state == "unverified":
        st.warning("Whether the session started is not certain.", icon=":material/help:")
    else:
        st.error("The session was not started.", icon=":material/error:")
    if action.state != "done":
        st.text(action.outcome or "")
    with st.container(horizontal=True, vertical_alignment="center"):
        if action.result_key:
            query = {"q": action.result_key.partition(":")[2]}
            st.page_link(
                "pages/sessions.py",
                label="See it on the board",
                icon=":material/arrow_forward:",
                query_params=query,
            )
        again = "Start another" if action.state == "done" else "Try again"
        st.button(again, on_click=_anew, args=(action.state == "done",))


def _anew(clear: bool) -> None:
    """Make the form ready for one more; `clear` it of what was asked for."""
    del st.session_state[_ACTION]
    if clear:
        st.session_state["launch_prompt"] = ""


def _id(row: ServerRow) -> str:
    return f"{row.machine} {row.url}"
