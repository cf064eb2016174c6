"""Rows of sessions with subagents: what is below counts with what is above, once."""

from pathlib import Path

import pytest

from lib import filters
from lib.frame import load_sessions
from lib.store import Batch, SessionRow, Store
from tests.test_frame import NOW, a_call, a_session, row_of


def test_models_of_subagents_are_models_of_the_session(store: Store) -> None:
    child = a_session("a", key="claude-code:s1/a", parent_key="claude-code:s1")
    call = a_call("a", session_key="claude-code:s1/a", model="small")
    store.write(
        Batch(sessions=[a_session("s1"), child], requests=[a_call("s1", model="large"), call])
    )
    row = row_of(store, "s1")
    assert (row["models"], row["all_models"]) == (["large"], ["large", "small"])
    assert filters.values(load_sessions(store, NOW), "model") == ["large", "small"]


def test_what_moves_while_it_is_loaded_is_counted_once(
    file_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = a_session("a", key="claude-code:s1/a", parent_key="claude-code:s1")
    calls = [a_call("s1"), a_call("a", session_key="claude-code:s1/a")]
    file_store.write(Batch(sessions=[a_session("s1"), child], requests=calls))
    row_of(file_store, "s1")
    sessions = file_store.sessions

    def sessions_and_a_write(since: int) -> list[SessionRow]:
        found = sessions(since)
        monkeypatch.undo()
        child.turns += 1
        file_store.write(Batch(sessions=[child], requests=[]))
        return found

    file_store.write(Batch(sessions=[a_session("s1", turns=9)]))
    monkeypatch.setattr(file_store, "sessions", sessions_and_a_write)
    row = row_of(file_store, "s1")
    assert (row["requests"], row["subagents"], row["subagent_tokens"]) == (1, 1, 1_000_000)
