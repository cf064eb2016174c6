"""What a reader meets and does not know: counted by name, so that a format that moved shows.

Everything that is known still counts. Three things are looked at: kinds of records, words from
a fixed set (why an answer stopped, how a turn ended), and names of fields, those of token counts
above all, because an unknown kind of token is missing in the figures.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec

from lib.model import FileState, Skip
from lib.readers.values import as_text

MAXIMUM_NAMES = 50
"""So many names are told apart in a file."""
MORE = "…"
"""Under this name everything beyond them is counted."""
_MAXIMUM_EXAMPLES = 10
_NAME_LENGTH = 80
SAMPLED_LINES = frozenset({*range(1, 9), *(1 << power for power in range(3, 40))})
"""Lines whose fields are looked at where looking at every line's would cost much."""

_fields_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw] | None)


def note(file: FileState, kind: str, word: object) -> None:
    """Count an unknown `word` that stands where a `kind` is expected: `record type`, `status`.

    The first of each name is kept with its line. A missing word is no drift.
    """
    if word is None:
        return
    shown = " ".join((as_text(word, _NAME_LENGTH) or "no text").split())
    name = f"{kind}: {shown}"
    unknown = file.unknown
    if name not in unknown:
        if len(unknown) >= MAXIMUM_NAMES:
            name = MORE
        elif len(file.skips) < _MAXIMUM_EXAMPLES:
            file.skips.append(Skip(file.line, name))
    unknown[name] = unknown.get(name, 0) + 1


def check(file: FileState, kind: str, word: object, known: AbstractSet[str]) -> None:
    """Count `word` unless it is one of `known`."""
    if not isinstance(word, str) or word not in known:
        note(file, kind, word)


def note_fields(
    file: FileState, owner: str, given: Mapping[str, Any], known: AbstractSet[str]
) -> None:
    """Count the fields of a `usage`, a `record` … that are none of `known`."""
    if not given.keys() <= known:
        for name in sorted(given.keys() - known):
            note(file, f"{owner} field", name)


def words(text: str) -> frozenset[str]:
    """The names in a text, as a set."""
    return frozenset(text.split())


def fields_of(record: bytes | bytearray | memoryview | None) -> dict[str, Any]:
    """The fields of a JSON object, their values undecoded; empty for anything else."""
    if record is None:
        return {}
    try:
        return _fields_decoder.decode(record) or {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
