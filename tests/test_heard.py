"""When daemons were heard."""

from hypothesis import given
from hypothesis import strategies as st

from lib import heard
from lib.heard import Clocks
from lib.model import DaemonRow
from lib.store import Store

NOW = 1_780_000_000_000
DAY = 86_400_000


def a_daemon(beat_at: int) -> DaemonRow:
    return DaemonRow(machine="desk", pid=1, started_at=1, beat_at=beat_at)


def age(clocks: Clocks, beat_at: int, now: int) -> int:
    (row,) = clocks.look(lambda: [a_daemon(beat_at)], now)
    return now - row.beat_at


def test_a_right_clock_is_believed_to_the_millisecond_however_late_one_looks() -> None:
    clocks = Clocks()
    assert age(clocks, NOW - 7, NOW) == 7
    assert age(clocks, NOW + DAY - 90_000, NOW + DAY) == 90_000
    assert clocks.ahead_ms("desk") == 0


def test_a_machine_whose_clock_is_behind_is_heard_by_its_next_beat() -> None:
    clocks = Clocks()
    assert age(clocks, NOW - 600_000, NOW) == 600_000
    assert age(clocks, NOW - 590_000, NOW + 10_000) <= 10_000
    assert clocks.ahead_ms("desk") == -590_000
    assert age(clocks, NOW - 590_000, NOW + 300_000) == 300_000


def test_a_clock_that_is_ahead_does_not_hide_a_daemons_silence() -> None:
    clocks = Clocks()
    assert age(clocks, NOW + 600_000, NOW) == 0
    assert clocks.ahead_ms("desk") == 600_000
    assert age(clocks, NOW + 600_000, NOW + 300_000) == 300_000


def test_a_clock_that_is_set_right_is_believed_again() -> None:
    clocks = Clocks()
    age(clocks, NOW - 600_000, NOW)
    age(clocks, NOW - 590_000, NOW + 10_000)
    assert age(clocks, NOW + 20_000, NOW + 20_000) == 0
    assert age(clocks, NOW + 20_000, NOW + 80_000) == 60_000


@given(
    offset=st.integers(-DAY, DAY),
    steps=st.lists(st.tuples(st.integers(1, 30_000), st.booleans()), min_size=2),
)
def test_who_beats_is_heard_and_never_in_the_future(
    offset: int, steps: list[tuple[int, bool]]
) -> None:
    clocks, now, beat = Clocks(), NOW, NOW
    age(clocks, beat + offset, now)
    for wait, beats in steps:
        looked_at, now = now, now + wait
        beat = now if beats else beat
        told = age(clocks, beat + offset, now)
        assert told >= 0
        if beats:
            assert told <= now - looked_at


def test_each_store_has_its_own(file_store: Store) -> None:
    file_store.save_daemon(a_daemon(NOW + 60_000))
    (row,) = heard.daemons(file_store, NOW)
    assert row.beat_at == NOW
    assert heard.ahead_ms(file_store, "desk") == 60_000
    assert heard.ahead_ms(file_store, "another") == 0
