"""A store's file can be set up by several at once."""

import sqlite3
import threading
from pathlib import Path

import pytest

from lib import sqlite_file


def opened(path: Path, wait_seconds: float = 0) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=wait_seconds, isolation_level=None, check_same_thread=False
    )
    connection.execute("CREATE TABLE IF NOT EXISTS thing (id INTEGER)")
    return connection


def journal_of(connection: sqlite3.Connection) -> str:
    return connection.execute("PRAGMA journal_mode").fetchone()[0]


def test_who_switches_to_the_log_waits_for_others_even_where_sqlite_would_not(
    tmp_path: Path,
) -> None:
    other, connection = opened(tmp_path / "store.db"), opened(tmp_path / "store.db")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        connection.execute("PRAGMA journal_mode = WAL")
    release = threading.Timer(0.3, other.execute, ["COMMIT"])
    release.start()
    sqlite_file.switch_to_log(connection)
    release.join()
    assert journal_of(connection) == "wal"
    connection.close()
    other.close()


def test_who_holds_the_file_for_too_long_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "LOCK_SECONDS", 0.1)
    other, connection = opened(tmp_path / "store.db"), opened(tmp_path / "store.db")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        sqlite_file.switch_to_log(connection)
    connection.close()
    other.close()


def test_an_error_that_waiting_cannot_cure_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"no database" * 100)
    connection = sqlite3.connect(tmp_path / "store.db")
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        sqlite_file.switch_to_log(connection)
    connection.close()
