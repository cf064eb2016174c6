"""What is found once for a frame that all viewers share, and forgotten together with it."""

import functools
import threading
import weakref
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import pandas as pd

_Found = TypeVar("_Found")


class PerFrame(Generic[_Found]):
    """What was found for each frame that somebody still holds, by a key. Threads may share it.

    For frames that nobody writes into, as those of `lib.frame` are.
    """

    def __init__(self) -> None:
        self._found: dict[int, dict[Hashable, _Found]] = {}
        """By the frame's identity, which no other object has while the frame is there."""
        self._lock = threading.RLock()

    def get(self, frame: pd.DataFrame, key: Hashable, find: Callable[[], _Found]) -> _Found:
        """What `find` answered when it was first asked for this frame and key.

        Of several threads one asks, and the others wait for what it finds.
        """
        with self._lock:
            if id(frame) not in self._found:
                self._found[id(frame)] = {}
                weakref.finalize(frame, self._found.pop, id(frame)).atexit = False
            found = self._found[id(frame)]
            if key not in found:
                found[key] = find()
            return found[key]


def once_per_frame(find: Callable[[pd.DataFrame], _Found]) -> Callable[[pd.DataFrame], _Found]:
    """`find`, called once for each frame."""
    known = PerFrame[_Found]()

    @functools.wraps(find)
    def found(frame: pd.DataFrame) -> _Found:
        return known.get(frame, None, lambda: find(frame))

    return found
