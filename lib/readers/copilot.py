"""Reader of Copilot CLI: `session-state/<id>/events.jsonl` below `$COPILOT_HOME`.

Older versions wrote `session-state/<id>.jsonl`. The same store is used by other hosts of the
same agent (the GitHub Copilot app, VS Code).
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from lib.model import Evidence, FileFacts, FileState
from lib.readers import copilot_events, copilot_live, copilot_parser, copilot_usage
from lib.readers.copilot_parser import Parser
from lib.readers.lines import Increment

AGENT: str = copilot_events.AGENT
LABEL: str = "Copilot CLI"
VERSION: int = 3
PROGRAMS = frozenset(
    {
        "copilot",
        *(
            f"copilot-{system}-{chip}"
            for system in ("linux", "darwin")
            for chip in ("x64", "arm64")
        ),
    }
)
CANNOT_KNOW: Mapping[str, str] = {
    copilot_usage.AGGREGATE: "This version records tokens only as totals when a session is "
    "closed: they count for that moment, and subagents' are among them.",
    copilot_usage.MISSING_MODEL: "A call was recorded without its model, so it can't be priced.",
    copilot_usage.NOT_YET_TOLD: "Calls were made since the last totals; they are unknown until "
    "the session is closed, and for good if its process was killed.",
    copilot_usage.TOTAL_MISMATCH: "The calls do not add up to the totals that the agent wrote "
    "when the session was closed.",
}

_STATE = "session-state"
_EVENTS = "events.jsonl"


def roots(environ: Mapping[str, str]) -> list[Path]:
    """`session-state` below `COPILOT_HOME`, other tools' `COPILOT_DIR`, else `~/.copilot`."""
    home = Path(environ.get("HOME") or Path.home())
    named = [environ.get(name) for name in ("COPILOT_HOME", "COPILOT_DIR")]
    folders = [home / one[2:] if one.startswith("~/") else Path(one) for one in named if one]
    return [folder / _STATE for folder in dict.fromkeys(folders) or [home / ".copilot"]]


def is_session_file(path: Path) -> bool:
    """`<id>/events.jsonl`, or `<id>.jsonl` in the folder of sessions itself."""
    if path.name == _EVENTS:
        return path.parent.parent.name == _STATE
    return path.suffix == ".jsonl" and path.parent.name == _STATE


def read(path: Path, previous: FileState | None) -> FileFacts:
    """Facts in the bytes that were added since `previous`.

    Raises OSError when the file can't be opened or read; never for what is in it.
    """
    with Increment(path, previous, AGENT, VERSION) as increment:
        parser = Parser(path, increment.state)
        increment.each_line(parser.consume, copilot_parser.OPENERS)
        return parser.finish()


def live(environ: Mapping[str, str], now: int) -> Iterable[Evidence]:  # noqa: ARG001 - the shape
    """Every session that a process has open, by the lock file that it keeps."""
    return copilot_live.live(roots(environ))
