"""Session files that their agent compressed with zstd, read whole and without holding them.

Codex does so since 0.137 with rollouts that nobody used for a week: `rollout-*.jsonl` becomes
`rollout-*.jsonl.zst`, and plain again before anything is added to it (openai/codex,
codex-rs/rollout/src/compression.rs and #28338). Such a file never grows.
"""

import io
from pathlib import Path
from typing import cast

from backports.zstd import DecompressionParameter, ZstdError, ZstdFile

from lib.readers.lines import Consume, Increment

MAXIMUM_PLAIN = 4 << 30
"""What lies beyond so many bytes is left out: a file of kilobytes may claim to hold terabytes."""
LARGEST_WINDOW = 27
"""Logarithm of the most bytes that a file may make us keep: 128 MiB, zstd's own default."""

TOO_LARGE = "over 4 GiB when decompressed"
CUT_OFF = "compressed data that ends too early"
DAMAGED = "damaged compressed data"


class Decompressed(io.RawIOBase):
    """The content of a compressed file, as far as it can be read; `problem` says why no further.

    Raises OSError when the file can't be opened or read.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        options = {int(DecompressionParameter.window_log_max): LARGEST_WINDOW}
        self._plain = ZstdFile(path, options=options)
        self._left = MAXIMUM_PLAIN
        self.problem: str | None = None

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: object) -> int:
        """Fill as much of `buffer` as is at hand; 0 at the end, and where it can't go on."""
        place = cast("memoryview", buffer)
        if self.problem is not None:
            return 0
        try:
            got = self._plain.read1(min(len(place), self._left + 1))
        except EOFError:
            self.problem = CUT_OFF
            return 0
        except ZstdError:
            self.problem = DAMAGED
            return 0
        self._left -= len(got)
        if self._left < 0:
            self.problem = TOO_LARGE
            return 0
        place[: len(got)] = got
        return len(got)

    def close(self) -> None:
        """Close the file."""
        self._plain.close()
        super().close()


class CompressedFile(Increment):
    """The reading of a compressed file. What can't be decompressed is skipped and counted."""

    def __init__(self, path: Path, agent: str, version: int) -> None:
        super().__init__(path, None, agent, version)
        self._path = path

    def each_line(self, consume: Consume, openers: tuple[bytes, ...]) -> None:
        """As `Increment.each_line`; the state is then behind the whole file."""
        state, size = self.state, self.state.size
        with self._file, Decompressed(self._path) as plain:
            self._file = plain
            state.size = MAXIMUM_PLAIN + 1
            self._read_blocks(consume, openers)
            if plain.problem is not None:
                self._skip(plain.problem, state.line + 1)
        state.size = state.offset = size
