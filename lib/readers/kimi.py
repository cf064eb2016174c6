"""Reader of Kimi: Kimi Code's `~/.kimi-code/sessions` and the older Kimi CLI's `~/.kimi/sessions`.

Seen in Kimi Code 2.1.0 and Kimi CLI 1.52.0.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from lib.model import Evidence, FileFacts, FileState
from lib.readers import kimi_cli, kimi_code, kimi_wire
from lib.readers.lines import Increment

AGENT: str = kimi_wire.AGENT
LABEL: str = "Kimi"
VERSION: int = 2
PROGRAMS = frozenset({"kimi", "kimi-code", "kimi-cli"})
CANNOT_KNOW: Mapping[str, str] = {
    kimi_wire.MISSING_MODEL: "Kimi CLI records no models, so its calls can't be priced.",
    kimi_wire.NO_REASONING: "Reasoning is part of the output tokens and not told apart.",
    kimi_cli.NO_ERRORS: "A step was interrupted; Kimi CLI does not record whether by the user "
    "or by an error.",
}

_WIRE = "wire.jsonl"
_SESSIONS = "sessions"


def roots(environ: Mapping[str, str]) -> list[Path]:
    """Folders of sessions: by the CLIs' variables, by other tools', else in the home folder."""
    home = Path(environ.get("HOME") or Path.home())
    code = environ.get("KIMI_CODE_HOME") or home / ".kimi-code"
    others = [environ.get(name) for name in ("KIMI_DATA_DIR", "KIMI_DIR")]
    older = environ.get("KIMI_SHARE_DIR") or home / ".kimi"
    named = [code, *(one for one in others if one), older]
    folders = [_expanded(Path(one), home) for one in named]
    return list(dict.fromkeys(one if one.name == _SESSIONS else one / _SESSIONS for one in folders))


def is_session_file(path: Path) -> bool:
    """The log of a session or of an agent within it."""
    return path.name == _WIRE


def read(path: Path, previous: FileState | None) -> FileFacts:
    """Facts in the bytes that were added since `previous`.

    Raises OSError when the file can't be opened or read; never for what is in it.
    """
    layout = kimi_code if path.parent.parent.name == "agents" else kimi_cli
    with Increment(path, previous, AGENT, VERSION) as increment:
        parser = layout.Parser(path, increment.state)
        increment.each_line(parser.consume, layout.OPENERS)
        return parser.finish()


def live(environ: Mapping[str, str], now: int) -> Iterable[Evidence]:  # noqa: ARG001 - the shape
    """Nothing: Kimi does not say which process has which session open."""
    return ()


def _expanded(folder: Path, home: Path) -> Path:
    return home / folder.relative_to("~") if folder.parts[:1] == ("~",) else folder
