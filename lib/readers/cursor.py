"""Reader of Cursor: its command line's `~/.cursor/chats/<folder>/<id>/store.db`, and the editor's
`globalStorage/state.vscdb`.

Neither holds what a call used: tokens and money are known to Cursor's server only. Of the
editor's database only conversations are read, never the table with its sign-in.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from lib.model import NO_LOCAL_TOKENS, Evidence, FileFacts, FileState
from lib.readers import cursor_chat, cursor_editor
from lib.readers.database_files import read_changes

AGENT: str = cursor_chat.AGENT
LABEL: str = "Cursor"
VERSION: int = 1
PROGRAMS = frozenset({"cursor-agent"})
CANNOT_KNOW: Mapping[str, str] = {
    NO_LOCAL_TOKENS: "Cursor keeps tokens and costs on its server: there is no local data.",
    cursor_editor.NO_LIFE: "Whether the editor still works on a turn that has not ended is not "
    "known: its processes name no session.",
}

_CHAT = "store.db"
_CHATS = "chats"
_EDITOR = "state.vscdb"
_GLOBAL = "globalStorage"


def roots(environ: Mapping[str, str]) -> list[Path]:
    """The command line's chats, and the editor's folder on Linux and on macOS."""
    home = Path(environ.get("HOME") or Path.home())
    own = environ.get("CURSOR_CONFIG_DIR")
    settings = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    macos = home / "Library" / "Application Support"
    chats = [Path(own) / _CHATS] if own else []
    editors = [one / "Cursor" / "User" / _GLOBAL for one in (settings, macos)]
    return list(dict.fromkeys([*chats, home / ".cursor" / _CHATS, *editors]))


def is_session_folder(path: Path) -> bool:
    """A working folder's chats, and each of them; none of the editor's extensions."""
    return _CHATS in (path.parent.name, path.parent.parent.name)


def is_session_file(path: Path) -> bool:
    """A chat of the command line, or all of the editor's."""
    if path.name == _CHAT:
        return path.parent.parent.parent.name == _CHATS
    return path.name == _EDITOR and path.parent.name == _GLOBAL


def read(path: Path, previous: FileState | None) -> FileFacts:
    """Facts of the sessions that changed since `previous`.

    Raises OSError when the file can't be opened or read, or is locked.
    """
    reading = cursor_chat.read if path.name == _CHAT else cursor_editor.read
    return read_changes(path, previous, AGENT, VERSION, reading)


def live(environ: Mapping[str, str], now: int) -> Iterable[Evidence]:  # noqa: ARG001 - the shape
    """Nothing: Cursor does not say which process works on which session."""
    return ()
