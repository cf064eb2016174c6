"""Where things are: read from the environment, with defaults that need no configuration."""

import getpass
import hashlib
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import platformdirs

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
        digest = hashlib.sha256(self.store_url.encode()).hexdigest()[:12]
        return self.data_folder / f"daemon-{digest}.lock"

    @property
    def log_path(self) -> Path:
        """Where a detached daemon writes its messages."""
        return self.lock_path.with_suffix(".log")


def settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from `QUARTERDECK_STORE_URL`, `…_DATA_FOLDER` and `…_MACHINE`."""
    folder = environ.get("QUARTERDECK_DATA_FOLDER")
    data_folder = Path(folder) if folder else platformdirs.user_data_path("quarterdeck")
    default_url = f"sqlite:///{data_folder / 'quarterdeck.db'}"
    return Settings(
        store_url=environ.get("QUARTERDECK_STORE_URL") or default_url,
        data_folder=data_folder,
        machine=_as_text(environ.get("QUARTERDECK_MACHINE") or f"{_user()}@{platform.node()}"),
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user{os.getuid()}"


def _as_text(name: str) -> str:
    # The environment may hold bytes that are no UTF-8; a frame can hold no such text.
    return os.fsencode(name).decode("utf-8", "backslashreplace")
