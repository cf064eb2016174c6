"""What is found once for a frame that viewers share."""

import pandas as pd

from lib.per_frame import once_per_frame


def test_it_is_found_once_for_a_frame_and_anew_for_the_next() -> None:
    looked: list[int] = []

    @once_per_frame
    def length(frame: pd.DataFrame) -> int:
        looked.append(len(frame))
        return len(frame)

    first, second = pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1, 2]})
    assert [length(first), length(first), length(second), length(second)] == [1, 1, 2, 2]
    assert looked == [1, 2]
    equal = first.copy()
    assert (length(equal), looked) == (1, [1, 2, 1])
