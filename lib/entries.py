"""What a session's transcript or log consists of, whichever agent or server wrote it."""

from collections.abc import Callable
from typing import Literal

import msgspec

from lib.model import Skip

Kind = Literal[
    "prompt", "answer", "reasoning", "tool_call", "tool_result", "error", "notice", "log"
]
"""`notice`: what the agent itself notes (a retry, a compaction, text it put before the model).
`log`: a line of a process or server."""

Level = Literal["debug", "info", "warning", "error"]

LONGEST_TEXT = 50_000
"""Characters of one entry that are kept; the rest is counted in `Entry.omitted`."""


MOST_TEXT = 32_000_000
"""Characters of all entries together that are kept."""


class CallTokens(msgspec.Struct, kw_only=True):
    """Tokens of the model call that an entry is a part of. No kind is part of another, except
    that `output` includes `reasoning`.
    """

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0


class Entry(msgspec.Struct, kw_only=True):
    """One thing that was said, done or noted. Text is plain: no terminal or control sequences,
    but else whatever the session's participants made it.
    """

    kind: Kind
    at: int | None = None
    """Milliseconds since the epoch, UTC; None where the record told no time."""
    level: Level = "info"
    title: str = ""
    """On one line: what a tool call does, which tool a result is of, what a notice is about."""
    text: str = ""
    omitted: int = 0
    """Characters of the text that are not kept."""
    tool: str | None = None
    mcp_server: str | None = None
    """Of a tool call, the MCP server that offers the tool, where name or record tell."""
    call_id: str | None = None
    """Of a tool call its id; of a result that of its call. None where the record tells none."""
    input_hash: str | None = None
    """Of a tool call, hash of tool and arguments: the same for the same call made again."""
    characters: int | None = None
    """Of a tool's result, how long its text is, with what is not kept."""
    exit_status: int | None = None
    failed: bool | None = None
    """Of a tool's result, whether it failed. None where the record does not tell."""
    denied: bool = False
    """Of a tool's result: the call was not made, because a person or a rule said no."""
    retries: int = 0
    """Of an error of a model call: how often the agent tried it again, as this record tells."""
    wait_ms: int | None = None
    """How long it then waited before it tried again, where the record tells."""
    model: str | None = None
    tokens: CallTokens | None = None
    """On the first or last entry of a model call only, so that nothing is shown twice."""
    line: int | None = None
    """Line, message or row number in the source, from 1; None where it was read from its end."""
    place: int = 0
    """Where in the source it stands (byte offset or number): with the entries of one reading,
    stable and in ascending order."""


Each = Callable[[list[Entry]], None]
"""Takes the entries of one record after the other."""


class Reading(msgspec.Struct, kw_only=True):
    """The newest entries of one session, oldest first."""

    entries: list[Entry] = []
    earlier: bool = False
    """There are earlier ones that were not read."""
    skipped: int = 0
    """Records among what was read that could not be understood."""
    skips: list[Skip] = []
    """The first of them; a line counts from where reading began when `from_start` is false."""
    from_start: bool = True
    each: Each | None = None
    """Who takes the entries as they are read. None: they are kept in `entries`."""


def newest(reading: Reading, limit: int) -> Reading:
    """`reading` with at most `limit` entries, the newest, and no more text than is kept."""
    room = MOST_TEXT
    first = len(reading.entries)
    while first > max(0, len(reading.entries) - limit):
        room -= len(reading.entries[first - 1].text)
        if room < 0:
            break
        first -= 1
    if first > 0:
        reading.entries = reading.entries[first:]
        reading.earlier = True
    return reading
