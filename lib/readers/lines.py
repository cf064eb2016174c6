"""Reading what was appended to a file of JSON lines, and nothing twice.

A file is known by device, inode and a fingerprint of what lies before the offset. When any
of them no longer fits, the file was truncated or replaced and is read from its start;
requests carry their own identity, so that reading them again changes nothing.

Measured: one reused buffer reads 10 GB/s where fresh `read()` calls make 1.6 GB/s, so lines
are handed on as spans of one buffer. No mmap: a file truncated in mid-read would be SIGBUS.
"""

import hashlib
import os
import re
from collections.abc import Callable
from io import RawIOBase
from pathlib import Path
from typing import Self, cast

import msgspec

from lib.model import FileState, Skip
from lib.plain_file import open_raw
from lib.readers.values import NOT_JSON, is_complete_json, path_name

BLOCK = 1 << 19
MAXIMUM_LINE = 1 << 24
"""A longer line is skipped and counted: no record with a call's usage comes near it."""

TOO_LONG = "line over 16 MiB"
ONLY_NUL = "NUL bytes"
MAXIMUM_SKIPS_KEPT = 20
_FINGERPRINT_BYTES = 256
_MARK = b"\xef\xbb\xbf"
"""What editors and shells of Windows put before UTF-8."""
_NULS = re.compile(rb"\0*")
_EMPTY = re.compile(rb"\n+")

Consume = Callable[[bytearray, int, int], str | None]
"""Takes one line as a span of a buffer; answers why it yielded no facts, or None."""

_buffer = bytearray(BLOCK)


class Increment:
    """One reading of one file: `state` says where it starts, `each_line` moves it on.

    Raises OSError when the file can't be opened or read.
    """

    def __init__(self, path: Path, previous: FileState | None, agent: str, version: int):
        self._file: RawIOBase = open_raw(path)
        status = os.fstat(self._file.fileno())
        if previous is not None and self._continues(previous, status, version):
            self.state = msgspec.structs.replace(
                previous,
                skipped=dict(previous.skipped),
                skips=list(previous.skips),
                unknown=dict(previous.unknown),
            )
        else:
            self.state = FileState(path=path_name(path), agent=agent, reader_version=version)
        self.state.device, self.state.inode = status.st_dev, status.st_ino
        self.state.size, self.state.mtime_ns = status.st_size, status.st_mtime_ns
        self.state.error, self.state.gone = None, False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def each_line(self, consume: Consume, openers: tuple[bytes, ...]) -> None:
        """Hand every complete new line to `consume` and move the state behind it.

        `openers` are the first bytes of the agent's records: a line that is no JSON may be a
        record cut off by a kill with the next one glued to it, which starts with one of them.
        """
        state = self.state
        if state.offset < state.size:
            self._file.seek(state.offset)
            self._read_blocks(consume, openers)
        state.fingerprint = self._fingerprint(state.offset)

    def _read_blocks(self, consume: Consume, openers: tuple[bytes, ...]) -> None:
        state = self.state
        buffer = _buffer
        held = 0
        remaining = state.size - state.offset
        while remaining > 0:
            if held == len(buffer):
                larger = bytearray(2 * held)
                larger[:held] = buffer
                buffer = larger
            with memoryview(buffer) as view:
                got = self._file.readinto(view[held : min(len(buffer), held + remaining)])
            if not got:
                break
            remaining -= got
            end = held + got
            start = self._take_lines(buffer, end, consume, openers)
            held = end - start
            if held >= MAXIMUM_LINE:
                if not state.discarding:
                    self._skip(TOO_LONG, state.line + 1)
                state.discarding = True
                state.offset += held
                held = 0
            elif held and start:
                # Within the buffer: a slice of it would be a fresh copy, page by page.
                with memoryview(buffer) as view:
                    view[:held] = view[start:end]
        if held and not state.discarding:
            self._take_last_line(buffer, held, consume, openers)
        elif held:
            state.offset += held

    def _take_lines(
        self, buffer: bytearray, end: int, consume: Consume, openers: tuple[bytes, ...]
    ) -> int:
        """Consume the complete lines of `buffer[:end]`; return where the incomplete one starts."""
        state = self.state
        find = buffer.find
        start = 0
        if state.discarding and (newline := find(b"\n", 0, end)) >= 0:
            state.discarding = False
            state.line += 1
            start = newline + 1
        if state.discarding:
            state.offset += start
            return start
        # One call a line: whatever else a line may be is asked only when it yields no facts.
        lines_before, others = state.line, 0
        while (newline := find(b"\n", start, end)) >= 0:
            if newline == start:
                start = cast(re.Match[bytes], _EMPTY.match(buffer, newline, end)).end()
                state.line += start - newline
                others += start - newline
                continue
            state.line += 1
            try:
                reason = consume(buffer, start, newline)
            except Exception as error:  # noqa: BLE001 - one odd record must not cost the file
                reason = unexpected(error)
            if reason is not None:
                others += 1
                self._take_other(reason, buffer, start, newline, consume, openers)
            start = newline + 1
        state.records += state.line - lines_before - others
        state.offset += start
        return start

    def _take_other(
        self,
        reason: str,
        buffer: bytearray,
        start: int,
        end: int,
        consume: Consume,
        openers: tuple[bytes, ...],
    ) -> None:
        """Take a line that yielded no facts as it stands: empty, begun by NULs or a mark, two.

        What was refused for its content is not consumed again: it may have counted in part.
        """
        state = self.state
        if start == end or (end - start == 1 and buffer[start] == 13):
            return
        yielded: str | None = reason
        if buffer.startswith(_MARK, start, end):
            start += len(_MARK)
            yielded = _consumed(consume, buffer, start, end)
        elif buffer[start] == 0:
            start = cast(re.Match[bytes], _NULS.match(buffer, start, end)).end()
            yielded = _consumed(consume, buffer, start, end) if start < end else ONLY_NUL
        if yielded == NOT_JSON:
            candidates = (buffer.rfind(opener, start + 1, end) for opener in openers)
            whole = (at for at in candidates if at > 0 and is_complete_json(bytes(buffer[at:end])))
            if (glued := next(whole, None)) is not None:
                # Readers know some records by their first bytes, also one that was cut off.
                if is_complete_json(bytes(buffer[start:glued])):
                    yielded = _consumed(consume, buffer, start, glued)
                if _consumed(consume, buffer, glued, end) is None:
                    state.records += 1
        if yielded is None:
            state.records += 1
        else:
            self._skip(yielded, state.line)

    def _take_last_line(
        self, buffer: bytearray, end: int, consume: Consume, openers: tuple[bytes, ...]
    ) -> None:
        # Some writers end a file without a newline; a cut-off record is never complete JSON.
        if is_complete_json(bytes(buffer[:end])):
            self.state.line += 1
            reason = _consumed(consume, buffer, 0, end)
            if reason is None:
                self.state.records += 1
            else:
                self._take_other(reason, buffer, 0, end, consume, openers)
            self.state.offset += end
            self.state.line -= 1  # its newline, when it comes, counts the line

    def _skip(self, reason: str, line: int) -> None:
        state = self.state
        state.skipped[reason] = state.skipped.get(reason, 0) + 1
        if len(state.skips) < MAXIMUM_SKIPS_KEPT:
            state.skips.append(Skip(line, reason))

    def _continues(self, previous: FileState, status: os.stat_result, version: int) -> bool:
        return (
            previous.reader_version == version
            and previous.device == status.st_dev
            and previous.inode == status.st_ino
            and previous.offset <= status.st_size
            and previous.fingerprint == self._fingerprint(previous.offset)
        )

    def _fingerprint(self, offset: int) -> bytes:
        """Hash of the file's first bytes and of the last ones before `offset`."""
        if offset == 0:
            return b""
        digest = hashlib.blake2b(digest_size=12)
        for position in (0, max(0, offset - _FINGERPRINT_BYTES)):
            self._file.seek(position)
            digest.update(self._file.read(min(_FINGERPRINT_BYTES, offset)) or b"")
        return digest.digest()


def unexpected(error: Exception) -> str:
    """The reason that is counted for a record at which a reader itself failed."""
    return f"unexpected {type(error).__name__}"


def _consumed(consume: Consume, buffer: bytearray, start: int, end: int) -> str | None:
    try:
        return consume(buffer, start, end)
    except Exception as error:  # noqa: BLE001 - one odd record must not cost the file
        return unexpected(error)
