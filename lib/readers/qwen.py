"""Qwen Code: transcripts of JSON lines below `~/.qwen/projects`.

A session is `<project>/chats/<session id>.jsonl` (archived ones lie a folder deeper), a
subagent `<project>/subagents/<session id>/agent-<id>.jsonl`. `usage_record.jsonl` beside
`projects` gets a line when a run ends by itself.
"""

import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from lib.model import Evidence, FileFacts, FileState
from lib.plain_file import open_plain
from lib.readers import genai, qwen_live, qwen_parser, qwen_usage
from lib.readers.documents import read_beside
from lib.readers.lines import Increment
from lib.readers.qwen_parser import Parser
from lib.readers.values import Unreadable, as_time, as_word, decode_object

AGENT: str = qwen_usage.AGENT
LABEL: str = "Qwen Code"
VERSION: int = 3
PROGRAMS: frozenset[str] = frozenset({"qwen"})
CANNOT_KNOW: Mapping[str, str] = {
    qwen_usage.MISSING_MODEL: "A call was recorded without its model, so it can't be priced.",
    genai.TOTAL_MISMATCH: "Some token counts contradict the totals beside them.",
}

_MAXIMUM_MARKS = 1 << 22
"""Bytes of `usage_record.jsonl` that are looked at: the newest few thousand runs."""


def roots(environ: Mapping[str, str]) -> list[Path]:
    """The `projects` folders: of `QWEN_DATA_DIR` (several by commas), else of
    `QWEN_RUNTIME_DIR`, `QWEN_HOME` or `.qwen` in the home folder.
    """
    named = [name.strip() for name in environ.get("QWEN_DATA_DIR", "").split(",")]
    folders = [Path(name).expanduser() for name in named if name]
    if not folders:
        home = environ.get("QWEN_HOME")
        default = Path(environ.get("HOME") or Path.home()) / ".qwen"
        folders = [Path(home).expanduser() if home else default]
        runtime = environ.get("QWEN_RUNTIME_DIR")
        if runtime:
            folders.insert(0, Path(runtime).expanduser())
    unique = dict.fromkeys(one if one.name == "projects" else one / "projects" for one in folders)
    return list(unique)


def is_session_file(path: Path) -> bool:
    """A session in `chats`, or a subagent's transcript."""
    if path.suffix != ".jsonl":
        return False
    if path.parent.parent.name == "subagents":
        return path.name.startswith("agent-")
    return "chats" in (path.parent.name, path.parent.parent.name)


def read(path: Path, previous: FileState | None) -> FileFacts:
    """Facts in the bytes that were added to a transcript since `previous`.

    Raises OSError when the file can't be opened or read; never for what is in it.
    """
    with Increment(path, previous, AGENT, VERSION) as increment:
        parser = Parser(path, increment.state, _meta(path))
        increment.each_line(parser.consume, qwen_parser.OPENERS)
    facts = parser.finish()
    session = facts.session
    if session is not None and session.parent_key is None:
        ended_at = _ends(path).get(session.session_id)
        session.ended_cleanly = ended_at is not None and ended_at >= (session.last_activity_at or 0)
    return facts


def live(environ: Mapping[str, str], now: int) -> Iterable[Evidence]:
    """Every session of a terminal interface that lives. Of `-p` runs nothing tells exactly."""
    return qwen_live.live(roots(environ), now)


def _meta(path: Path) -> dict[str, Any]:
    """What the CLI says of a subagent in the small file beside its transcript."""
    if path.parent.parent.name != "subagents":
        return {}
    return read_beside(path.with_name(path.stem + ".meta.json"))


def _ends(path: Path) -> Mapping[str, int]:
    """When the newest run of each session ended by itself, of those beside this transcript."""
    projects = next((folder for folder in path.parents if folder.name == "projects"), None)
    if projects is None:
        return {}
    marks = projects.parent / "usage_record.jsonl"
    try:
        status = os.stat(marks)
        return _ends_in(marks, status.st_size, status.st_mtime_ns)
    except OSError:
        return {}


@lru_cache(maxsize=4)
def _ends_in(marks: Path, size: int, mtime_ns: int) -> Mapping[str, int]:  # noqa: ARG001 - tells a changed file
    ends: dict[str, int] = {}
    with open_plain(marks) as file:
        file.seek(max(0, size - _MAXIMUM_MARKS))
        for line in file.read(_MAXIMUM_MARKS).split(b"\n"):
            try:
                mark = decode_object(line)
            except Unreadable:
                continue
            session_id, at = as_word(mark.get("sessionId")), as_time(mark.get("timestamp"))
            if session_id is not None and at is not None:
                ends[session_id] = max(at, ends.get(session_id, 0))
    return ends
