"""A daemon has the budgets looked at when there is something to look at, by a real process."""

import logging
import sys
import time
from pathlib import Path

import psutil
import pytest

from lib import budget_watch
from lib.budget_watch import BudgetWatch
from lib.model import Request
from lib.settings import Settings
from lib.store import Batch, Store
from tests.test_store_budgets import a_budget

WORK = """
import pathlib, sys
with open(sys.argv[1], "a") as out: out.write("x")
"""


def a_call(number: int) -> Request:
    return Request(key=f"a:{number}", session_key="a:s", owner_rank="0", at=1, model="m")


class Watched:
    """A watch whose pause is over whenever it is asked."""

    def __init__(self, store: Store, folder: Path, code: str) -> None:
        self.looks = folder / "looks"
        config = Settings(store_url="sqlite://", data_folder=folder, machine="me@here")
        command = [sys.executable, "-c", code, str(self.looks)]
        self.watch = BudgetWatch(store, config, command)

    def go(self) -> int:
        """One round, until what it started has ended; how often it looked so far."""
        self.watch.round()
        deadline = time.monotonic() + 30
        while self.watch._look is not None and time.monotonic() < deadline:
            time.sleep(0.01)
            self.watch.round()
        return len(self.looks.read_text()) if self.looks.exists() else 0


@pytest.fixture
def watched(file_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    monkeypatch.setattr(budget_watch, "PAUSE_SECONDS", 0)
    return Watched(file_store, tmp_path, WORK)


def test_it_looks_only_where_budgets_or_calls_changed(file_store: Store, watched: Watched) -> None:
    file_store.write(Batch(requests=[a_call(1)]))
    assert watched.go() == 0
    file_store.budgets.save(a_budget())
    assert [watched.go() for _ in range(3)] == [1, 1, 1]
    file_store.write(Batch(requests=[a_call(2)]))
    assert [watched.go() for _ in range(2)] == [2, 2]
    file_store.budgets.save(a_budget(amount_usd=5.0))
    assert [watched.go() for _ in range(2)] == [3, 3]
    file_store.budgets.remove("b1")
    assert watched.go() == 3


def test_it_looks_no_more_than_once_a_minute(
    file_store: Store, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_store.budgets.save(a_budget())
    assert watched.go() == 1
    monkeypatch.setattr(budget_watch, "PAUSE_SECONDS", 60)
    file_store.write(Batch(requests=[a_call(1)]))
    assert watched.go() == 1


def test_a_failure_is_told_once_and_tried_again(
    file_store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture, watched: Watched
) -> None:
    file_store.budgets.save(a_budget())
    code = f"{WORK}\nsys.exit('no prices' if len(open(sys.argv[1]).read()) < 3 else 0)"
    failing = Watched(file_store, tmp_path, code)
    with caplog.at_level(logging.ERROR):
        assert [failing.go() for _ in range(4)] == [1, 2, 3, 3]
    assert [record.message for record in caplog.records] == [
        "The budgets could not be looked at: no prices"
    ]


def test_a_program_that_is_not_there_is_told(
    file_store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file_store.budgets.save(a_budget())
    config = Settings(store_url="sqlite://", data_folder=tmp_path, machine="me@here")
    watch = BudgetWatch(file_store, config, [str(tmp_path / "absent")])
    watch.round()
    assert "could not be looked at" in caplog.text


@pytest.mark.parametrize("hangs", [True, False])
def test_a_look_that_hangs_is_ended_and_none_outlives_the_daemon(
    file_store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    hangs: bool,
) -> None:
    file_store.budgets.save(a_budget())
    slow = Watched(file_store, tmp_path, "import time; time.sleep(600)").watch
    slow.round()
    slow.round()
    assert slow._look is not None
    pid = slow._look.process.pid
    if hangs:
        monkeypatch.setattr(budget_watch, "LONGEST_SECONDS", 0)
        slow.round()
        assert "longer" in caplog.text
    slow.close()
    assert not psutil.pid_exists(pid)


def test_a_look_that_says_very_much_ends_all_the_same(
    file_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget_watch, "PAUSE_SECONDS", 0)
    file_store.budgets.save(a_budget())
    watched = Watched(file_store, tmp_path, f"import sys; sys.stderr.write('y' * 10**6)\n{WORK}")
    assert watched.go() == 1
