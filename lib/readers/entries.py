"""Whose transcripts can be shown: for each agent, how its files become entries."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from lib.entries import Each, Reading
from lib.readers import (
    amp_entries,
    claude_code_entries,
    cline_entries,
    codex_entries,
    copilot_entries,
    cursor_entries,
    droid_entries,
    gemini_entries,
    goose_entries,
    kimi_entries,
    opencode_entries,
    pi_entries,
    qwen_entries,
)
from lib.readers.databases import status_of

Mark = tuple[int, int, int, int]


class Entries(Protocol):
    """The newest entries of a session: its file, its key, how many; or, where somebody takes
    them as they are read, the entries from there on to the end. Raises OSError when the file
    can't be opened or read; never for what is in it.
    """

    def __call__(
        self, path: Path, session_key: str, limit: int, each: Each | None = None
    ) -> Reading: ...


class EntrySource(NamedTuple):
    """How the files of one agent become entries."""

    entries: Entries
    file_of: Callable[[Path], Path] = lambda path: path
    """The file in which the conversation is, of the session's file."""


ENTRY_SOURCES: dict[str, EntrySource] = {
    "amp": EntrySource(amp_entries.entries),
    "claude-code": EntrySource(claude_code_entries.entries),
    "cline": EntrySource(cline_entries.entries, cline_entries.conversation_of),
    "codex": EntrySource(codex_entries.entries),
    "copilot": EntrySource(copilot_entries.entries),
    "cursor": EntrySource(cursor_entries.entries),
    "droid": EntrySource(droid_entries.entries),
    "gemini": EntrySource(gemini_entries.entries),
    "goose": EntrySource(goose_entries.entries),
    "kimi": EntrySource(kimi_entries.entries),
    "opencode": EntrySource(opencode_entries.entries),
    "pi": EntrySource(pi_entries.entries),
    "qwen": EntrySource(qwen_entries.entries),
}


def mark_of(path: Path) -> Mark:
    """What changes when the file does. Raises OSError."""
    status = status_of(os.fspath(path))
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
