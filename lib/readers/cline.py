"""Reader of Cline's command line: `<id>/<id>.json` and `<id>.messages.json` below `sessions`.

Both are rewritten at every step. The first says who runs the session and how it ended, the second
holds the conversation; either one is read together with the other. Seen in CLI 3.0.65.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from lib.model import Evidence, FileFacts, FileState
from lib.readers import cline_live, cline_session
from lib.readers.documents import read_beside, read_document

AGENT: str = cline_session.AGENT
LABEL: str = "Cline"
VERSION: int = 2
PROGRAMS = frozenset({"cline"})
CANNOT_KNOW: Mapping[str, str] = {
    cline_session.NO_REASONING: "Reasoning is part of the output tokens and not told apart.",
    cline_session.NO_APPROVALS: "A tool that waits for approval looks like one that runs.",
    cline_session.TOTAL_MISMATCH: "The calls do not sum to the totals of the session.",
}

_MESSAGES = ".messages.json"


def roots(environ: Mapping[str, str]) -> list[Path]:
    """The folder of sessions: the one that is named, or in the data folder, or in Cline's own."""
    home = Path(environ.get("HOME") or Path.home())
    own = Path(environ.get("CLINE_DIR") or home / ".cline").expanduser()
    data = Path(environ.get("CLINE_DATA_DIR") or own / "data").expanduser()
    return [Path(environ.get("CLINE_SESSION_DATA_DIR") or data / "sessions").expanduser()]


def is_session_file(path: Path) -> bool:
    """A session's own file, named like its folder, or any conversation."""
    if path.name.endswith(_MESSAGES):
        return True
    return path.suffix == ".json" and path.parent.name == path.stem


def read(path: Path, previous: FileState | None) -> FileFacts:
    """Facts of the session that the file belongs to; its calls with the conversation only.

    Raises OSError when the file can't be opened or read.
    """
    state, content = read_document(path, previous, AGENT, VERSION, "messages")
    if content is None:
        return FileFacts(state, None, [])
    session_id = path.name.removesuffix(_MESSAGES).removesuffix(".json")
    own = path.with_name(f"{session_id}.json")
    conversation = path.with_name(f"{session_id}{_MESSAGES}")
    if path == conversation:
        described = read_beside(own)
        facts = cline_session.tell(own, described, content, state)
        state.session_key = facts.session.key
        # Where half of the own file is written, that one tells of the session when it is whole.
        known = bool(described) or not own.exists()
        return FileFacts(state, facts.session if known else None, facts.requests)
    messages = read_beside(conversation, "messages")
    if not messages and conversation.exists():
        # Half of it is written; when it is whole it tells of the session too.
        return FileFacts(state, None, [])
    facts = cline_session.tell(own, content, messages, None)
    state.session_key = facts.session.key
    return FileFacts(state, facts.session, [])


def live(environ: Mapping[str, str], now: int) -> Iterable[Evidence]:
    """Every session whose own file names a process that still is the one that wrote it."""
    for root in roots(environ):
        yield from cline_live.live(root, now)
