"""What people decided about groups of failures, in the store: added to, never changed or deleted.

Like daemons and servers, notes don't move the store's version: no session's row depends on them.
"""

from typing import Any

import msgspec
from sqlalchemy import Engine, Select, insert, select

from lib.model_notes import FailureNote
from lib.store_engine import objects, reading, writing
from lib.store_schema import failure_note


class FailureNotes:
    """All notes of one store. Threads may share it. Every method may raise StoreError."""

    def __init__(self, engine: Engine):
        self._engine = engine

    def add(self, note: FailureNote) -> None:
        """Keep a note. Its `id` is given by the store, in the order of writing."""
        values = msgspec.structs.asdict(note)
        del values["id"]
        with writing(self._engine) as connection:
            connection.execute(insert(failure_note).values(values))

    def listed(self) -> list[FailureNote]:
        """Every note, in the order of writing."""
        return self._read(select(failure_note))

    def of(self, signature: str) -> list[FailureNote]:
        """The notes on one group, in the order of writing."""
        return self._read(select(failure_note).where(failure_note.c.signature == signature))

    def _read(self, wanted: Select[Any]) -> list[FailureNote]:
        with reading(self._engine) as connection:
            rows = connection.execute(wanted.order_by(failure_note.c.id))
            return objects(FailureNote, rows)
