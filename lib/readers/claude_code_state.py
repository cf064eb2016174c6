"""What reading on needs to know of what was read: kept as msgpack between two reads."""

import msgspec

from lib.model import Session


class Pending(msgspec.Struct, array_like=True):
    """A tool call whose result is not there yet."""

    name: str
    detail: str
    copied: int


class State(msgspec.Struct, omit_defaults=True):
    """One transcript up to some record."""

    session: Session
    own_id: str | None = None
    """The session id that records of this file carry unless they are copies."""
    first_at: int | None = None
    seen: bool = False
    """Whether any record of a conversation was read."""
    pending: dict[str, Pending] = {}
    recent_calls: list[str] = []
    """The newest model calls of the newest turn, to count each call once."""
    last_call: str | None = None
    tasks: dict[str, bool] = {}
    """Tasks by id: whether each is completed."""
    titles: dict[str, str] = {}
    """Titles by where they come from."""
    flags: set[str] = set()
