"""The shape of a reader: one module an agent, each with the names of `Reader`.

A reader knows where its agent keeps sessions, how records become facts, and where the
agent says which sessions are live. It never imports the store and never writes a file.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

from lib.model import Evidence, FileFacts, FileState


class Reader(Protocol):
    """What `lib.readers.READERS` holds: a module with these names."""

    AGENT: str
    """Stable name in keys, filters and reports: `claude-code`."""
    LABEL: str
    """Name for people: `Claude Code`."""
    VERSION: int
    """Raised when the meaning of stored facts changes; files are then read anew."""
    PROGRAMS: frozenset[str]
    """File names of the agent's program, as they appear in a process table."""
    CANNOT_KNOW: Mapping[str, str]
    """Flag to sentence: what this agent's files are known to leave out."""

    def roots(self, environ: Mapping[str, str]) -> list[Path]:
        """Folders that hold session files, present or not, best known first."""
        ...

    def is_session_file(self, path: Path) -> bool:
        """Whether a file below a root is one to read, by its name alone."""
        ...

    def read(self, path: Path, previous: FileState | None) -> FileFacts:
        """Facts in the bytes that were added since `previous`.

        Raises OSError when the file can't be opened or read; never for what is in it.
        """
        ...

    def live(self, environ: Mapping[str, str], now: int) -> Iterable[Evidence]:
        """Every session of this agent that has a live process on this machine, and what it does."""
        ...


@runtime_checkable
class SelectiveReader(Reader, Protocol):
    """A reader whose root also holds much that is none of its business."""

    def is_session_folder(self, path: Path) -> bool:
        """Whether a folder below a root can hold session files, by its name alone.

        The others are never listed, and the root is looked at instead of watched.
        """
        ...


@runtime_checkable
class ServingReader(Reader, Protocol):
    """A reader of an agent one process of which may work in any number of folders."""

    SERVERS: frozenset[str]
    """File names of the programs that do."""
