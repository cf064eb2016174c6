"""Agents' databases are read without a trace, whatever state they were left in."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lib.plain_file import NotPlainError
from lib.readers.databases import (
    DamagedDatabase,
    DatabaseError,
    database_of,
    reading,
    status_of,
)

WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA journal_mode=WAL")
connection.execute("CREATE TABLE IF NOT EXISTS t (x)")
connection.execute("INSERT INTO t VALUES (1)")
print("written", flush=True)
for line in sys.stdin:
    connection.execute(line)
    print("done", flush=True)
"""


class Writer:
    """Another process that has the database open."""

    def __init__(self, path: Path):
        self._process = subprocess.Popen(
            [sys.executable, "-c", WRITER, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def run(self, statement: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(statement + "\n")
        self._process.stdin.flush()
        self._answer()

    def _answer(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline()

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder / "a b?#%.db"


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    writer = Writer(path)
    yield writer
    writer.kill()


def seen(path: Path) -> dict[str, tuple[int, bytes]]:
    return {
        file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in path.parent.iterdir()
    }


def count(path: Path) -> int:
    with reading(path) as connection:
        return connection.execute("SELECT count(*) FROM t").fetchone()[0]


def test_a_live_database_is_read_with_its_log_and_left_as_it_is(path: Path, writer: Writer) -> None:
    for rows in (1, 2, 3):
        before = seen(path)
        assert count(path) == rows
        assert seen(path) == before
        writer.run("INSERT INTO t VALUES (2)")
    assert set(seen(path)) == {path.name, f"{path.name}-wal", f"{path.name}-shm"}


def test_the_log_of_a_killed_process_is_read_and_left_as_it_is(path: Path, writer: Writer) -> None:
    writer.run("INSERT INTO t VALUES (2)")
    writer.kill()
    before = seen(path)
    assert count(path) == 2
    assert seen(path) == before


def test_a_closed_database_gets_no_files_beside_it(path: Path, writer: Writer) -> None:
    writer.kill()
    sqlite3.connect(path).execute("SELECT * FROM t").connection.close()
    assert set(seen(path)) == {path.name}
    before = seen(path)
    assert count(path) == 1
    assert seen(path) == before


def test_a_copy_with_a_log_and_no_index_is_read_with_its_log(path: Path, writer: Writer) -> None:
    copy = path.parent.parent / "copy" / "a.db"
    copy.parent.mkdir()
    shutil.copy(path, copy)
    shutil.copy(f"{path}-wal", f"{copy}-wal")
    before = seen(copy)
    assert count(copy) == 1
    assert seen(copy) == before


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal"])
def test_a_pipe_where_a_file_of_a_database_should_be_does_not_make_it_wait(
    path: Path, suffix: str
) -> None:
    sqlite3.connect(path).execute("CREATE TABLE t (c)").connection.close()
    pipe = Path(f"{path}{suffix}")
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    with pytest.raises(NotPlainError):
        count(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_no_obstacle(path: Path, writer: Writer) -> None:
    for file in path.parent.iterdir():
        file.chmod(0o400)
    path.parent.chmod(0o500)
    try:
        assert count(path) == 1
    finally:
        path.parent.chmod(0o700)


def test_the_writer_is_never_held_up(path: Path, writer: Writer) -> None:
    with reading(path) as connection:
        connection.execute("SELECT * FROM t").fetchall()
        writer.run("INSERT INTO t VALUES (2)")
        writer.run("PRAGMA wal_checkpoint(PASSIVE)")
        assert connection.execute("SELECT count(*) FROM t").fetchone()[0] == 1
    assert count(path) == 2


def come_to_life(path: Path) -> None:
    with reading(path):
        Writer(path).kill()


def test_what_was_read_of_a_closed_database_that_came_to_life_is_thrown_away(path: Path) -> None:
    sqlite3.connect(path).executescript("CREATE TABLE t (x); PRAGMA journal_mode=WAL").close()
    with pytest.raises(DatabaseError, match="written to"):
        come_to_life(path)


def test_a_missing_file_is_an_os_error(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        count(path)


@pytest.mark.parametrize(
    "content", [b"", b"nonsense " * 1000, b"SQLite format 3\0" + b"\xff" * 9_000]
)
def test_what_is_no_database_is_damaged(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(DamagedDatabase):
        count(path)
    assert set(seen(path)) == {path.name}


def test_half_a_database_is_damaged(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.executescript("CREATE TABLE t (x)")
    connection.executemany("INSERT INTO t VALUES (?)", [("x" * 1000,)] * 1000)
    connection.commit()
    connection.close()
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(DamagedDatabase):
        count(path)


def test_a_locked_database_can_be_read_later(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(
        "CREATE TABLE t (x); PRAGMA journal_mode=WAL; INSERT INTO t VALUES (1)"
    )
    for statement in ("PRAGMA locking_mode=EXCLUSIVE", "BEGIN EXCLUSIVE", "DELETE FROM t"):
        connection.execute(statement)
    with pytest.raises(DatabaseError) as caught:
        count(path)
    assert not isinstance(caught.value, DamagedDatabase)
    for statement in ("COMMIT", "PRAGMA locking_mode=NORMAL", "SELECT * FROM t"):
        connection.execute(statement)
    assert count(path) == 0
    connection.close()


def test_a_change_in_the_log_is_a_change_of_the_database(path: Path, writer: Writer) -> None:
    before, alone = status_of(str(path)), os.stat(path)
    writer.run("INSERT INTO t VALUES (2)")
    after = status_of(str(path))
    assert os.stat(path).st_mtime_ns == alone.st_mtime_ns
    assert after.st_mtime_ns > before.st_mtime_ns
    assert after.st_size == alone.st_size + os.stat(f"{path}-wal").st_size
    assert (after.st_ino, after.st_dev) == (alone.st_ino, alone.st_dev)


def test_only_logs_of_databases_name_another_file() -> None:
    assert database_of("/a/opencode.db-wal") == "/a/opencode.db"
    assert database_of("/a/opencode.db") == "/a/opencode.db"
    assert database_of("/a/session-wal") == "/a/session-wal"


def test_a_schema_that_is_no_text_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE sessions (id TEXT)")
    path.write_bytes(path.read_bytes().replace(b"sessions (id", b"sess\x80\x81\x82s \x83id"))
    with pytest.raises(DamagedDatabase, match="no text"), reading(path) as connection:
        connection.execute("PRAGMA table_info(sessions)").fetchall()
