"""What a card says: one row of the sessions frame as words, ready to be sent to a browser.

Times stay numbers (milliseconds since the epoch, UTC) where the browser lets them tick.
"""

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import tzinfo
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypedDict
from urllib.parse import urlencode

import pandas as pd

from lib.failures import error_words
from lib.health import CONCERNS
from lib.model import NO_LOCAL_TOKENS, SUBSCRIPTION
from lib.specs import page_link

Row = Mapping[Hashable, Any]

LONGEST_ERROR = 20_000
"""Characters of an error that are sent to the browser."""
LONGEST_LINE = 300
"""Characters of a title or message that are sent to the browser."""
UNTITLED = "Untitled session"
SPECS_SHOWN = 3
"""Specs that a card names; of more it tells the number."""


_MENU = ("archive", "delete")


def _is_there(_row: Row, _spec: str) -> bool:
    return True


class View(NamedTuple):
    """Who looks, and when."""

    zone: tzinfo
    now: pd.Timestamp
    """In any zone."""
    may_act: bool = True
    query: str = ""
    """The filters as query parameters, for links that are to keep them."""
    badges: Mapping[str, Sequence["Badge"]] = MappingProxyType({})
    """What the cards of running sessions say, by key."""
    has_spec: Callable[[Row, str], bool] = _is_there
    """Whether a spec that a session names can be opened."""


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


class Badge(TypedDict):
    """Something about a session that wants to be seen, and why."""

    words: str
    reason: str


class SpecLink(TypedDict):
    """A spec, and where it is shown, relative to the board."""

    name: str
    href: str


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
    specs: list[SpecLink]
    badges: list[Badge]
    sample: bool
    dismissed: bool
    percent: int | None
    todos: str | None
    meta: list[str]
    latest: str | None
    quoted: bool
    errorClass: str | None
    error: str | None
    startedAt: int | None
    endedAt: int | None
    durationMs: int | None
    since: int | None
    lastSeenAt: int | None
    """When its server last answered; None while it does."""
    actions: list[str]
    menu: list[str]
    """Actions that stand behind "⋯"."""
    underWay: list[str]
    note: str | None
    """Why something that was asked for did not come to pass."""
    link: str
    """Where its transcript is shown, relative to the board."""


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


def tokens_and_cost(
    tokens: int, cost_usd: float | None, unpriced_requests: int, *, on_plan: bool = False
) -> str:
    """`127,432 tokens (~$0.85)`, with what could not be priced said instead of left out.

    `on_plan`: a subscription pays, so that the money is what the API would have charged.
    """
    amount = f"{tokens:,} token{'' if tokens == 1 else 's'}"
    if cost_usd is None:
        return f"{amount} (unpriced)" if unpriced_requests else amount
    about = money(cost_usd) if 0 < cost_usd < 0.01 else f"~{money(cost_usd)}"
    calls = f"{unpriced_requests:,} call{'' if unpriced_requests == 1 else 's'}"
    partly = f", {calls} unpriced" if unpriced_requests else ""
    return f"{amount} ({about}{' API-equivalent' if on_plan else ''}{partly})"


def look(row: Row, view: View) -> Look:
    """Icon, words and tone of the row's status, with what it waits for or until when."""
    status = str(row["status"])
    found = LOOKS.get(status, LOOKS["unknown"])
    if status == "running" and row.get("turn") == "retrying":
        return RETRYING
    if status == "waiting":
        return found._replace(words=_waiting_words(text(row.get("activity")) or ""))
    resets_at = row.get("resets_at")
    if status == "rate-limited" and resets_at is not None and not pd.isna(resets_at):
        return found._replace(words=f"Rate-limited until {_clock(resets_at, view)}")
    return found


def _waiting_words(activity: str) -> str:
    for word, words in _WAITS.items():
        if re.search(rf"\b{word}", activity, re.IGNORECASE):
            return words
    return LOOKS["waiting"].words


_WAITS = {
    "permission": "Waiting for permission",
    "approv": "Waiting for approval",
    "plan": "Waiting for plan approval",
    "question": "Waiting for an answer",
    "answer": "Waiting for an answer",
}


def _clock(moment: pd.Timestamp, view: View) -> str:
    local = moment.tz_convert(view.zone)
    same_day = local.date() == view.now.tz_convert(view.zone).date()
    return local.strftime("%H:%M" if same_day else "%a %d %b, %H:%M")


def card(row: Row, view: View, *, machine: bool = False) -> Card:
    """The card of one top-level session. `machine`: name the machine, too."""
    shown = look(row, view)
    failed = row["status"] == "failed"
    over = row["section"] in ("recent", "older")
    error = text(row.get("error_message")) if failed else None
    dismissed = milliseconds(row.get("dismissed_at")) is not None
    total = whole(row.get("todo_total")) or 0
    done = min(whole(row.get("todo_done")) or 0, total)
    latest, quoted = _latest(row, over)
    return Card(
        id=str(row["key"]),
        short=str(row["short_id"]),
        title=title(row),
        status=str(row["status"]),
        icon=shown.icon,
        words=shown.words,
        tone=shown.tone,
        reason=text(row.get("reason")) or "",
        tags=_tags(row, machine),
        specs=_spec_links(row, view),
        badges=[] if over else [*_concerns(row), *view.badges.get(str(row["key"]), ())],
        sample=bool(row.get("sample")),
        dismissed=dismissed,
        percent=round(100 * done / total) if total else None,
        todos=f"{done} of {total} to-dos done" if total else None,
        meta=_meta(row, over),
        latest=latest,
        quoted=quoted,
        errorClass=error_words(row.get("error_class")) if failed else None,
        error=_shortened(error),
        startedAt=milliseconds(row.get("started_at")),
        endedAt=_ended_at(row) if over else None,
        durationMs=whole(row.get("duration_ms")),
        since=milliseconds(row.get("since")),
        lastSeenAt=milliseconds(row.get("last_seen_at")),
        actions=_actions(row, error, dismissed, view.may_act),
        menu=[kind for kind in _permitted(row, view.may_act) if kind in _MENU],
        underWay=list(row.get("under_way") or []),
        note=text(row.get("note")),
        link=session_link(str(row["key"]), view.query),
    )


def _concerns(row: Row) -> list[Badge]:
    names = row.get("concerns")
    if not isinstance(names, list):
        return []
    told = zip(names, row["concern_reasons"], strict=True)
    return [Badge(words=CONCERNS[name], reason=reason) for name, reason in told]


def session_link(key: str, query: str = "") -> str:
    """The page of one session, relative to the board; `query`: parameters to add to its own."""
    return "session?" + "&".join(filter(None, (urlencode({"session": key}), query)))


def title(row: Row) -> str:
    """The session's title in one line, or how it began."""
    found = text(row.get("title")) or text(row.get("first_prompt"))
    return _line(found or UNTITLED)


def _line(words: str) -> str:
    line = " ".join(words[: 4 * LONGEST_LINE].split())
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}…"


def _tags(row: Row, machine: bool) -> list[str]:
    tags = [row.get(name) for name in ("agent_label", "project", "branch")]
    specs = row.get("specs") or []
    tags += specs[:SPECS_SHOWN]
    if len(specs) > SPECS_SHOWN:
        tags.append(f"+ {len(specs) - SPECS_SHOWN} specs")
    tags += _origin(row)
    if machine and not row.get("sample"):
        tags.append(row.get("machine"))
    return list(dict.fromkeys(found for tag in tags if (found := text(tag))))


def _origin(row: Row) -> list[str]:
    """Where a session of a LeanSpec server runs and how, and whether it is known here as well."""
    server = text(row.get("server_name"))
    if server is None:
        return []
    found = [f"on {server}", text(row.get("mode")) or ""]
    if text(row.get("twin")):
        found.append("also seen locally")
    if row.get("deleted"):
        found.append("deleted on its server")
    return found


def _spec_links(row: Row, view: View) -> list[SpecLink]:
    specs: list[str] = (row.get("specs") or [])[:SPECS_SHOWN]
    project = text(row.get("project"))
    return [
        SpecLink(name=name, href=page_link(project, name))
        for name in specs
        if view.has_spec(row, name)
    ]


def _meta(row: Row, over: bool) -> list[str]:
    found = (_tokens(row, over), _iteration(row), _context(row), _subagents(row), _retry(row))
    return [words for words in found if words]


def _tokens(row: Row, over: bool) -> str:
    if not whole(row.get("requests")):
        reported = whole(row.get("reported_tokens"))
        if reported is not None:
            return f"{reported:,} token{'' if reported == 1 else 's'} as reported (unpriced)"
        if text(row.get("server_name")):
            return "tokens unknown"
        if NO_LOCAL_TOKENS in (row.get("flags") or ()):
            return "no local data on tokens"
        return "no model calls" if over else "no model calls yet"
    cost = row.get("cost_usd")
    known = None if cost is None or pd.isna(cost) else float(cost)
    unpriced = whole(row.get("unpriced_requests")) or 0
    on_plan = SUBSCRIPTION in (row.get("flags") or ())
    return tokens_and_cost(whole(row.get("total_tokens")) or 0, known, unpriced, on_plan=on_plan)


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
    counted = f"+ {count} subagent{'' if count == 1 else 's'}"
    if not tokens and NO_LOCAL_TOKENS in (row.get("flags") or ()):
        return counted
    price = "" if cost is None or pd.isna(cost) else f" ({money(float(cost))})"
    return f"{counted} · {tokens:,} tokens{price}"


def _retry(row: Row) -> str | None:
    retried = text(row.get("retry_of"))
    return f"↻ retry of #{retried.rpartition(':')[2][:8]}" if retried else None


def _latest(row: Row, over: bool) -> tuple[str | None, bool]:
    """What the session is at, and whether those are the agent's own words (to be quoted)."""
    activity = text(row.get("activity"))
    if activity and not over:
        return _line(activity), False
    if row["status"] == "failed":
        return None, False
    message = text(row.get("last_message"))
    return (_line(message), True) if message else (None, False)


def _shortened(error: str | None) -> str | None:
    if error is None or len(error) <= LONGEST_ERROR:
        return error
    return f"{error[:LONGEST_ERROR]}\n… ({len(error) - LONGEST_ERROR:,} more characters)"


def _ended_at(row: Row) -> int | None:
    return milliseconds(row.get("ended_at")) or milliseconds(row.get("last_activity_at"))


def _permitted(row: Row, may_act: bool) -> list[str]:
    return list(row.get("permitted") or []) if may_act else []


def _actions(row: Row, error: str | None, dismissed: bool, may_act: bool) -> list[str]:
    found = [kind for kind in _permitted(row, may_act) if kind not in _MENU]
    if error:
        found.append("copy-error")
    if row["section"] in ("recent", "older") and may_act:
        found.append("undismiss" if dismissed else "dismiss")
    return found
