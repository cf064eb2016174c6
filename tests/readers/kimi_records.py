"""Logs as Kimi Code 2.1.0 and Kimi CLI 1.52.0 write them."""

import json
from collections.abc import Iterable
from hashlib import md5
from pathlib import Path

from tests.readers.json_lines import Json, moment_ms, write

SESSION = "session_7e1fdfb4-3ca6-4d6f-abc7-6a6635a6fcba"
FORK = "session_a5e1a7d2-874d-42b3-91d7-f21fdb405c39"
OLD = "6158c901-6a63-4a7f-8490-2ec95abfbef3"
MODEL = "kimi-k2-0905-preview"
FOLDER = "/home/dev/alpha"


def record(_type: str, second: float, **more: object) -> Json:
    return {"type": _type, "agentId": "main", **more, "time": moment_ms(second)}


def header(second: float = 0) -> Json:
    return {"type": "metadata", "protocol_version": "1.5", "created_at": moment_ms(second)}


def prompt(words: str = "Fix it", second: float = 1) -> Json:
    content = [{"type": "text", "text": words}]
    return record("turn.prompt", second, input=content, origin={"kind": "user"}, turnId=0)


def step(kind: str, second: float, **more: object) -> Json:
    event = {"type": kind, "turnId": "0", "step": 1} | more
    return record("context.append_loop_event", second, event=event)


def begin(step_id: str = "s1", second: float = 2) -> Json:
    return step("step.begin", second, uuid=step_id)


def asked(second: float = 2, alias: str = "kimi/k2", model: str = MODEL) -> Json:
    return record("llm.request", second, modelAlias=alias, model=model, kind="loop")


def usage(given: int = 10, output: int = 5, read: int = 100, written: int = 0) -> Json:
    return {
        "inputOther": given,
        "output": output,
        "inputCacheRead": read,
        "inputCacheCreation": written,
    }


def used(second: float = 3, scope: str = "turn", alias: str = "kimi/k2", **counts: int) -> Json:
    return record("usage.record", second, model=alias, usage=usage(**counts), usageScope=scope)


def call(second: float, step_id: str = "s1", **counts: int) -> list[Json]:
    """A whole step: its begin, its request, its tokens."""
    return [begin(step_id, second), asked(second), used(second, "turn", "kimi/k2", **counts)]


def said(words: str, second: float = 4) -> Json:
    return step("content.part", second, part={"type": "text", "text": words})


def tool(name: str = "Bash", call_id: str = "t1", second: float = 4, **given: object) -> Json:
    return step("tool.call", second, toolCallId=call_id, name=name, args=given)


def result(call_id: str = "t1", second: float = 5) -> Json:
    return step("tool.result", second, toolCallId=call_id, result={"output": "ok"})


def ended(reason: str = "completed", second: float = 6, **more: object) -> Json:
    return record("turn.ended", second, turnId=0, reason=reason, **more)


def request(kind: str = "approval", second: float = 4, **more: object) -> Json:
    asks = {"toolName": "Bash", "display": {"kind": "command", "command": "make clean"}} | more
    return record("interaction.request", second, id="i1", kind=kind, request=asks)


def resolved(second: float = 5) -> Json:
    return record("interaction.resolved", second, id="i1", response={"decision": "approved"})


def state(second: float = 0, **more: object) -> Json:
    agents = {"main": {"type": "main"}, "agent-0": {"type": "sub", "parentAgentId": "main"}}
    return {"version": 2, "cwd": FOLDER, "createdAt": moment_ms(second), "agents": agents} | more


def wire_file(
    folder: Path,
    records: Iterable[Json | bytes],
    session: str = SESSION,
    agent: str = "main",
    beside: Json | None = None,
) -> Path:
    """A log of Kimi Code with the `state.json` of its session."""
    own = folder / "sessions" / "wd_alpha_29ccbcbce944" / session
    path = write(own / "agents" / agent / "wire.jsonl", records)
    (own / "state.json").write_text(json.dumps(state() if beside is None else beside))
    return path


def message(kind: str, second: float, **payload: object) -> Json:
    return {"timestamp": moment_ms(second) / 1000, "message": {"type": kind, "payload": payload}}


def status(second: float = 3, message_id: str | None = "m1", **counts: int) -> Json:
    counted = {"given": 10, "output": 5, "read": 100, "written": 0} | counts
    tokens = {
        "input_other": counted["given"],
        "output": counted["output"],
        "input_cache_read": counted["read"],
        "input_cache_creation": counted["written"],
    }
    return message(
        "StatusUpdate",
        second,
        context_tokens=110,
        max_context_tokens=262_144,
        token_usage=tokens,
        message_id=message_id,
    )


def nested(inner: Json, second: float = 3, agent: str | None = "a1") -> Json:
    return message("SubagentEvent", second, agent_id=agent, event=inner["message"])


def old_tool(name: str, call_id: str = "t1", second: float = 2, **given: object) -> Json:
    function = {"name": name, "arguments": json.dumps(given)}
    return message("ToolCall", second, type="function", id=call_id, function=function)


def old_result(call_id: str = "t1", second: float = 4, *display: Json) -> Json:
    value = {"is_error": False, "output": "ok", "display": list(display)}
    return message("ToolResult", second, tool_call_id=call_id, return_value=value)


def old_wire_file(
    folder: Path, records: Iterable[Json | bytes], session: str = OLD, agent: str | None = None
) -> Path:
    """A log of Kimi CLI, with the list of working folders that names its project."""
    name = md5(FOLDER.encode(), usedforsecurity=False).hexdigest()
    own = folder / "sessions" / name / session
    place = own / "subagents" / agent if agent else own
    (folder / "kimi.json").parent.mkdir(parents=True, exist_ok=True)
    (folder / "kimi.json").write_text(json.dumps({"work_dirs": [{"path": FOLDER}]}))
    return write(place / "wire.jsonl", records)
