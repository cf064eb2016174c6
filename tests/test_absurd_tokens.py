"""Counts that can't be true never reach a figure: they are left out, counted and named."""

from pathlib import Path

import pytest

from lib import costs, ledger, quality
from lib.frame import load_requests, load_sessions
from lib.report import Scope, totals_report
from lib.store import Store
from tests.collecting import NOW, collect
from tests.golden import BERLIN
from tests.trees import Claude

ABSURD = [-1, 10**13, 10**30]


@pytest.mark.parametrize("output", ABSURD)
def test_an_impossible_count_is_in_no_figure_and_is_told(
    file_store: Store, tmp_path: Path, output: int
) -> None:
    session = Claude(tmp_path, "s1").prompt("hello").say("hi")
    session.say("absurd", 2, output=output).exit()
    collect(file_store, tmp_path)
    rows = ledger.load(file_store, NOW)
    found = costs.headline(rows)
    # The call beside it: 100 input, 10 output, 1,000 cache read and 50 cache write tokens.
    assert (found.requests, found.total_tokens) == (1, 1_160)
    assert found.unpriced_requests == 0
    totals = totals_report(file_store, Scope(BERLIN), NOW)
    assert (totals["total"]["requests"], totals["total"]["output_tokens"]) == (1, 10)
    assert sum(totals["records"]["skipped"].values()) == 1
    single = load_requests(file_store)
    assert single["output_tokens"].tolist() == [10]
    account = quality.account(file_store.files(), rows, load_sessions(file_store, NOW))
    assert sum(account.skipped.values()) == 1
    (skip,) = [skip for file in file_store.files() for skip in file.skips]
    assert skip.line == 3
