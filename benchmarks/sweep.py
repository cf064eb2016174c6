"""What a sweep over unchanged files costs a daemon: JSON of CPU milliseconds on standard output.

    python -m benchmarks.sweep [SWEEPS]

Of the tree in HOME and the store that the environment names; no daemon may run. First everything
is read that is new.
"""

import json
import sys
import threading
import time
from collections.abc import Callable

from lib.scan import Scan
from lib.settings import settings
from lib.store import Store

PAUSE_SECONDS = 0.3


def _milliseconds(work: Callable[[], object]) -> float:
    time.sleep(PAUSE_SECONDS)
    started = time.process_time()
    work()
    return (time.process_time() - started) * 1000


def main() -> int:
    """Command line; returns the exit status."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    store = Store.open(settings().store_url)
    scan = Scan(store, settings(), threading.Event())
    scan.run()
    collector = scan.collector

    def full() -> None:
        collector.collect(collector.sweep(full=True))
        collector.note_gone()
        collector.judge_unannounced()
        store.save_sources(collector.sources())

    def light() -> None:
        collector.collect(collector.sweep(full=False))

    figures = {
        "full": [_milliseconds(full) for _ in range(count)],
        "light": [_milliseconds(light) for _ in range(count)],
    }
    scan.close()
    store.close()
    json.dump(figures, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
