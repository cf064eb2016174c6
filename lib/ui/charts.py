"""Charts: one palette, readable on light and dark and by the colour-blind.

Names come from sessions: they are written as text, never as the HTML or mathematics that
plotly would make of them.
"""

import html
from collections.abc import Collection, Iterable, Mapping, Sequence
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
_LONGEST_TITLE = 40
_SCALE = [[0, "rgba(0,114,178,0.06)"], [1, "rgb(0,114,178)"]]
_SHADE = "rgba(128,128,128,0.18)"
WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


def words(name: object) -> str:
    """`name` as plotly shows it letter by letter."""
    return html.escape(str(name)).replace("$", "&#36;")


def colours(names: Iterable[object]) -> dict[object, str]:
    """A colour for each of `names`, in their order; the same names have the same colours."""
    return {name: PALETTE[number % SERIES] for number, name in enumerate(dict.fromkeys(names))}


def stacked(
    table: pd.DataFrame,
    unit: str,
    painted: Mapping[object, str],
    *,
    share: bool,
    lines: bool,
    unpriced: pd.DataFrame | None = None,
) -> go.Figure:
    """One bar a row of `table` (its index are times), stacked by its columns.

    `painted`: the colours of the columns. `share`: parts of each bar's whole. `lines`: areas
    instead of bars, for running totals. `unpriced`: calls of each cell that are not in it, told
    when pointed at.
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
            "customdata": _also(unpriced[name] if unpriced is not None else [0] * len(table)),
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


def shade(figure: go.Figure, start: pd.Timestamp, end: pd.Timestamp) -> None:
    """Mark a span, on the clocks of the chart."""
    figure.add_vrect(x0=start, x1=end, fillcolor=_SHADE, line_width=0, layer="below")


def against_price(table: pd.DataFrame, painted: Mapping[object, str]) -> go.Figure:
    """Two bars by month and tool: `cost_usd`, and hatched `price_usd`; see `lib.plans`."""
    figure = go.Figure()
    told = {"cost_usd": "API-equivalent", "price_usd": "plan price"}
    for tool, rows in table.groupby("tool", sort=True):
        for column, meaning in told.items():
            colour = painted.get(tool, PALETTE[-1])
            pattern = {"shape": "/", "fgcolor": colour, "bgcolor": "rgba(0,0,0,0)"}
            figure.add_bar(
                name=words(f"{tool}: {meaning}"),
                x=rows["month"],
                y=rows[column],
                marker={"color": colour} if column == "cost_usd" else {"pattern": pattern},
                hovertemplate="%{x}<br>%{fullData.name}: " + _value("y", "usd") + "<extra></extra>",
            )
    figure.update_layout(barmode="group", bargap=0.3)
    figure.update_xaxes(type="category", categoryorder="category ascending")
    return _plain(figure, _axis("usd"))


def heat_map(table: pd.DataFrame, unit: str, chosen: Collection[tuple[int, int]]) -> go.Figure:
    """Weekdays by hours, darker where more is. `chosen`: weekday and hour of those selected."""
    hours = [f"{hour:02d}:00" for hour in table.columns]
    days = [WEEKDAYS[day] for day in table.index]
    figure = go.Figure(
        go.Heatmap(
            z=table.to_numpy(),
            x=hours,
            y=days,
            colorscale=_SCALE,
            xgap=2,
            ygap=2,
            hoverinfo="skip",
            showscale=False,
        )
    )
    # Of a heat map nothing can be selected: the points over it can.
    cells = [(day, hour) for day in table.index for hour in table.columns]
    figure.add_scatter(
        x=[f"{hour:02d}:00" for _, hour in cells],
        y=[WEEKDAYS[day] for day, _ in cells],
        customdata=[[day, hour, table.at[day, hour]] for day, hour in cells],
        mode="markers",
        marker={"symbol": "square", "size": 22, "color": "rgba(0,0,0,0)"},
        selected={"marker": {"color": "rgba(230,159,0,0.75)", "size": 12}},
        unselected={"marker": {"opacity": 0}},
        selectedpoints=_numbers(cells, chosen),
        hovertemplate="%{y} %{x}: " + _value("customdata[2]", unit) + "<extra></extra>",
        showlegend=False,
    )
    figure.update_yaxes(autorange="reversed")
    return _plain(figure, {})


def dots(
    rows: pd.DataFrame, painted: Mapping[object, str], chosen: Collection[str] = ()
) -> go.Figure:
    """One dot a session: `hours` against `cost_usd`, by the column `tool`.

    `chosen`: the `top_key`s of those selected.
    """
    figure = go.Figure()
    for tool, group in rows.groupby("tool", sort=True):
        figure.add_scatter(
            name=words(tool),
            x=group["hours"],
            y=group["cost_usd"],
            customdata=_keys(group),
            selectedpoints=_numbers(list(group["top_key"]), chosen),
            mode="markers",
            marker={"color": painted.get(tool, PALETTE[-1]), "size": 9, "opacity": 0.75},
            text=[words(title) for title in group["title"]],
            hovertemplate="%{text}<br>%{x:.2f} h, $%{y:,.2f}%{customdata[1]}<extra></extra>",
        )
    return _plain(figure, {"tickprefix": "$", "title": "Cost"}, "Hours from start to end")


def ranked(
    rows: pd.DataFrame,
    measure: str,
    unit: str,
    painted: Mapping[object, str],
    chosen: Collection[str] = (),
) -> go.Figure:
    """One bar a session, the largest on top: `title` and `measure`, coloured by `tool`."""
    figure = go.Figure()
    for tool, group in rows.groupby("tool", sort=True):
        figure.add_bar(
            name=words(tool),
            orientation="h",
            x=group[measure],
            y=group.index,
            customdata=_keys(group, unit),
            selectedpoints=_numbers(list(group["top_key"]), chosen),
            marker_color=painted.get(tool, PALETTE[-1]),
            text=[words(title) for title in group["title"]],
            textposition="none",
            hovertemplate="%{text}<br>" + _value("x", unit) + "%{customdata[1]}<extra></extra>",
        )
    titles = [words(_short(title)) for title in rows["title"]]
    figure.update_layout(bargap=0.25, showlegend=rows["tool"].nunique() > 1)
    figure = _plain(figure, {"tickvals": list(rows.index), "ticktext": titles})
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(_axis(unit))
    return figure.update_layout(height=90 + 26 * max(6, len(rows)))


def lines(table: pd.DataFrame, axis: dict[str, Any], hover: str, title: str = "") -> go.Figure:
    """One line a column of `table` by its index; a value that is missing makes a gap."""
    figure = go.Figure()
    for name, colour in colours(table.columns).items():
        figure.add_scatter(
            name=words(_short(name)),
            x=table.index,
            y=table[name],
            mode="lines+markers" if len(table) < 60 else "lines",
            line={"color": colour, "width": 2},
            connectgaps=False,
            hovertemplate=hover,
        )
    figure.update_layout(showlegend=len(table.columns) > 1)
    return _plain(figure, {**axis, "rangemode": "tozero"}, title)


def bars(
    values: "pd.Series[float]",
    unit: str,
    *,
    marked: int | None = None,
    length: pd.Timedelta | None = None,
) -> go.Figure:
    """One bar a time of the index; the one numbered `marked` in another colour.

    `length`: how long what begins at such a time lasts, where its bar is to cover that.
    """
    colour = [PALETTE[1 if number == marked else 0] for number in range(len(values))]
    figure = go.Figure()
    figure.add_bar(
        x=values.index,
        y=values,
        marker_color=colour,
        hovertemplate="%{x|%a %d %b %Y %H:%M}<br>" + _value("y", unit) + "<extra></extra>",
    )
    if length is not None:
        figure.update_traces(offset=0, width=0.97 * length.total_seconds() * 1000)
    return _plain(figure.update_layout(bargap=0.15), _axis(unit))


def _short(name: object) -> str:
    told = str(name)
    return told if len(told) <= _LONGEST_TITLE else f"{told[: _LONGEST_TITLE - 1]}…"


def _numbers(things: Sequence[Any], chosen: Collection[Any]) -> list[int] | None:
    if not chosen:
        return None
    return [number for number, thing in enumerate(things) if thing in chosen]


def _hover(unit: str, share: bool) -> str:
    value = "%{y:.1%}" if share else _value("y", unit)
    told = "%{x|%a %d %b %Y %H:%M}<br>%{fullData.name}: " + value
    return told + "%{customdata}<extra></extra>"


def _also(unpriced: Iterable[int]) -> list[str]:
    return [f" + {count:,} unpriced" if count else "" for count in unpriced]


def _keys(rows: pd.DataFrame, unit: str = "usd") -> list[tuple[str, str]]:
    """Of each session its key, and what its cost leaves out."""
    also = _also(rows["unpriced_requests"] if unit == "usd" else [0] * len(rows))
    return list(zip(rows["top_key"], also, strict=True))


def _value(axis: str, unit: str) -> str:
    return f"$%{{{axis}:,.2f}}" if unit == "usd" else f"%{{{axis}:,.0f}}"


def _axis(unit: str) -> dict[str, str]:
    return {"tickprefix": "$"} if unit == "usd" else {"tickformat": "~s"}


def _plain(figure: go.Figure, value_axis: dict[str, Any], title: str = "") -> go.Figure:
    figure.update_layout(
        height=_HEIGHT,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "y": -0.3 if title else -0.15, "x": 0},
        hoverlabel={"align": "left"},
    )
    figure.update_yaxes(automargin=True, **value_axis)
    figure.update_xaxes(automargin=True, title=title or None)
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
