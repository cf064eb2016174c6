"""An agent's SQLite database, read without a lock that could hinder and without leaving a trace.

A plain read-only connection creates or changes the `-wal` and `-shm` files beside a database in
WAL mode. So the way in depends on what lies there:

- `-wal` and `-shm`: in use, or left by a kill. Opened with `readonly_shm`: SQLite reads the log
  and the index of it as they are, or builds an index of its own in memory.
- no `-wal`: closed, so that the file alone is complete. Opened as immutable; should an agent
  begin to write meanwhile, that shows in the files' times and what was read is thrown away.
- `-wal` without `-shm`: a copy that somebody made. Opened as a copy in a temporary folder.
"""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from lib.plain_file import is_plain, open_plain

_LOG = "-wal"
_INDEX = "-shm"
_JOURNAL = "-journal"
_SUFFIXES = (".db", ".sqlite", ".vscdb")
_WAIT_SECONDS = 0.5
_MAXIMUM_COPY = 1 << 30
_WRITTEN_TO = "it was written to while it was read"


class DatabaseError(OSError):
    """A database that can't be read now; `str()` says why."""


class DamagedDatabase(DatabaseError):
    """A database that can't be read before it changes."""


def status_of(path: str) -> os.stat_result:
    """`os.stat`; of a database with its log, where the newest writes lie: sizes added, the later
    time. Raises OSError as `os.stat` does.
    """
    status = os.stat(path)
    if not path.endswith(_SUFFIXES):
        return status
    try:
        log = os.stat(path + _LOG)
    except OSError:
        return status
    fields = list(status)
    fields[6] += log.st_size
    return os.stat_result(fields, {"st_mtime_ns": max(status.st_mtime_ns, log.st_mtime_ns)})


def database_of(path: str) -> str:
    """The database that a log belongs to; any other path as it is."""
    database = path.removesuffix(_LOG)
    return database if database.endswith(_SUFFIXES) else path


@contextmanager
def reading(path: Path) -> Generator[sqlite3.Connection]:
    """A connection that sees one moment of the database.

    Raises DatabaseError when it is locked, or changed in a way that makes what was read doubtful;
    DamagedDatabase when it is damaged or none; OSError when it can't be opened.
    """
    with open_plain(path):
        pass  # SQLite would only say that it is unable to open it.
    # And it would wait for ever where one of the files beside it is a pipe.
    log, index, _ = [is_plain(f"{path}{suffix}") for suffix in (_LOG, _INDEX, _JOURNAL)]
    try:
        if not log:
            with _closed_database(path) as connection:
                yield connection
        elif index:
            with _connected(path, "mode=ro&readonly_shm=1") as connection:
                yield connection
        else:
            with _copied_database(path) as connection:
                yield connection
    except UnicodeDecodeError as error:
        # Names of tables and columns, and SQLite's own words about them.
        raise DamagedDatabase("a name in it is no text") from error
    except sqlite3.Error as error:
        # Locks and files that just appeared or went are operational; so is a missing column.
        passing = isinstance(error, sqlite3.OperationalError) and "no such" not in str(error)
        raise (DatabaseError if passing else DamagedDatabase)(str(error)) from error


@contextmanager
def _connected(path: Path, options: str) -> Generator[sqlite3.Connection]:
    address = f"file:{quote(os.fsencode(path.absolute()))}?{options}"
    connection = sqlite3.connect(
        address, uri=True, timeout=_WAIT_SECONDS, isolation_level=None, cached_statements=16
    )
    with closing(connection):
        # Text that is no UTF-8 must not cost the row.
        connection.text_factory = lambda text: text.decode("utf-8", "replace")
        connection.execute("BEGIN")
        yield connection


@contextmanager
def _closed_database(path: Path) -> Generator[sqlite3.Connection]:
    before = _marks(path)
    try:
        with _connected(path, "mode=ro&immutable=1") as connection:
            yield connection
    finally:
        if _marks(path) != before:
            raise DatabaseError(_WRITTEN_TO)
    if os.path.exists(f"{path}{_JOURNAL}"):
        raise DatabaseError("a change of it is not finished")


def _marks(path: Path | str) -> tuple[int, ...]:
    status = os.stat(path)
    return status.st_ino, status.st_size, status.st_mtime_ns, os.path.exists(f"{path}{_LOG}")


@contextmanager
def _copied_database(path: Path) -> Generator[sqlite3.Connection]:
    log = f"{path}{_LOG}"
    if os.path.getsize(path) + os.path.getsize(log) > _MAXIMUM_COPY:
        raise DatabaseError("its log has no index beside it, and it is too large to copy")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.db"
        before = (_marks(path), _marks(log))
        shutil.copyfile(path, copy)
        shutil.copyfile(log, f"{copy}{_LOG}")
        if (_marks(path), _marks(log)) != before:
            raise DatabaseError(_WRITTEN_TO)
        with _connected(copy, "mode=rw") as connection:
            yield connection
