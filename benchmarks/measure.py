"""Running a command and counting what it cost; finding ccusage; printing tables."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import platformdirs
import psutil

CCUSAGE = "ccusage@20.0.24"
ROOT = Path(__file__).resolve().parent.parent
CACHE = platformdirs.user_cache_path("quarterdeck") / "benchmarks"
_SAMPLE_SECONDS = 0.02


class Cost(NamedTuple):
    """What one run took. CPU is user and system time of the process and all its descendants."""

    wall: float
    """Seconds."""
    cpu: float
    """Seconds."""
    largest: float
    """Peak resident MiB of the largest single process."""


class Memory(NamedTuple):
    """Peak MiB of a whole process tree, sampled."""

    resident: float
    """Sum of resident sizes: pages that processes share count in each of them."""
    proportional: float
    """Sum of proportional sizes: a shared page counts once. 0 where the system can't say."""


class CommandError(RuntimeError):
    """A measured command failed; holds what it wrote to standard error."""


def median_cost(costs: Sequence[Cost]) -> Cost:
    """The median of each figure by itself."""
    return Cost(*(median(values) for values in zip(*costs, strict=True)))


def run(command: Sequence[str], environ: Mapping[str, str]) -> Cost:
    """Run `command` to its end and return its cost. Raises CommandError when it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, env=environ, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    message = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode:
        raise CommandError(message.decode(errors="replace")[-2000:])
    per_mib = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / per_mib)


def output_json(command: Sequence[str], environ: Mapping[str, str]) -> Any:
    """Run `command` and return the JSON it printed. Raises CommandError when it fails."""
    done = subprocess.run(command, env=environ, cwd=ROOT, check=False, capture_output=True)
    if done.returncode:
        raise CommandError(done.stderr.decode(errors="replace")[-2000:])
    return json.loads(done.stdout)


def peak_memory(command: Sequence[str], environ: Mapping[str, str]) -> Memory:
    """Run `command` and sample its process tree's memory (a run of its own: sampling costs)."""
    peak = Memory(0.0, 0.0)
    with subprocess.Popen(
        command, env=environ, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None:
            now = tree_memory(process.pid)
            peak = Memory(*(max(pair) for pair in zip(peak, now, strict=True)))
            time.sleep(_SAMPLE_SECONDS)
    if process.returncode:
        raise CommandError(f"exit status {process.returncode}: {' '.join(command)}")
    return peak


def tree_memory(pid: int) -> Memory:
    """What a process and its descendants hold now; nothing for those that are gone."""
    resident = proportional = 0
    for process in process_tree(pid):
        try:
            details = process.memory_full_info()
        except psutil.Error:
            continue
        resident += details.rss
        proportional += getattr(details, "pss", 0)
    return Memory(resident / (1 << 20), proportional / (1 << 20))


def process_tree(pid: int) -> list[psutil.Process]:
    """A process and its descendants, as far as they live."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def tree_cpu(pid: int) -> float:
    """CPU seconds so far of a process, its living descendants and the ended ones it waited for."""
    total = 0.0
    for process in process_tree(pid):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def environ_of(home: Path, store: Path | None = None) -> dict[str, str]:
    """Environment with `home` as HOME and no agent's own variables; `store` is our SQLite file.

    Python may keep its compiled modules, as it does wherever nobody forbids it.
    """
    left_out = ("QUARTERDECK_", "CLAUDE", "CODEX", "XDG_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    kept["HOME"] = str(home)
    if store is not None:
        kept["QUARTERDECK_STORE_URL"] = f"sqlite:///{store}"
        kept["QUARTERDECK_DATA_FOLDER"] = str(store.parent)
    return kept


def ccusage_command(folder: Path) -> list[str]:
    """Path to the native ccusage program in `folder`, installed there by npm if missing.

    The program itself, without the launcher that starts it under Node (about 0.1 s and 40 MB),
    which makes ccusage the harder rival. Raises CommandError when it can't be had.
    """
    found = _native_ccusage(folder)
    if found is None:
        npm = shutil.which("npm")
        if npm is None:
            raise CommandError(f"{CCUSAGE} is not in {folder}, and there is no npm to install it")
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([npm, "install", "--silent", "--prefix", folder, CCUSAGE], check=True)
        found = _native_ccusage(folder)
    if found is None:
        raise CommandError(f"{CCUSAGE} has no native program for this machine")
    if not os.access(found, os.X_OK):
        found.chmod(0o755)
    return [str(found)]


def _native_ccusage(folder: Path) -> Path | None:
    return next(folder.glob("node_modules/@ccusage/*/bin/ccusage"), None)


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table for people: first column to the left, figures to the right."""
    lines = [headings, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    for line in lines:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        print("  ".join(cells))
