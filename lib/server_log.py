"""The log of a LeanSpec session as entries, asked of its server when somebody looks at it.

What the lines are: see `lib.leanspec_log`. The server gives the newest thousand; its clock may be
wrong, so their times are moved by how far it is off.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from lib import servers
from lib.entries import Entry, Kind, Level, Reading, newest
from lib.leanspec import Client, LeanSpecError
from lib.leanspec_answers import LogLine
from lib.leanspec_facts import AGENT
from lib.model import Session
from lib.readers.entry_tools import Calls, entry, notice, said, texts_in, told_value
from lib.readers.values import as_list, as_object, as_text, as_time
from lib.settings import Settings
from lib.transcript import FIRST_LIMIT, Transcript

SECONDS = 5.0
"""The longest that one look at a log takes."""
MOST_LINES = 1_000
_LEVELS: dict[str, Level] = {
    "debug": "debug",
    "info": "info",
    "stdout": "info",
    "stderr": "warning",
    "warn": "warning",
    "warning": "warning",
    "error": "error",
}
_CHUNKS: dict[str, Kind] = {
    "agent_message_chunk": "answer",
    "agent_thought_chunk": "reasoning",
}


def is_of_server(session: Session) -> bool:
    """Whether the session's words are in the log of a LeanSpec server."""
    return session.agent == AGENT and session.server is not None


def read_server_log(
    session: Session, config: Settings, environ: Mapping[str, str], limit: int = FIRST_LIMIT
) -> Transcript:
    """The newest `limit` entries of the session's log, from its server as it is configured here."""
    url = session.server
    if session.machine != config.machine:
        # What has the same address here may be another server.
        return Transcript(
            problem=f"Its log is on {url} of {session.machine}. Open the board there."
        )
    known = servers.configured(config, environ).servers
    setting = next((one for one in known if one.url == url), None)
    if url is None or setting is None:
        return Transcript(problem=f"Its log is on {url}, a server that is not configured here.")
    if not setting.on:
        return Transcript(problem=f"Its log is on {setting.name}, which is switched off.")
    session_id = session.key.partition(":")[2]
    try:
        with Client(url, setting.token, SECONDS) as client:
            lines = client.logs(session_id)[-MOST_LINES:]
            offset = client.clock_offset_ms or 0
    except LeanSpecError as error:
        return Transcript(problem=f"Its log can't be read from {setting.name}: {error}")
    reading = newest(read_lines(lines, offset), limit)
    reading.earlier = reading.earlier or len(lines) >= MOST_LINES
    return Transcript(reading=reading, path=f"{setting.name}, {url}", limit=limit)


def read_lines(lines: Sequence[LogLine], clock_offset_ms: int = 0) -> Reading:
    """The entries of a log's lines."""
    log = _Log()
    for number, line in enumerate(lines, 1):
        at = as_time(line.timestamp)
        moment = None if at is None else at - clock_offset_ms
        log.add(line, moment, line.id or number)
    log.fall_silent()
    return Reading(entries=log.entries, from_start=len(lines) < MOST_LINES)


class _Log:
    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._calls = Calls()
        self._speaking: str | None = None
        """The kind of chunk that the newest entry is to be made of."""
        self._words: list[str] = []
        """Those chunks. Cleaned once, when all are there: each time would take too long."""

    def add(self, line: LogLine, at: int | None, place: int) -> None:
        """Take in one line."""
        sent = _sent(line.message)
        if sent is None:
            self.fall_silent()
            level = _LEVELS.get(line.level, "info")
            if line.message.startswith('{"jsonrpc"'):
                level = "debug"
            kind: Kind = "error" if level == "error" else "log"
            found = said(kind, line.message, at, level=level, title=line.level)
        else:
            found = self._by_protocol(sent, at)
        for one in found:
            one.place = one.line = place
        self.entries += found

    def fall_silent(self) -> None:
        """No more chunks follow the newest one."""
        if self._speaking is not None:
            last = self.entries[-1]
            whole = entry(last.kind, "".join(self._words), last.at)
            last.text, last.omitted = whole.text, whole.omitted
            self._speaking = None

    def _by_protocol(self, sent: dict[str, Any], at: int | None) -> list[Entry]:
        parameters = as_object(sent.get("params"))
        if sent.get("__acp_method") == "session/request_permission":
            self.fall_silent()
            wanted = as_text(as_object(parameters.get("toolCall")).get("title"), 200)
            asked = f"Permission is asked for: {wanted}" if wanted else "Permission is asked for"
            return [notice(asked, at, level="warning")]
        update = as_object(parameters.get("update")) or parameters
        kind = str(update.get("sessionUpdate") or update.get("type"))
        if kind in _CHUNKS:
            return self._chunk(kind, update, at)
        self.fall_silent()
        match kind:
            case "tool_call":
                return self._call(update, at)
            case "tool_call_update":
                return self._changed(update, at)
            case "plan":
                return [notice("Plan", at, _plan(as_list(update.get("entries"))))]
            case "user_message_chunk":
                return said("prompt", as_object(update.get("content")).get("text"), at)
            case _:
                return []

    def _chunk(self, kind: str, update: dict[str, Any], at: int | None) -> list[Entry]:
        text = as_object(update.get("content")).get("text")
        if not isinstance(text, str):
            return []
        if self._speaking == kind:
            self._words.append(text)
            return []
        self.fall_silent()
        self._speaking, self._words = kind, [text]
        return [entry(_CHUNKS[kind], "", at)]

    def _call(self, update: dict[str, Any], at: int | None) -> list[Entry]:
        title = as_text(update.get("title"), 200) or update.get("kind")
        made = self._calls.call(update.get("toolCallId"), title, update.get("rawInput"), at)
        made.title = made.tool or made.title
        return [made, *self._changed(update, at)]

    def _changed(self, update: dict[str, Any], at: int | None) -> list[Entry]:
        status = update.get("status")
        if status not in ("completed", "done", "failed"):
            return []
        blocks = [as_object(block).get("content") for block in as_list(update.get("content"))]
        text = texts_in(blocks) or told_value(update.get("rawOutput") or "")
        failed = status == "failed"
        return [self._calls.result(update.get("toolCallId"), text, at, failed=failed)]


def _sent(message: str) -> dict[str, Any] | None:
    """What a runner sent by the Agent Client Protocol; None for any other line."""
    if not message.startswith("{"):
        return None
    try:
        sent = msgspec.json.decode(message, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return None
    return sent if "__acp_method" in sent else None


def _plan(entries: Iterable[object]) -> str:
    marks = {"completed": "✓", "done": "✓", "in_progress": "▶"}
    steps = [as_object(one) for one in entries]
    return "\n".join(
        f"{marks.get(str(step.get('status')), '○')} {as_text(step.get('content'), 500) or ''}"
        for step in steps
    )
