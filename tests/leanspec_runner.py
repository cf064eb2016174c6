"""What the tests' LeanSpec servers run: does what its prompt says, one command after the other.

    print WORDS     a line of output (with ACP: a message)
    error WORDS     a line on standard error
    sleep SECONDS
    until NAME      wait for a file of that name in the project
    fail CODE       end with that exit status
    plan DONE TOTAL, tool WORDS, tool-done WORDS, ask WORDS     with ACP only

Commands are separated by `;`. A prompt that ends without `fail` has succeeded. With `--acp` it
speaks the Agent Client Protocol on its standard input and output.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]


def _write(message: Json) -> None:
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def _update(**update: Any) -> None:
    _write({"method": "session/update", "params": {"sessionId": "scripted", "update": update}})


def _say(words: str) -> None:
    _update(sessionUpdate="agent_message_chunk", content={"type": "text", "text": words})


def _plan(words: str) -> None:
    done, total = map(int, words.split())
    entries = [
        {"content": f"step {number}", "status": "completed" if number < done else "pending"}
        for number in range(total)
    ]
    _update(sessionUpdate="plan", entries=entries)


def _tool(words: str, status: str) -> None:
    kind = "tool_call" if status == "in_progress" else "tool_call_update"
    _update(sessionUpdate=kind, toolCallId=words, title=words, status=status)


def _ask(words: str) -> None:
    options = [
        {"optionId": "allow", "name": "Allow", "kind": "allow_once"},
        {"optionId": "reject", "name": "Reject", "kind": "reject_once"},
    ]
    call = {"toolCallId": words, "title": words}
    params = {"sessionId": "scripted", "toolCall": call, "options": options}
    _write({"id": "ask-1", "method": "session/request_permission", "params": params})
    while json.loads(sys.stdin.readline()).get("id") != "ask-1":
        pass


def _until(name: str) -> None:
    while not os.path.exists(name):
        time.sleep(0.02)


COMMANDS: dict[str, Callable[[str], None]] = {
    "error": lambda words: print(words, file=sys.stderr, flush=True),
    "sleep": lambda seconds: time.sleep(float(seconds)),
    "until": _until,
    "fail": lambda code: sys.exit(int(code)),
}
PLAIN = {**COMMANDS, "print": lambda words: print(words, flush=True)}
ACP = {
    **COMMANDS,
    "print": _say,
    "plan": _plan,
    "tool": lambda words: _tool(words, "in_progress"),
    "tool-done": lambda words: _tool(words, "completed"),
    "ask": _ask,
}


def do(prompt: str, commands: dict[str, Callable[[str], None]]) -> None:
    """Do what `prompt` says; words that are no command are a prompt like any other."""
    for line in prompt.split(";"):
        command, _, words = line.strip().partition(" ")
        if command in commands:
            commands[command](words)


def serve() -> None:
    """Answer a client until it goes."""
    for line in sys.stdin:
        request: Json = json.loads(line)
        match request.get("method"):
            case "initialize":
                result: Json = {"protocolVersion": 1, "agentCapabilities": {"loadSession": False}}
            case "session/new":
                result = {"sessionId": "scripted"}
            case "session/prompt":
                do(request["params"]["prompt"][0]["text"], ACP)
                result = {"stopReason": "end_turn"}
            case _:
                continue
        _write({"id": request["id"], "result": result})


if __name__ == "__main__":
    print(f"pid {os.getpid()}", flush=True)
    if "--acp" in sys.argv:
        serve()
    else:
        do(sys.argv[-1], PLAIN)
