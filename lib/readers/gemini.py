"""Gemini CLI: sessions below `~/.gemini/tmp/<project>/chats`.

A session is `session-<time>-<first 8 of its id>.jsonl`, in versions before 0.40 one document of
the same name with `.json`. Resuming goes on in the same file, or copies a document into lines
under the same ids. Subagents are `<session id>/<subagent id>.jsonl`.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from lib.model import Evidence, FileFacts, FileState, Skip
from lib.plain_file import open_plain
from lib.readers import gemini_parser, genai
from lib.readers.documents import read_beside, read_document
from lib.readers.gemini_parser import Parser
from lib.readers.lines import MAXIMUM_SKIPS_KEPT, Increment
from lib.readers.values import Unreadable, as_list, as_object, as_word

AGENT: str = gemini_parser.AGENT
LABEL: str = "Gemini CLI"
VERSION: int = 3
PROGRAMS: frozenset[str] = frozenset({"gemini"})
CANNOT_KNOW: Mapping[str, str] = {
    gemini_parser.COMPACTION: "The conversation was compacted; the request that summarised it "
    "is in no file.",
    gemini_parser.MISSING_MODEL: "A call was recorded without its model, so it can't be priced.",
    gemini_parser.NO_TURN_MARKS: "Gemini CLI does not mark the end of a turn and records a tool "
    "only when it has finished, so an answer may not have been the last.",
    genai.TOTAL_MISMATCH: "Some token counts contradict the totals beside them.",
}

_OVERRIDES = ("GEMINI_DIR", "GEMINI_DATA_DIR")
_MAXIMUM_PATH = 1 << 16


def roots(environ: Mapping[str, str]) -> list[Path]:
    """The `tmp` folders that hold projects: of `GEMINI_DIR`, `GEMINI_DATA_DIR` (several by
    commas), else of `.gemini` in `GEMINI_CLI_HOME` or the home folder.
    """
    named = [name.strip() for key in _OVERRIDES for name in environ.get(key, "").split(",")]
    folders = [Path(name).expanduser() for name in named if name]
    if not folders:
        home = environ.get("GEMINI_CLI_HOME") or environ.get("HOME")
        folders = [(Path(home).expanduser() if home else Path.home()) / ".gemini"]
    unique = dict.fromkeys(one if one.name == "tmp" else one / "tmp" for one in folders)
    return list(unique)


def is_session_file(path: Path) -> bool:
    """A session beside others in `chats`, or a subagent in a folder of its session's id there."""
    if path.suffix not in (".json", ".jsonl"):
        return False
    if path.parent.name == "chats":
        return path.name.startswith("session-")
    return path.parent.parent.name == "chats" and path.suffix == ".jsonl"


def read(path: Path, previous: FileState | None) -> FileFacts:
    """Facts in the bytes that were added since `previous`; of a document, all of them.

    Raises OSError when the file can't be opened or read.
    """
    if path.suffix == ".json":
        return _read_document(path, previous)
    with Increment(path, previous, AGENT, VERSION) as increment:
        parser = Parser(path, increment.state)
        increment.each_line(parser.consume, gemini_parser.OPENERS)
        return _finished(path, parser)


def live(environ: Mapping[str, str], now: int) -> Iterable[Evidence]:  # noqa: ARG001
    """Nothing: no file or variable of the CLI tells which process a session belongs to."""
    return ()


def _read_document(path: Path, previous: FileState | None) -> FileFacts:
    document = read_document(path, previous, AGENT, VERSION, "messages")
    state = document.state
    if document.content is None:
        return FileFacts(state, None, [])
    header = dict(document.content)
    parser = Parser(path, state)
    messages = [as_object(message) for message in as_list(header.pop("messages", None))]
    for number, record in enumerate([header, *messages]):
        try:
            parser.take(record)
            state.records += 1
        except Unreadable as reason:
            state.skipped[str(reason)] = state.skipped.get(str(reason), 0) + 1
            if len(state.skips) < MAXIMUM_SKIPS_KEPT:
                state.skips.append(Skip(number, str(reason)))
    return _finished(path, parser)


def _finished(path: Path, parser: Parser) -> FileFacts:
    facts = parser.finish()
    if facts.session is not None:
        facts.session.project_path = _project(path, parser)
    return facts


def _project(path: Path, parser: Parser) -> str | None:
    """The project's folder, of which the session itself has a hash only."""
    chats = next(folder for folder in path.parents if folder.name == "chats")
    project = chats.parent
    try:
        with open_plain(project / ".project_root") as file:
            root = as_word(file.read(_MAXIMUM_PATH).decode("utf-8", "replace"))
    except OSError:
        root = None
    if root is not None:
        return root
    folders = as_object(read_beside(project.parent.parent / "projects.json").get("projects"))
    known = parser.kept.project_hash or project.name
    for folder, short_name in folders.items():
        if short_name == project.name or _hash(folder) == known:
            return as_word(folder)
    told = parser.kept.folder
    return told if told is not None and _hash(told) == known else None


def _hash(folder: str) -> str:
    return sha256(folder.encode("utf-8", "replace")).hexdigest()
