"""The file of a SQLite store, and how a connection to it is set up."""

import os
import sqlite3
import time
from pathlib import Path
from types import NoneType

LOCK_SECONDS = 10
"""How long a writer waits for others."""
_PAUSE_SECONDS = 0.02
_PRIMARY = 0xFF
"""The part of an error's code that is not its detail: https://www.sqlite.org/rescode.html"""
_CACHE_KIB = 8 * 1024
_CHECKPOINT_PAGES = 4_000
_NOTHING: dict[None, None] = {}
"""Its `get` makes None of None, in C."""


def make_file(path: Path) -> None:
    """Make an empty file, and its folder, for their owner only, unless there is one.

    Raises OSError. Called once before the first connection of a process, it also makes those
    quicker.
    """
    # Before Python 3.13 a search for an adapter was most of what writing a NULL took.
    sqlite3.register_adapter(NoneType, _NOTHING.get)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def identity(path: Path) -> tuple[int, int] | None:
    """Tells a file from one that took its place later; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def switch_to_log(connection: sqlite3.Connection) -> None:
    """Have the file written by way of a log (WAL), so that reading and writing don't wait for each
    other. Raises sqlite3.OperationalError when others hold it for too long.
    """
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # Of several who switch a new file at once, SQLite lets some not wait but fail.
            is_busy = error.sqlite_errorcode & _PRIMARY == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def prepare(connection: sqlite3.Connection) -> None:
    """Set up a new connection."""
    connection.execute("PRAGMA synchronous = NORMAL")
    # Calls have random keys: a scan takes a third less with room for the pages that it touches,
    # and when they are copied to the file once in a while, not once in every transaction.
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
