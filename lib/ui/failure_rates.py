"""How often sessions fail, when and by what, and how failed ones differ: charts and tables."""

from typing import cast

import streamlit as st

from lib import failure_rates
from lib.cards import LOOKS
from lib.failure_rates import Counts, Step
from lib.ledger import Dimension
from lib.ui import charts, state
from lib.ui.exports import exports
from lib.ui.failures import Shown
from lib.ui.state import Shared

_ALL = "All"
_MOST_POINTS = 2_000
"""Of a line; a browser draws no more at ease."""
_NAMES: dict[str, Dimension | None] = {
    _ALL: None,
    "Tool": "tool",
    "Model": "model",
    "Project": "project",
    "Branch": "branch",
}
_STEPS: dict[str, Step] = {
    "Day": "day",
    "Week": "week",
    "Month": "month",
    "Hour": "hour",
    "Hour of the day": "hour-of-day",
}


def over_time(shown: Shown) -> None:
    """The share of failed sessions by time and by what they have in common, and a table of it."""
    above = st.container(horizontal=True, vertical_alignment="bottom")
    by = _NAMES[above.selectbox("By", list(_NAMES), key="by", bind="query-params", width=150)]
    step = _STEPS[above.selectbox("Over", list(_STEPS), key="over", bind="query-params", width=180)]
    if shown.over.empty:
        st.info("No session ended in this period.")
        return
    table = failure_rates.rates(shown.over, by)
    found = failure_rates.over_time(shown.over, by, step, state.viewer_zone(), charts.SERIES)
    _chart(found)
    column = st.column_config
    table = table.rename(columns={"name": cast("str", by) or "sessions"})
    st.dataframe(
        table,
        hide_index=True,
        width="stretch",
        column_config={
            "sessions": "Sessions",
            **{one: name for name, one in _NAMES.items() if one is not None},
            "ended": column.NumberColumn("Ended", format="localized"),
            "failed": column.NumberColumn("Failed", format="localized"),
            "share": column.ProgressColumn(
                "Failure rate", format="percent", min_value=0, max_value=1
            ),
        },
    )
    exports(table, f"failure-rate-by-{by}" if by else "failure-rate")


def _chart(found: Counts) -> None:
    if found.ended.empty:
        st.info("No session that ended in this period has a time.")
        return
    if len(found.ended) > _MOST_POINTS:
        found = Counts(found.ended.tail(_MOST_POINTS), found.failed.tail(_MOST_POINTS))
        st.caption(f"The chart begins {found.ended.index[0]:%Y-%m-%d}: it can't show all before.")
    paint = charts.colours(found.ended.columns)
    figure = charts.rates(found.share, found.failed, found.ended, paint)
    st.plotly_chart(figure, key="failure_rate", width="stretch")


def durations(shared: Shared, shown: Shown) -> None:
    """Median, p90 and p99 of duration, waiting and turns, completed against failed."""
    table = failure_rates.spread(shown.over, shared.store.waited())
    table["status"] = [LOOKS[one].words for one in table["status"]]
    number = {
        name: st.column_config.NumberColumn(label, format="%.1f")
        for name, label in {"median": "Median", "p90": "p90", "p99": "p99"}.items()
    }
    st.dataframe(
        table,
        hide_index=True,
        width="stretch",
        column_config={
            "figure": "Figure",
            "status": "Ended as",
            "sessions": st.column_config.NumberColumn("Sessions", format="localized"),
            **number,
        },
    )
    st.caption(
        "Nine in ten sessions stay below p90, 99 in 100 below p99. Waiting is known of sessions "
        "that the daemon watched while they ran."
    )
    exports(table, "durations")
