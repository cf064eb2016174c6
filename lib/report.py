"""Figures for scripts and people: `python -m lib.report daily --timezone Europe/Berlin --json`.

Reports: `totals`, `daily`, `weekly`, `monthly`, `projects`, `models`, `tools`, `branches`,
`sessions`, and `why`, which says what was read, what was left out of the figures and for which
reason. JSON or a table on standard output, messages on standard error. Exit status: 0 done,
1 failed, 2 bad use. It reports what the store holds; `python -m lib.daemon --once` brings the
store up to date. Sample sessions are left out.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Hashable, Mapping
from datetime import date, tzinfo
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd
from dateutil import tz

from lib import frame, quality
from lib.figures import is_unknown
from lib.ledger import NONE, Bucket, Period, buckets, days, ledger, within
from lib.pricing import SOURCE
from lib.report_table import table
from lib.settings import settings
from lib.store import Store, StoreError

FIRST_YEAR, LAST_YEAR = 1970, 9998
SESSION_TEXTS = [
    "key",
    "session_id",
    "agent",
    "parent_key",
    "project_path",
    "branch",
    "title",
    "status",
    "error_class",
    "error_message",
]
SESSION_TIMES = ["started_at", "ended_at", "last_activity_at"]
COUNTS = [
    "requests",
    "input_tokens",
    "output_tokens",
    "cache_write_tokens",
    "cache_read_tokens",
    "reasoning_tokens",
]
BUCKETS: dict[str, tuple[Bucket, str, str]] = {
    "daily": ("day", "date", "%Y-%m-%d"),
    "weekly": ("week", "week", "%Y-%m-%d"),
    "monthly": ("month", "month", "%Y-%m"),
}
"""Report by time: the bucket, the name of its column, and how its start is written."""
GROUPS = {"projects": "project", "models": "model", "tools": "agent", "branches": "branch"}
"""Report by something else: the column that it groups by."""


class Scope(NamedTuple):
    """What a report is about: the calls of a period, in days of a time zone."""

    timezone: tzinfo
    since: date | None = None
    until: date | None = None
    """The last day, included."""

    @property
    def period(self) -> Period:
        """The same as moments."""
        first, last = self.since or self.until, self.until or self.since
        if first is None or last is None:
            return Period(None, None)
        whole = days(first, last, self.timezone)
        return Period(whole.start if self.since else None, whole.end if self.until else None)

    def told(self) -> dict[str, str | None]:
        """As it stands in a report."""
        zone = self.timezone.key if isinstance(self.timezone, ZoneInfo) else "local"
        since, until = (day.isoformat() if day else None for day in (self.since, self.until))
        return {"timezone": zone, "since": since, "until": until}


def sessions_report(store: Store, scope: Scope, now: int) -> list[dict[str, Any]]:
    """One object a session or subagent, newest activity first. Figures are its own calls'.

    Texts, counts and `models` (the same figures by model), ISO times in UTC, `cost_usd` (US
    dollars of the priced calls, null where none could be priced or tokens are not known) and
    `flags`. Of a period: its calls only, and only sessions that made any.
    """
    sessions = frame.load_sessions(store, now)
    sessions = sessions[~sessions["sample"]].sort_values("last_activity_at", ascending=False)
    usage = within(frame.load_usage(store, now), scope.period)
    by_session = dict(iter(usage.groupby("session_key")))
    if scope.since or scope.until:
        sessions = sessions[sessions["key"].isin(by_session)]
    nothing = usage[:0]
    return [
        {
            **{name: _plain(row[name]) for name in SESSION_TEXTS},
            **{name: _iso(row[name]) for name in SESSION_TIMES},
            **_of_session(_figures(own := by_session.get(row["key"], nothing)), row),
            "models": _by(own, ["model"]),
            "flags": list(row["flags"]),
        }
        for row in sessions.to_dict("records")
    ]


def totals_report(store: Store, scope: Scope, now: int) -> dict[str, Any]:
    """All calls summed: `total`, `agents`, `models`, `days` (by local date and model), `records`.

    `records` says what was read and what is not in the sums: duplicates and unreadable records
    by reason, calls without a price by model. It is of the whole store, whatever the period.
    """
    rows = _ledger(store, scope, now)
    rows["date"] = _starts(rows, "daily", scope.timezone)
    counts = store.counts(without=frame.SAMPLE_MACHINE)
    return {
        **scope.told(),
        "total": _figures(rows),
        "agents": _by(rows, ["agent"]),
        "models": _by(rows, ["model"]),
        "days": _by(rows, ["date", "model"]),
        "records": {
            "read": counts.records,
            "duplicate": counts.duplicates,
            "mismatched": int(rows["mismatched_requests"].sum()),
            "unpriced": quality.unpriced(rows),
            "skipped": counts.skipped,
        },
    }


def grouped_report(store: Store, name: str, scope: Scope, now: int) -> dict[str, Any]:
    """The calls by day, week (from Monday), month, project, model, tool or branch.

    `rows` with the figures of each group, and `total`, which is their sum. A subagent's calls
    stand with the project and branch of the session that the user started.
    """
    rows = _ledger(store, scope, now)
    column = GROUPS.get(name) or BUCKETS[name][1]
    if name in BUCKETS:
        rows[column] = _starts(rows, name, scope.timezone)
    return {**scope.told(), "rows": _by(rows, [column]), "total": _figures(rows)}


def why_report(store: Store, key: str | None, now: int) -> dict[str, Any]:
    """What became of the records behind the figures of a session, or of all and of each agent.

    Raises KeyError when there is no session of this key.
    """
    sessions = frame.load_sessions(store, now)
    sessions = sessions[~sessions["sample"]]
    usage = frame.load_usage(store, now)
    files = [file for file in store.files() if file.machine != frame.SAMPLE_MACHINE]
    if key is not None and key not in set(sessions["key"]):
        raise KeyError(key)
    if key is not None:
        account = quality.session_account(key, files, usage, sessions)
        rows = quality.with_subagents(key, sessions)
    else:
        rows = sessions
        account = quality.account(files, usage[usage["session_key"].isin(rows["key"])], rows)
    compared = [
        {"key": row["key"], "reported_usd": one.reported_usd, "ours_usd": one.ours_usd}
        for row in rows.sort_values("key").to_dict("records")
        if (one := quality.comparison(row)) is not None
    ]
    own = usage[usage["session_key"].isin(rows["key"])]
    return {
        "session": key,
        "total": _figures(own),
        "models": _by(own, ["model"]),
        "records": account._asdict(),
        "meaning": {flag: quality.sentence(*flag.split(":", 1)) for flag in account.flags},
        "reported_by_the_agent": compared,
        "prices": SOURCE,
    }


def _ledger(store: Store, scope: Scope, now: int) -> pd.DataFrame:
    rows = ledger(frame.load_usage(store, now), frame.load_sessions(store, now))
    return within(rows, scope.period).copy()


def _starts(rows: pd.DataFrame, name: str, timezone: tzinfo) -> "pd.Series[str]":
    bucket, _, written = BUCKETS[name]
    return buckets(rows["at"], bucket, timezone).dt.strftime(written)


def _by(usage: pd.DataFrame, names: list[str]) -> list[dict[str, Any]]:
    groups = usage.groupby(names, dropna=False, sort=True)
    return [
        {**dict(zip(names, map(_plain, keys), strict=True)), **_figures(group)}
        for keys, group in groups
    ]


def _figures(usage: pd.DataFrame) -> dict[str, Any]:
    requests, unpriced = int(usage["requests"].sum()), int(usage["unpriced_requests"].sum())
    return {
        **{name: int(usage[name].sum()) for name in COUNTS},
        "cost_usd": None if requests and requests == unpriced else float(usage["cost_usd"].sum()),
        "unpriced_requests": unpriced,
    }


def _of_session(figures: dict[str, Any], row: Mapping[Hashable, Any]) -> dict[str, Any]:
    told = {name: value for name, value in figures.items() if name != "unpriced_requests"}
    # What a server's session costs is in no file, or in that of the agent's own session.
    is_served = isinstance(row["server"], str) and not figures["requests"]
    hidden = is_served or is_unknown(figures["requests"], row["flags"])
    return told | {"cost_usd": None} if hidden else told


def _plain(value: Any) -> Any:
    return None if pd.isna(value) or value == NONE else value


def _iso(moment: Any) -> str | None:
    if pd.isna(moment):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _timezone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise argparse.ArgumentTypeError(f"unknown time zone: {name}") from None


def _date(text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"no date like 2026-11-22: {text}") from None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise argparse.ArgumentTypeError(f"no year from {FIRST_YEAR} to {LAST_YEAR}: {text}")
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lib.report", description=__doc__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print JSON instead of a table")
    scope = argparse.ArgumentParser(add_help=False, parents=[common])
    zone_help = "IANA name; default: this machine's"
    scope.add_argument("--timezone", type=_timezone, default=tz.tzlocal(), help=zone_help)
    scope.add_argument("--since", type=_date, help="first day, as 2026-11-22")
    scope.add_argument("--until", type=_date, help="last day")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("totals", parents=[scope], help="sums by day and model")
    commands.add_parser("sessions", parents=[scope], help="one object a session")
    for name, (bucket, *_) in BUCKETS.items():
        commands.add_parser(name, parents=[scope], help=f"sums by {bucket}")
    for name, column in GROUPS.items():
        commands.add_parser(name, parents=[scope], help=f"sums by {column}")
    why = commands.add_parser("why", parents=[common], help="what the figures are made of")
    why.add_argument("--session", metavar="KEY", help="of this session, e.g. claude-code:…")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    now = time.time_ns() // 1_000_000
    make: Callable[[Store], Any]
    if options.command == "why":
        make = lambda store: why_report(store, options.session, now)  # noqa: E731
    else:
        scope = Scope(options.timezone, options.since, options.until)
        if scope.since and scope.until and scope.until < scope.since:
            parser.error("--until is before --since")
        make = lambda store: _report(store, options.command, scope, now)  # noqa: E731
    try:
        store = Store.open(settings().store_url)
        report = make(store)
        store.close()
    except StoreError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyError as error:
        print(f"There is no session {error}.", file=sys.stderr)
        return 1
    text = json.dumps(report, indent=1) if options.json else table(report)
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Whoever reads has seen enough; Python would complain at its end, too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _report(store: Store, name: str, scope: Scope, now: int) -> Any:
    if name == "sessions":
        return sessions_report(store, scope, now)
    if name == "totals":
        return totals_report(store, scope, now)
    return grouped_report(store, name, scope, now)


if __name__ == "__main__":
    sys.exit(main())
