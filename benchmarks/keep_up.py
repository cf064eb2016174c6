"""What following costs: nothing changed, nothing happening, and 1 MB appended.

    python -m benchmarks.keep_up [--files 10000] [--bytes 200MB] [--idle 60] [--ccusage FOLDER]

Makes its own tree in a temporary folder. A restart is what a second `--once` takes beyond one
over an empty home with the same program start. Times are printed, never asserted; exit
status 1 when appended records never arrive.
"""

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from statistics import median

from benchmarks.first_scan import CCUSAGE_ARGUMENTS, SCAN
from benchmarks.measure import (
    CACHE,
    ROOT,
    CommandError,
    Cost,
    ccusage_command,
    environ_of,
    median_cost,
    output_json,
    print_table,
    run,
    tree_cpu,
    tree_memory,
)
from benchmarks.tree import parse_bytes, write_tree
from benchmarks.tree_claude import ClaudeFile
from benchmarks.tree_parts import Chance, Clock, Truth
from lib.store import Store

APPENDED = 1_000_000
SETTLED_SECONDS = 3.0
LONGEST_WAIT_SECONDS = 300.0


@contextlib.contextmanager
def daemon(environ: Mapping[str, str]) -> Generator[subprocess.Popen[bytes]]:
    """A daemon that has read everything there is; ended when the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "lib.daemon"],
        env=environ,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_quiet(process, environ["QUARTERDECK_STORE_URL"])
        yield process
    finally:
        process.terminate()
        process.wait()


def wait_until_quiet(process: subprocess.Popen[bytes], url: str) -> None:
    """Wait until it has read everything and takes less than a tenth of a core.

    `url`: of its store. On busy cores it may take as little before it has begun. Raises
    CommandError when it ended or is not done in time.
    """
    deadline = time.monotonic() + LONGEST_WAIT_SECONDS
    while time.monotonic() < deadline:
        before = tree_cpu(process.pid)
        time.sleep(SETTLED_SECONDS)
        if process.poll() is not None:
            raise CommandError(f"the daemon ended with exit status {process.returncode}")
        if tree_cpu(process.pid) - before < SETTLED_SECONDS / 10 and _has_read_all(process, url):
            return
    raise CommandError(f"the daemon was not done in {LONGEST_WAIT_SECONDS:.0f} s")


def _has_read_all(process: subprocess.Popen[bytes], url: str) -> bool:
    store = Store.open(url)
    rows = [row for row in store.daemons() if row.pid == process.pid]
    store.close()
    return any(row.phase == "watching" for row in rows)


def append_sessions(tree: Path, seed: int, files: int = 3) -> int:
    """Append `APPENDED` bytes in all to the newest transcripts; return the records added."""
    newest = sorted(
        tree.glob(".claude/projects/*/*.jsonl"), key=lambda path: path.stat().st_mtime_ns
    )
    chance, records = Chance(seed), 0
    for path in newest[-files:]:
        now = time.time()
        more = ClaudeFile(
            chance, Clock(chance, now, now), Truth(), path.stem, "/home/dev/code/project-00",
            "main", "claude-opus-5-5", current=False,
        )  # fmt: skip
        more.write(APPENDED // files, [])
        with path.open("a", encoding="utf-8") as file:
            file.write("".join(more.records))
        records += len(more.records)
    return records


def seconds_until_read(store: Store, records: int) -> float:
    """Wait until the store's files hold `records`. Raises CommandError when they never come."""
    started = time.perf_counter()
    seen = -1
    while time.perf_counter() - started < LONGEST_WAIT_SECONDS:
        if (version := store.version()) != seen:
            seen = version
            if store.counts().records >= records:
                return time.perf_counter() - started
        time.sleep(0.01)
    raise CommandError(f"{store.counts().records} of {records} records arrived")


def measure(tree: Path, store_path: Path, runs: int, idle: float, ccusage: list[str]) -> None:
    """Measure and print everything on a fresh tree."""
    environ = environ_of(tree, store_path)
    rival = [*ccusage, *CCUSAGE_ARGUMENTS]
    empty_home = store_path.parent / "empty"
    empty_home.mkdir()
    empty = environ_of(empty_home, store_path.parent / "empty.db")
    first = run(SCAN, environ)
    run(SCAN, empty)
    unchanged: list[Cost] = []
    starts: list[Cost] = []
    theirs: list[Cost] = []
    for _ in range(runs):
        unchanged.append(run(SCAN, environ))
        starts.append(run(SCAN, empty))
        theirs.append(run(rival, environ))
    again, start, rival_cost = (median_cost(costs) for costs in (unchanged, starts, theirs))
    print_table(
        (f"unchanged files, median of {runs}", "wall, s", "CPU, s"),
        [
            _row("first --once", first),
            _row("second --once", again),
            _row("--once over an empty home", start),
            ("a restart, without the start", "", f"{again.cpu - start.cpu:.3f}"),
            _row("ccusage", rival_cost),
        ],
    )
    sweeps = output_json([sys.executable, "-m", "benchmarks.sweep", str(2 * runs)], environ)
    print_table(
        (f"sweeps over unchanged files, of {2 * runs}", "median CPU, ms", "most"),
        [
            (f"a {name} one", f"{median(times):.0f}", f"{max(times):.0f}")
            for name, times in sweeps.items()
        ],
    )
    with daemon(environ) as process:
        before = tree_cpu(process.pid)
        time.sleep(idle)
        spent = tree_cpu(process.pid) - before
        memory = tree_memory(process.pid)
        print(f"\nIdle daemon over {idle:.0f} s: {spent:.2f} s CPU, {spent / idle:.2%} of a core")
        print(f"  {memory.resident:.0f} MiB resident, {memory.proportional:.0f} MiB proportional")
        _measure_appends(tree, environ, process, runs, rival_cost)


def _measure_appends(
    tree: Path,
    environ: Mapping[str, str],
    process: subprocess.Popen[bytes],
    runs: int,
    rival: Cost,
) -> None:
    store = Store.open(environ["QUARTERDECK_STORE_URL"])
    waits: list[float] = []
    cpu: list[float] = []
    for number in range(runs):
        before, known = tree_cpu(process.pid), store.counts().records
        added = append_sessions(tree, seed=1000 + number)
        waits.append(seconds_until_read(store, known + added))
        time.sleep(1)
        cpu.append(tree_cpu(process.pid) - before)
        time.sleep(SETTLED_SECONDS)
    store.close()
    spent = median(cpu)
    print(f"\n1 MB appended to 3 files, median of {runs}:")
    print(f"  in the store after {median(waits):.2f} s (longest {max(waits):.2f} s)")
    print(f"  for {spent:.3f} s CPU, {spent / rival.cpu:.3f} of ccusage's {rival.cpu:.2f} s")


def _row(name: str, cost: Cost) -> tuple[str, str, str]:
    return name, f"{cost.wall:.3f}", f"{cost.cpu:.3f}"


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.keep_up")
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--bytes", type=parse_bytes, default=parse_bytes("200MB"), dest="total")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--idle", type=float, default=60, help="seconds to watch it idle")
    parser.add_argument("--ccusage", type=Path, default=CACHE / "ccusage", help="where it is")
    arguments = parser.parse_args()
    try:
        ccusage = ccusage_command(arguments.ccusage)
        with tempfile.TemporaryDirectory() as scratch:
            tree, store = Path(scratch) / "tree", Path(scratch) / "store" / "store.db"
            tree.mkdir()
            store.parent.mkdir()
            write_tree(tree, arguments.total, arguments.files, seed=2, until=time.time() - 3600)
            measure(tree, store, arguments.runs, arguments.idle, ccusage)
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
