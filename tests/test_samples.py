"""Sample sessions show every kind of card, and go without a trace."""

from lib import samples
from lib.frame import load_sessions
from lib.model import Session
from lib.sections import top_level
from lib.store import Batch, Store
from tests.board_rows import NOW_MS


def test_samples_show_every_status_that_can_be_met_and_say_what_they_are(store: Store) -> None:
    samples.write(store, NOW_MS)
    rows = top_level(load_sessions(store, NOW_MS))
    assert set(rows["status"]) == {
        "running",
        "waiting",
        "paused",
        "rate-limited",
        "idle",
        "completed",
        "failed",
        "cancelled",
    }
    assert rows["sample"].all()
    assert sum(store.counts().duplicates.values()) == 0
    assert all("sample" in flags for flags in rows["flags"])
    assert set(rows["section"]) == {"running", "recent"}
    assert rows["cost_usd"].isna().sum() == 1
    assert rows["subagents"].sum() == 1


def test_removing_samples_leaves_the_real_sessions(store: Store) -> None:
    real = Session(key="claude-code:real", agent="claude-code", session_id="real", machine="here")
    store.write(Batch(sessions=[real]))
    samples.write(store, NOW_MS)
    store.remove_machine(samples.MACHINE)
    assert [row.key for row in store.sessions()] == ["claude-code:real"]
    assert store.counts().requests == 0
    assert list(load_sessions(store, NOW_MS)["key"]) == ["claude-code:real"]


def test_writing_samples_twice_doubles_nothing(store: Store) -> None:
    samples.write(store, NOW_MS)
    before = store.counts().requests
    samples.write(store, NOW_MS + 1000)
    assert store.counts().requests == before
