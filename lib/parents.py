"""Which sessions stand below others: only what the store knows, and never in a ring."""

from collections.abc import Iterator, Mapping

DEEPEST = 8
"""Levels of subagents that are followed. What stands lower, or on a way up that never ends, stands
for itself."""


def known_parent(key: str, parents: Mapping[str, str | None]) -> str | None:
    """The parent of a session; None where it is not in the store, so that the session stands for
    itself instead of nowhere, and where the way up does not end.

    `parents`: of every session in the store, what its files say.
    """
    return next(iter(way_up(key, parents)), None)


def way_up(key: str, parents: Mapping[str, str | None]) -> list[str]:
    """The known sessions above one, the nearest first; none where the way does not end."""
    way: list[str] = []
    above = parents[key]
    while above is not None and above in parents:
        if len(way) == DEEPEST:
            return []
        way.append(above)
        above = parents[above]
    return way


class Family:
    """The same for sessions that come and change one by one, and what stands below each."""

    def __init__(self) -> None:
        self._parents: dict[str, str | None] = {}
        self._children: dict[str, set[str]] = {}

    def clear(self) -> None:
        """Forget everything."""
        self._parents.clear()
        self._children.clear()

    def note(self, key: str, parent: str | None) -> None:
        """Take in what a session's files say of its parent, which may come later or never."""
        before = self._parents.get(key)
        if before is not None:
            self._children[before].discard(key)
        self._parents[key] = parent
        if parent is not None:
            self._children.setdefault(parent, set()).add(key)

    def below(self, key: str) -> Iterator[str]:
        """Every session at whatever level below this one."""
        for child in self._children.get(key, ()):
            if known_parent(child, self._parents) is not None:
                yield child
                yield from self.below(child)

    def relatives(self, key: str) -> set[str]:
        """Every session above and below."""
        above = way_up(key, self._parents) if key in self._parents else []
        return {*above, *self.below(key)}
