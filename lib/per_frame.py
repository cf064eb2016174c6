"""What is found once for a frame that all viewers share, and forgotten when the next one comes."""

import functools
import weakref
from collections.abc import Callable
from typing import TypeVar

import pandas as pd

_Found = TypeVar("_Found")


def once_per_frame(find: Callable[[pd.DataFrame], _Found]) -> Callable[[pd.DataFrame], _Found]:
    """`find`, called once for each frame that comes; only of the newest it is known what it found.

    For frames that nobody writes into, as those of `lib.frame` are.
    """
    newest: list[tuple[weakref.ref[pd.DataFrame], _Found]] = []

    @functools.wraps(find)
    def found(frame: pd.DataFrame) -> _Found:
        known = newest[0] if newest else None
        if known is None or known[0]() is not frame:
            known = (weakref.ref(frame), find(frame))
            newest[:] = [known]
        return known[1]

    return found
