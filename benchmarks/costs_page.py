"""The Costs page without a browser: JSON of milliseconds on standard output.

    python -m benchmarks.costs_page [RUNS]

Reads the store that the environment names. `loading`: what is done once, in a fresh process;
`views`: each change of the page, AppTest's own work included.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from streamlit.testing.v1 import AppTest

from benchmarks.measure import ROOT
from lib import ledger, pricing
from lib.frame import load_sessions, load_usage
from lib.settings import settings
from lib.store import Store
from lib.ui.access import PUBLIC_VARIABLE
from lib.ui.costs import DIMENSION_NAMES, KIND

PERIODS = ["7d", "year", "all"]


class Took(NamedTuple):
    """Milliseconds of one thing done."""

    wall: float
    cpu: float


def _milliseconds(does: Callable[[], object]) -> Took:
    started, used = time.perf_counter(), time.process_time()
    does()
    return Took((time.perf_counter() - started) * 1000, (time.process_time() - used) * 1000)


def loading() -> dict[str, list[Took]]:
    """The parts of what a first viewer waits for."""
    store = Store.open(settings().store_url)
    now = time.time_ns() // 1_000_000
    steps = {
        "sums by the database": lambda: store.usage(0, pricing.thresholds()),
        "rows of sessions, sums among them": lambda: load_sessions(store, now),
        "frame of usage": lambda: load_usage(store, now),
        "ledger": lambda: ledger.load(store, now),
    }
    found = {name: [_milliseconds(does)] for name, does in steps.items()}
    store.close()
    return found


def views(app: AppTest, runs: int) -> dict[str, list[Took]]:
    """Each grouping over all time, then other periods and a search in the sidebar."""

    def chosen(key: str, value: str) -> Took:
        return _milliseconds(lambda: app.selectbox(key=key).set_value(value).run())

    def back_and_forth(key: str, value: str, other: str) -> list[Took]:
        return [(chosen(key, other), chosen(key, value))[1] for _ in range(runs)]

    found = {
        f"split by {by}": back_and_forth("by", by, KIND if by == "tool" else "tool")
        for by in [*DIMENSION_NAMES, KIND]
    }
    chosen("by", "tool")
    for name in PERIODS:
        found[f"period {name}"] = back_and_forth("period", name, "today")
    found["search"] = [
        _milliseconds(lambda words=words: app.text_input(key="filter_text").set_value(words).run())
        for words in ("Task 1", "Task 12", "")
    ]
    return found


def main() -> int:
    """Command line; returns the exit status."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    # AppTest is a viewer without an address, which only a public board lets in.
    os.environ[PUBLIC_VARIABLE] = "1"
    loaded = loading()
    app = AppTest.from_file(str(ROOT / "dashboard.py"), default_timeout=300)
    app.query_params["period"] = "All time"
    app.run()
    loaded["page, everything loaded"] = [
        _milliseconds(lambda: app.switch_page("pages/costs.py").run())
    ]
    figures = {"loading": loaded, "views": views(app, runs)}
    errors = [element.value for element in (*app.exception, *app.error)]
    json.dump(figures, sys.stdout)
    if errors:
        print("\n".join(errors), file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
