"""Every agent that can be read. A new one is a module of the shape `base.Reader`, listed here."""

from lib.readers import (
    amp,
    claude_code,
    cline,
    codex,
    copilot,
    cursor,
    droid,
    gemini,
    goose,
    kimi,
    opencode,
    pi,
    qwen,
)
from lib.readers.base import Reader

READERS: tuple[Reader, ...] = (
    amp,
    claude_code,
    cline,
    codex,
    copilot,
    cursor,
    droid,
    gemini,
    goose,
    kimi,
    opencode,
    pi,
    qwen,
)


LABELS = {reader.AGENT: reader.LABEL for reader in READERS}
"""Agent to its name for people."""

_BY_AGENT = {reader.AGENT: reader for reader in READERS}


def reader_of(agent: str) -> Reader:
    """The reader of this agent. Raises KeyError for an agent that has none."""
    return _BY_AGENT[agent]
