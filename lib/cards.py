"""What the board shows: rows of the sessions frame as words, sections, totals and a strip.

Everything here is plain data, ready to be sent to a browser. Times stay numbers (milliseconds
since the epoch, UTC) where the browser lets them tick or words them in the viewer's terms.
"""

import re
from collections.abc import Hashable, Mapping, Sequence
from datetime import tzinfo
from typing import Any, Literal, NamedTuple, TypedDict

import pandas as pd

Sort = Literal["default", "duration", "attention", "newest", "cost"]
SectionName = Literal["running", "pending", "recent", "older"]
Row = Mapping[Hashable, Any]

FIRST_SHOWN = 60
"""Cards of a section before *Show more*, and how many more that brings."""
LONGEST_ERROR = 20_000
"""Characters of an error that are sent to the browser."""
ENDED = frozenset({"completed", "failed", "cancelled"})
LIVE = frozenset({"running", "waiting", "paused", "rate-limited", "idle"})
_ATTENTION = {"waiting": 0, "failed": 1, "rate-limited": 2, "running": 3, "paused": 3, "idle": 4}


class Look(NamedTuple):
    """How a status is told: an icon and words, and a tone for the edge of the card."""

    icon: str
    words: str
    tone: Literal["green", "yellow", "orange", "red", "blue", "gray"]


LOOKS: dict[str, Look] = {
    "running": Look("🟢", "Running", "green"),
    "waiting": Look("🟡", "Waiting for you", "yellow"),
    "paused": Look("⏸️", "Paused", "blue"),
    "rate-limited": Look("⏳", "Rate-limited", "orange"),
    "idle": Look("⚪", "Idle", "gray"),
    "pending": Look("🕓", "Pending", "blue"),
    "queued": Look("📥", "Queued", "blue"),
    "completed": Look("✅", "Completed", "green"),
    "failed": Look("❌", "Failed", "red"),
    "cancelled": Look("⏹️", "Stopped", "gray"),
    "unknown": Look("❔", "Unknown", "gray"),
}
RETRYING = Look("🔁", "Retrying after an API error", "orange")

ERROR_WORDS = {
    "api": "API error",
    "rate_limit": "Rate limit",
    "authentication": "Authentication",
    "tool": "Tool failed",
    "test": "Test failed",
    "permission": "Permission denied",
    "context_overflow": "Context full",
    "killed": "Killed",
    "timeout": "Timeout",
    "crash": "Crash",
    "unknown": "Error",
}


class Card(TypedDict):
    """One session as the board draws it. None means: there is nothing to show there."""

    id: str
    short: str
    title: str
    status: str
    icon: str
    words: str
    tone: str
    reason: str
    tags: list[str]
    sample: bool
    dismissed: bool
    percent: int | None
    todos: str | None
    meta: list[str]
    subagents: str | None
    latest: str | None
    quoted: bool
    errorClass: str | None
    error: str | None
    startedAt: int | None
    endedAt: int | None
    durationMs: int | None
    since: int | None
    actions: list[str]


class Section(TypedDict):
    """A group of cards. `total` counts the ones that are not shown, too."""

    name: str
    title: str
    empty: str
    total: int
    more: int
    cards: list[Card]


class Total(TypedDict):
    """One figure of the header."""

    name: str
    value: str
    note: str


class Waiting(TypedDict):
    """A session that waits for the user, as the strip names it."""

    id: str
    short: str
    title: str
    words: str


class Today(NamedTuple):
    """Tokens and money since midnight in the viewer's time zone."""

    tokens: int
    cost_usd: float | None
    unpriced_requests: int


def text(value: object) -> str | None:
    """`value` as a string without surrounding space; None for a missing or empty one."""
    if not isinstance(value, str):
        return None
    return value.strip() or None


def whole(value: Any) -> int | None:
    """`value` as an integer; None for a missing one (None, NaN, NA)."""
    return None if value is None or pd.isna(value) else int(value)


def milliseconds(value: Any) -> int | None:
    """A UTC timestamp as milliseconds since the epoch; None for a missing one."""
    return None if value is None or pd.isna(value) else int(value.timestamp() * 1000)


def money(amount: float) -> str:
    """US dollars, never rounded down to nothing."""
    if 0 < amount < 0.01:
        return "<$0.01"
    return f"${amount:,.2f}"


def tokens_and_cost(tokens: int, cost_usd: float | None, unpriced_requests: int) -> str:
    """`127,432 tokens (~$0.85)`, with what could not be priced said instead of left out."""
    amount = f"{tokens:,} token{'' if tokens == 1 else 's'}"
    if cost_usd is None:
        return f"{amount} (unpriced)" if unpriced_requests else amount
    about = money(cost_usd) if 0 < cost_usd < 0.01 else f"~{money(cost_usd)}"
    partly = f", {unpriced_requests:,} calls unpriced" if unpriced_requests else ""
    return f"{amount} ({about}{partly})"


def look(row: Row, zone: tzinfo) -> Look:
    """Icon, words and tone of the row's status, with what it waits for or until when."""
    status = str(row["status"])
    found = LOOKS.get(status, LOOKS["unknown"])
    if status == "running" and row.get("turn") == "retrying":
        return RETRYING
    if status == "waiting":
        return found._replace(words=_waiting_words(text(row.get("activity")) or ""))
    if status == "rate-limited" and (resets_at := row.get("resets_at")) is not None:
        if not pd.isna(resets_at):
            return found._replace(words=f"Rate-limited until {_clock(resets_at, zone)}")
    return found


def _waiting_words(activity: str) -> str:
    asked = activity.lower()
    for word, words in (
        ("permission", "Waiting for permission"),
        ("approv", "Waiting for approval"),
        ("plan", "Waiting for plan approval"),
        ("question", "Waiting for an answer"),
        ("answer", "Waiting for an answer"),
    ):
        if re.search(rf"\b{word}", asked):
            return words
    return LOOKS["waiting"].words


def _clock(moment: pd.Timestamp, zone: tzinfo) -> str:
    local = moment.tz_localize("UTC") if moment.tzinfo is None else moment
    local = local.tz_convert(zone)
    return local.strftime("%H:%M" if _same_day(local, zone) else "%a %d %b %H:%M")


def _same_day(local: pd.Timestamp, zone: tzinfo) -> bool:
    return local.date() == pd.Timestamp.now(zone).date()


def card(row: Row, zone: tzinfo, *, may_act: bool = True, machine: bool = False) -> Card:
    """The card of one top-level session. `machine`: name the machine, too."""
    status = str(row["status"])
    shown = look(row, zone)
    ended = status in ENDED
    error = text(row.get("error_message")) if status == "failed" else None
    latest, quoted = _latest(row, status)
    total = whole(row.get("todo_total")) or 0
    done = min(whole(row.get("todo_done")) or 0, total)
    return Card(
        id=str(row["key"]),
        short=str(row["short_id"]),
        title=_title(row),
        status=status,
        icon=shown.icon,
        words=shown.words,
        tone=shown.tone,
        reason=text(row.get("reason")) or "",
        tags=_tags(row, machine),
        sample=bool(row.get("sample")),
        dismissed=milliseconds(row.get("dismissed_at")) is not None,
        percent=round(100 * done / total) if total else None,
        todos=f"{done} of {total} to-dos done" if total else None,
        meta=_meta(row),
        subagents=_subagents(row),
        latest=latest,
        quoted=quoted,
        errorClass=_error_class(row) if status == "failed" else None,
        error=_shortened(error),
        startedAt=milliseconds(row.get("started_at")),
        endedAt=_ended_at(row) if ended or status == "unknown" else None,
        durationMs=whole(row.get("duration_ms")),
        since=milliseconds(row.get("since")),
        actions=_actions(row, status, error) if may_act else _harmless(error),
    )


def _title(row: Row) -> str:
    found = text(row.get("title")) or text(row.get("first_prompt"))
    return " ".join((found or "Untitled session").split())[:200]


def _tags(row: Row, machine: bool) -> list[str]:
    names = ["agent_label", "project", "branch", "spec"] + (["machine"] if machine else [])
    return [found for name in names if (found := text(row.get(name)))]


def _meta(row: Row) -> list[str]:
    return [words for words in (_tokens(row), _iteration(row), _context(row)) if words]


def _tokens(row: Row) -> str:
    if not whole(row.get("requests")):
        return "no model calls yet" if str(row["status"]) not in ENDED else "no model calls"
    cost = row.get("cost_usd")
    known = None if cost is None or pd.isna(cost) else float(cost)
    unpriced = whole(row.get("unpriced_requests")) or 0
    return tokens_and_cost(whole(row.get("total_tokens")) or 0, known, unpriced)


def _iteration(row: Row) -> str | None:
    limit = whole(row.get("turn_limit"))
    if limit:
        return f"Iter {whole(row.get('turn_requests')) or 0}/{limit}"
    turns = whole(row.get("turns"))
    return f"Turn {turns:,}" if turns else None


def _context(row: Row) -> str | None:
    share = row.get("context_share")
    if share is not None and not pd.isna(share):
        return f"context {round(100 * float(share))}%"
    used = whole(row.get("context_tokens"))
    return f"context {used:,} tokens" if used else None


def _subagents(row: Row) -> str | None:
    count = whole(row.get("subagents")) or 0
    if not count:
        return None
    tokens = whole(row.get("subagent_tokens")) or 0
    cost = row.get("subagent_cost_usd")
    price = "" if cost is None or pd.isna(cost) else f" ({money(float(cost))})"
    return f"{count} subagent{'' if count == 1 else 's'} · {tokens:,} tokens{price}"


def _latest(row: Row, status: str) -> tuple[str | None, bool]:
    """What the session is at, and whether those are the agent's own words (to be quoted)."""
    activity = text(row.get("activity"))
    if activity and status not in ENDED:
        return " ".join(activity.split())[:300], False
    if status == "failed":
        return None, False
    message = text(row.get("last_message"))
    return (" ".join(message.split())[:300], True) if message else (None, False)


def _error_class(row: Row) -> str:
    return ERROR_WORDS.get(text(row.get("error_class")) or "unknown", "Error")


def _shortened(error: str | None) -> str | None:
    if error is None or len(error) <= LONGEST_ERROR:
        return error
    return f"{error[:LONGEST_ERROR]}\n… ({len(error) - LONGEST_ERROR:,} more characters)"


def _ended_at(row: Row) -> int | None:
    return milliseconds(row.get("ended_at")) or milliseconds(row.get("last_activity_at"))


def _actions(row: Row, status: str, error: str | None) -> list[str]:
    if status not in ENDED:
        return []
    dismissed = milliseconds(row.get("dismissed_at")) is not None
    return [*_harmless(error), "undismiss" if dismissed else "dismiss"]


def _harmless(error: str | None) -> list[str]:
    return ["copy-error"] if error else []


SECTIONS: dict[str, tuple[str, str]] = {
    "running": ("Running", "No session is running."),
    "pending": ("Pending", ""),
    "recent": ("Recent", "Nothing ended in this time."),
    "older": ("Older", ""),
}


def ordered(rows: pd.DataFrame, section: str, sort: Sort) -> pd.DataFrame:
    """`rows` of one section in the order of `sort`; ties by key, so that cards don't swap."""
    if sort == "default":
        sort = "duration" if section == "running" else "newest"
        if section == "pending":
            return rows.sort_values(["started_at", "key"], na_position="last")
    if sort == "duration":
        if section in ("running", "pending"):
            return rows.sort_values(["started_at", "key"], na_position="last")
        return rows.sort_values(["duration_ms", "key"], ascending=[False, True])
    if sort == "cost":
        return rows.sort_values(["cost_usd", "key"], ascending=[False, True], na_position="last")
    if sort == "attention":
        tiers = rows.assign(tier=rows["status"].map(_ATTENTION).fillna(5))
        ignored = tiers["since"].fillna(tiers["last_activity_at"])
        return tiers.assign(ignored=ignored).sort_values(["tier", "ignored", "key"])
    newest = rows["started_at"]
    if section in ("recent", "older"):
        newest = rows["ended_at"].fillna(rows["last_activity_at"])
    return rows.assign(newest=newest).sort_values(["newest", "key"], ascending=[False, True])


def sections(
    rows: pd.DataFrame,
    sort: Sort,
    zone: tzinfo,
    *,
    limits: Mapping[str, int] | None = None,
    may_act: bool = True,
) -> list[Section]:
    """The board's sections of already filtered top-level `rows`.

    Running and Recent are always there; Pending and Older only when they hold something.
    Of each, the first `limits` (else 60) cards, and every further one that waits for the user.
    """
    several_machines = rows["machine"].nunique() > 1
    found: list[Section] = []
    for name, (title, empty) in SECTIONS.items():
        members = rows[rows["section"] == name]
        if members.empty and not empty:
            continue
        sorted_rows = ordered(members, name, sort)
        limit = (limits or {}).get(name, FIRST_SHOWN)
        shown = pd.concat(
            [sorted_rows.iloc[:limit], _only_waiting(sorted_rows.iloc[limit:])]
            if len(sorted_rows) > limit
            else [sorted_rows]
        )
        cards = [
            card(row, zone, may_act=may_act, machine=several_machines)
            for row in shown.to_dict("records")
        ]
        hidden = len(members) - len(cards)
        found.append(
            Section(
                name=name, title=title, empty=empty, total=len(members), more=hidden, cards=cards
            )
        )
    return found


def _only_waiting(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["status"] == "waiting"]


def waiting(rows: pd.DataFrame, zone: tzinfo) -> list[Waiting]:
    """The sessions that wait for the user, the longest-ignored first."""
    held = ordered(_only_waiting(rows), "running", "attention")
    return [
        Waiting(
            id=str(row["key"]),
            short=str(row["short_id"]),
            title=_title(row),
            words=look(row, zone).words,
        )
        for row in held.to_dict("records")
    ]


def totals(rows: pd.DataFrame, today: Today) -> list[Total]:
    """The header's figures, of all top-level sessions whatever the filters."""
    status = rows["status"]
    failed = (status == "failed") & (rows["section"] == "recent") & rows["dismissed_at"].isna()
    cost = "unpriced" if today.cost_usd is None else money(today.cost_usd)
    if today.cost_usd is None and not today.unpriced_requests:
        cost = money(0)
    note = f"{today.unpriced_requests:,} calls unpriced" if today.unpriced_requests else ""
    return [
        Total(name="Running", value=f"{int((status == 'running').sum()):,}", note=""),
        Total(name="Waiting", value=f"{int((status == 'waiting').sum()):,}", note=""),
        Total(name="Failed in 24 h", value=f"{int(failed.sum()):,}", note=""),
        Total(name="Tokens today", value=f"{today.tokens:,}", note=""),
        Total(name="Cost today", value=cost, note=note),
    ]


def top_level(frame: pd.DataFrame) -> pd.DataFrame:
    """Only the rows that get a card: sessions, not their subagents."""
    return frame[frame["parent_key"].isna()]


def running_count(frame: pd.DataFrame) -> int:
    """How many top-level sessions are running, for the navigation's badge."""
    top = top_level(frame)
    return int((top["status"] == "running").sum())


def names(values: Sequence[str], limit: int = 3) -> str:
    """`a, b, c and 4 more`."""
    shown = ", ".join(values[:limit])
    return f"{shown} and {len(values) - limit} more" if len(values) > limit else shown
