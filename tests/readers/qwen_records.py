"""Small sessions as Qwen Code (CLI 0.24.4) writes them, for the tests of its reader."""

import json
from collections.abc import Iterable
from pathlib import Path

from tests.readers.genai_records import ALPHA, SESSION, Json, lines_of, moment, uuid

AGENT_ID = "general-purpose-call_1"
MODEL = "qwen3-coder"


def line(number: int, kind: str, second: int = 0, **more: object) -> Json:
    common: Json = {"uuid": uuid(number), "parentUuid": uuid(number - 1), "sessionId": SESSION}
    place = {"cwd": ALPHA, "version": "0.24.4", "gitBranch": "main"}
    return {**common, "timestamp": moment(second), "type": kind, **place, **more}


def content(*parts: Json) -> Json:
    return {"parts": list(parts)}


def prompt(number: int, text: str, second: int = 0, **more: object) -> Json:
    said = {"provenance": "real_user", **more}
    return line(number, "user", second, message=content({"text": text}), **said)


def used(given: int = 100, cached: int = 60, output: int = 15, thoughts: int = 5) -> Json:
    counts = {"promptTokenCount": given, "candidatesTokenCount": output}
    more = {"thoughtsTokenCount": thoughts, "cachedContentTokenCount": cached}
    return {**counts, **more, "totalTokenCount": given + output}


def answer(number: int, *parts: Json, second: int = 2, **more: object) -> Json:
    said = {"model": MODEL, "usageMetadata": used(), **more}
    return line(number, "assistant", second, message=content(*parts or [{"text": "Done."}]), **said)


def call(name: str = "run_shell_command", call_id: str = "c1", **arguments: object) -> Json:
    return {"functionCall": {"id": call_id, "name": name, "args": arguments}}


def result(number: int, call_id: str = "c1", status: str = "success", second: int = 3) -> Json:
    said = {"callId": call_id, "status": status}
    return line(number, "tool_result", second, message=content(), toolCallResult=said)


def telemetry(number: int, event: str, second: int = 1, **fields: object) -> Json:
    told_it = {"event.name": f"qwen-code.{event}", "model": MODEL, **fields}
    payload = {"uiEvent": told_it}
    return line(number, "system", second, subtype="ui_telemetry", systemPayload=payload)


def report(number: int, given: int = 100, second: int = 1, **more: object) -> Json:
    counts = {"input_token_count": given, "output_token_count": 15, "thoughts_token_count": 5}
    total = {"cached_content_token_count": 60, "total_token_count": given + 15}
    return telemetry(number, "api_response", second, **{**counts, **total, **more})


def of_subagent(number: int, place: int, second: int = 1) -> Json:
    call_id = f"{SESSION}#{AGENT_ID}#{place}"
    return report(number, second=second, subagent_id=AGENT_ID, prompt_id=call_id)


def failure(number: int, status: int | None, message: str = "boom", **more: object) -> Json:
    said = {"status_code": status, "error_message": message, **more}
    return telemetry(number, "api_error", 2, **said)


def settled(number: int, state: str, **more: object) -> Json:
    payload = {"state": state, **more}
    return line(number, "system", 3, subtype="turn_result", systemPayload=payload)


def write(folder: Path, records: Iterable[Json | bytes], session: str = SESSION) -> Path:
    chats = folder / "projects" / "-home-dev-alpha" / "chats"
    chats.mkdir(parents=True, exist_ok=True)
    path = chats / f"{session}.jsonl"
    path.write_bytes(lines_of(records))
    return path


def write_subagent(folder: Path, records: Iterable[Json], meta: Json | None = None) -> Path:
    place = folder / "projects" / "-home-dev-alpha" / "subagents" / SESSION
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"agent-{AGENT_ID}.jsonl"
    path.write_bytes(lines_of(records))
    if meta is not None:
        path.with_name(path.stem + ".meta.json").write_text(json.dumps(meta))
    return path


META: Json = {"agentType": "general-purpose", "description": "Compute", "model": MODEL}
