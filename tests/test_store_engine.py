"""The store opens at once, by several processes at once, and fails without losing anything."""

import hashlib
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine

from lib import store_engine
from lib.model import Session
from lib.store import Batch, Store, StoreError, StoreTooNew
from lib.store_schema import VERSION_TABLE, metadata
from tests.postgres import new_database

TOP = Path(__file__).parent.parent

OPEN_AND_WRITE = """
import sys
from lib.model import Session
from lib.store import Batch, Store
url, name = sys.argv[1:]
print("ready", flush=True)
sys.stdin.read(1)
store = Store.open(url)
for number in range(20):
    key = f"agent:{name}-{number}"
    store.write(Batch(sessions=[Session(key=key, agent="agent", session_id=key)]))
store.close()
"""

OPEN_AND_NAME_ALEMBIC = """
import sys
from lib.store import Store
Store.open(sys.argv[1]).close()
print("alembic" in sys.modules)
"""
_POSTGRESQL = "sqlalchemy.dialects.postgresql"
OPEN_AND_NAME_POSTGRESQL = OPEN_AND_NAME_ALEMBIC.replace("alembic", _POSTGRESQL)


def session(number: int = 1, text: str = "") -> Session:
    return Session(key=f"agent:{number}", agent="agent", session_id=str(number), title=text)


def run(script: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        cwd=TOP,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def set_schema(store: Store, value: str) -> None:
    with store._engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '{value}'")


def set_pragma(store: Store, pragma: str) -> None:
    # The only connection of a store that is used by one thread.
    with store._engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA {pragma}")


@pytest.fixture
def empty_url(store_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A second empty place, of the same kind of database as `store_url`."""
    if store_url.startswith("sqlite"):
        return f"sqlite:///{tmp_path}/second/store.db"
    return new_database(request.getfixturevalue("postgres_folder"))


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/data/store.db"


TABLES_OF = {
    # Not the statement that made a table: that of an altered one is laid out in another way.
    "sqlite": """
        SELECT m.name, c.cid, c.name, c.type, c."notnull", c.dflt_value, c.pk, ''
        FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'
        UNION ALL
        SELECT name, 0, '', '', 0, '', 0, sql FROM sqlite_master WHERE type = 'index'
        ORDER BY 1, 2""",
    "postgresql": """
        SELECT table_name, column_name, ordinal_position::text, data_type, is_nullable,
            character_maximum_length::text, column_default, collation_name, is_identity
        FROM information_schema.columns WHERE table_schema = 'public'
        UNION ALL
        SELECT tablename, indexdef, '', '', '', '', '', '', '' FROM pg_indexes
        WHERE schemaname = 'public'
        UNION ALL
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '', '', '', '', ''
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        ORDER BY 1, 2, 3""",
}


def tables_of(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.exec_driver_sql(TABLES_OF[engine.dialect.name]))


def test_a_new_store_has_the_tables_that_the_migrations_make(store: Store, empty_url: str) -> None:
    engine = store_engine.connect(empty_url)
    with store_engine.writing(engine) as connection:
        store_engine.run_migrations(connection)
    migrated = tables_of(engine)
    engine.dispose()
    assert len(migrated) > 10
    assert tables_of(store._engine) == migrated
    opened = Store.open(empty_url)
    assert opened.version() == store.version() == 0
    opened.close()


def test_the_tables_are_those_that_the_code_names(store: Store) -> None:
    def differs(
        context: MigrationContext, _found: Any, _named: Any, found: Any, named: Any
    ) -> bool:
        return found.compile(context.dialect) != named.compile(context.dialect)

    options = {"version_table": VERSION_TABLE, "compare_type": differs}
    with store._engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_a_second_opening_keeps_everything(store_url: str) -> None:
    first = Store.open(store_url)
    first.write(Batch(sessions=[session()]))
    first.close()
    second = Store.open(store_url)
    assert [row.key for row in second.sessions()] == ["agent:1"]
    second.close()


def test_only_an_old_schema_costs_the_migrations_import(store_url: str) -> None:
    answers = [run(OPEN_AND_NAME_ALEMBIC, store_url).communicate() for _ in range(2)]
    assert answers == [(b"False\n", b"")] * 2


def test_a_file_costs_no_import_of_what_postgresql_needs(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    assert run(OPEN_AND_NAME_POSTGRESQL, url).communicate() == (b"False\n", b"")


def test_processes_that_open_a_new_store_at_once_all_succeed(store_url: str) -> None:
    processes = [run(OPEN_AND_WRITE, store_url, str(number)) for number in range(4)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"x")
        process.stdin.flush()
    answers = [process.communicate(timeout=120) for process in processes]
    assert [
        (process.returncode, error) for process, (_, error) in zip(processes, answers, strict=True)
    ] == [(0, b"")] * 4
    store = Store.open(store_url)
    assert len(store.sessions()) == 80
    assert store.version() == 80
    assert sorted(row.version for row in store.sessions()) == list(range(1, 81))
    store.close()


def test_an_opening_waits_for_a_migration_that_is_under_way(store_url: str) -> None:
    engine = store_engine.connect(store_url)
    with store_engine.writing(engine) as connection:
        store_engine._migrate(connection)
        process = run(OPEN_AND_WRITE, store_url, "a")
        assert process.stdin is not None
        process.stdin.write(b"x")
        process.stdin.flush()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
    _, errors = process.communicate(timeout=60)
    engine.dispose()
    assert (process.returncode, errors) == (0, b"")


def test_a_store_of_a_newer_schema_is_refused(store_url: str) -> None:
    store = Store.open(store_url)
    set_schema(store, "9999")
    store.close()
    with pytest.raises(StoreTooNew, match=r"9999.*QUARTERDECK_STORE_URL"):
        Store.open(store_url)


def test_a_file_of_a_newer_schema_is_left_as_it_is(sqlite_url: str) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    store = Store.open(sqlite_url)
    set_schema(store, "9999")
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(StoreTooNew):
        Store.open(sqlite_url)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_new_file_is_for_its_owner_only(sqlite_url: str) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    store = Store.open(sqlite_url)
    store.write(Batch(sessions=[session()]))
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()} == {0o600}
    store.close()


def test_readers_and_a_writer_do_not_wait_for_each_other(sqlite_url: str) -> None:
    store = Store.open(sqlite_url)
    store.write(Batch(sessions=[session(1)]))
    with store._engine.connect() as reader:
        assert reader.exec_driver_sql("SELECT count(*) FROM session").scalar() == 1
        store.write(Batch(sessions=[session(2)]))
        assert reader.exec_driver_sql("SELECT count(*) FROM session").scalar() == 1
    assert len(store.sessions()) == 2
    store.close()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sqlite://", "must be a file"),
        ("sqlite:///:memory:", "must be a file"),
        ("sqlite:////dev/null/store.db", "/dev/null"),
        ("no url at all", "could not be opened"),
        ("nothing://here", "could not be opened"),
        ("postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=5", "could not be opened"),
    ],
)
def test_a_store_that_cannot_be_opened_says_why(url: str, reason: str) -> None:
    with pytest.raises(StoreError, match=reason):
        Store.open(url)


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("notes " * 1000)
    with pytest.raises(StoreError, match="not a database"):
        Store.open(f"sqlite:///{path}")
    assert path.read_text() == "notes " * 1000


def test_a_full_disk_refuses_the_whole_batch_and_nothing_else(sqlite_url: str) -> None:
    store = Store.open(sqlite_url)
    store.write(Batch(sessions=[session(0)]))
    set_pragma(store, "max_page_count = 60")
    big = [session(number, "x" * 1000) for number in range(1, 500)]
    with pytest.raises(StoreError, match="full"):
        store.write(Batch(sessions=big))
    assert [row.key for row in store.sessions()] == ["agent:0"]
    assert store.version() == 1
    set_pragma(store, "max_page_count = 100000")
    assert store.write(Batch(sessions=big))
    assert len(store.sessions()) == 500
    store.close()


def test_a_locked_store_says_so_and_works_again_afterwards(sqlite_url: str) -> None:
    store = Store.open(sqlite_url)
    set_pragma(store, "busy_timeout = 20")
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"):
        store.write(Batch(sessions=[session()]))
    assert store.sessions() == []
    other.execute("ROLLBACK")
    other.close()
    assert store.write(Batch(sessions=[session()]))
    store.close()


def test_a_store_that_may_only_be_read_can_be_read(sqlite_url: str) -> None:
    store = Store.open(sqlite_url)
    store.write(Batch(sessions=[session(1)]))
    set_pragma(store, "query_only = 1")
    with pytest.raises(StoreError, match="readonly"):
        store.write(Batch(sessions=[session(2)]))
    assert len(store.sessions()) == 1
    store.close()


def test_a_lost_connection_is_one_error_at_most(postgres_folder: Path) -> None:
    store = Store.open(new_database(postgres_folder))
    store.write(Batch(sessions=[session()]))
    other = Store.open(store._engine.url.render_as_string(hide_password=False))
    with other._engine.begin() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    other.close()
    assert store.version() == 1
    store.close()


@pytest.mark.parametrize(
    ("table", "query"),
    [
        ("session", "SELECT * FROM session WHERE version > 5"),
        ("evidence", "SELECT * FROM evidence WHERE version > 5"),
        ("request", "SELECT * FROM request WHERE version = 5"),
        (
            "request",
            """SELECT * FROM request WHERE session_key IN
            (SELECT key FROM session WHERE version > 5)""",
        ),
    ],
)
def test_what_changed_is_found_by_an_index(sqlite_url: str, table: str, query: str) -> None:
    store = Store.open(sqlite_url)
    with store._engine.connect() as connection:
        plan = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}")]
    store.close()
    assert any(step.startswith(f"SEARCH {table} USING INDEX {table}_") for step in plan), plan
    assert not any(step.startswith("SCAN") for step in plan), plan
