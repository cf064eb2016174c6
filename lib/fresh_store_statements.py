"""Makes `fresh_store.json` from the tables: `python -m lib.fresh_store_statements`."""

import sys
from typing import Any

import msgspec
from sqlalchemy import create_mock_engine, insert, select
from sqlalchemy.dialects import sqlite

from lib.fresh_store import STATEMENTS_PATH, FreshStatements
from lib.store_engine import FIRST_ROWS
from lib.store_merge import statements
from lib.store_schema import metadata, schema_version, store_state


def fresh_statements() -> FreshStatements:
    """What is to be in the file."""
    dialect = sqlite.dialect()
    tables: list[str] = []

    def keep(statement: Any, *_: object) -> None:
        tables.append(str(statement.compile(dialect=dialect)))

    made = create_mock_engine("sqlite://", keep)
    metadata.create_all(made, checkfirst=False)
    schema_version.create(made, checkfirst=False)
    # SQLAlchemy keeps a table's indexes in a set, whose order is another one in every run.
    tables.sort(key=lambda sql: sql if sql.startswith("CREATE INDEX") else "")
    for table, values in FIRST_ROWS:
        row = insert(table).values(**values)
        tables.append(str(row.compile(dialect=dialect, compile_kwargs={"literal_binds": True})))
    version = str(select(store_state.c.version).compile(dialect=dialect))
    return FreshStatements(tables, version, statements(dialect))


def encoded() -> bytes:
    """The file's bytes."""
    return msgspec.json.format(msgspec.json.encode(fresh_statements()), indent=1) + b"\n"


def main() -> int:
    """Write the file."""
    STATEMENTS_PATH.write_bytes(encoded())
    return 0


if __name__ == "__main__":
    sys.exit(main())
