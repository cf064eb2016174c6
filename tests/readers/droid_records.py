"""Sessions as Droid 0.225 writes them."""

import json
from pathlib import Path

from tests.readers.json_lines import Json, moment, write

SESSION = "aa74e2ad-f539-4667-8a50-1440504f3c10"
OTHER = "d3c5e906-c98d-4966-ac38-50b3fd7842cf"
MODEL = "claude-opus-5-5"


def header(session: str = SESSION, **more: object) -> Json:
    record: Json = {"type": "session_start", "id": session, "title": "Fix it", "version": 2}
    return record | {"cwd": "/home/dev/alpha"} | more


def message(role: str, second: float, *content: Json, **more: object) -> Json:
    inner: Json = {"role": role, "content": list(content)}
    return {
        "type": "message",
        "id": f"m-{second}",
        "timestamp": moment(second),
        "message": inner | more,
    }


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def prompt(words: str = "Fix it", second: float = 1) -> Json:
    reminder = text("<system-reminder>\nThe tools listed below</system-reminder>")
    return message("user", second, reminder, text(words))


def answer(words: str = "Done.", second: float = 2, *content: Json) -> Json:
    return message("assistant", second, text(words), *content, modelId=MODEL)


def tool(name: str = "Execute", call: str = "t1", **given: object) -> Json:
    return {"type": "tool_use", "id": call, "name": name, "input": given}


def result(call: str = "t1", second: float = 3) -> Json:
    content: Json = {"type": "tool_result", "tool_use_id": call, "is_error": False, "content": "ok"}
    return message("user", second, content)


def notice(words: str, second: float = 4) -> Json:
    return message("user", second, text(words), visibility="user_only")


def outcome(reason: str) -> Json:
    return {"type": "agent_turn_outcome", "turnId": "x", "reason": reason, "resultKind": "text"}


def transcript(folder: Path, records: list[Json | bytes], session: str = SESSION) -> Path:
    return write(folder / "sessions" / "-home-dev-alpha" / f"{session}.jsonl", records)


def settings(folder: Path, usage: object, session: str = SESSION, **more: object) -> Path:
    path = folder / "sessions" / "-home-dev-alpha" / f"{session}.settings.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {"model": MODEL, "tokenUsage": usage, "providerLockTimestamp": moment(0)} | more
    path.write_text(json.dumps(facts, indent=1))
    return path
