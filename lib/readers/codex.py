"""Reader of Codex CLI threads: rollouts below `$CODEX_HOME/sessions` and `archived_sessions`."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from lib.model import Evidence, FileFacts, FileState
from lib.readers import codex_heads, codex_live, codex_parser, codex_turns, codex_usage
from lib.readers.codex_parser import Parser
from lib.readers.lines import Increment

AGENT: str = codex_parser.AGENT
LABEL: str = "Codex"
VERSION: int = 3
PROGRAMS = frozenset({"codex"})
CANNOT_KNOW: Mapping[str, str] = {
    codex_parser.HIDDEN_REQUESTS: "The terminal interface asks for titles in requests that no "
    "file records.",
    codex_turns.BROKEN_STREAMS: "A response that broke off, by an error or an interruption, "
    "leaves no token counts behind.",
    codex_turns.NO_TURN_MARKS: "This version does not mark the end of a turn, "
    "so an answer may or may not have been the last.",
    codex_usage.MISSING_MODEL: "Some calls were recorded before any record named their model.",
    codex_usage.TOTAL_MISMATCH: "Some token counts contradict the totals beside them.",
    codex_usage.UNKNOWN_START: "The totals go on from a file that is not here, "
    "so the first call's share of them is unknown and not counted.",
}

_COMPRESSED = ".jsonl.zst"


def roots(environ: Mapping[str, str]) -> list[Path]:
    """`sessions` and `archived_sessions` of every Codex home, and `CODEX_SESSIONS_DIR`."""
    below = [home / name for home in homes(environ) for name in ("sessions", "archived_sessions")]
    extra = environ.get("CODEX_SESSIONS_DIR")
    return [*([Path(extra).expanduser()] if extra else []), *below]


def homes(environ: Mapping[str, str]) -> list[Path]:
    """Codex homes: `CODEX_HOME` (several by commas), else `~/.codex`."""
    named = [name.strip() for name in environ.get("CODEX_HOME", "").split(",")]
    found = [Path(name).expanduser() for name in named if name]
    return found or [Path(environ.get("HOME") or Path.home()) / ".codex"]


def is_session_file(path: Path) -> bool:
    """`rollout-*.jsonl`, or its compressed form where the plain one is gone."""
    name = path.name
    if not name.startswith("rollout-"):
        return False
    if name.endswith(_COMPRESSED):
        return not path.with_suffix("").exists()
    return name.endswith(".jsonl")


def read(path: Path, previous: FileState | None) -> FileFacts:
    """Facts in the bytes that were added since `previous`.

    Raises OSError when the file can't be opened or read. One that the CLI compressed is read whole.
    """
    with _increment(path, previous) as increment:
        parser = Parser(path, increment.state)
        increment.each_line(parser.consume, (codex_heads.OPENER,))
        return parser.finish()


def _increment(path: Path, previous: FileState | None) -> Increment:
    if not path.name.endswith(_COMPRESSED):
        return Increment(path, previous, AGENT, VERSION)
    # Imported here: most homes have no such file.
    from lib.readers.compressed import CompressedFile  # noqa: PLC0415

    return CompressedFile(path, AGENT, VERSION)


def live(environ: Mapping[str, str], now: int) -> Iterable[Evidence]:
    """Every thread that a process has loaded, by its writer lock or its open rollout."""
    return codex_live.live(homes(environ), roots(environ), now, codex_parser.waits_for_permission)
