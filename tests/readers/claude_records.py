"""Small Claude Code records, and the files made of them."""

import itertools
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lib.model import FileFacts, FileState, Request
from lib.readers import claude_code
from lib.readers.claude_code_usage import keep_best

SESSION = "11111111-2222-4333-8444-555555555555"
MODEL = "claude-opus-5-5"
_numbers = itertools.count(1)

Json = dict[str, Any]


START = datetime(2026, 11, 22, 15, tzinfo=UTC)


def at(second: float) -> str:
    moment = START + timedelta(seconds=second)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ms(second: float) -> int:
    return int(START.timestamp() * 1000 + second * 1000)


def conversation(kind: str, second: float, **more: Any) -> Json:
    """What every record of a conversation carries, in the order of the real ones."""
    number = next(_numbers)
    return {
        "parentUuid": None,
        "isSidechain": False,
        "type": kind,
        **{key: more.pop(key) for key in ("message",) if key in more},
        "uuid": f"{number:036d}",
        "timestamp": at(second),
        "cwd": "/home/dev/alpha",
        "sessionId": SESSION,
        "version": "2.1.330",
        "gitBranch": "main",
        **more,
    }


def prompt(text: str, second: float = 0, **more: Any) -> Json:
    return conversation("user", second, message={"role": "user", "content": text}, **more)


def usage(output: Any = 10, **more: Any) -> Json:
    return {"input_tokens": 5, "output_tokens": output, **more}


def answer(
    call: Any,
    *blocks: Any,
    second: float = 1,
    stop: Any = "end_turn",
    model: Any = MODEL,
    tokens: Any = None,
    **more: Any,
) -> Json:
    message = {
        "id": call,
        "model": model,
        "stop_reason": stop,
        "content": list(blocks) or [text("Done.")],
        "usage": usage() if tokens is None else tokens,
    }
    return conversation("assistant", second, message=message, **more)


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def tool(tool_use_id: str, name: str, **arguments: Any) -> Json:
    return {"type": "tool_use", "id": tool_use_id, "name": name, "input": arguments}


def result(tool_use_id: str, second: float, content: Any = "ok", **more: Any) -> Json:
    block = {"tool_use_id": tool_use_id, "type": "tool_result", "content": content}
    return conversation("user", second, message={"role": "user", "content": [block]}, **more)


def lines(records: Iterable[Json], *, compact: bool = True) -> bytes:
    separators = (",", ":") if compact else None
    return b"".join(
        json.dumps(record, separators=separators).encode() + b"\n" for record in records
    )


def session_path(folder: Path, name: str = SESSION) -> Path:
    path = folder / "projects" / "-home-dev-alpha" / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def read_records(folder: Path, *records: Json, compact: bool = True) -> FileFacts:
    path = session_path(folder)
    path.write_bytes(lines(records, compact=compact))
    return claude_code.read(path, None)


def read_in_steps(path: Path, content: bytes, cuts: Iterable[int]) -> list[FileFacts]:
    """Grow `path` to each of `cuts` and to its end, reading each time from what was stored."""
    answers: list[FileFacts] = []
    previous: FileState | None = None
    for cut in [*sorted(cuts), len(content)]:
        path.write_bytes(content[:cut])
        facts = claude_code.read(path, previous)
        answers.append(facts)
        previous = facts.state
    return answers


def merged(requests: Iterable[Request]) -> dict[str, Request]:
    known: dict[str, Request] = {}
    for request in requests:
        keep_best(known, request)
    return known
