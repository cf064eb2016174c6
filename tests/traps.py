"""Small files for the trap cases, and their figures wherever one may ask for them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lib import frame
from lib.report import Scope, grouped_report, sessions_report, totals_report
from lib.store import Store
from tests.collecting import NOW

Json = dict[str, Any]
UTC = ZoneInfo("UTC")
ALPHA, BETA = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
OPUS, SONNET = "claude-opus-5-5", "claude-sonnet-4-5"
FORMS = ("requests", "input_tokens", "output_tokens", "cache_write_tokens", "cache_read_tokens")


def figures(store: Store) -> tuple[int, int, int, int, int, float | None]:
    """Calls, tokens and money of everything in the store, wherever one may ask for them."""
    scope = Scope(UTC)
    total = totals_report(store, scope, NOW)["total"]
    sums = [tuple(total[name] for name in FORMS)]
    sessions = frame.load_sessions(store, NOW)
    sums.append(tuple(int(sessions[name].sum()) for name in FORMS))
    money = [total["cost_usd"] or 0.0, float(sessions["cost_usd"].sum())]
    told = sessions_report(store, scope, NOW)
    sums.append(tuple(sum(one[name] for one in told) for name in FORMS))
    money.append(sum(one["cost_usd"] or 0.0 for one in told))
    for name in ("daily", "monthly", "models", "tools", "projects", "branches"):
        rows = grouped_report(store, name, scope, NOW)["rows"]
        sums.append(tuple(sum(row[form] for row in rows) for form in FORMS))
        money.append(sum(row["cost_usd"] or 0.0 for row in rows))
    assert len(set(sums)) == 1
    assert money == [pytest.approx(money[0])] * len(money)
    return (*sums[0], total["cost_usd"])  # type: ignore[return-value]


def usd(amount: float) -> Any:
    return pytest.approx(amount, rel=1e-6)


def moment(second: float) -> str:
    return f"2026-11-22T15:{int(second) // 60:02}:{second % 60:06.3f}Z"


def usage(given: Any = 100, output: Any = 10, **more: Any) -> Json:
    return {"input_tokens": given, "output_tokens": output, **more}


def said(call: str | None, tokens: Json, second: float = 1, model: str = OPUS, **more: Any) -> Json:
    """An answer of Claude; `request` None leaves the request's id out."""
    request = more.pop("request", f"req_{call}")
    message = {
        "id": call,
        "model": model,
        "role": "assistant",
        "content": [{"type": "text", "text": "Done."}],
        "stop_reason": "end_turn",
        "usage": tokens,
    }
    return {
        "parentUuid": None,
        "isSidechain": False,
        "type": "assistant",
        "message": message,
        "uuid": f"{call}-{second}",
        "timestamp": moment(second),
        "cwd": "/home/dev/alpha",
        "gitBranch": "main",
        "version": "2.1.330",
        **({"requestId": request} if request else {}),
        **more,
    }


def claude(home: Path, *records: Json, session: str = ALPHA, root: str = ".claude") -> Path:
    """A transcript of this session; what names no session is of this one."""
    path = home / root / "projects" / "-home-dev-alpha" / f"{session}.jsonl"
    return write(path, [{"sessionId": session, **record} for record in records])


def write(path: Path, records: Iterable[Json]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def rollout(home: Path, thread: str, *records: Json, folder: str = "sessions/2026/03/01") -> Path:
    name = f"rollout-2026-03-01T12-00-00-{thread}.jsonl"
    return write(home / ".codex" / folder / name, records)
