"""Every agent that can be read. A new one is a module of the shape `base.Reader`, listed here."""

from lib.readers import claude_code
from lib.readers.base import Reader

READERS: tuple[Reader, ...] = (claude_code,)


def reader_of(agent: str) -> Reader | None:
    """The reader of this agent; None for an agent that has none."""
    return next((reader for reader in READERS if reader.AGENT == agent), None)
