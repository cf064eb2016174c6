"""Sessions as pi 0.73 writes them."""

from collections.abc import Sequence
from pathlib import Path

from tests.readers.json_lines import Json, moment, moment_ms, write

SESSION = "01a203ee-60eb-73bf-9e3d-89d909f37532"
FORK = "01a203ef-04ec-730e-8467-917325f4fc60"
MODEL = "claude-opus-5-5"


def header(session: str = SESSION, second: float = 0, **more: object) -> Json:
    record: Json = {"type": "session", "version": 3, "id": session, "timestamp": moment(second)}
    return record | {"cwd": "/home/dev/alpha"} | more


def entry(kind: str, second: float, **more: object) -> Json:
    record: Json = {"type": kind, "id": f"{int(second * 1000):08x}", "parentId": None}
    return record | {"timestamp": moment(second)} | more


def message(role: str, second: float, *content: Json, **more: object) -> Json:
    inner: Json = {"role": role, "content": list(content), "timestamp": moment_ms(second)}
    return entry("message", second, message=inner | more)


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def prompt(words: str = "Fix it", second: float = 1) -> Json:
    return message("user", second, text(words))


def usage(given: int = 10, output: int = 5, read: int = 100, written: int = 0) -> Json:
    return {
        "input": given,
        "output": output,
        "cacheRead": read,
        "cacheWrite": written,
        "totalTokens": given + output + read + written,
        "cost": {"total": 0.1},
    }


def answer(
    second: float = 2,
    *content: Json,
    stop: str = "stop",
    call: str | None = None,
    used: Json | None = None,
    **more: object,
) -> Json:
    facts: Json = {
        "provider": "anthropic",
        "model": MODEL,
        "usage": usage() if used is None else used,
        "stopReason": stop,
    }
    if call is not None:
        facts["responseId"] = call
    return message("assistant", second, *content, **(facts | more))


def tool(name: str = "bash", call: str = "t1", **given: object) -> Json:
    return {"type": "toolCall", "id": call, "name": name, "arguments": given}


def result(call: str = "t1", second: float = 3) -> Json:
    return message(
        "toolResult", second, text("ok"), toolCallId=call, toolName="bash", isError=False
    )


def session_file(folder: Path, records: Sequence[Json | bytes], session: str = SESSION) -> Path:
    name = f"2026-03-01T12-00-00-000Z_{session}.jsonl"
    return write(folder / "sessions" / "--home-dev-alpha--" / name, records)
