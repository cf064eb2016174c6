"""Words that several pages share."""

import pytest

from lib.ui.servers import ago, counted, lasted


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (0, "0s"),
        (59_999, "59s"),
        (60_000, "1m 00s"),
        (369_400.7, "6m 09s"),
        (3_600_000, "1h 00m"),
        (4_500_000_000, "1,250h 00m"),
    ],
)
def test_a_length_is_told_as_on_cards(milliseconds: float, words: str) -> None:
    assert lasted(milliseconds) == words


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [(-5, "0 s ago"), (59_999, "59 s ago"), (3_600_000, "1 h ago"), (200_000_000, "2 d ago")],
)
def test_how_long_ago_is_told_in_one_unit(milliseconds: int, words: str) -> None:
    assert ago(milliseconds) == words


def test_only_one_is_singular() -> None:
    assert [counted(number, "call") for number in (0, 1, 2_000)] == [
        "0 calls",
        "1 call",
        "2,000 calls",
    ]
