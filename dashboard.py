"""Quarterdeck: every AI coding session of your machines on one board. `streamlit run dashboard.py`.

The script runs again every five seconds: it draws what all pages share, then the chosen page.
What it shows comes from the store; a background daemon fills that.
"""

import streamlit as st

from lib.sections import running_count
from lib.store import StoreError
from lib.ui import access, address, notices, sidebar, state

state.freeze_startup_objects()
st.set_page_config(page_title="Quarterdeck", page_icon="🛰️", layout="wide")

viewer = access.viewer_access()
if viewer.level == "refused":
    st.error(
        f"This board is only for the person at its machine. {viewer.reason} Whoever runs it can "
        f"make it public and read-only with `{access.PUBLIC_VARIABLE}=1`.",
        icon=":material/lock:",
    )
    st.stop()

try:
    store = state.open_store()
    if viewer.level == "act":
        notices.tell_of_daemon(state.start_daemon())
    frame = state.sessions_frame(store)
except StoreError as error:
    st.error("The store can't be read. Trying again.", icon=":material/database_off:")
    st.text(str(error))
    with st.sidebar:
        sidebar.refresh_bar()
    st.stop()

running = running_count(frame)
page = st.navigation(
    [
        st.Page(
            "pages/sessions.py",
            title=f"Sessions ({running})" if running else "Sessions",
            icon="🤖",
            default=True,
        ),
        st.Page("pages/launch.py", title="New session", icon="➕", url_path="launch"),
        st.Page("pages/costs.py", title="Costs", icon="💰", url_path="costs"),
        st.Page("pages/failures.py", title="Failures", icon="🧯", url_path="failures"),
        st.Page("pages/machines.py", title="Machines", icon="🖥️", url_path="machines"),
        st.Page("pages/actions.py", title="Action log", icon="🧾", url_path="actions"),
        st.Page("pages/quality.py", title="Data quality", icon="🔎", url_path="quality"),
        st.Page("pages/settings.py", title="Settings", icon="⚙️", url_path="settings"),
        st.Page(
            "pages/session.py",
            title="Session",
            icon="📄",
            url_path="session",
            visibility="hidden",
        ),
        st.Page("pages/spec.py", title="Spec", icon="📐", url_path="spec", visibility="hidden"),
    ]
)
st.set_page_config(page_title=f"({running}) AI Sessions" if running else "AI Sessions")
address.follow(page.url_path)
with st.sidebar:
    if page.url_path in ("launch", "machines", "quality", "settings", "actions"):
        chosen = sidebar.kept_filters()
    else:
        chosen = sidebar.filter_bar(frame, page.url_path, state.is_settled(store))
        st.divider()
    seconds = sidebar.refresh_bar()
state.share(state.Shared(store, viewer, chosen, seconds))
page.run()
