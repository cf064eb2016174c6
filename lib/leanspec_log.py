"""What the log of a LeanSpec session says of it, line by line, as lines come or all at once.

A plain runner's output is logged as it is (`stdout`, `stderr`). Of one that speaks the Agent
Client Protocol the server logs what it sends: `session/update` and `session/request_permission`
as JSON objects with `__acp_method`, and all else as raw `stdout`. The server's own lines are
`info` and `error`, in words that are matched here as version 0.2.28 writes them.
"""

import re
from collections import deque
from typing import Any

import msgspec

from lib.model import ErrorClass
from lib.readers.values import TEXT_LENGTH, as_list, as_object, as_text, as_time, as_word
from lib.readers.wording import error_class, one_line

_ENDED = re.compile(
    r"Session (?:failed|completed successfully)(?: \(exit code: (?P<code>-?\d{1,9})\))?"
)
_TIMED_OUT = re.compile(r"Session timed out after \d+s")
_STARTED = re.compile(r"Session started \(runner: ")
_TURN_ENDED = "ACP session completed (agent turn ended)"
_STOPPED = "Session stopped by user"
_MOST_ERROR_LINES = 12
_KILLED = frozenset({137, 143})
"""Exit statuses of a process that SIGKILL or SIGTERM ended, as shells tell them."""


class SessionLog:
    """The facts in a session's log so far."""

    def __init__(self) -> None:
        self.last_message: str | None = None
        """The runner's newest words."""
        self.last_at: int | None = None
        """Time of the newest line, by the server's clock."""
        self.activity: str | None = None
        """The tool call that is under way."""
        self.asks: str | None = None
        """What permission is wanted for, while it is."""
        self.plan: tuple[int, int] | None = None
        """How many of how many entries of its plan are done."""
        self.exit_code: int | None = None
        self.started = False
        self.stopped = False
        """A user stopped it; the server may call that failed afterwards."""
        self.timed_out = False
        self.ended = False
        """The server has written its last line."""
        self.lines = 0
        self.read_at = 0
        """When it was last asked for, by our clock; 0: only its stream was heard so far."""
        self._call: str | None = None
        self._is_speaking = False
        self._errors: deque[str] = deque(maxlen=_MOST_ERROR_LINES)

    @property
    def error_message(self) -> str | None:
        """The last lines of errors with the exit status; None when the log has neither."""
        lines = list(self._errors)
        if self.exit_code:
            lines.append(f"Exit code {self.exit_code}.")
        return as_text("\n".join(lines))

    @property
    def error_class(self) -> ErrorClass:
        """What kind of failure it was, where the log tells."""
        if self.timed_out:
            return "timeout"
        if self.exit_code in _KILLED or (self.exit_code or 0) < 0:
            return "killed"
        told = error_class("\n".join(self._errors))
        return "unknown" if told == "api" else told

    def add(self, level: str, message: str, timestamp: object = None) -> None:
        """Take in one line of the log."""
        self.lines += 1
        self.last_at = max(as_time(timestamp) or 0, self.last_at or 0) or None
        payload = _object_in(message)
        if level in ("stdout", "stderr"):
            self._heard(level, message, payload)
        elif payload is not None and "__acp_method" in payload:
            self._sent(payload)
        elif payload is None:
            self._told(level, message)

    def add_streamed(self, payload: dict[str, Any]) -> None:
        """Take in one message of the session's stream."""
        if "__acp_method" in payload:
            self.lines += 1
            self.last_at = max(as_time(payload.get("timestamp")) or 0, self.last_at or 0) or None
            self._sent(payload)
        elif payload.get("type") == "log":
            message = payload.get("message")
            if isinstance(message, str):
                self.add(str(payload.get("level")), message, payload.get("timestamp"))

    def _sent(self, payload: dict[str, Any]) -> None:
        """What a runner sent by the Agent Client Protocol, as the server repeats it."""
        parameters = as_object(payload.get("params"))
        if payload.get("__acp_method") == "session/request_permission":
            call = as_object(parameters.get("toolCall"))
            wanted = call.get("title") or parameters.get("tool")
            self.asks = one_line(wanted) or "a tool call"
            return
        # Whatever a runner does next, it has its answer.
        self.asks = None
        update = as_object(parameters.get("update")) or parameters
        self._updated(update, str(update.get("sessionUpdate") or update.get("type")))

    def _updated(self, update: dict[str, Any], kind: str) -> None:
        if kind == "agent_message_chunk":
            self._say(as_object(update.get("content")).get("text"))
            return
        self._is_speaking = False
        match kind:
            case "plan":
                entries = [as_object(entry) for entry in as_list(update.get("entries"))]
                done = sum(entry.get("status") in ("completed", "done") for entry in entries)
                self.plan = (done, len(entries))
            case "tool_call" | "tool_call_update":
                self._call_changed(update)
            case _:
                pass

    def _call_changed(self, update: dict[str, Any]) -> None:
        call = as_word(update.get("toolCallId"))
        if update.get("status") in ("completed", "done", "failed"):
            if call == self._call:
                self._call = self.activity = None
        elif title := one_line(update.get("title")):
            self._call, self.activity = call, title

    def _say(self, words: object) -> None:
        if not isinstance(words, str):
            return
        before = self.last_message or "" if self._is_speaking else ""
        self._is_speaking = True
        self.last_message = (before + words)[:TEXT_LENGTH]

    def _heard(self, level: str, message: str, payload: dict[str, Any] | None) -> None:
        if payload is not None and "jsonrpc" in payload:
            return
        words = as_text(message)
        if words is None:
            return
        if level == "stderr":
            self._errors.append(words)
        else:
            self._is_speaking = False
            self.last_message = words

    def _told(self, level: str, message: str) -> None:
        if ended := _ENDED.fullmatch(message):
            self.ended = True
            self.exit_code = int(ended["code"]) if ended["code"] else None
        elif message == _TURN_ENDED:
            self.ended = True
        elif message == _STOPPED:
            self.stopped = True
        elif _STARTED.match(message):
            self.started = True
        elif level == "error" and (words := as_text(message)):
            if _TIMED_OUT.match(message):
                self.timed_out = self.ended = True
            self._errors.append(words)


def _object_in(message: str) -> dict[str, Any] | None:
    if not message.startswith("{"):
        return None
    try:
        return msgspec.json.decode(message, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return None
