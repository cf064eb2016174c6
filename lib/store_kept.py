"""What was read of the store and holds as long as nobody writes to it."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Engine

_Value = TypeVar("_Value")


class Kept:
    """Small results that every look of every viewer needs, read again only after a write.

    SQLite tells cheaply and exactly whether any process wrote to the file. Of other databases
    nothing is kept. Threads may share it; what it hands out is shared too.
    """

    def __init__(self, engine: Engine):
        file = engine.url.database if engine.dialect.name == "sqlite" else None
        self._path = Path(file).absolute() if file else None
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()
        self._known: dict[str, tuple[int, Any]] = {}

    def get(self, name: str, read: Callable[[], _Value]) -> _Value:
        """What `read` answers; from `_known` where the store is as it was when `read` was asked."""
        moment = self._moment()
        if moment is None:
            return read()
        known = self._known.get(name)
        if known is None or known[0] != moment:
            known = self._known[name] = (moment, read())
        return known[1]

    def close(self) -> None:
        """Close the connection. It is opened again when needed."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            # The next connection counts anew.
            self._known.clear()

    def _moment(self) -> int | None:
        """Differs from an earlier one after a write; None where nobody can tell."""
        if self._path is None:
            return None
        try:
            with self._lock:
                if self._connection is None:
                    self._connection = sqlite3.connect(
                        f"{self._path.as_uri()}?mode=rw", uri=True, check_same_thread=False
                    )
                # https://www.sqlite.org/pragma.html#pragma_data_version: this connection never
                # writes, so every commit is another's.
                return self._connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error:
            # Whoever reads will say what is wrong.
            return None
