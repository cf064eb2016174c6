"""Which sessions stand below others: only what the store knows, and never in a ring."""

from collections.abc import Mapping

DEEPEST = 8
"""Levels of subagents that are followed."""


def known_parent(key: str, parents: Mapping[str, str | None]) -> str | None:
    """The parent of a session. None where it is not in the store, so that the session stands for
    itself instead of nowhere, and where the way up leads back.

    `parents`: of every session in the store, what its files say.
    """
    above = parent = parents[key]
    for _ in range(DEEPEST):
        if above is None or above not in parents:
            break
        if above == key:
            return None
        above = parents[above]
    return parent if parent in parents else None
