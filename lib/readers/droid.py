"""Reader of Droid's sessions: `~/.factory/sessions/<folder>/<id>.jsonl` and `<id>.settings.json`.

The first tells what the session does, the second what it used; each is read when it changes.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from lib.model import Evidence, FileFacts, FileState
from lib.readers import droid_parser, droid_usage
from lib.readers.droid_parser import Parser
from lib.readers.lines import Increment

AGENT: str = droid_parser.AGENT
LABEL: str = "Droid"
VERSION: int = 2
PROGRAMS = frozenset({"droid"})
CANNOT_KNOW: Mapping[str, str] = {
    droid_parser.AGGREGATE: "Tokens are recorded as one total for the whole session: they count "
    "for the day it began and the model it used last, and the share of reasoning may be missing.",
    droid_parser.CUSTOM_MODEL: "The files name a custom model by its alias only, "
    "so it can't be priced.",
}


def roots(environ: Mapping[str, str]) -> list[Path]:
    """The folder of sessions: `DROID_SESSIONS_DIR`, else in the home folder."""
    home = Path(environ.get("HOME") or Path.home())
    named = environ.get("DROID_SESSIONS_DIR")
    if not named:
        return [home / ".factory" / "sessions"]
    return [home / named[2:] if named.startswith("~/") else Path(named)]


def is_session_file(path: Path) -> bool:
    """A transcript, or the settings beside it that count its tokens."""
    return path.suffix == ".jsonl" or path.name.endswith(droid_usage.SUFFIX)


def read(path: Path, previous: FileState | None) -> FileFacts:
    """Facts in the bytes that were added since `previous`; settings are read whole.

    Raises OSError when the file can't be opened or read; never for what is in it.
    """
    if path.name.endswith(droid_usage.SUFFIX):
        return droid_usage.read(path, previous, VERSION)
    with Increment(path, previous, AGENT, VERSION) as increment:
        parser = Parser(path, increment.state)
        increment.each_line(parser.consume, droid_parser.OPENERS)
        return parser.finish()


def live(environ: Mapping[str, str], now: int) -> Iterable[Evidence]:  # noqa: ARG001 - the shape
    """Nothing: Droid does not say which process has which session open."""
    return ()
