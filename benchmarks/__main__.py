"""Every benchmark, one after the other: `python -m benchmarks [--ccusage FOLDER]`. Minutes."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import CACHE, ROOT


def main() -> int:
    """Command line; returns the exit status: 1 when any benchmark found something wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--ccusage", type=Path, default=CACHE / "ccusage", help="where it is")
    ccusage = f"--ccusage={parser.parse_args().ccusage}"
    with tempfile.TemporaryDirectory() as tree:
        failed = [
            command[0]
            for command in (
                ["tree", tree, "--bytes", "1GiB", "--files", "3000"],
                ["first_scan", tree, ccusage],
                ["keep_up", ccusage],
                ["page"],
                ["servers"],
                ["costs"],
            )
            if _run(command)
        ]
    for name in failed:
        print(f"benchmarks.{name} failed", file=sys.stderr)
    return 1 if failed else 0


def _run(command: list[str]) -> int:
    print(f"\n== {command[0]}", flush=True)
    name, *arguments = command
    module = [sys.executable, "-m", f"benchmarks.{name}"]
    return subprocess.run([*module, *arguments], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
