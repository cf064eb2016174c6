"""What the page of a session sends to the browser: entries that are wanted, a page of them."""

from collections.abc import Collection, Sequence
from typing import NamedTuple, TypedDict, get_args

from lib.entries import CallTokens, Entry, Kind, Level

PAGE = 200
"""Entries on one page."""
LONGEST_SHOWN = 1_500
MOST_LINES_SHOWN = 25
"""How much of a text is sent before it is asked for."""

KINDS: dict[str, tuple[Kind, ...]] = {
    "Prompts": ("prompt",),
    "Answers": ("answer",),
    "Reasoning": ("reasoning",),
    "Tools": ("tool_call", "tool_result"),
    "Errors": ("error",),
    "Notes": ("notice", "log"),
}
"""Choices of the kind filter."""

LEVELS: dict[Level, str] = {
    "debug": "Everything",
    "info": "Info and above",
    "warning": "Warnings and errors",
    "error": "Errors only",
}
_RANKS: dict[Level, int] = {level: rank for rank, level in enumerate(get_args(Level))}
_LABELS: dict[Kind, tuple[str, str]] = {
    "prompt": ("🧑", "Prompt"),
    "answer": ("🤖", "Answer"),
    "reasoning": ("💭", "Reasoning"),
    "tool_call": ("🔧", "Tool call"),
    "tool_result": ("↩️", "Result"),
    "error": ("❌", "Error"),
    "notice": ("ℹ️", "Note"),
    "log": ("📄", "Log"),
}


class Row(TypedDict):
    """One entry as it is drawn."""

    id: str
    kind: Kind
    level: Level
    icon: str
    label: str
    title: str
    text: str
    more: int
    """Characters that are kept and not sent; they are when the entry is opened."""
    omitted: int
    """Characters that were not kept."""
    at: int | None
    badge: str
    about: str
    """Model and tokens of the call."""
    source: str


class Wanted(NamedTuple):
    """What is to be seen."""

    kinds: Sequence[str] = ()
    """Names in `KINDS`; none: all."""
    level: Level = "info"
    """The lowest."""
    text: str = ""
    """To be contained in title, text, tool or model, whatever its case."""


def matching(entries: Sequence[Entry], wanted: Wanted) -> list[int]:
    """The numbers of the entries that are wanted."""
    kinds = {kind for name in wanted.kinds for kind in KINDS.get(name, ())}
    lowest = _RANKS[wanted.level]
    text = wanted.text.strip().casefold()
    return [
        number
        for number, entry in enumerate(entries)
        if (not kinds or entry.kind in kinds)
        and _RANKS[entry.level] >= lowest
        and (not text or any(text in part.casefold() for part in _searched(entry)))
    ]


def _searched(entry: Entry) -> tuple[str, ...]:
    return entry.text, entry.title, entry.tool or "", entry.model or ""


def pages(count: int) -> int:
    """How many pages so many entries take; at least one."""
    return max(1, -(-count // PAGE))


def on_page(numbers: Sequence[int], page: int) -> Sequence[int]:
    """The numbers on a page, in order; page 1 holds the newest."""
    end = len(numbers) - PAGE * (max(1, page) - 1)
    return numbers[max(0, end - PAGE) : max(0, end)]


def rows(entries: Sequence[Entry], numbers: Sequence[int], opened: Collection[str]) -> list[Row]:
    """What is drawn of the entries with these numbers, whole for those whose id is `opened`."""
    ids = identities(entries)
    return [_row(entries[number], ids[number], ids[number] in opened) for number in numbers]


def identities(entries: Sequence[Entry]) -> list[str]:
    """An id for each entry: where its record stands, and which one of the record it is."""
    found: list[str] = []
    place, within = -1, 0
    for entry in entries:
        within = within + 1 if entry.place == place else 0
        place = entry.place
        found.append(f"{place}.{within}")
    return found


def _row(entry: Entry, identity: str, opened: bool) -> Row:
    icon, label = _LABELS[entry.kind]
    text = entry.text if opened else _shortened(entry.text)
    return Row(
        id=identity,
        kind=entry.kind,
        level=entry.level,
        icon="⚠️" if entry.kind == "tool_result" and entry.failed else icon,
        label=label,
        title=entry.title,
        text=text,
        more=len(entry.text) - len(text),
        omitted=entry.omitted,
        at=entry.at,
        badge=_badge(entry),
        about=_about(entry),
        source=f"record {entry.line:,}" if entry.line is not None else f"byte {entry.place:,}",
    )


def _shortened(text: str) -> str:
    if len(text) <= LONGEST_SHOWN and text.count("\n") < MOST_LINES_SHOWN:
        return text
    return "\n".join(text[:LONGEST_SHOWN].split("\n")[:MOST_LINES_SHOWN])


def _badge(entry: Entry) -> str:
    if entry.exit_status is not None:
        return f"exit {entry.exit_status}"
    if entry.kind == "tool_result" and entry.failed:
        return "failed"
    return ""


def _about(entry: Entry) -> str:
    if entry.tokens is None:
        return ""
    return " · ".join(filter(None, (entry.model, _tokens(entry.tokens))))


def _tokens(tokens: CallTokens) -> str:
    parts = [f"{tokens.input:,} in", f"{tokens.output:,} out"]
    for amount, name in (
        (tokens.cache_read, "cache read"),
        (tokens.cache_write, "cache write"),
        (tokens.reasoning, "reasoning"),
    ):
        if amount:
            parts.append(f"{amount:,} {name}")
    return ", ".join(parts)
