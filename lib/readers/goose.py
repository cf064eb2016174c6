"""Reader of Goose: `sessions/sessions.db` in its data folder, and files of versions before 1.10.

Seen in Goose 1.52 (schema 16); what other schemas have is told by its `session_manager.rs`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from lib.model import Evidence, FileFacts, FileState
from lib.readers import goose_database, goose_legacy, goose_session
from lib.readers.database_files import read_changes
from lib.readers.lines import Increment

AGENT: str = goose_session.AGENT
LABEL: str = "Goose"
VERSION: int = 4
PROGRAMS = frozenset({"goose", "goosed"})
SERVERS = frozenset({"goosed"})
CANNOT_KNOW: Mapping[str, str] = {
    goose_session.AGGREGATE: "Calls of older versions are recorded as one sum: they count for the "
    "time the session began and the model it used last, and what came from the cache may not be "
    "told apart.",
    goose_session.HIDDEN_REQUESTS: "The request that makes a session's name is in no record.",
    goose_session.MISSING_MODEL: "Calls were recorded without their model, so they can't be "
    "priced.",
    goose_session.NO_RUNNING_TOOL: "An answer is recorded when its tools have returned: which "
    "tool runs, or waits for a permission, is not known, nor that a rate limit ended a turn.",
    goose_session.TOTAL_MISMATCH: "Some token counts do not add up to the totals beside them.",
}

_DATABASE = "sessions.db"


def roots(environ: Mapping[str, str]) -> list[Path]:
    """The folder of sessions: below `GOOSE_PATH_ROOT`, else in the data folder."""
    home = Path(environ.get("HOME") or Path.home())
    root = environ.get("GOOSE_PATH_ROOT")
    if root:
        return [Path(root) / "data" / "sessions"]
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return [data / "goose" / "sessions"]


def is_session_file(path: Path) -> bool:
    """The database, or the file of one session."""
    return path.name == _DATABASE or path.suffix == ".jsonl"


def read(path: Path, previous: FileState | None) -> FileFacts:
    """Facts of the sessions that changed since `previous`.

    Raises OSError when the file can't be opened or read, or is locked.
    """
    if path.name == _DATABASE:
        return read_changes(path, previous, AGENT, VERSION, goose_database.read)
    with Increment(path, previous, AGENT, VERSION) as increment:
        parser = goose_legacy.Parser(path, increment.state)
        increment.each_line(parser.consume, goose_legacy.OPENERS)
        return parser.finish()


def live(environ: Mapping[str, str], now: int) -> Iterable[Evidence]:  # noqa: ARG001 - the shape
    """Nothing: Goose does not say which process works on which session."""
    return ()
