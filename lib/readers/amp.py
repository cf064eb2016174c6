"""Reader of Amp's threads: `~/.local/share/amp/threads/T-<id>.json`, rewritten at every step.

Recent versions keep threads on Amp's server and leave little or nothing here.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from lib.model import NO_LOCAL_TOKENS, Evidence, FileFacts, FileState
from lib.readers import amp_thread, amp_usage
from lib.readers.documents import read_beside, read_document

AGENT: str = amp_usage.AGENT
LABEL: str = "Amp"
VERSION: int = 3
PROGRAMS = frozenset({"amp"})
CANNOT_KNOW: Mapping[str, str] = {
    amp_usage.MISSING_MODEL: "Calls were recorded without their model, so they can't be priced.",
    NO_LOCAL_TOKENS: "The conversation is kept on Amp's server: what the session does and "
    "what it used is not known.",
    amp_usage.NO_REASONING: "Reasoning is part of the output tokens and not told apart.",
    amp_usage.REMOVED_MESSAGES: "Messages were removed by an edit; of their calls only the fresh "
    "input and the output are recorded.",
    amp_usage.SIDE_CALLS: "Calls for a title and of tools that ask models themselves (oracle, "
    "subagents) are recorded as sums of fresh input and output only.",
    amp_usage.TOTAL_MISMATCH: "Some token counts do not add up to the totals beside them.",
}

_THREADS = "threads"


def roots(environ: Mapping[str, str]) -> list[Path]:
    """The folder of threads: by other tools' variables, else in the data folder."""
    home = Path(environ.get("HOME") or Path.home())
    data = environ.get("XDG_DATA_HOME") or home / ".local" / "share"
    named = [environ.get(name) for name in ("AMP_DATA_DIR", "AMP_DIR")]
    found = [_expanded(Path(name), home) for name in named if name] or [Path(data) / "amp"]
    folders = (one if one.name == _THREADS else one / _THREADS for one in found)
    return list(dict.fromkeys(folders))


def is_session_file(path: Path) -> bool:
    """The document of a thread."""
    return path.suffix == ".json" and path.name.startswith("T-")


def read(path: Path, previous: FileState | None) -> FileFacts:
    """Facts of the thread.

    Raises OSError when the file can't be opened or read.
    """
    state, content = read_document(path, previous, AGENT, VERSION, "messages")
    if content is None:
        return FileFacts(state, None, [])
    beside = amp_usage.Beside(lambda name: read_beside(path.with_name(f"{name}.json")))
    session, requests = amp_thread.tell(path, content, beside, state)
    state.session_key = session.key
    return FileFacts(state, session, requests)


def live(environ: Mapping[str, str], now: int) -> Iterable[Evidence]:  # noqa: ARG001 - the shape
    """Nothing: Amp does not say which process works on which thread."""
    return ()


def _expanded(folder: Path, home: Path) -> Path:
    return home / folder.relative_to("~") if folder.parts[:1] == ("~",) else folder
