"""A SQLite store that nobody has made yet: made and filled by the standard library's driver.

A first scan asks nothing of its store, and importing SQLAlchemy takes twice as long as importing
everything else. The statements are those of `lib.store`, made from the same tables and kept in
`fresh_store.json` by `python -m lib.fresh_store_statements`; a test holds the two together.
"""

import os
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import msgspec

from lib import sqlite_file
from lib.model import DaemonRow, Evidence, FileState, SourceRow
from lib.store_errors import StoreError
from lib.store_rows import Batch, SessionRow
from lib.store_statements import Send, Statements, replace_rows, write_batch

STATEMENTS_PATH = Path(__file__).with_name("fresh_store.json")
_SCHEME = "sqlite:///"


class FreshStatements(msgspec.Struct):
    """What `fresh_store.json` holds."""

    tables: list[str]
    """Make the tables and their first rows."""
    version: str
    """Asks for the store's version."""
    writing: Statements


class FreshStore:
    """An open store that was empty when it was opened: until then it holds no facts.

    Every method raises StoreError when the store fails; nothing of the failed call is stored.
    Others may read and write it at the same time.
    """

    def __init__(self, connection: sqlite3.Connection, statements: FreshStatements):
        self._connection = connection
        self._statements = statements

    @classmethod
    def open(cls, url: str) -> Self | None:
        """Make the store at a SQLAlchemy URL; None where there is one, or it is no plain file."""
        path = url.removeprefix(_SCHEME)
        if not url.startswith(_SCHEME) or not path or path.startswith((":", "file:")) or "?" in url:
            return None
        with _plain_errors("opened"):
            if os.path.exists(path) and os.path.getsize(path):
                return None
            sqlite_file.make_file(Path(path))
            statements = msgspec.json.decode(STATEMENTS_PATH.read_bytes(), type=FreshStatements)
            connection = sqlite3.connect(
                path, timeout=sqlite_file.LOCK_SECONDS, isolation_level=None
            )
            try:
                sqlite_file.prepare(connection)
                made = _make_tables(connection, statements.tables)
            except sqlite3.Error:
                connection.close()
                raise
        if made:
            return cls(connection, statements)
        connection.close()
        return None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def file_states(self, machine: str) -> dict[str, FileState]:  # noqa: ARG002
        """How far each file was read: none was."""
        return {}

    def sessions(self) -> list[SessionRow]:
        """What was known before: no session."""
        return []

    def evidence(self) -> list[Evidence]:
        """What was claimed before: nothing."""
        return []

    def write(self, batch: Batch) -> bool:
        """Write all of `batch` in one transaction; return whether anything was new."""
        with _plain_errors("written"), _transaction(self._connection) as send:
            [version] = self._connection.execute(self._statements.version).fetchone()
            return write_batch(send, self._statements.writing, batch, version + 1)

    def save_daemon(self, row: DaemonRow) -> None:
        """Replace what the machine's daemon says of itself."""
        with _plain_errors("written"), _transaction(self._connection) as send:
            replace_rows(send, self._statements.writing.daemon, [row])

    def save_sources(self, rows: Sequence[SourceRow]) -> None:
        """Replace the sources of the machines that `rows` name; `rows` are all of theirs."""
        with _plain_errors("written"), _transaction(self._connection) as send:
            replace_rows(send, self._statements.writing.source, rows)


def _make_tables(connection: sqlite3.Connection, tables: list[str]) -> bool:
    """Make the tables, unless another process has made any by now."""
    with _transaction(connection):
        [present] = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if present:
            return False
        for statement in tables:
            connection.execute(statement)
    sqlite_file.switch_to_log(connection)
    return True


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Generator[Send]:
    """All of it or nothing. The lock is taken at once: who reads first can't wait for it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield lambda sql, rows: connection.executemany(sql, rows).rowcount
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


@contextmanager
def _plain_errors(what: str) -> Generator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"The store could not be {what}: {error}") from error
