"""What `test_pool` checks in a process of its own: one with threads, as pytest may be, never forks.

`python -m tests.pool_scenarios NAME FOLDER`
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path
from unittest.mock import patch

from lib import pool
from lib.pool import Work, read_all
from lib.readers.worker import Task
from tests.trees import Claude

started: list[int] = []
"""Process ids of the readers that were forked."""
_fork = os.fork


def remembered_fork() -> int:
    """`os.fork` that notes the child."""
    pid = _fork()
    started.extend([pid] if pid else [])
    return pid


def fork_of_a_child_that_is_killed_at_once() -> int:
    """`os.fork` whose child never reads anything."""
    pid = remembered_fork()
    if pid:
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    return pid


def read(work: list[Work]) -> list[tuple[bytes, str]]:
    """Path and call of every file that could be read."""
    return sorted(
        (item.task.path, answer.facts.requests[0].key)
        for group in read_all(work)
        for item, answer in group
        if answer.facts is not None
    )


def same_facts(work: list[Work]) -> None:
    """Processes give the same facts as one."""
    many = read(work)
    assert len(started) == 3
    with patch.object(pool, "WORTH_PROCESSES", 1 << 40):
        assert many == read(work)
    assert len(many) == len(work)
    assert len(started) == 3


def with_threads(work: list[Work]) -> None:
    """A process with threads reads by itself."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    found = read(work)
    done.set()
    thread.join()
    assert len(found) == len(work)
    assert started == []


def killed_reader(work: list[Work]) -> None:
    """A killed reader takes nothing with it."""
    with patch.object(os, "fork", fork_of_a_child_that_is_killed_at_once):
        assert len(read(work)) == len(work)
    assert len(started) == 3


def nothing_held(work: list[Work]) -> None:
    """Readers hold nothing of their parent open, and are gone afterwards."""
    held: set[int] = set()
    with open(__file__, "rb"):
        for _ in read_all(work):
            deadline = time.monotonic() + 10
            while held != {3} and time.monotonic() < deadline:
                held = {len(os.listdir(f"/proc/{pid}/fd")) for pid in started}
    assert held == {3}
    assert not any(Path(f"/proc/{pid}").exists() for pid in started)


SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (same_facts, with_threads, killed_reader, nothing_held)
}


def main(name: str, folder: Path) -> None:
    """Run one scenario, where reading is worth three processes."""
    paths = [Claude(folder, f"s{n}").prompt("hello").say("hi").path for n in range(40)]
    work = [Work(Task("claude-code", os.fsencode(path), None), 1 << 20) for path in paths]
    with (
        patch.object(os, "fork", remembered_fork),
        patch.object(os, "cpu_count", lambda: 3),
        patch.object(pool, "WORTH_PROCESSES", 1),
    ):
        SCENARIOS[name](work)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
