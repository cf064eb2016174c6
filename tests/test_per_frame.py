"""What is found once for a frame that viewers share."""

import threading
import time
import weakref

import pandas as pd
import pytest

from lib.per_frame import PerFrame, once_per_frame


def test_it_is_found_once_for_each_frame() -> None:
    looked: list[int] = []

    @once_per_frame
    def length(frame: pd.DataFrame) -> int:
        looked.append(len(frame))
        return len(frame)

    first, second = pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1, 2]})
    assert [length(first), length(second), length(first), length(second)] == [1, 2, 1, 2]
    assert looked == [1, 2]
    equal = first.copy()
    assert (length(equal), looked) == (1, [1, 2, 1])


def test_it_is_found_once_for_each_key() -> None:
    looked: list[str] = []
    known = PerFrame[str]()
    frame = pd.DataFrame({"a": [1]})

    def find(key: str) -> str:
        looked.append(key)
        return key.upper()

    found = [known.get(frame, key, lambda key=key: find(key)) for key in ("x", "y", "x")]
    assert (found, looked) == (["X", "Y", "X"], ["x", "y"])


def test_what_was_found_is_forgotten_together_with_its_frame() -> None:
    known = PerFrame[pd.Series]()
    frame = pd.DataFrame({"a": [1]})
    found = weakref.ref(known.get(frame, None, lambda: pd.Series([2])))
    assert found() is not None
    del frame
    assert found() is None


def test_of_several_threads_one_looks_and_the_others_take_what_it_found() -> None:
    looked: list[int] = []
    found: list[int] = []
    known = PerFrame[int]()
    frame = pd.DataFrame({"a": [1]})

    def find() -> int:
        looked.append(1)
        time.sleep(0.05)
        return len(looked)

    threads = [
        threading.Thread(target=lambda: found.append(known.get(frame, "look", find)))
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (looked, found) == ([1], [1] * 5)


def test_what_could_not_be_found_is_looked_for_again() -> None:
    known = PerFrame[int]()
    frame = pd.DataFrame({"a": [1]})
    answers = iter([ZeroDivisionError(), 7])

    def find() -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(ZeroDivisionError):
        known.get(frame, None, find)
    assert known.get(frame, None, find) == 7
