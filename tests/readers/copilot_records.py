"""Events as Copilot CLI 1.0.102 writes them."""

from pathlib import Path

from tests.readers.json_lines import Json, moment, write

SESSION = "87a95621-ef5f-4954-be98-f8ef74ce71e6"
OTHER = "0b7b7b0d-d22d-43b8-8712-df30fd66c0c7"
CHILD = "2ec53a39-08aa-492c-8063-e0341a367b78"
MODEL = "claude-opus-5-5"


def event(kind: str, second: float = 0, agent: str | None = None, **data: object) -> Json:
    record: Json = {"type": kind, "data": data}
    if agent is not None:
        record["agentId"] = agent
    return record | {"id": f"{kind}-{second}", "timestamp": moment(second), "parentId": None}


def start(session: str = SESSION, version: str = "1.0.102") -> Json:
    context = {"cwd": "/home/dev/alpha", "gitRoot": "/home/dev/alpha", "branch": "main"}
    return event(
        "session.start",
        0,
        sessionId=session,
        copilotVersion=version,
        startTime=moment(0),
        selectedModel=MODEL,
        context=context,
    )


def prompt(
    text: str = "Fix it", second: float = 1, agent: str | None = None, **data: object
) -> Json:
    return event("user.message", second, agent, content=text, **data)


def answer(
    text: str = "Done.", second: float = 3, agent: str | None = None, tools: int = 0, **data: object
) -> Json:
    requests = [{"toolCallId": f"call-{second}-{number}"} for number in range(tools)]
    return event(
        "assistant.message", second, agent, content=text, model=MODEL, toolRequests=requests, **data
    )


def used(
    call: str | None = "a",
    given: int = 110,
    output: int = 10,
    second: float = 2,
    agent: str | None = None,
    source: str = SESSION,
    **more: object,
) -> Json:
    """A usage record; 100 of the input are read from the cache."""
    usage: Json = {
        "model": MODEL,
        "inputTokens": given,
        "outputTokens": output,
        "cacheReadTokens": 100,
        "cacheWriteTokens": 0,
        "reasoningTokens": 0,
        "maxPromptTokens": 128_000,
        "accounting": {"sourceSessionId": source, "sequence": 1},
    }
    if call is not None:
        usage["apiCallId"] = call
    return event("session.usage_record", second, agent, usage=usage | more)


def tool(
    name: str = "bash",
    call: str = "t1",
    second: float = 4,
    agent: str | None = None,
    **given: object,
) -> Json:
    return event(
        "tool.execution_start", second, agent, toolCallId=call, toolName=name, arguments=given
    )


def result(call: str = "t1", second: float = 5, agent: str | None = None) -> Json:
    return event("tool.execution_complete", second, agent, toolCallId=call, success=True)


def metrics(given: int, output: int, read: int = 0, written: int = 0, reasoning: int = 0) -> Json:
    usage = {
        "inputTokens": given,
        "outputTokens": output,
        "cacheReadTokens": read,
        "cacheWriteTokens": written,
        "reasoningTokens": reasoning,
    }
    return {"requests": {"count": 1, "cost": 1}, "usage": usage}


def shutdown(second: float = 9, began: float | None = 0, **models: Json) -> Json:
    data: Json = {"shutdownType": "routine", "modelMetrics": models}
    if began is not None:
        data["sessionStartTime"] = 1_772_366_400_000 + int(began * 1000)
    return event("session.shutdown", second, **data)


def events_file(folder: Path, records: list[Json], session: str = SESSION) -> Path:
    return write(folder / "session-state" / session / "events.jsonl", records)
