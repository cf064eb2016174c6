"""What the board's buttons ask for, checked: the browser is not trusted.

The board keeps each click in an outbox under a growing number until Python has acknowledged
that number, so a click is neither lost in a rerun nor done twice. A server that was started anew
has acknowledged nothing and gets from Streamlit what the browser sent last, which its predecessor
may have done: it takes only clicks that were sent to itself. The board sends those again that
nobody acknowledged.
"""

from typing import Annotated, Any, Literal, NamedTuple, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lib.model import ActionKind

MOST_ITEMS = 1000


class Item(BaseModel):
    """One click."""

    model_config = ConfigDict(extra="forbid", strict=True)

    n: Annotated[int, Field(ge=1, le=2**53)]
    action: Literal["dismiss", "undismiss", "more"] | ActionKind
    session: Annotated[str, Field(min_length=1, max_length=64)]
    """The viewer's session to which it was sent."""
    key: Annotated[str, Field(min_length=1, max_length=1000)]
    """The session; for `more` the name of the section."""
    id: Annotated[str, Field(pattern="^[0-9a-f]{32}$")] | None = None
    """Of what is asked of a server: made for this click, so that it is done once even when a
    browser sends it to a server of ours that was started anew.
    """

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        if self.action == "create" or (self.id is None) != (self.asked is None):
            raise ValueError("no click of ours")
        return self

    @property
    def asked(self) -> ActionKind | None:
        """What a daemon has to do; None where the page does it itself."""
        kinds: tuple[ActionKind, ...] = get_args(ActionKind)
        return next((kind for kind in kinds if kind == self.action), None)


class Received(NamedTuple):
    """What is new in an outbox."""

    items: list[Item]
    """In the order of their numbers."""
    acknowledged: int
    """The number up to which everything was taken."""
    refused: int
    """How many entries are no clicks of ours."""


def receive(outbox: Any, session: str, acknowledged: int) -> Received:
    """Take what is new for `session` in `outbox`, whatever it is that the browser sent."""
    items: list[Item] = []
    refused = 0
    entries = outbox if isinstance(outbox, list) else []
    for entry in entries[:MOST_ITEMS]:
        try:
            item = Item.model_validate(entry)
        except ValidationError:
            refused += 1
            continue
        if item.session == session and item.n > acknowledged:
            items.append(item)
    items.sort(key=lambda item: item.n)
    return Received(items, max([acknowledged, *(item.n for item in items)]), refused)
