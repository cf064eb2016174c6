"""Small rollouts as the Codex CLI writes them, for the tests of its reader."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lib.model import FileFacts, FileState, Request, Session
from lib.readers import codex

PARENT = "01a203cc-7c37-7210-936e-26df12274486"
CHILD = "01a203cc-9c13-7613-8f64-27cb1d712cf6"
SIBLING = "01a203cc-ffff-7613-8f64-27cb1d712cf6"
TURN_1 = "01a203cc-7c80-7000-8000-000000000001"
TURN_2 = "01a203cc-7d80-7000-8000-000000000002"
TURN_3 = "01a203cc-aaaa-7000-8000-000000000003"

Json = dict[str, Any]


def line(kind: str, payload: Json, second: int = 0) -> Json:
    """A record at so many seconds after noon."""
    moment = f"2026-03-01T{12 + second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.000Z"
    return {"timestamp": moment, "type": kind, "payload": payload}


def meta(thread: str, second: int = 0, **more: object) -> Json:
    payload = {
        "id": thread,
        "timestamp": line("", {}, second)["timestamp"],
        "cwd": "/home/dev/alpha",
        "originator": "codex_cli_rs",
        "cli_version": "0.98.0",
        "source": "cli",
        "git": {"branch": "main"},
        **more,
    }
    return line("session_meta", payload, second)


def context(model: str = "gpt-5.5", second: int = 0, **more: object) -> Json:
    return line("turn_context", {"model": model, "approval_policy": "on-request", **more}, second)


def event(kind: str, second: int = 0, **fields: object) -> Json:
    return line("event_msg", {"type": kind, **fields}, second)


def item(kind: str, second: int = 0, **fields: object) -> Json:
    return line("response_item", {"type": kind, **fields}, second)


def usage(given: int, cached: int = 0, output: int = 0, reasoning: int = 0) -> Json:
    return {
        "input_tokens": given,
        "cached_input_tokens": cached,
        "output_tokens": output,
        "reasoning_output_tokens": reasoning,
        "total_tokens": given + output,
    }


def count(total: Json | None, last: Json | None = None, second: int = 1, **more: object) -> Json:
    info: Json = {"model_context_window": 200_000}
    if total is not None:
        info["total_token_usage"] = total
    if last is not None:
        info["last_token_usage"] = last
    return event("token_count", second, info=info, **more)


def call_record(
    response: str | None, used: Json, total: Json | None = None, **more: object
) -> Json:
    payload = {"response_id": response, "usage": used, "thread_token_usage": total, **more}
    return line("token_usage_record", payload, 1)


def write(folder: Path, thread: str, records: Iterable[Json | bytes], **style: Any) -> Path:
    """A rollout of `records`, written compactly unless `style` (of json.dumps) says otherwise."""
    path = folder / f"rollout-2026-03-01T12-00-00-{thread}.jsonl"
    style = style or {"separators": (",", ":")}
    lines = (
        record if isinstance(record, bytes) else json.dumps(record, **style).encode()
        for record in records
    )
    path.write_bytes(b"".join(text + b"\n" for text in lines))
    return path


def told(facts: FileFacts) -> Session:
    """The session of `facts`, which must be there."""
    assert facts.session is not None
    return facts.session


def read_all(*paths: Path) -> dict[str, Request]:
    """Calls of several files, each once, with the owner that the smallest rank gives it."""
    owned: dict[str, Request] = {}
    for path in paths:
        for request in codex.read(path, None).requests:
            known = owned.get(request.key)
            if known is None or request.owner_rank < known.owner_rank:
                owned[request.key] = request
    return owned


def tokens(path: Path) -> list[tuple[int, int, int, int]]:
    return [
        (call.input_tokens, call.output_tokens, call.cache_read_tokens, call.reasoning_tokens)
        for call in codex.read(path, None).requests
    ]


def read_in_pieces(
    path: Path, whole: bytes, cuts: Iterable[int]
) -> tuple[FileFacts, list[Request]]:
    """What reading comes to when the file grows to each of `cuts` in turn, restarted in between."""
    state: FileState | None = None
    requests: list[Request] = []
    facts: FileFacts | None = None
    path.write_bytes(b"")
    for cut in [*sorted(cuts), len(whole)]:
        with path.open("r+b") as file:
            file.write(whole[:cut])
        facts = codex.read(path, state)
        state = facts.state
        requests += facts.requests
    assert facts is not None
    return facts, requests


STARTED = event("task_started", 1, turn_id=TURN_1, model_context_window=258_400)


def session_of(folder: Path, *records: Json) -> Session:
    return told(codex.read(write(folder, PARENT, [meta(PARENT), context(), *records]), None))


def call(arguments: Json | str, name: str = "exec_command", call_id: str = "call_1") -> Json:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return item("function_call", 2, name=name, arguments=text, call_id=call_id)


def output(call_id: str = "call_1") -> Json:
    return item("function_call_output", 3, call_id=call_id, output="done")


def said(text: str) -> Json:
    return event("agent_message", 4, message=text)
