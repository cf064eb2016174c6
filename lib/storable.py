"""Python text as every database takes it, and back."""

import re
from collections.abc import Iterable, Sequence

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
