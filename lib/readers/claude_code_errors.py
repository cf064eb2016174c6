"""What kind of failure Claude Code reports, and when a rate limit ends.

The structured fields (`error`, `apiErrorStatus`, `rateLimits`) decide where they are there;
older versions say it in words only ("Claude AI usage limit reached|1760000000",
"5-hour limit reached ∙ resets 3pm (Europe/Berlin)").
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from lib.model import ErrorClass
from lib.readers.values import as_count, as_list, as_object, as_time

_CLASSES: tuple[tuple[ErrorClass, re.Pattern[str]], ...] = (
    (
        "authentication",
        re.compile(
            r"\b40[13]\b|authenticat|oauth|permission_error|invalid (x-)?api.key|please run /login"
        ),
    ),
    (
        "rate_limit",
        re.compile(r"\b429\b|rate.?limit|usage limit|limit reached|hit your \w* ?limit|billing"),
    ),
    (
        "context_overflow",
        re.compile(r"prompt.{0,9}too.long|context.{0,9}(length|window|limit)|model_context"),
    ),
    ("timeout", re.compile(r"\b(408|504)\b|time.?d?.?out")),
)
_PLAN_LIMIT = re.compile(
    r"usage limit reached|(?:5-hour|weekly|session|opus|sonnet) limit|hit your .{0,20}limit",
    re.IGNORECASE,
)
_RESET_KEYS = frozenset({"resetsat", "resets_at", "resetat", "reset_at"})
_RESET_STAMP = re.compile(r"\|(\d{10,13})\b")
_RESET_CLOCK = re.compile(
    r"resets?\s+(?:at\s+)?"
    r"(?:(?P<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\s+(?P<day>\d{1,2})"
    r",?\s+(?:at\s+)?)?"
    r"(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))?\s*(?P<half>am|pm)?\b\s*(?:\((?P<zone>[\w/+-]+)\))?",
    re.IGNORECASE,
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MAXIMUM_DEPTH = 4


def error_class(status: object, *words: object) -> ErrorClass:
    """The class of an API failure, from its HTTP status and the names and texts it came with."""
    texts = [word for word in words if isinstance(word, str)]
    said = " ".join([str(as_count(status) or ""), *texts]).lower()
    for name, pattern in _CLASSES:
        if pattern.search(said):
            return name
    return "api"


def names_plan_limit(text: str | None) -> bool:
    """Whether a rate limit is one of a subscription: the API has none by hours, weeks or models."""
    return text is not None and _PLAN_LIMIT.search(text) is not None


def reset_time(text: str | None, structures: tuple[Any, ...], at: int | None) -> int | None:
    """When a rate limit ends: from structured fields, a stamp, or a clock time after `at`."""
    moments = [moment for value in structures for moment in _reset_fields(value, _MAXIMUM_DEPTH)]
    if moments:
        return max(moments)
    if text is None:
        return None
    if stamp := _RESET_STAMP.search(text):
        return as_time(int(stamp[1]))
    clock = _RESET_CLOCK.search(text)
    return _next_moment(clock, at) if clock is not None and at is not None else None


def _reset_fields(value: object, depth: int) -> Iterator[int]:
    if depth == 0:
        return
    for item in as_list(value):
        yield from _reset_fields(item, depth - 1)
    for key, item in as_object(value).items():
        if key.lower() in _RESET_KEYS and (moment := as_time(item)) is not None:
            yield moment
        else:
            yield from _reset_fields(item, depth - 1)


def _next_moment(clock: re.Match[str], at: int) -> int | None:
    """The first moment after `at` that the wall clock of the named zone shows as `clock` says."""
    said = datetime.fromtimestamp(at / 1000, UTC).astimezone(_zone(clock["zone"]))
    hour = int(clock["hour"])
    if clock["half"] is not None:
        hour = hour % 12 + (12 if clock["half"].lower() == "pm" else 0)
    try:
        moment = said.replace(hour=hour, minute=int(clock["minute"] or 0), second=0, microsecond=0)
        if clock["month"] is not None:
            month = _MONTHS.index(clock["month"].lower()) + 1
            moment = moment.replace(month=month, day=int(clock["day"]))
            if moment < said - timedelta(days=180):
                moment = moment.replace(year=moment.year + 1)
        elif moment <= said:
            moment += timedelta(days=1)
    except ValueError:
        return None
    return as_time(int(moment.timestamp() * 1000))


def _zone(name: str | None) -> tzinfo | None:
    """The named zone; None, which is this machine's, where the text names none that is known."""
    try:
        return ZoneInfo(name) if name else None
    except (ValueError, KeyError, OSError):
        return None
