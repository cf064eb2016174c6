"""What agents delete stays counted: the files are noted as gone, and nothing else is said of it."""

import shutil
from pathlib import Path

import pytest

from lib.frame import load_sessions
from lib.report import why_report
from lib.store import Store
from tests.agent_trees import (
    Call,
    Maker,
    claude_code,
    cline,
    codex,
    copilot,
    cursor,
    gemini,
    goose,
    opencode,
)
from tests.collecting import NOW, collect
from tests.traps import figures

CALLS = [Call(100, 1_000, 20, 5), Call(200, 0, 30)]


@pytest.mark.parametrize(
    ("make", "deleted"),
    [
        (claude_code, ".claude/projects/-home-dev-alpha"),
        (codex, ".codex/sessions"),
        (codex, ".codex"),
        (gemini, ".gemini/tmp/alpha/chats/session-2026-03-01T12-00-00000000.jsonl"),
        (copilot, ".copilot/session-state/00000000-0004-4000-8000-000000000000"),
        (cline, ".cline/data/sessions/0-cline"),
        (cursor, ".cursor/chats"),
        (opencode, ".local/share/opencode/opencode.db"),
        (goose, ".local/share/goose/sessions/sessions.db"),
    ],
    ids=lambda one: one if isinstance(one, str) else one.__name__,
)
def test_facts_outlive_files_folders_and_databases(
    file_store: Store, tmp_path: Path, make: Maker, deleted: str
) -> None:
    make(tmp_path, 0, "claude-sonnet-4-5", CALLS)
    collect(file_store, tmp_path)
    before = figures(file_store)
    sessions = set(load_sessions(file_store, NOW)["key"])
    place = tmp_path / deleted
    below = sum(Path(file.path).is_relative_to(place) for file in file_store.files())
    assert below > 0
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink()
    for _ in range(2):
        collect(file_store, tmp_path)
        assert figures(file_store) == before
        assert set(load_sessions(file_store, NOW)["key"]) == sessions
        assert [file.error for file in file_store.files() if file.error] == []
        records = why_report(file_store, None, NOW)["records"]
        assert (records["gone"], records["errors"]) == (below, {})
        assert records["requests"] == before[0]


def test_what_comes_back_is_no_longer_gone_and_counts_once(
    file_store: Store, tmp_path: Path
) -> None:
    make = (claude_code, opencode)
    for one in make:
        one(tmp_path, 0, "claude-sonnet-4-5", CALLS)
    collect(file_store, tmp_path)
    before = figures(file_store)
    shutil.move(tmp_path / ".claude", tmp_path / "away")
    database = tmp_path / ".local/share/opencode/opencode.db"
    content = database.read_bytes()
    database.unlink()
    collect(file_store, tmp_path)
    assert all(file.gone for file in file_store.files())
    shutil.move(tmp_path / "away", tmp_path / ".claude")
    database.write_bytes(content)
    collect(file_store, tmp_path)
    assert not any(file.gone for file in file_store.files())
    assert figures(file_store) == before
