"""The newest entries of a file of JSON lines, without reading more of it than they need.

The end of the file is read, and four times as much again while that holds too few entries. So
a tool's result may come without its call, and a record is known by its byte offset instead of
its line.
"""

import os
from collections.abc import Callable
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any, BinaryIO, cast

from lib.entries import Each, Entry, Reading, newest
from lib.model import Skip
from lib.plain_file import open_plain, open_raw
from lib.readers.lines import MAXIMUM_LINE, MAXIMUM_SKIPS_KEPT, TOO_LONG, unexpected
from lib.readers.values import Unreadable, decode_object, is_complete_json

FIRST_WINDOW = 1 << 20
LARGEST_WINDOW = 1 << 26
"""The most bytes of a file's end that are looked at."""

_SOME = 1_000

Take = Callable[[dict[str, Any]], list[Entry]]
"""The entries that a record adds, called in the order of the file."""


def read_lines(
    path: Path, new_take: Callable[[], Take], limit: int, each: Each | None = None
) -> Reading:
    """The newest `limit` entries, or with `each` all of them, given to it line by line.

    Raises OSError when the file can't be opened or read.
    """
    if path.suffix == ".zst":
        return newest(_read_compressed(path, new_take(), limit, each), limit)
    if each is not None:
        with open_plain(path, buffering=1 << 20) as file:
            return _read_through(file, new_take(), limit, each)
    with open_raw(path) as file:
        size = os.fstat(file.fileno()).st_size
        window = FIRST_WINDOW
        while True:
            start = max(0, size - window)
            reading = _read_from(file, start, size, new_take(), limit)
            if start == 0 or len(reading.entries) >= limit or window >= LARGEST_WINDOW:
                return newest(reading, limit)
            window *= 4


def _read_from(file: FileIO, start: int, end: int, take: Take, limit: int) -> Reading:
    file.seek(start)
    content = file.read(end - start) or b""
    reading = Reading(from_start=start == 0, earlier=start > 0)
    at = 0
    if start > 0:
        at = content.find(b"\n") + 1 or len(content)
    number = 0
    while at < len(content):
        newline = content.find(b"\n", at)
        stop = newline if newline >= 0 else len(content)
        line = content[at:stop].strip(b"\0 \t\r")
        number += 1
        # A last line without its newline is still being written, unless it is whole.
        if line and (newline >= 0 or is_complete_json(line)):
            _take_line(line, start + at, number, take, reading)
            # Of a million small records a page needs few, and memory holds no more.
            if len(reading.entries) > 2 * limit + _SOME:
                newest(reading, limit)
        at = stop + 1
    return reading


def _read_compressed(path: Path, take: Take, limit: int, each: Each | None) -> Reading:
    """Everything or the newest entries of a file that can't be read from its end."""
    # Imported here: most homes have no such file.
    from lib.readers.compressed import Decompressed  # noqa: PLC0415

    plain = Decompressed(path)
    with BufferedReader(plain, 1 << 20) as file:
        reading = _read_through(cast("BinaryIO", file), take, limit, each)
    if plain.problem is not None:
        skip(reading, 0, plain.problem)
    return reading


def _read_through(file: BinaryIO, take: Take, limit: int, each: Each | None) -> Reading:
    """Everything, from the first line on, with no more than a line and the newest in memory."""
    reading = Reading(each=each)
    place = number = 0
    while line := file.readline(MAXIMUM_LINE + 1):
        start, place = place, place + len(line)
        number += 1
        whole = line.endswith(b"\n")
        if not whole and len(line) > MAXIMUM_LINE:
            skip(reading, number, TOO_LONG)
            while not whole and (line := file.readline(MAXIMUM_LINE)):
                place, whole = place + len(line), line.endswith(b"\n")
            continue
        content = line.strip(b"\0 \t\r\n")
        if content and (whole or is_complete_json(content)):
            _take_line(content, start, number, take, reading)
            if len(reading.entries) > 2 * limit + _SOME:
                newest(reading, limit)
    return reading


def _take_line(line: bytes, place: int, number: int, take: Take, reading: Reading) -> None:
    if len(line) > MAXIMUM_LINE:
        skip(reading, number, TOO_LONG)
        return
    add(reading, number, lambda: take(decode_object(line)), place)


def add(
    reading: Reading, number: int, told: Callable[[], list[Entry]], place: int | None = None
) -> None:
    """Add the entries of record `number`, or count it where it can't be understood."""
    try:
        entries = told()
    except Unreadable as reason:
        skip(reading, number, str(reason))
        return
    except Exception as error:  # noqa: BLE001 - one odd record must not cost the transcript
        skip(reading, number, unexpected(error))
        return
    for entry in entries:
        entry.place = number if place is None else place
        entry.line = number if reading.from_start else None
    if reading.each is None:
        reading.entries += entries
    else:
        reading.each(entries)


def skip(reading: Reading, line: int, reason: str) -> None:
    """Count a record that could not be understood."""
    reading.skipped += 1
    if len(reading.skips) < MAXIMUM_SKIPS_KEPT:
        reading.skips.append(Skip(line, reason))
