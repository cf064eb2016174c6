"""Entries, tool calls and analyses for tests."""

from typing import Any

from lib.entries import Entry
from lib.model import Session
from lib.model_analysis import Analysis, ToolCall
from lib.readers.entry_tools import Calls, entry, error, retry
from lib.store import Batch, Store
from lib.store_tools import Finding

UNIQUE = "toolu_01A09q90qw90lq917835lq9"


def session(key: str = "claude-code:a", **more: Any) -> Session:
    return Session(key=key, agent=key.partition(":")[0], session_id=key.partition(":")[2], **more)


class Script:
    """Entries one after the other, as a reader makes them; a second passes with each."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._calls = Calls()
        self._at = 1_700_000_000_000

    def _next(self, seconds: float) -> int:
        self._at += int(seconds * 1000)
        return self._at

    def prompt(self) -> "Script":
        self.entries.append(entry("prompt", "Go", self._next(1)))
        return self

    def answer(self) -> "Script":
        self.entries.append(entry("answer", "Done", self._next(1)))
        return self

    def call(self, call_id: str | None = "c1", tool: str = "Bash", **arguments: Any) -> "Script":
        self.entries.append(self._calls.call(call_id, tool, arguments, self._next(1)))
        return self

    def result(
        self, call_id: str | None = "c1", text: str = "ok", seconds: float = 1, **more: Any
    ) -> "Script":
        facts = {"failed": False} | more
        at = self._next(seconds)
        self.entries.append(self._calls.result(call_id, text, at, **facts))
        return self

    def retry(self, wait_ms: int | None = None, seconds: float = 1) -> "Script":
        self.entries.append(retry("500 overloaded", self._next(seconds), wait_ms=wait_ms))
        return self

    def error(self, text: str = "500 boom") -> "Script":
        self.entries.append(error(text, self._next(1)))
        return self


def call(key: str, of: str = "claude-code:a", rank: int = 1, **more: Any) -> ToolCall:
    facts: dict[str, Any] = {"at": 1_700_000_000_000, "tool": "Bash", "outcome": "ok"}
    return ToolCall(key=key, session_key=of, owner_rank=f"{rank}{of}", **facts | more)


def found(of: str, *calls: ToolCall, **more: Any) -> Finding:
    facts: dict[str, Any] = {"mark": "1", "analysed_at": 1}
    return Finding(Analysis(session_key=of, **facts | more), calls)


def a_store_with(store: Store, *keys: str) -> Store:
    store.write(Batch(sessions=[session(key) for key in keys]))
    return store
