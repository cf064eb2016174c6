"""What reading on needs to know of what was read: kept as msgpack between two reads."""

import msgspec

from lib.model import Session
from lib.readers.claude_code_records import ToolInput
from lib.readers.claude_code_tools import describe


class Pending(msgspec.Struct, array_like=True):
    """A tool call whose result is not there yet."""

    name: str
    description: str | None
    """None while nobody asked for it: of a hundred calls about one is ever shown."""
    copied: int
    arguments: ToolInput | None = None
    """What it is described by; not kept between two reads."""

    def detail(self) -> str:
        """What the call does, in one line for people."""
        if self.description is None:
            self.description = describe(self.name, self.arguments)
            self.arguments = None
        return self.description


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
    budget_usd: float | None = None
    """The `--max-budget-usd` that the newest process was started with."""
