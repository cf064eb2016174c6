"""Charts: one palette, readable on light and dark and by the colour-blind.

Names come from sessions: they are written as text, never as the HTML or mathematics that
plotly would make of them.
"""

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

# Okabe and Ito's palette, told apart with every kind of colour vision; black and yellow, which
# one of the two backgrounds swallows, are left out.
PALETTE = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#8A6FDF", "#999999"]
SERIES = len(PALETTE)
"""Parts of a stack that are told apart; more are summed up as one."""
_HEIGHT = 340
_LIMIT = "#D55E00"
_SCALE = [[0, "rgba(0,114,178,0.06)"], [1, "rgb(0,114,178)"]]
_WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


def words(name: object) -> str:
    """`name` as plotly shows it letter by letter."""
    return html.escape(str(name)).replace("$", "&#36;")


def colours(names: Iterable[object]) -> dict[object, str]:
    """A colour for each of `names`, in their order; the same names have the same colours."""
    return {name: PALETTE[number % SERIES] for number, name in enumerate(dict.fromkeys(names))}


def stacked(
    table: pd.DataFrame, unit: str, painted: Mapping[object, str], *, share: bool, lines: bool
) -> go.Figure:
    """One bar a row of `table` (its index are times), stacked by its columns.

    `painted`: the colours of the columns. `share`: parts of each bar's whole. `lines`: areas
    instead of bars, for running totals.
    """
    figure = go.Figure()
    whole = table.sum(axis=1)
    for name in table.columns:
        values = (table[name] / whole).where(whole != 0, 0.0) if share else table[name]
        colour = painted.get(name, PALETTE[-1])
        shown = {
            "name": words(name),
            "x": table.index,
            "y": values,
            "hovertemplate": _hover(unit, share),
        }
        if lines:
            figure.add_scatter(**shown, stackgroup="all", line={"color": colour, "width": 1.5})
        else:
            figure.add_bar(**shown, marker_color=colour)
    figure.update_layout(barmode="stack", bargap=0.15, showlegend=len(table.columns) > 1)
    axis = {"tickformat": ".0%"} if share else _axis(unit)
    return _plain(figure, axis)


def limits(figure: go.Figure, highest: float, amounts: Sequence[tuple[str, float]]) -> None:
    """A line across at each of `amounts` with its name; `highest`: what is drawn already."""
    for name, amount in amounts:
        figure.add_hline(
            amount,
            line={"dash": "dash", "width": 2, "color": _LIMIT},
            annotation={"text": words(f"{name}: ${amount:,.2f}"), "font": {"color": _LIMIT}},
            annotation_position="top left",
        )
    if amounts:
        # Lines across do not widen an axis by themselves.
        top = 1.12 * max(highest, *(amount for _, amount in amounts))
        figure.update_yaxes(range=[0, top or 1])


def heat_map(table: pd.DataFrame, unit: str) -> go.Figure:
    """Weekdays by hours, darker where more is."""
    figure = go.Figure(
        go.Heatmap(
            z=table.to_numpy(),
            x=[f"{hour:02d}:00" for hour in table.columns],
            y=[_WEEKDAYS[day] for day in table.index],
            colorscale=_SCALE,
            xgap=2,
            ygap=2,
            hovertemplate="%{y} %{x}: " + _value("z", unit) + "<extra></extra>",
            showscale=False,
        )
    )
    figure.update_yaxes(autorange="reversed")
    return _plain(figure, {})


def dots(rows: pd.DataFrame, painted: Mapping[object, str]) -> go.Figure:
    """One dot a session: `hours` against `cost_usd`, by the column `tool`."""
    figure = go.Figure()
    for tool, group in rows.groupby("tool", sort=True):
        figure.add_scatter(
            name=words(tool),
            x=group["hours"],
            y=group["cost_usd"],
            mode="markers",
            marker={"color": painted.get(tool, PALETTE[-1]), "size": 9, "opacity": 0.75},
            text=[words(title) for title in group["title"]],
            hovertemplate="%{text}<br>%{x:.2f} h, $%{y:,.2f}<extra></extra>",
        )
    figure.update_xaxes(title="Hours from start to end")
    return _plain(figure, {"tickprefix": "$", "title": "Cost"})


def _hover(unit: str, share: bool) -> str:
    value = "%{y:.1%}" if share else _value("y", unit)
    return "%{x|%a %d %b %Y %H:%M}<br>%{fullData.name}: " + value + "<extra></extra>"


def _value(axis: str, unit: str) -> str:
    return f"$%{{{axis}:,.2f}}" if unit == "usd" else f"%{{{axis}:,.0f}}"


def _axis(unit: str) -> dict[str, str]:
    return {"tickprefix": "$"} if unit == "usd" else {"tickformat": "~s"}


def _plain(figure: go.Figure, value_axis: dict[str, Any]) -> go.Figure:
    figure.update_layout(
        height=_HEIGHT,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "y": -0.15, "x": 0},
        hoverlabel={"align": "left"},
    )
    figure.update_yaxes(automargin=True, **value_axis)
    figure.update_xaxes(automargin=True)
    return figure


def rates(
    share: pd.DataFrame, failed: pd.DataFrame, ended: pd.DataFrame, painted: Mapping[object, str]
) -> go.Figure:
    """One line a column of `share` (0 to 1, NaN makes a gap), bars where there is only one.

    The tables have the same rows and columns; the other two are told when pointed at.
    """
    figure = go.Figure()
    clock = not isinstance(share.index, pd.DatetimeIndex)
    x = [f"{hour:02d}:00" for hour in share.index] if clock else share.index
    when = "%{x}" if clock else "%{x|%a %d %b %Y %H:%M}"
    hover = when + "<br>%{fullData.name}: %{y:.1%} (%{customdata[0]} of %{customdata[1]})"
    for name in share.columns:
        shown = {
            "name": words(name),
            "x": x,
            "y": share[name],
            "customdata": list(zip(failed[name], ended[name], strict=True)),
            "hovertemplate": f"{hover}<extra></extra>",
        }
        colour = painted.get(name, PALETTE[-1])
        if len(share.columns) == 1:
            figure.add_bar(**shown, marker_color=colour)
        else:
            line = {"color": colour, "width": 2}
            figure.add_scatter(**shown, mode="lines+markers", line=line, connectgaps=False)
    figure.update_layout(bargap=0.15, showlegend=len(share.columns) > 1)
    return _plain(figure, {"tickformat": ".0%", "rangemode": "tozero"})
