"""Values out of untrusted JSON: whatever a field holds, the answer is of the wanted type or None.

Agents change types between versions, write null where a number was, and are killed in
mid-write. A wrong type in one field must never cost the record's other facts.
"""

import json
import math
import os
import re
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import msgspec

from lib.model import MAXIMUM_TOKENS

NOT_JSON = "not JSON"
NOT_AN_OBJECT = "not a JSON object"
TOO_DEEP = "nested too deeply"
IMPLAUSIBLE_TOKENS = "implausible token count"

TITLE_LENGTH = 200
TEXT_LENGTH = 2_000

_TERMINAL_SEQUENCES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-Z\\-_]"
)
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST = 946_684_800_000  # 2000-01-01: anything before is a broken clock, not a session
_LATEST = 4_102_444_800_000  # 2100-01-01


class Unreadable(ValueError):
    """A record that yields no facts; `str()` is the reason that is counted and shown."""


def path_name(path: str | os.PathLike[str]) -> str:
    r"""A path as text that any database can hold: bytes that are no UTF-8 become `\xNN`."""
    name = os.fspath(path)
    # Asked ten thousand times in a sweep, and nearly always nothing is to be done.
    return name if name.isascii() else os.fsencode(name).decode("utf-8", "backslashreplace")


def decode_object(line: bytes) -> dict[str, Any]:
    """The JSON object in `line`, with invalid UTF-8 replaced.

    Raises Unreadable when it is no JSON, no object, or nested beyond what parsers bear.
    """
    try:
        value = msgspec.json.decode(line)
    except RecursionError:
        raise Unreadable(TOO_DEEP) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        value = _decode_with_repairs(line)
    if not isinstance(value, dict):
        raise Unreadable(NOT_AN_OBJECT)
    return cast(dict[str, Any], value)


def _decode_with_repairs(line: bytes) -> object:
    try:
        return json.loads(line.decode("utf-8", "replace"))
    except RecursionError:
        raise Unreadable(TOO_DEEP) from None
    except ValueError:
        raise Unreadable(NOT_JSON) from None


def is_complete_json(line: bytes) -> bool:
    """Whether `line` is one whole JSON value, as a last line without its newline may be."""
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False
    return True


def as_object(value: object) -> dict[str, Any]:
    """`value` if it is an object, else an empty one."""
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """`value` if it is a list, else an empty one."""
    return cast(list[Any], value) if isinstance(value, list) else []


def as_word(value: object) -> str | None:
    """A short identifier or path, cleaned; None for anything else."""
    # Most are names that need no cleaning, and there are many.
    if isinstance(value, str) and value.isidentifier() and len(value) <= 200:
        return value
    return as_text(value, 1_000)


def as_folder(value: object) -> str | None:
    """The path in a `file:` address; None for anything else."""
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return as_word(unquote(parts.path)) if parts is not None and parts.scheme == "file" else None


def as_text(value: object, limit: int = TEXT_LENGTH) -> str | None:
    """`value` if it is text: at most `limit` long, without terminal and control sequences."""
    if not isinstance(value, str):
        return None
    if len(value) <= limit and value.isascii() and value.isprintable():
        return value.strip() or None
    text = value[: limit * 4]
    text = _TERMINAL_SEQUENCES.sub("", text)
    text = _CONTROL_CHARACTERS.sub("", text).strip()
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    # A lone surrogate is valid in JSON escapes and in no database.
    return text.encode("utf-8", "replace").decode() or None


def as_tokens(value: object) -> int:
    """A token count; 0 where it is missing.

    Raises Unreadable when it is negative or beyond anything a model can do.
    """
    if type(value) is int and 0 <= value <= MAXIMUM_TOKENS:
        return value
    if value is None or isinstance(value, bool):
        return 0
    if isinstance(value, str):
        value = _number_in(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Unreadable(IMPLAUSIBLE_TOKENS)
        value = int(value)
    if not isinstance(value, int):
        return 0
    if not 0 <= value <= MAXIMUM_TOKENS:
        raise Unreadable(IMPLAUSIBLE_TOKENS)
    return value


def _number_in(text: str) -> int | None:
    # A long digit string is refused before int() can take quadratic time over it.
    stripped = text.strip()
    return int(stripped) if len(stripped) <= 20 and re.fullmatch(r"-?[0-9]+", stripped) else None


def as_count(value: object) -> int | None:
    """A small whole number (an attempt, a limit); None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAXIMUM_TOKENS:
        return value
    return None


def as_money(value: object) -> float | None:
    """US dollars; None for anything else, and for 0, which agents write where they don't know."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 10**9:
        return float(value)
    return None


def as_time(value: object) -> int | None:
    """Milliseconds since the epoch, from ISO text (UTC where it names no zone) or a number.

    A number is seconds or milliseconds, whichever lies in our times.

    None for anything else, and for a moment outside the years 2000 to 2100.
    """
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            since = moment - _EPOCH
            # A timedelta is divided through two Python integers, in five times the instructions.
            milliseconds = (since.days * 86_400 + since.seconds) * 1000
            milliseconds += since.microseconds // 1000
        except (ValueError, OverflowError, OSError):
            return None
    elif isinstance(value, int | float) and not isinstance(value, bool):
        # Compared before any arithmetic: an integer of JSON may be beyond every float.
        if not -(10**15) < value < 10**15:
            return None
        milliseconds = int(value * 1000) if abs(value) < 10**11 else int(value)
    else:
        return None
    return milliseconds if _EARLIEST <= milliseconds < _LATEST else None
