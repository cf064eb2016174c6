"""Reading many files at once, on every core, with little in memory.

Reader processes are forks on pipes: nothing is started or imported anew, and they share this
process's memory. They end when their input closes, so that even a daemon killed with SIGKILL
leaves none behind. A process with threads can't be forked safely: it reads by itself.
"""

import contextlib
import os
import selectors
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple, NoReturn, Self

import msgspec

from lib.readers.worker import Answer, Task, answer_all, read_one, receive, send

WORTH_PROCESSES = 48 << 20
"""Bytes to read above which starting reader processes pays."""
_GROUP_BYTES = 8 << 20
_GROUP_FILES = 100
_MAXIMUM_PROCESSES = 4
_ERROR_OUTPUT = 2


class Work(NamedTuple):
    """A file to read and how many bytes of it are new."""

    task: Task
    size: int


def read_all(work: list[Work]) -> Iterator[list[tuple[Work, Answer]]]:
    """Read every file, in about the order given; yields groups as they are done.

    A reader process that dies takes nothing with it: what it held is read here.
    """
    groups = deque(_grouped(work))
    total = sum(item.size for item in work)
    count = min(os.cpu_count() or 1, _MAXIMUM_PROCESSES, len(groups))
    if total < WORTH_PROCESSES or count < 2 or threading.active_count() > 1:
        for group in groups:
            yield _read_here(group)
        return
    with _Workers(count) as workers:
        yield from workers.run(groups)


def _grouped(work: Iterable[Work]) -> Iterator[list[Work]]:
    group: list[Work] = []
    size = 0
    for item in work:
        group.append(item)
        size += item.size
        if size >= _GROUP_BYTES or len(group) >= _GROUP_FILES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _read_here(group: list[Work]) -> list[tuple[Work, Answer]]:
    return [(item, read_one(item.task)) for item in group]


class _Worker:
    def __init__(self) -> None:
        tasks, tasks_end = os.pipe()
        answers_end, answers = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _work_until_told_to_end(tasks, answers)
        os.close(tasks)
        os.close(answers)
        self.input = open(tasks_end, "wb")  # noqa: SIM115 - closed by `close`
        self.output = open(answers_end, "rb")  # noqa: SIM115
        self.group: list[Work] | None = None
        """What it was asked for and has not answered. One group at a time: a second one could
        fill the pipe while the worker waits for us to take its answer."""

    def ask(self, group: list[Work]) -> None:
        self.group = group
        # A dead worker is noticed when its output ends; until then its group is remembered.
        with contextlib.suppress(BrokenPipeError):
            send(self.input, [item.task for item in group])

    def close(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.input.close()
        self.output.close()
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def _work_until_told_to_end(tasks: int, answers: int) -> NoReturn:
    """What a fork does. Nothing of the parent's is finished or flushed at its end."""
    status = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the parent's business.
        # The parent's lock, its store, and the pipes of other forks, which must see their end.
        for name in os.listdir("/dev/fd"):
            if int(name) not in (tasks, answers, _ERROR_OUTPUT):
                with contextlib.suppress(OSError):
                    os.close(int(name))
        with open(tasks, "rb") as questions, open(answers, "wb") as output:
            answer_all(questions, output)
        status = 0
    finally:
        os._exit(status)


class _Workers:
    def __init__(self, count: int) -> None:
        self._workers = [_Worker() for _ in range(count)]
        self._answers = msgspec.msgpack.Decoder(list[Answer])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.close()

    def run(self, groups: deque[list[Work]]) -> Iterator[list[tuple[Work, Answer]]]:
        """Keep every worker busy until nothing is left."""
        with selectors.DefaultSelector() as selector:
            for worker in self._workers:
                selector.register(worker.output, selectors.EVENT_READ, worker)
                self._ask(worker, groups)
            while any(worker.group for worker in self._workers):
                for key, _ in selector.select():
                    worker: _Worker = key.data
                    group, worker.group = worker.group or [], None
                    body = receive(worker.output)
                    if body is None:
                        selector.unregister(worker.output)
                        yield _read_here(group)
                    else:
                        # Asked again before its answer is stored, so that it never waits for us.
                        self._ask(worker, groups)
                        yield list(zip(group, self._answers.decode(body), strict=True))
        while groups:
            yield _read_here(groups.popleft())

    def _ask(self, worker: _Worker, groups: deque[list[Work]]) -> None:
        if groups:
            worker.ask(groups.popleft())
