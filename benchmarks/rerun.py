"""Reruns of the sessions page without a browser: JSON of milliseconds on standard output.

    python -m benchmarks.rerun [RERUNS]

Reads the store that the environment names; a daemon must follow the tree in HOME. First with
the store unchanged, then each after three sessions changed.
"""

import json
import os
import sys
import time
from pathlib import Path

from streamlit.testing.v1 import AppTest

from benchmarks.keep_up import append_sessions, seconds_until_read
from benchmarks.measure import ROOT
from lib.settings import settings
from lib.store import Store
from lib.ui.access import PUBLIC_VARIABLE


def _milliseconds(app: AppTest) -> float:
    started = time.perf_counter()
    app.run()
    return (time.perf_counter() - started) * 1000


def main() -> int:
    """Command line; returns the exit status."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    # AppTest is a viewer without an address, which only a public board lets in.
    os.environ[PUBLIC_VARIABLE] = "1"
    app = AppTest.from_file(str(ROOT / "dashboard.py"), default_timeout=120)
    first = _milliseconds(app)
    unchanged = [_milliseconds(app) for _ in range(count)]
    store = Store.open(settings().store_url)
    changed: list[float] = []
    for number in range(count // 4):
        known = store.counts().records
        added = append_sessions(Path.home(), seed=number)
        seconds_until_read(store, known + added)
        changed.append(_milliseconds(app))
    store.close()
    errors = [element.value for element in (*app.exception, *app.error)]
    figures = {"first": first, "unchanged": unchanged, "changed": changed, "exceptions": errors}
    json.dump(figures, sys.stdout)
    if errors:
        print("\n".join(errors), file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
