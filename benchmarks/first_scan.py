"""The first scan of a tree, beside ccusage on the same tree in the same run.

    python -m benchmarks.first_scan TREE [--runs 5] [--ccusage FOLDER]

Ours is `python -m lib.daemon --once` into a fresh SQLite store; theirs `ccusage daily --json
--offline`, which stores nothing. Warm cache, runs interleaved, medians. Memory is sampled in a
further run of each. Both totals are compared with the tree's truth. Exit status 1 when ours
differ; a time never fails.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.measure import (
    CACHE,
    CommandError,
    Cost,
    Memory,
    ccusage_command,
    environ_of,
    median_cost,
    output_json,
    peak_memory,
    print_table,
    run,
)
from benchmarks.tree_parts import KINDS

SCAN = [sys.executable, "-m", "lib.daemon", "--once"]
REPORT = [sys.executable, "-m", "lib.report", "totals", "--json"]
CCUSAGE_ARGUMENTS = ["daily", "--json", "--offline"]
CCUSAGE_KINDS = {
    "input_tokens": "inputTokens",
    "output_tokens": "outputTokens",
    "cache_write_tokens": "cacheCreationTokens",
    "cache_read_tokens": "cacheReadTokens",
}
Figures = Mapping[str, int]


def measure(tree: Path, runs: int, ccusage: list[str]) -> int:
    """Measure, print, compare; return the exit status."""
    rival = [*ccusage, *CCUSAGE_ARGUMENTS]
    plain = environ_of(tree)
    ours: list[Cost] = []
    theirs: list[Cost] = []
    with tempfile.TemporaryDirectory() as scratch:
        run(rival, plain)  # warms the cache
        run([sys.executable, "-c", "import lib.daemon"], plain)  # leaves compiled modules
        for number in range(runs):
            store = Path(scratch) / str(number) / "store.db"
            store.parent.mkdir()
            ours.append(run(SCAN, environ_of(tree, store)))
            theirs.append(run(rival, plain))
        sampled = Path(scratch) / "sampled" / "store.db"
        sampled.parent.mkdir()
        our_memory = peak_memory(SCAN, environ_of(tree, sampled))
        their_memory = peak_memory(rival, plain)
        stored = sum(file.stat().st_size for file in sampled.parent.glob("store.db*"))
        truth = json.loads((tree / "truth.json").read_text())
        print(f"First scan of {truth['bytes'] / 2**30:.2f} GiB, median of {runs}, warm cache")
        _print_costs(ours, theirs, our_memory, their_memory)
        print(f"Store: {stored / 2**20:.1f} MiB", flush=True)
        expected: dict[str, Figures] = truth["agents"]
        _print_rival_differences(expected, output_json(rival, plain)["totals"])
        report = output_json(REPORT, environ_of(tree, sampled))
    wrong = differences(expected, our_totals(report))
    print("Totals: ours equal the truth" if not wrong else "Totals: OURS ARE WRONG")
    for line in wrong:
        print(f"  {line}")
    return 1 if wrong else 0


def _print_costs(
    ours: list[Cost], theirs: list[Cost], our_memory: Memory, their_memory: Memory
) -> None:
    our_cost, their_cost = median_cost(ours), median_cost(theirs)
    print_table(
        ("", "Quarterdeck", "ccusage", "ratio"),
        [
            _row("wall, s", our_cost.wall, their_cost.wall),
            _row("CPU, s", our_cost.cpu, their_cost.cpu),
            _row("peak memory of all processes, MiB", our_memory.resident, their_memory.resident),
            _row(
                "the same, shared pages once, MiB",
                our_memory.proportional,
                their_memory.proportional,
            ),
            _row("peak memory of the largest process, MiB", our_cost.largest, their_cost.largest),
        ],
    )
    print(f"Spread of wall, s: ours {_spread(ours)}, ccusage {_spread(theirs)}")


def our_totals(report: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Figures by agent from `python -m lib.report totals --json`."""
    return {row["agent"]: {kind: row[kind] for kind in KINDS} for row in report["agents"]}


def differences(expected: Mapping[str, Figures], got: Mapping[str, Figures]) -> list[str]:
    """One line for each figure that is not the truth's; none when all are."""
    lines: list[str] = []
    for agent in sorted(expected.keys() | got.keys()):
        for kind in KINDS:
            true, found = (side.get(agent, {}).get(kind, 0) for side in (expected, got))
            if true != found:
                lines.append(f"{agent} {kind}: {found:,}, truth {true:,} ({found - true:+,})")
    return lines


def _print_rival_differences(expected: Mapping[str, Figures], totals: Mapping[str, int]) -> None:
    print("ccusage against the truth:")
    for ours, theirs in CCUSAGE_KINDS.items():
        true = sum(figures[ours] for figures in expected.values())
        more = totals[theirs] - true
        print(f"  {ours}: {more:+,} ({more / max(true, 1):+.2%})")


def _row(name: str, ours: float, theirs: float) -> tuple[str, str, str, str]:
    return name, f"{ours:.2f}", f"{theirs:.2f}", f"{ours / theirs:.2f}" if theirs else "-"


def _spread(costs: list[Cost]) -> str:
    walls = [cost.wall for cost in costs]
    return f"{min(walls):.2f} to {max(walls):.2f}"


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_scan")
    parser.add_argument("tree", type=Path, help="a folder made by python -m benchmarks.tree")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--ccusage", type=Path, default=CACHE / "ccusage", help="where it is")
    arguments = parser.parse_args()
    if not (arguments.tree / "truth.json").is_file():
        print(f"{arguments.tree} holds no truth.json", file=sys.stderr)
        return 2
    try:
        ccusage = ccusage_command(arguments.ccusage)
        return measure(arguments.tree.resolve(), arguments.runs, ccusage)
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
