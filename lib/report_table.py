"""A report as plain text for people: one line a row, the columns in line."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

Row = Mapping[str, Any]

_SKIPPED_COLUMNS = frozenset(
    {"session_id", "agent", "parent_key", "error_message", "models", "flags", "ended_at"}
)
_LONGEST = 40


def table(report: Sequence[Row] | Row) -> str:
    """The table of a report, or of each part of it under its name."""
    if not isinstance(report, Mapping):
        return _rows(report)
    parts: list[str] = []
    for name, value in report.items():
        title = name.replace("_", " ").capitalize()
        if isinstance(value, list):
            parts.append(f"{title}\n{_rows(cast(list[Row], value))}")
        elif isinstance(value, Mapping):
            parts.append(f"{title}\n{_pairs(cast(Row, value))}")
        elif value is not None:
            parts.append(f"{title}: {_text(value)}")
    return "\n\n".join(parts)


def _rows(rows: Sequence[Row]) -> str:
    if not rows:
        return "  nothing"
    # A session's key says agent and id; its long texts are in the JSON.
    skipped = _SKIPPED_COLUMNS if "key" in rows[0] else frozenset[str]()
    names = [name for name in rows[0] if name not in skipped]
    lines = [[name.replace("_", " ").replace(" usd", " $") for name in names]]
    lines += [[_cell(name, row[name]) for name in names] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    numeric = [any(isinstance(row[name], int | float) for row in rows) for name in names]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in lines
    )


def _pairs(values: Row) -> str:
    found = [
        f"  {name.replace('_', ' ')}: {_cell(name, value)}"
        for name, value in values.items()
        if value not in ({}, [])
    ]
    return "\n".join(found) or "  nothing"


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "unpriced" if name == "cost_usd" else "–"
    if isinstance(value, Mapping):
        pairs = cast(Mapping[str, Any], value).items()
        return ", ".join(f"{key} {_text(one)}" for key, one in pairs)
    text = _text(value)
    return (
        text
        if len(text) <= _LONGEST or name not in ("title", "project_path")
        else (f"{text[: _LONGEST - 1]}…")
    )


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.4f}"
    if isinstance(value, int):
        return f"{value:,}"
    # What a terminal would obey is written as it would be in a program.
    words = " ".join(str(value).split())
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in words)
