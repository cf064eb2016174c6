"""Reader of pi's sessions: `~/.pi/agent/sessions/--<folder>--/<time>_<id>.jsonl`."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from lib.model import Evidence, FileFacts, FileState
from lib.readers import pi_parser
from lib.readers.lines import Increment
from lib.readers.pi_parser import Parser

AGENT: str = pi_parser.AGENT
LABEL: str = "pi"
VERSION: int = 3
PROGRAMS = frozenset({"pi"})
CANNOT_KNOW: Mapping[str, str] = {
    pi_parser.COMPACTION: "The conversation was compacted or a branch summarised; the request "
    "that did it is in no file.",
    pi_parser.MISSING_MODEL: "A call was recorded without its model, so it can't be priced.",
    pi_parser.REASONING: "The model reasoned, and how much of its output that was is not recorded.",
    pi_parser.TOTAL_MISMATCH: "Some token counts do not add up to the totals beside them.",
}


def roots(environ: Mapping[str, str]) -> list[Path]:
    """The folder of sessions: by the CLI's variables, by other tools', else in the home folder."""
    home = Path(environ.get("HOME") or Path.home())
    below = [environ.get(name) for name in ("PI_CODING_AGENT_DIR", "PI_AGENT_DIR")]
    named = [
        environ.get("PI_CODING_AGENT_SESSION_DIR"),
        *(f"{one}/sessions" for one in below if one),
    ]
    found = [_expanded(name, home) for name in named if name]
    return list(dict.fromkeys(found)) or [home / ".pi" / "agent" / "sessions"]


def is_session_file(path: Path) -> bool:
    """Any file of JSON lines."""
    return path.suffix == ".jsonl"


def read(path: Path, previous: FileState | None) -> FileFacts:
    """Facts in the bytes that were added since `previous`.

    Raises OSError when the file can't be opened or read; never for what is in it.
    """
    with Increment(path, previous, AGENT, VERSION) as increment:
        parser = Parser(path, increment.state)
        increment.each_line(parser.consume, pi_parser.OPENERS)
        return parser.finish()


def live(environ: Mapping[str, str], now: int) -> Iterable[Evidence]:  # noqa: ARG001 - the shape
    """Nothing: pi does not say which process has which session open."""
    return ()


def _expanded(folder: str, home: Path) -> Path:
    return home / folder[2:] if folder.startswith("~/") else Path(folder)
