"""Where things are: read from the environment, with defaults that need no configuration."""

import getpass
import hashlib
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import platformdirs

_SQLITE = "sqlite:///"
PROJECT_FOLDER = Path(__file__).resolve().parent.parent


class Settings(NamedTuple):
    """What a process of Quarterdeck needs to know before it opens anything."""

    store_url: str
    """SQLAlchemy URL of the store: `sqlite:///…` or `postgresql+psycopg://…`."""
    data_folder: Path
    """Folder of this user's default store, locks and the daemon's log."""
    machine: str
    """Name of this user on this machine, as it stands beside every fact from here."""

    @property
    def lock_path(self) -> Path:
        """The file that a daemon of this store and machine holds locked while it lives."""
        # A file may be reached by many names.
        path = _sqlite_path(self.store_url)
        store = self.store_url if path is None else f"{_SQLITE}{os.path.realpath(path)}"
        digest = hashlib.sha256(os.fsencode(store)).hexdigest()[:12]
        return self.data_folder / f"daemon-{digest}.lock"

    @property
    def log_path(self) -> Path:
        """Where a detached daemon writes its messages."""
        return self.lock_path.with_suffix(".log")


def settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from `QUARTERDECK_STORE_URL`, `…_DATA_FOLDER` and `…_MACHINE`.

    Relative paths start at this process's working folder; a daemon that it starts has another.
    """
    folder = environ.get("QUARTERDECK_DATA_FOLDER")
    data_folder = Path(folder) if folder else platformdirs.user_data_path("quarterdeck")
    data_folder = data_folder.absolute()
    store_url = environ.get("QUARTERDECK_STORE_URL") or f"{_SQLITE}{data_folder / 'quarterdeck.db'}"
    path = _sqlite_path(store_url)
    return Settings(
        store_url=store_url if path is None else f"{_SQLITE}{Path(path).absolute()}",
        data_folder=data_folder,
        machine=_as_text(environ.get("QUARTERDECK_MACHINE") or f"{_user()}@{platform.node()}"),
    )


def _sqlite_path(url: str) -> str | None:
    """The file of a plain SQLite URL; None for another database, none, or one with options."""
    path = url.removeprefix(_SQLITE)
    is_file = path not in (url, "", ":memory:") and not path.startswith("file:") and "?" not in path
    return path if is_file else None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user{os.getuid()}"


def _as_text(name: str) -> str:
    # The environment may hold bytes that are no UTF-8; a frame can hold no such text.
    return os.fsencode(name).decode("utf-8", "backslashreplace")
