"""The form in which a LeanSpec server is added or changed. It is asked before it is saved."""

from typing import NamedTuple

import streamlit as st

from lib import servers
from lib.leanspec import Client, LeanSpecError
from lib.servers import ServerSetting
from lib.settings import settings
from lib.ui.servers import counted

CHECK_SECONDS = 5.0
NEW = ""
_OPEN = "server_form"
_RESULT = "server_form_result"
_ROUND = "server_form_round"


class _Result(NamedTuple):
    """What came of the last button."""

    setting: ServerSetting | None = None
    """What was asked for."""
    answer: str | None = None
    error: str | None = None


def open_for(url: str) -> None:
    """Show the form for the server at `url`, empty for `NEW`."""
    st.session_state[_OPEN] = url
    st.session_state[_RESULT] = _Result()
    # New keys make new fields: nothing of what was typed before is in them.
    st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1


def close() -> None:
    """Hide the form."""
    st.session_state.pop(_OPEN, None)


def is_open(url: str) -> bool:
    """Whether the form is shown for the server at `url`."""
    return st.session_state.get(_OPEN) == url


def draw(known: list[ServerSetting]) -> None:
    """The form that is open. `known`: all servers that are configured."""
    old = next((one for one in known if is_open(one.url)), None)
    result: _Result = st.session_state[_RESULT]
    with st.form(_key("form"), enter_to_submit=False, border=False):
        st.text_input(
            "URL",
            old.url if old else "",
            key=_key("url"),
            max_chars=servers.LONGEST_URL,
            placeholder="http://localhost:3000",
        )
        st.text_input(
            "Name",
            old.name if old else "",
            key=_key("name"),
            max_chars=servers.LONGEST_NAME,
            placeholder="What the board calls it; its address without one",
        )
        st.text_input(
            "Token",
            key=_key("token"),
            type="password",
            autocomplete="new-password",
            max_chars=servers.LONGEST_TOKEN,
            placeholder="Unchanged" if old and old.token else "Only if the server wants one",
            help="Kept in a file that only you can read. It is sent to this URL and never shown.",
        )
        if old and old.token:
            st.checkbox("Forget the token", key=_key("forget"))
        _buttons(old, known, result)
    if result.error:
        st.error("This does not work yet.", icon=":material/link_off:")
        st.text(result.error)
    elif result.answer:
        st.success(result.answer, icon=":material/link:")


def _buttons(old: ServerSetting | None, known: list[ServerSetting], result: _Result) -> None:
    with st.container(horizontal=True):
        st.form_submit_button(
            "Check",
            key=_key("check"),
            type="secondary" if result.setting else "primary",
            on_click=_check,
            args=(old, known),
        )
        st.form_submit_button(
            "Save anyway" if result.setting and result.error else "Save",
            key=_key("save"),
            type="primary" if result.setting else "secondary",
            disabled=result.setting is None,
            on_click=_save,
            args=(old, known),
            help="After a check",
        )
        st.form_submit_button("Cancel", key=_key("cancel"), on_click=close)


def _key(name: str) -> str:
    return f"server_{name}_{st.session_state[_ROUND]}"


def _typed(old: ServerSetting | None, known: list[ServerSetting]) -> ServerSetting:
    """What the fields say. Raises ValueError."""
    state = st.session_state
    entry = {
        "url": state[_key("url")] or "",
        "name": state[_key("name")],
        "token": state[_key("token")],
        "on": old.on if old else True,
    }
    setting = servers.setting_of(entry)
    if any(one.url == setting.url for one in known if one is not old):
        raise ValueError("There is a server with this URL already.")
    # Another URL may be somebody else's: a token is only kept for the one that it was given for.
    if old and old.url == setting.url and not setting.token and not state.get(_key("forget")):
        setting = servers.setting_of({**entry, "token": old.token})
    return setting


def _check(old: ServerSetting | None, known: list[ServerSetting]) -> None:
    """Ask the server that the fields name."""
    st.session_state[_RESULT] = _asked(old, known)


def _asked(old: ServerSetting | None, known: list[ServerSetting]) -> _Result:
    try:
        setting = _typed(old, known)
    except ValueError as error:
        return _Result(error=str(error))
    try:
        with Client(setting.url, setting.token, CHECK_SECONDS) as client:
            version, projects = client.version(), len(client.projects())
    except LeanSpecError as error:
        return _Result(setting, error=str(error))
    answer = f"LeanSpec {version} answers, with {counted(projects, 'project')}."
    return _Result(setting, answer=answer)


def _save(old: ServerSetting | None, known: list[ServerSetting]) -> None:
    """Save what was checked; what was changed since is checked first, and must answer."""
    result: _Result = st.session_state[_RESULT]
    try:
        if result.setting != _typed(old, known):
            result = st.session_state[_RESULT] = _asked(old, known)
            if result.error:
                return
        if result.setting:
            servers.save(settings(), result.setting, replaces=old.url if old else None)
            close()
    except (ValueError, OSError) as error:
        st.session_state[_RESULT] = _Result(result.setting, error=f"It was not saved: {error}")
