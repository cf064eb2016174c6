"""Figures for scripts: `python -m lib.report sessions --json`, `… totals --json [--timezone Z]`.

JSON on standard output, messages on standard error. Exit status: 0 done, 1 failed, 2 bad use.
It reports what the store holds; `python -m lib.daemon --once` brings the store up to date.
Sample sessions are left out.
"""

import argparse
import json
import sys
import time
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd
from dateutil import tz

from lib import frame
from lib.settings import settings
from lib.store import Store, StoreError

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


def sessions_report(store: Store, now: int) -> list[dict[str, Any]]:
    """One object a session or subagent, newest activity first. Figures are its own calls'.

    Texts, counts and `models` (the same figures by model), ISO times in UTC, `cost_usd` (US
    dollars of the priced calls, null where none could be priced) and `flags`.
    """
    sessions = frame.load_sessions(store, now)
    sessions = sessions[~sessions["sample"]].sort_values("last_activity_at", ascending=False)
    usage = frame.load_usage(store, now)
    by_session = {key: _by(group, ["model"]) for key, group in usage.groupby("session_key")}
    return [
        {
            **{name: _plain(row[name]) for name in SESSION_TEXTS},
            **{name: _iso(row[name]) for name in SESSION_TIMES},
            **{name: int(row[name]) for name in COUNTS},
            "cost_usd": _plain(row["cost_usd"]),
            "models": by_session.get(row["key"], []),
            "flags": list(row["flags"]),
        }
        for row in sessions.to_dict("records")
    ]


def totals_report(store: Store, timezone: tzinfo, now: int) -> dict[str, Any]:
    """All calls summed: `total`, `agents`, `models`, `days` (by local date and model), `records`.

    `records` says what was read and what is not in the sums: duplicates and unreadable records
    by reason, calls without a price by model.
    """
    sessions = frame.load_sessions(store, now)
    usage = frame.load_usage(store, now)
    usage = usage[~usage["session_key"].isin(sessions.loc[sessions["sample"], "key"])].copy()
    usage["date"] = usage["at"].dt.tz_convert(timezone).dt.strftime("%Y-%m-%d")
    counts = store.counts()
    unpriced = usage[usage["unpriced_requests"] > 0].groupby("model", dropna=False)
    return {
        "timezone": timezone.key if isinstance(timezone, ZoneInfo) else "local",
        "total": _figures(usage),
        "agents": _by(usage, ["agent"]),
        "models": _by(usage, ["model"]),
        "days": _by(usage, ["date", "model"]),
        "records": {
            "read": counts.records,
            "duplicate": counts.duplicates,
            "unpriced": {
                "unknown model" if pd.isna(model) else str(model): int(group.sum())
                for model, group in unpriced["unpriced_requests"]
            },
            "skipped": counts.skipped,
        },
    }


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


def _plain(value: Any) -> Any:
    return None if pd.isna(value) else value


def _iso(moment: Any) -> str | None:
    if pd.isna(moment):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _timezone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise argparse.ArgumentTypeError(f"unknown time zone: {name}") from None


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m lib.report", description=__doc__)
    json_flag = argparse.ArgumentParser(add_help=False)
    json_flag.add_argument("--json", action="store_true", help="print JSON (the only format)")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("sessions", parents=[json_flag], help="one object a session")
    totals = commands.add_parser("totals", parents=[json_flag], help="sums by day and model")
    totals.add_argument(
        "--timezone", type=_timezone, default=None, help="IANA name; default: this machine's"
    )
    options = parser.parse_args(arguments)
    now = time.time_ns() // 1_000_000
    try:
        store = Store.open(settings().store_url)
        if options.command == "sessions":
            report: object = sessions_report(store, now)
        else:
            report = totals_report(store, options.timezone or tz.tzlocal(), now)
        store.close()
    except StoreError as error:
        print(error, file=sys.stderr)
        return 1
    json.dump(report, sys.stdout, indent=1)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
