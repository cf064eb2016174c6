"""Reruns of the sessions page without a browser: JSON of milliseconds on standard output.

    python -m benchmarks.rerun [RERUNS]

Reads the store that the environment names, where a daemon must be alive, or the app starts one.
"""

import json
import sys
import time

from streamlit.testing.v1 import AppTest

from benchmarks.measure import ROOT


def main() -> int:
    """Command line; returns the exit status."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    app = AppTest.from_file(str(ROOT / "dashboard.py"), default_timeout=120)
    times: list[float] = []
    for _ in range(count + 1):
        started = time.perf_counter()
        app.run()
        times.append((time.perf_counter() - started) * 1000)
    errors = [element.value for element in app.exception]
    json.dump({"first": times[0], "reruns": times[1:], "exceptions": errors}, sys.stdout)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
