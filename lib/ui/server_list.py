"""The LeanSpec servers on the Settings page."""

import streamlit as st

from lib import servers
from lib.model import ServerRow
from lib.servers import Configured, ServerSetting
from lib.settings import settings
from lib.ui import server_form, state
from lib.ui.servers import SOURCES, STATES, ago, counted, plain, travels_open

_FAILED = "server_list_failed"


def draw(configured: Configured, rows: dict[str, ServerRow], *, may_act: bool) -> None:
    """All servers that are configured here. `rows`: how the daemon found them, by URL."""
    if configured.problems:
        st.warning("Something in the configuration can't be used:", icon=":material/error:")
        st.text("\n".join(configured.problems))
    if failed := st.session_state.pop(_FAILED, None):
        st.error("The change could not be saved.")
        st.text(failed)
    if not configured.servers and not may_act:
        st.info("No LeanSpec server is set up.")
    for number, setting in enumerate(configured.servers):
        with st.container(border=True, key=f"server_{number}"):
            if may_act and server_form.is_open(setting.url):
                server_form.draw(configured.servers)
            else:
                _server(setting, rows.get(setting.url), may_act=may_act)
    if may_act:
        _new(configured)


def _new(configured: Configured) -> None:
    if server_form.is_open(server_form.NEW):
        with st.container(border=True, key="server_new"):
            st.markdown("**Add a server**")
            server_form.draw(configured.servers)
    else:
        st.button(
            "Add a server",
            icon=":material/add:",
            type="secondary" if configured.servers else "primary",
            on_click=server_form.open_for,
            args=(server_form.NEW,),
        )


def _server(setting: ServerSetting, row: ServerRow | None, *, may_act: bool) -> None:
    words, actions = st.columns([3, 2], vertical_alignment="center")
    with words.container(gap=None):
        st.markdown(f"**{plain(setting.name)}**")
        if may_act:
            st.text(setting.url)
        st.markdown(" · ".join(_facts(setting, row)))
        if may_act and setting.on and row is not None and row.error:
            st.text(row.error)
        if travels_open(setting):
            st.caption("⚠️ Its token travels unencrypted. Use an https address.")
        if setting.source != "settings":
            st.caption(SOURCES[setting.source])
    if may_act and setting.source == "settings":
        with actions.container(horizontal=True, horizontal_alignment="right"):
            _actions(setting)


def _facts(setting: ServerSetting, row: ServerRow | None) -> list[str]:
    if not setting.on:
        return [STATES["off"]]
    if row is None or row.state == "off":
        return [STATES["connecting"]]
    facts = [STATES[row.state]]
    if row.version:
        facts.append(f"LeanSpec {plain(row.version)}")
        facts.append(counted(len(row.projects), "project"))
        facts.append(counted(row.sessions, "session"))
    if row.seen_at is not None and row.state != "ok":
        facts.append(f"last seen {ago(state.now_ms() - row.seen_at)}")
    return facts


def _actions(setting: ServerSetting) -> None:
    url = setting.url
    label = "Turn off" if setting.on else "Turn on"
    st.button(label, key=f"turn {url}", on_click=_turn, args=(setting,))
    st.button("Edit", key=f"edit {url}", on_click=server_form.open_for, args=(url,))
    with st.popover("Remove", key=f"ask {url}"):
        st.write("It is not asked any more. What is known of its sessions stays.")
        st.button("Remove it", key=f"remove {url}", type="primary", on_click=_remove, args=(url,))


def _turn(setting: ServerSetting) -> None:
    try:
        servers.turn(settings(), setting.url, on=not setting.on)
    except (ValueError, OSError) as error:
        st.session_state[_FAILED] = str(error)


def _remove(url: str) -> None:
    try:
        servers.remove(settings(), url)
    except (ValueError, OSError) as error:
        st.session_state[_FAILED] = str(error)
