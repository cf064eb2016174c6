"""Small session files as the agents write them, for tests that need whole trees."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

START = 1_795_359_600_000  # 2026-11-22T15:00:00Z
MODEL = "claude-opus-5-5"
VERSION = "2.1.330"


def at_ms(second: float, start: int = START) -> int:
    """The moment so many seconds after `start`, in milliseconds since the epoch."""
    return start + round(second * 1000)


def at(second: float, start: int = START) -> str:
    """The same moment as ISO text."""
    moment = datetime.fromtimestamp(at_ms(second, start) / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Claude:
    """Records of one Claude Code session (CLI 2.1.330), appended to its transcript."""

    def __init__(
        self, home: Path, session_id: str, cwd: str = "/home/dev/alpha", start: int = START
    ) -> None:
        folder = home / ".claude" / "projects" / cwd.replace("/", "-")
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{session_id}.jsonl"
        self.session_id = session_id
        self.cwd = cwd
        self.start = start
        self.branch = "main"
        self.calls = 0

    def add(self, *records: dict[str, Any]) -> "Claude":
        """Append records, each with what every conversation record carries."""
        common = {
            "sessionId": self.session_id,
            "cwd": self.cwd,
            "gitBranch": self.branch,
            "version": VERSION,
            "isSidechain": False,
        }
        with self.path.open("a", encoding="utf-8") as file:
            for record in records:
                file.write(json.dumps({"parentUuid": None, **record, **common}) + "\n")
        return self

    def prompt(self, text: str, second: float = 0) -> "Claude":
        """The user asks."""
        message = {"role": "user", "content": text}
        return self.add({"type": "user", "message": message, "timestamp": at(second, self.start)})

    def answer(
        self,
        content: Iterable[dict[str, Any]],
        second: float = 1,
        *,
        stop: str = "end_turn",
        output: int = 10,
        model: str = MODEL,
        call: str | None = None,
    ) -> "Claude":
        """One model call: 100 input, `output` output, 1,000 cache read, 50 cache write tokens."""
        self.calls += 1
        usage = {
            "input_tokens": 100,
            "output_tokens": output,
            "cache_read_input_tokens": 1_000,
            "cache_creation_input_tokens": 50,
            "cache_creation": {"ephemeral_5m_input_tokens": 50, "ephemeral_1h_input_tokens": 0},
        }
        message = {
            "id": call or f"msg_{self.session_id}_{self.calls}",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": list(content),
            "stop_reason": stop,
            "usage": usage,
        }
        return self.add(
            {"type": "assistant", "message": message, "timestamp": at(second, self.start)}
        )

    def say(self, text: str, second: float = 1, **facts: Any) -> "Claude":
        """The model answers with text and ends its turn."""
        return self.answer([{"type": "text", "text": text}], second, **facts)

    def use(self, tool: str, second: float = 1, **tool_input: Any) -> "Claude":
        """The model calls a tool; the call stays open until `result`."""
        self.tool_id = f"toolu_{self.session_id}_{self.calls + 1}"
        block = {"type": "tool_use", "id": self.tool_id, "name": tool, "input": tool_input}
        return self.answer([block], second, stop="tool_use")

    def result(self, text: str, second: float = 2, *, failed: bool = False) -> "Claude":
        """The open tool call ends."""
        block = {
            "type": "tool_result",
            "tool_use_id": self.tool_id,
            "content": text,
            "is_error": failed,
        }
        message = {"role": "user", "content": [block]}
        return self.add({"type": "user", "message": message, "timestamp": at(second, self.start)})

    def todos(self, *statuses: str, second: float = 1) -> "Claude":
        """A to-do list whose items have these statuses."""
        items = [
            {"content": f"Step {number}", "status": status, "activeForm": f"Doing step {number}"}
            for number, status in enumerate(statuses, 1)
        ]
        self.use("TodoWrite", second, todos=items)
        block = {"type": "tool_result", "tool_use_id": self.tool_id, "content": "ok"}
        record = {
            "type": "user",
            "message": {"role": "user", "content": [block]},
            "toolUseResult": {"oldTodos": [], "newTodos": items},
            "timestamp": at(second, self.start),
        }
        return self.add(record)

    def fail(self, text: str, kind: str, http_status: int, second: float = 1) -> "Claude":
        """The final error of a call that the API refused."""
        message = {
            "id": f"synthetic-{second}",
            "role": "assistant",
            "model": "<synthetic>",
            "content": [{"type": "text", "text": text}],
            "stop_reason": "stop_sequence",
            "usage": {"input_tokens": 0, "output_tokens": 0},
        }
        record = {
            "type": "assistant",
            "message": message,
            "isApiErrorMessage": True,
            "error": kind,
            "apiErrorStatus": http_status,
            "timestamp": at(second, self.start),
        }
        return self.add(record)

    def exit(self) -> "Claude":
        """The end mark of a clean exit or a trapped signal."""
        return self.add({"type": "cost-state", "totalCostUSD": 0.1, "modelUsage": {}})


class Registry:
    """`~/.claude/sessions/<pid>.json`: how Claude Code announces a live process."""

    def __init__(self, home: Path, pid: int, started: str, session: Claude) -> None:
        folder = home / ".claude" / "sessions"
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{pid}.json"
        self.facts: dict[str, Any] = {
            "pid": pid,
            "sessionId": session.session_id,
            "cwd": session.cwd,
            "startedAt": session.start,
            "procStart": started,
            "version": VERSION,
            "kind": "interactive",
            "entrypoint": "cli",
        }

    def say(self, status: str, **facts: Any) -> None:
        """The process announces what it does, as the CLI does: on change only."""
        self.facts |= {"status": status, **facts}
        self.path.write_text(json.dumps(self.facts), encoding="utf-8")

    def leave(self) -> None:
        """A clean exit removes the announcement."""
        self.path.unlink()
