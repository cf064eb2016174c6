"""OpenCode's files of versions before 1.2."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from lib.readers import opencode
from lib.sweep import changed
from tests.readers.opencode_records import Database, answer, ask, at, read, text, tokens, user


class Storage:
    """Sessions as versions before 1.2 kept them."""

    def __init__(self, folder: Path):
        self.folder = folder / "storage"
        self.path = self.folder / "session" / "p1" / "ses_1.json"
        self.write(
            self.path,
            {
                "id": "ses_1",
                "directory": "/home/dev/alpha",
                "title": "Old",
                "version": "0.5.1",
                "time": {"created": at(0), "updated": at(0)},
            },
        )

    def write(self, path: Path, content: object) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))

    def message(self, name: str, data: dict[str, Any], *parts: dict[str, Any]) -> None:
        self.write(self.folder / "message" / "ses_1" / f"{name}.json", {"id": name, **data})
        for number, part in enumerate(parts):
            self.write(self.folder / "part" / name / f"prt_{number}.json", part)


def test_the_old_files_tell_the_same(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    storage.message("msg_1", user(1), text("Do it"))
    storage.message("msg_2", answer(2, tokens(7, 7)), text("Done."))
    storage.write(storage.folder / "todo" / "ses_1.json", [{"status": "completed"}, {}, 7])
    facts = opencode.read(storage.path, None)
    session = facts.session
    assert session is not None
    assert (session.key, session.turn, session.last_message) == ("opencode:ses_1", "idle", "Done.")
    assert (session.todo_done, session.todo_total) == (1, 3)
    assert facts.state.usage_records == len(facts.requests) == 1
    database = Database(tmp_path)
    ask(database, counted=tokens(7, 7))
    assert [call.key for call in read(database).requests] == [facts.requests[0].key]


def test_all_steps_of_an_old_message_are_counted(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    record = answer(2, tokens(7, 7))
    del record["finish"]
    steps = [{"type": "step-finish", "tokens": tokens(5, 3)}, {"type": "step-finish"}]
    storage.message("msg_2", record, *steps, {"type": "step-finish", "tokens": tokens(7, 7)})
    (call,) = opencode.read(storage.path, None).requests
    assert (call.input_tokens, call.output_tokens) == (12, 10)


def test_an_old_session_is_looked_at_again_while_its_turn_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lib.readers.opencode.time.time_ns", lambda: at(9) * 1_000_000)
    storage = Storage(tmp_path)
    storage.message("msg_1", user(1), text("Do it"))
    running = opencode.read(storage.path, None)
    assert changed(os.stat(storage.path), running.state)
    storage.message("msg_2", answer(2, tokens(7, 7)))
    ended = opencode.read(storage.path, running.state)
    assert not changed(os.stat(storage.path), ended.state)
    assert len(ended.requests) == 1


def test_half_an_old_file_is_an_error_until_it_is_whole(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    storage.path.write_text('{"id": "ses_1", ')
    facts = opencode.read(storage.path, None)
    assert (facts.session, facts.state.error) == (None, "not JSON")
