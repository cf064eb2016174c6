"""A small store whose every figure was worked out by hand, from prices written out as numbers.

It is Tuesday, 31 March 2026, 14:00 in Berlin, where the clocks went from two to three o'clock on
the Sunday before. Nothing here comes from the code under test: `CALLS` tells of each call what it
cost and on which hour of the viewer's clocks it was made, and the tests add these up.

Dollars for a million tokens, as the vendors list them:

| model | input | output | cache read | cache write 5 min | 1 h | a web search |
|---|---|---|---|---|---|---|
| claude-sonnet-4-5 | 3 | 15 | 0.30 | 3.75 | 6 | 0.01 |
| the same, prompt above 200,000 tokens | 6 | 22.50 | 0.60 | 7.50 | 12 | 0.01 |
| claude-haiku-4-5 | 1 | 5 | 0.10 | 1.25 | 2 | 0.01 |
| gpt-5-codex | 1.25 | 10 | 0.125 | – | – | – |
| gemini-2.5-pro | 1.25 | 10 | – | – | – | – |
| the same, prompt above 200,000 tokens | 2.50 | 15 | – | – | – | – |
| house-model-2 | unpriced | | | | | |
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pandas as pd

from lib.model import Evidence, Request, Session
from lib.session_row import SAMPLE_MACHINE
from lib.store import Batch, Store

BERLIN = ZoneInfo("Europe/Berlin")
NOW = pd.Timestamp("2026-03-31T12:00", tz=UTC)
NOW_MS = int(NOW.timestamp() * 1000)

SONNET, HAIKU = "claude-sonnet-4-5", "claude-haiku-4-5"
CODEX, GEMINI, HOUSE = "gpt-5-codex", "gemini-2.5-pro", "house-model-2"


class Who(NamedTuple):
    """A session as the user sees it: what its calls, and its subagents', are grouped under."""

    tool: str
    machine: str
    project: str
    branch: str
    spec: str
    title: str
    status: str
    minutes: float | None
    """How long it took; None: it has not ended."""


SESSIONS = {
    "night": Who(
        "Claude Code", "desk", "shop", "012-cart", "012-cart", "Work at night", "completed", 40
    ),
    "clocks": Who("Codex", "desk", "shop", "fix", "–", "As the clocks change", "completed", 30),
    "limit": Who("Claude Code", "laptop", "api", "main", "–", "Hits a limit", "failed", 10),
    "again": Who("Claude Code", "laptop", "api", "main", "–", "Tries again", "completed", 20),
    "partly": Who("Claude Code", "laptop", "api", "main", "–", "Half unpriced", "failed", 45),
    "slow": Who("Copilot CLI", "desk", "–", "–", "–", "Times out", "failed", 2.5),
    "broken-off": Who("Claude Code", "desk", "docs", "main", "–", "Broken off", "cancelled", 30),
    "open": Who("Claude Code", "desk", "shop", "main", "–", "Still at it", "running", None),
    "gone": Who("Codex", "desk", "shop", "fix", "–", "Dismissed", "completed", 31),
    "long": Who("Gemini CLI", "laptop", "web", "feat/x", "–", "Long context", "completed", 420),
}


class Call(NamedTuple):
    """One model call: what goes into the store, and what was worked out by hand."""

    session: str
    """`night/helper` is a subagent of `night`."""
    at: str | None
    """UTC."""
    hour: str | None
    """The same on clocks in Berlin, its hour only."""
    week: str | None
    """The Monday of its week there."""
    weekday: int | None
    """0 is Monday."""
    model: str
    input: int
    output: int
    usd: float | None
    """None: unpriced."""
    saved: float = 0.0
    """What it would have cost more without a cache."""
    more: dict[str, int] = {}  # noqa: RUF012
    """Other kinds of tokens, and searches."""

    @property
    def day(self) -> str | None:
        """Its day on clocks in Berlin."""
        return self.hour and self.hour[:10]


K = 1_000
CALLS = [
    # 100k × 3 + 20k × 15 + 40k × 3.75 + 10k × 6 = 0.30 + 0.30 + 0.15 + 0.06.
    # A cache that is written costs: 40k × (3 − 3.75) + 10k × (3 − 6) = −0.03 − 0.03.
    Call(
        "night", "2026-03-27T22:50", "2026-03-27T23", "2026-03-23", 4, SONNET, 100 * K, 20 * K,
        0.81, -0.06, {"cache_write_5m_tokens": 40 * K, "cache_write_1h_tokens": 10 * K},
    ),
    # 50k × 1 + 10k × 5 = 0.05 + 0.05. After midnight in Berlin, before it in UTC.
    Call("night/helper", "2026-03-27T23:05", "2026-03-28T00", "2026-03-23", 5, HAIKU, 50 * K,
         10 * K, 0.10),
    # 10k × 3 + 10k × 15 + 150k × 0.30 = 0.03 + 0.15 + 0.045, and five searches for 0.05.
    # Saved: 150k × (3 − 0.30) = 0.405.
    Call(
        "night", "2026-03-27T23:10", "2026-03-28T00", "2026-03-23", 5, SONNET, 10 * K, 10 * K,
        0.275, 0.405, {"cache_read_tokens": 150 * K, "web_search_requests": 5},
    ),
    # 80k × 1.25 + 8k × 10 + 160k × 0.125 = 0.10 + 0.08 + 0.02; saved 160k × 1.125 = 0.18.
    Call(
        "clocks", "2026-03-29T00:50", "2026-03-29T01", "2026-03-23", 6, CODEX, 80 * K, 8 * K,
        0.20, 0.18, {"cache_read_tokens": 160 * K, "reasoning_tokens": 5 * K},
    ),
    # 40k × 1.25 + 15k × 10 = 0.05 + 0.15. Twenty minutes after the call before it.
    Call("clocks", "2026-03-29T01:10", "2026-03-29T03", "2026-03-23", 6, CODEX, 40 * K, 15 * K,
         0.20),
    # A prompt of 300k: 250k × 6 + 4k × 22.50 + 50k × 0.60 = 1.50 + 0.09 + 0.03.
    # Saved: 50k × (6 − 0.60) = 0.27.
    Call(
        "limit", "2026-03-30T07:00", "2026-03-30T09", "2026-03-30", 0, SONNET, 250 * K, 4 * K,
        1.62, 0.27, {"cache_read_tokens": 50 * K},
    ),
    # 100k × 3 + 10k × 15 = 0.30 + 0.15.
    Call("again", "2026-03-30T08:00", "2026-03-30T10", "2026-03-30", 0, SONNET, 100 * K, 10 * K,
         0.45),
    Call("partly", "2026-03-30T20:30", "2026-03-30T22", "2026-03-30", 0, HOUSE, 1 * K, 500, None),
    # 100k × 1 + 10k × 5 = 0.10 + 0.05.
    Call("partly", "2026-03-30T20:35", "2026-03-30T22", "2026-03-30", 0, HAIKU, 100 * K, 10 * K,
         0.15),
    Call("slow", "2026-03-31T06:00", "2026-03-31T08", "2026-03-30", 1, HOUSE, 2 * K, 100, None),
    # 200k × 3: a prompt of exactly 200,000 tokens is no long one.
    Call("broken-off", "2026-03-18T09:00", "2026-03-18T10", "2026-03-16", 2, SONNET, 200 * K, 0,
         0.60),
    # 100k × 1, at a time that nobody wrote down.
    Call("broken-off", None, None, None, None, HAIKU, 100 * K, 0, 0.10),
    # 20k × 3 + 2k × 15 = 0.06 + 0.03, and 10k × 3 + 4k × 15 = 0.03 + 0.06.
    Call("open", "2026-03-31T11:30", "2026-03-31T13", "2026-03-30", 1, SONNET, 20 * K, 2 * K,
         0.09),
    Call("open", "2026-03-31T11:55", "2026-03-31T13", "2026-03-30", 1, SONNET, 10 * K, 4 * K,
         0.09),
    # 80k × 1.25.
    Call("gone", "2026-02-28T22:30", "2026-02-28T23", "2026-02-23", 5, CODEX, 80 * K, 0, 0.10),
    # A prompt of 300k: 300k × 2.50 + 10k × 15 = 0.75 + 0.15; then 80k × 1.25 + 4k × 10.
    Call("long", "2026-03-12T08:00", "2026-03-12T09", "2026-03-09", 3, GEMINI, 300 * K, 10 * K,
         0.90, 0.0, {"reasoning_tokens": 3 * K}),
    Call("long", "2026-03-12T14:00", "2026-03-12T15", "2026-03-09", 3, GEMINI, 80 * K, 4 * K,
         0.14),
]  # fmt: skip

LIMIT_ERROR = "429 Too many requests (request req_8f3a9b2c, try again in 12 seconds)"
LIMIT_ERROR_LATER = "429 Too many requests (request req_77aa01bd, try again in 40 seconds)"
SLOW_ERROR = "The request timed out after 30 s"
_AGENTS = {
    "Claude Code": "claude-code",
    "Codex": "codex",
    "Copilot CLI": "copilot",
    "Gemini CLI": "gemini",
}
_SPANS = {
    "night": ("2026-03-27T22:40", "2026-03-27T23:20"),
    "clocks": ("2026-03-29T00:45", "2026-03-29T01:15"),
    "limit": ("2026-03-30T06:55", "2026-03-30T07:05"),
    "again": ("2026-03-30T07:55", "2026-03-30T08:15"),
    "partly": ("2026-03-30T20:00", "2026-03-30T20:45"),
    "slow": ("2026-03-31T05:58", "2026-03-31T06:00:30"),
    "broken-off": ("2026-03-18T09:00", "2026-03-18T09:30"),
    "open": ("2026-03-31T11:20", "2026-03-31T11:55"),
    "gone": ("2026-02-28T22:00", "2026-02-28T22:31"),
    "long": ("2026-03-12T07:30", "2026-03-12T14:30"),
}
_FACTS: dict[str, dict[str, Any]] = {
    "night": {"turns": 5},
    "long": {"turns": 3},
    "limit": {
        "turns": 2,
        "turn": "failed",
        "error_class": "rate_limit",
        "error_message": LIMIT_ERROR,
    },
    "again": {"retry_of": "claude-code:limit"},
    "partly": {"turn": "failed", "error_class": "rate_limit", "error_message": LIMIT_ERROR_LATER},
    "slow": {"turn": "failed", "error_class": "timeout", "error_message": SLOW_ERROR},
    "broken-off": {"turn": "stopped"},
    "open": {"turn": "running", "registered": False},
}


def key_of(name: str) -> str:
    """The key of a session of `SESSIONS`."""
    return f"{_AGENTS[SESSIONS[name.partition('/')[0]].tool]}:{name}"


def milliseconds(moment: str) -> int:
    """A moment of UTC."""
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() * 1000)


def fill(store: Store) -> None:
    """Write it all, with a sample that must not count and a copy of a call that is one call."""
    sessions = [_session(name) for name in SESSIONS]
    helper = _session("night")
    helper.key, helper.parent_key = key_of("night/helper"), key_of("night")
    sample = _session("night")
    sample.key, sample.machine = "claude-code:sample", SAMPLE_MACHINE
    calls = [_request(number, call) for number, call in enumerate(CALLS)]
    calls.append(_request(99, CALLS[0], session_key=sample.key))
    copy = _request(0, CALLS[0], session_key=key_of("again"), owner_rank="9")
    alive = Evidence(
        session_key=key_of("open"),
        source="claude-registry",
        agent="claude-code",
        session_id="open",
        machine="desk",
        process="alive",
        turn="running",
    )
    store.write(
        Batch(sessions=[*sessions, helper, sample], requests=[*calls, copy], evidence=[alive])
    )
    store.dismiss(key_of("gone"), NOW_MS)


def _session(name: str) -> Session:
    who = SESSIONS[name]
    models = [call.model for call in CALLS if call.session == name and call.at]
    begin, end = _SPANS[name]
    known: dict[str, Any] = {"turn": "idle", "turns": 1, "registered": True, **_FACTS.get(name, {})}
    return Session(
        key=key_of(name),
        agent=_AGENTS[who.tool],
        session_id=name,
        machine=who.machine,
        project_path=None if who.project == "–" else f"/home/dev/{who.project}",
        branch=None if who.branch == "–" else who.branch,
        title=who.title,
        model=models[-1],
        started_at=milliseconds(begin),
        last_activity_at=milliseconds(end),
        **known,
    )


def _request(number: int, call: Call, **facts: Any) -> Request:
    known: dict[str, Any] = {"session_key": key_of(call.session), "owner_rank": "0"}
    known |= {"at": None if call.at is None else milliseconds(call.at), "model": call.model}
    known |= {"input_tokens": call.input, "output_tokens": call.output}
    known |= call.more | facts
    return Request(key=f"golden:{number}", **known)


def total(measure: str, calls: list[Call]) -> float:
    """What `calls` come to: `usd`, `saved`, `tokens` (of all kinds) or `calls`."""
    counts: dict[str, Callable[[Call], float]] = {
        "usd": lambda call: call.usd or 0,
        "saved": lambda call: call.saved,
        "tokens": lambda call: call.input + call.output + cached(call),
        "calls": lambda _: 1,
    }
    return sum(map(counts[measure], calls))


def cached(call: Call) -> int:
    """Tokens that were read from a cache or written to one."""
    return sum(count for name, count in call.more.items() if name.startswith("cache"))


def part_of(call: Call, dimension: str) -> str:
    """What a call is counted under."""
    top = call.session.partition("/")[0]
    if dimension == "model":
        return call.model
    if dimension in ("skill", "mcp_server"):
        return "–"
    if dimension == "subagent":
        return f"{SESSIONS[top].tool} subagent" if "/" in call.session else "–"
    return key_of(top) if dimension == "session" else str(getattr(SESSIONS[top], dimension))
