"""Connections to the store's database: transactions, plain errors, and the schema's age."""

import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import (
    Connection,
    CursorResult,
    Engine,
    Table,
    create_engine,
    event,
    func,
    insert,
    inspect,
    make_url,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from lib import sqlite_file
from lib.store_errors import StoreError, StoreTooNew
from lib.store_schema import SCHEMA, VERSION_TABLE, metadata, schema_version, store_state

_Kind = TypeVar("_Kind")
_MIGRATION_LOCK = 0x51444B
_BEGIN = "sqlite_begin"
FIRST_ROWS: tuple[tuple[Table, dict[str, int | str]], ...] = (
    (store_state, {"id": 1, "version": 0, "removed_version": 0}),
    (schema_version, {"version_num": SCHEMA}),
)
"""What the tables of a new database hold."""


def connect(url: str) -> Engine:
    """The database at a SQLAlchemy URL. A SQLite file's folder is made, for its owner only."""
    address = make_url(url)
    if address.get_backend_name() != "sqlite":
        # Positional parameters, so that the same tuples serve every database.
        return create_engine(address, paramstyle="format", pool_pre_ping=True)
    if not address.database or address.database == ":memory:":
        raise StoreError("The store must be a file: sqlite:///path/to/store.db")
    with plain_errors("opened"):
        sqlite_file.make_file(Path(address.database))
    engine = create_engine(
        address, connect_args={"timeout": sqlite_file.LOCK_SECONDS, "isolation_level": None}
    )
    event.listen(engine, "connect", lambda connection, _: sqlite_file.prepare(connection))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


@contextmanager
def plain_errors(what: str) -> Generator[None]:
    """Turn the database's exceptions into StoreError. `what` was to be done: `read`, `written`."""
    try:
        yield
    except DBAPIError as error:
        raise StoreError(f"The store could not be {what}: {error.orig}") from error
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise StoreError(f"The store could not be {what}: {error}") from error


@contextmanager
def reading(engine: Engine) -> Generator[Connection]:
    """A transaction that only reads."""
    with plain_errors("read"), engine.begin() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Generator[Connection]:
    """A transaction that writes: all of it or nothing."""
    with plain_errors("written"), _writing(engine) as connection:
        yield connection


@contextmanager
def _writing(engine: Engine) -> Generator[Connection]:
    with engine.connect() as connection:
        # Reading first and writing then can't wait for the lock, so it is taken at once.
        connection.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
        with connection.begin():
            yield connection


def objects(kind: Callable[..., _Kind], rows: CursorResult[Any]) -> list[_Kind]:
    """One of `kind` for each row, whose columns are named as its fields."""
    names = tuple(rows.keys())
    return [kind(**dict(zip(names, row, strict=True))) for row in rows]


def next_version(connection: Connection) -> int:
    """The version of this transaction. Others that write wait from here until it ends.

    So versions become visible in their order, and no reader passes over a late one.
    """
    statement = select(store_state.c.version).with_for_update()
    return connection.execute(statement).scalar_one() + 1


def set_version(connection: Connection, version: int) -> None:
    """Make `version` the store's, so that readers notice this transaction."""
    connection.execute(update(store_state).values(version=version))


def bring_up_to_date(engine: Engine) -> None:
    """Make or migrate the tables where they are not those of this code.

    Raises StoreTooNew, and changes nothing, when they are later ones. Several processes may
    do this at once: one migrates, the others find it done.
    """
    with plain_errors("opened"):
        with engine.begin() as connection:
            current = _schema_of(connection)
        if current != SCHEMA:
            with _writing(engine) as connection:
                _migrate(connection)
        if engine.dialect.name == "sqlite":
            with closing(engine.raw_connection()) as pooled:
                sqlite_file.switch_to_log(cast("sqlite3.Connection", pooled.driver_connection))


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
    current = _schema_of(connection)
    if current is None:
        _make_tables(connection)
    elif current != SCHEMA:
        run_migrations(connection)


def _make_tables(connection: Connection) -> None:
    metadata.create_all(connection, checkfirst=False)
    schema_version.create(connection)
    for table, values in FIRST_ROWS:
        connection.execute(insert(table).values(**values))


def run_migrations(connection: Connection) -> None:
    """Bring an older schema, or none, to this code's, step by step."""
    # Imported here: alembic takes longer to import than a store to open.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    configuration = Config()
    configuration.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    configuration.attributes["connection"] = connection
    command.upgrade(configuration, SCHEMA)


def _schema_of(connection: Connection) -> str | None:
    """The stored schema; None before the first migration. Raises StoreTooNew for a later one."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    current: str | None = connection.execute(select(schema_version.c.version_num)).scalar()
    if current is not None and current > SCHEMA:
        raise StoreTooNew(
            f"A newer Quarterdeck has changed the store: it has schema {current}, this version "
            f"knows {SCHEMA}. Install the newer version here too, or name another store in "
            "QUARTERDECK_STORE_URL."
        )
    return current


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))
