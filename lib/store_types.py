"""Column types that take any Python text, small values as JSON and whole numbers of any size."""

from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import Dialect, Text, TypeDecorator
from sqlalchemy.types import TypeEngine

from lib.storable import original, storable


class Words(TypeDecorator[str]):
    """Any Python text. Ordered by code point on every database, whatever its locale."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        return Text(collation="C") if dialect.name == "postgresql" else Text()

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return storable(value)

    def result_processor(
        self,
        dialect: Dialect,  # noqa: ARG002
        coltype: object,  # noqa: ARG002
    ) -> Any:
        # Not `process_result_value`, which takes three calls for each of a hundred thousand words.
        return original


class Json(TypeDecorator[Any]):
    """A small value as JSON text. `kind` is its type, as msgspec takes it."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: Any):
        super().__init__()
        self.kind = kind
        self._decode: Callable[[str], Any] = msgspec.json.Decoder(kind).decode

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:  # noqa: ARG002
        return msgspec.json.encode(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002
        return self._decode(value or "null")


class Whole(TypeDecorator[int]):
    """A whole number of any size, as text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else int(value)
