"""Column types that take any Python text, small values as JSON and whole numbers of any size."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Dialect, Text, TypeDecorator
from sqlalchemy.types import TypeEngine

_ESCAPE = "\x1a"
_UNSTORABLE = re.compile(r"[\x00\x1a\ud800-\udfff]")
_ESCAPED = re.compile(r"\x1a([0-9a-f]{4})")


def storable(text: str | None) -> str | None:
    """`text` as every database takes it; `original` gives the same text back.

    A path may hold bytes that are no UTF-8, which Python shows as lone surrogates, and an
    error message may hold a NUL. Each becomes U+001A and its four hexadecimal digits, and so
    does U+001A itself.
    """
    if text is None or text.isprintable():
        return text
    return _UNSTORABLE.sub(lambda found: f"{_ESCAPE}{ord(found[0]):04x}", text)


def storable_column(texts: Sequence[str | None]) -> Iterable[str | None]:
    """`storable` of each; quick where none needs it, as in nearly every column of identifiers."""
    joined = "".join(filter(None, texts))
    if joined.isascii() and "\0" not in joined and _ESCAPE not in joined:
        return texts
    return map(storable, texts)


def original(text: str | None) -> str | None:
    """The text that `storable` was given."""
    if text is None or _ESCAPE not in text:
        return text
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


class Words(TypeDecorator[str]):
    """Any Python text. Ordered by code point on every database, whatever its locale."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        return Text(collation="C") if dialect.name == "postgresql" else Text()

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return storable(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return original(value)


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
