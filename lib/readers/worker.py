"""Reading session files on request, in a process of its own or not.

A reading process takes groups of tasks from a stream and answers with their facts on another,
each message a four-byte length and msgpack. It ends when its input closes.
"""

import os
from pathlib import Path
from typing import BinaryIO

import msgspec

from lib.model import FileFacts, FileState
from lib.readers import reader_of


class Task(msgspec.Struct):
    """One file to read, and what is known of it."""

    agent: str
    path: bytes
    """As the file system spells it, which need not be UTF-8."""
    previous: FileState | None


class Answer(msgspec.Struct):
    """What came of a task: facts, or why the file could not be read."""

    facts: FileFacts | None
    error: str | None


def read_one(task: Task) -> Answer:
    """Read one file. Whatever is in it, this returns."""
    path = Path(os.fsdecode(task.path))
    try:
        return Answer(reader_of(task.agent).read(path, task.previous), None)
    except OSError as error:
        return Answer(None, error.strerror or str(error))
    except Exception as error:  # noqa: BLE001
        # A reader that fails on one file must not take the others down; the file shows it.
        return Answer(None, f"{type(error).__name__}: {error}")


def send(stream: BinaryIO, message: object) -> None:
    """Write one message and flush it."""
    body = msgspec.msgpack.encode(message)
    stream.write(len(body).to_bytes(4, "big"))
    stream.write(body)
    stream.flush()


def receive(stream: BinaryIO) -> bytes | None:
    """The next message's bytes; None when the other end is gone."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    size = int.from_bytes(head, "big")
    body = stream.read(size)
    return body if len(body) == size else None


def answer_all(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer groups of tasks until the input closes."""
    tasks = msgspec.msgpack.Decoder(list[Task])
    while (body := receive(questions)) is not None:
        try:
            send(answers, [read_one(task) for task in tasks.decode(body)])
        except BrokenPipeError:
            return
