"""Claude Code: transcripts of JSON lines under `~/.claude/projects`, live sessions beside them.

A main session is `<root>/<project>/<session id>.jsonl`. Subagents lie in
`<session id>/subagents/` (some one folder deeper, below `workflows/`), in older versions beside
the main file as `agent-<id>.jsonl`. Copies made by resume and fork carry the same message ids.

Most bytes are system prompts, tool schemas and tool output, which hold no facts. They are
recognised by their first bytes and passed over; what is not recognised is decoded.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from lib.model import FileFacts, FileState, Session
from lib.plain_file import open_plain
from lib.readers.claude_code_known import look_at_fields
from lib.readers.claude_code_live import config_folders, home_folder, live
from lib.readers.claude_code_records import AGENT, decode_record
from lib.readers.claude_code_state import State
from lib.readers.claude_code_tools import MATTERING_RESULTS
from lib.readers.claude_code_transcript import Transcript
from lib.readers.drift import SAMPLED_LINES
from lib.readers.lines import Increment
from lib.readers.values import TITLE_LENGTH, Unreadable, as_text, decode_object, path_name

__all__ = [
    "AGENT",
    "CANNOT_KNOW",
    "LABEL",
    "PROGRAMS",
    "VERSION",
    "is_session_file",
    "live",
    "read",
    "roots",
]

LABEL: str = "Claude Code"
VERSION: int = 4
PROGRAMS: frozenset[str] = frozenset({"claude", "claude.exe"})
CANNOT_KNOW: Mapping[str, str] = {
    "background_requests_not_recorded": (
        "A background session makes small requests about its own state that are in no file."
    ),
    "compaction_not_recorded": (
        "The conversation was compacted; the request that summarised it is in no transcript."
    ),
    "missing_model": "A call was recorded without its model, so it can't be priced.",
    "missing_timestamp": "A call was recorded without its time, so no day can claim it.",
    "stream_cut": (
        "An answer was cut off while it streamed; its output was recorded only in part."
    ),
    "total_mismatch": (
        "The parts of a call's tokens do not add up to its total; the total was believed, "
        "and cache writes were taken as the 5-minute kind."
    ),
    "web_search_tokens_not_recorded": (
        "Web searches were counted, but not the tokens of the model that carried them out."
    ),
}

_OPENERS = (b'{"parentUuid":', b'{"type":', b'{"uuid":')
_MAXIMUM_META = 1 << 16
_CLOSING_BRACE = ord("}")

_FACTLESS = re.compile(
    rb'\{"type":"(?:api-request(?:-shape|-blob)?|file-history-snapshot|atis-latch|tools-used'
    rb'|last-prompt|mode|permission-mode|queue-operation)"'
)
_ATTACHMENT = re.compile(
    rb'\{"parentUuid":(?:null|"[^"]*"),(?:"[^"]*":(?:"[^"]*"|true|false|null),)*'
    rb'"attachment":\{"type":"'
)
_SHORT = b'{"type":'
_HEAD = 256
_LONG_LINE = 2048
_TOOL_RESULT = re.compile(
    rb'\{"parentUuid":(?:null|"[^"]*"),(?:"isSidechain":(?:false|(true)),|"[^"]*":"[^"]*",)*'
    rb'"type":"user","message":\{"role":"user","content":\[\{'
    rb'(?:"tool_use_id":"([^"]+)","type":"tool_result"|"type":"tool_result"),'
)
"""Like `_ATTACHMENT` good only for what holds no backslash (see `_is_plain`): `[^"]` alone is
matched in a third of the time of `[^"\\]`."""
_ID_NAME = b'"tool_use_id":"'
_TOOL_USE_ID = re.compile(rb'"tool_use_id":"([^"\\]+)"')
_BEFORE_TIMESTAMP = len(b'"uuid":"",') + 36
_TIMESTAMP = re.compile(
    rb'"uuid":"[^"\\]{36}",'
    rb'"timestamp":"(20\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d\.\d{3}Z)"'
)


def roots(environ: Mapping[str, str]) -> list[Path]:
    """Folders that hold transcripts, present or not, best known first."""
    desktop = "Library/Application Support/Claude/local-agent-mode-sessions"
    projects = [folder / "projects" for folder in config_folders(environ)]
    return [*projects, home_folder(environ) / desktop]


def is_session_file(path: Path) -> bool:
    """Whether a file below a root is a transcript, by its name and place alone."""
    if path.suffix != ".jsonl":
        return False
    if "subagents" in _below_projects(path):
        return path.name.startswith("agent-")
    return path.parent.parent.name == "projects"


def read(path: Path, previous: FileState | None) -> FileFacts:
    """Facts in the bytes that were added to a transcript since `previous`.

    Raises OSError when the file can't be opened or read; never for what is in it.
    """
    with Increment(path, previous, AGENT, VERSION) as increment:
        kept = increment.state.reader_state
        state = msgspec.msgpack.decode(kept, type=State) if kept else _new_state(path)
        transcript = Transcript(state, increment.state)
        lines = _Lines(transcript, increment.state)
        increment.each_line(lines.consume, _OPENERS)
    if state.session.session_id.startswith("agent-") and "meta" not in state.titles:
        _read_subagent_title(path, transcript)
    session = transcript.facts()
    file = increment.state
    file.session_key = session.key if session is not None else None
    calls = transcript.calls
    file.usage_records += calls.usage_records
    file.repeated_records += calls.repeated_records
    file.reader_state = msgspec.msgpack.encode(state)
    return FileFacts(file, session, list(calls.requests.values()))


class _Lines:
    """Decides line by line what is passed over, glanced at or decoded."""

    def __init__(self, transcript: Transcript, file: FileState):
        self._transcript = transcript
        self._file = file
        self._apply = transcript.apply
        self._pending = transcript.state.pending
        self._is_of_a_subagent = transcript.state.session.parent_key is not None

    def consume(self, buffer: bytearray, start: int, end: int) -> str | None:
        """Take in `buffer[start:end]`; return why it yielded no facts, or None."""
        # A short line is decoded faster than it is recognised, but for the most frequent kinds.
        if end - start > _LONG_LINE:
            if self._glance(buffer, start, end) or _is_passed_over(buffer, start, end):
                return None
        elif (
            buffer.startswith(_SHORT, start, end)
            and _FACTLESS.match(buffer, start, end)
            and _is_whole(buffer, start, end)
        ):
            return None
        line = buffer[start:end]
        try:
            record = decode_record(line)
            self._apply(record)
        except Unreadable as reason:
            return str(reason)
        if self._file.line in SAMPLED_LINES:
            look_at_fields(self._file, record.type, line)
        return None

    def _glance(self, buffer: bytearray, start: int, end: int) -> bool:
        """Take in a long tool result by its id and time, where nothing else in it matters."""
        head = _TOOL_RESULT.match(buffer, start, end) if self._pending else None
        if head is None or (head[1] is not None and not self._is_of_a_subagent):
            return False
        stamp = buffer.find(b'"timestamp":"', head.end(), end)
        found = _TIMESTAMP.match(buffer, stamp - _BEFORE_TIMESTAMP, end) if stamp > 0 else None
        plain = found is not None and _is_plain(buffer, start, head.end())
        if found is None or not plain or not _is_whole(buffer, start, end):
            return False
        named, rest = head[2], head.end()
        if named is None:
            id_at = buffer.find(_ID_NAME, rest, stamp)
            match = _TOOL_USE_ID.match(buffer, id_at, stamp) if id_at >= 0 else None
            if match is None:
                return False
            named, rest = match[1], match.end()
        if buffer.find(_ID_NAME, rest, stamp) >= 0:
            return False
        tool_use_id = named.decode("utf-8", "replace")
        pending = self._pending.get(tool_use_id)
        if pending is None or pending.name in MATTERING_RESULTS:
            return False
        self._transcript.saw_result(tool_use_id, found[1])
        return True


def _is_passed_over(buffer: bytearray, start: int, end: int) -> bool:
    """Whether the line is one of the heavy records without facts."""
    if buffer.startswith(b'{"type":', start, end):
        return bool(_FACTLESS.match(buffer, start, end)) and _is_whole(buffer, start, end)
    hint = buffer.find(b'"attachment":{"type":"', start, min(end, start + _HEAD))
    if hint <= 0 or (head := _ATTACHMENT.match(buffer, start, end)) is None:
        return False
    return _is_plain(buffer, start, head.end()) and _is_whole(buffer, start, end)


def _is_plain(buffer: bytearray, start: int, end: int) -> bool:
    """Whether every quotation mark there begins or ends a string."""
    return buffer.find(b"\\", start, end) < 0


def _is_whole(buffer: bytearray, start: int, end: int) -> bool:
    """Whether an undecoded line is one record, and none that a kill cut off, glued to the next."""
    last = end - 2 if buffer[end - 1] == ord("\r") else end - 1
    return buffer[last] == _CLOSING_BRACE and buffer.find(_OPENERS[0], start + 1, end) < 0


def _below_projects(path: Path) -> tuple[str, ...]:
    """The folders between the last `projects` and the file: what lies above is not Claude's."""
    folders = path.parts[:-1]
    return folders[-folders[::-1].index("projects") :] if "projects" in folders else folders


def _new_state(path: Path) -> State:
    name = path_name(path.stem)
    places = path.parts
    if "subagents" in _below_projects(path):
        parent = path_name(places[len(places) - 1 - places[::-1].index("subagents") - 1])
        key, parent_key, own_id = f"{AGENT}:{parent}/{name}", f"{AGENT}:{parent}", parent
    elif name.startswith("agent-"):
        key, parent_key, own_id = f"{AGENT}:{name}", None, None
    else:
        key, parent_key, own_id = f"{AGENT}:{name}", None, name
    session = Session(
        key=key, agent=AGENT, session_id=name, parent_key=parent_key, source_path=path_name(path)
    )
    return State(session=session, own_id=own_id)


def _read_subagent_title(path: Path, transcript: Transcript) -> None:
    """Name a subagent by the small file beside its transcript, where there is one."""
    try:
        with open_plain(path.with_name(path.stem + ".meta.json")) as file:
            meta = decode_object(file.read(_MAXIMUM_META))
    except (OSError, Unreadable):
        return
    parts = [as_text(meta.get(name), TITLE_LENGTH) for name in ("agentType", "description")]
    title = as_text(": ".join(filter(None, parts)), TITLE_LENGTH)
    if title is not None:
        transcript.name_subagent(title)
