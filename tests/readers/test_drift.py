"""What no reader knows yet: counted by name, and everything else still works."""

import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.model import FileState
from lib.readers import claude_code, cline, codex, copilot, drift, droid, gemini, opencode, pi, qwen
from lib.readers.base import Reader
from tests.readers import claude_records, codex_rollouts
from tests.readers.json_lines import anything, write

Json = dict[str, Any]

UUID = "11111111-2222-4333-8444-555555555555"


def a_file() -> FileState:
    return FileState(path="f", agent="a", line=7)


def test_a_name_is_counted_and_its_first_line_kept() -> None:
    file = a_file()
    for line in (7, 9):
        file.line = line
        drift.check(file, "record type", "new", {"old"})
        drift.check(file, "record type", "old", {"old"})
        drift.check(file, "record type", None, {"old"})
    assert file.unknown == {"record type: new": 2}
    assert [(skip.line, skip.reason) for skip in file.skips] == [(7, "record type: new")]


def test_the_number_of_names_is_bounded_and_the_rest_is_counted_together() -> None:
    file = a_file()
    for number in range(drift.MAXIMUM_NAMES + 20):
        drift.note(file, "field", str(number))
    assert len(file.unknown) == drift.MAXIMUM_NAMES + 1
    assert file.unknown[drift.MORE] == 20
    assert len(file.skips) < drift.MAXIMUM_NAMES


@given(anything)
def test_whatever_stands_in_a_field_makes_a_name_that_can_be_shown(word: object) -> None:
    file = a_file()
    drift.check(file, "status", word, {"ok"})
    for name in file.unknown:
        assert not re.search(r"[\x00-\x1f\x7f-\x9f]", name)
        assert len(name) < 100
        name.encode()


@given(st.binary(max_size=60))
def test_fields_of_anything_are_found_or_none(record: bytes) -> None:
    assert isinstance(drift.fields_of(record), dict)


CLAUDE = [
    claude_records.prompt("hello"),
    claude_records.answer("m1", {"type": "hologram"}, stop="bored", frobnicate=1),
    claude_records.conversation("telepathy", 2),
    claude_records.conversation("system", 3, subtype="moonrise"),
    claude_records.answer("m2", tokens=claude_records.usage(10, quantum_tokens=3)),
]
CODEX = [
    codex_rollouts.meta(UUID),
    codex_rollouts.context(),
    codex_rollouts.event("telepathy"),
    codex_rollouts.item("hologram"),
    codex_rollouts.line("moonrise", {}),
    codex_rollouts.event("turn_aborted", reason="bored"),
    codex_rollouts.count({**codex_rollouts.usage(10, 0, 5), "quantum_tokens": 3}),
]
COPILOT = [
    {"type": "session.start", "data": {"sessionId": "s"}, "id": "1", "frobnicate": 1},
    {"type": "telepathy", "data": {}, "id": "2"},
    {
        "type": "session.usage_record",
        "data": {"usage": {"model": "m", "inputTokens": 10, "outputTokens": 5, "quantumTokens": 1}},
        "id": "3",
    },
    {"type": "session.shutdown", "data": {"shutdownType": "bored"}, "id": "4"},
]
QWEN = [
    {"uuid": "1", "type": "user", "message": {"parts": [{"text": "hello"}]}, "frobnicate": 1},
    {"uuid": "2", "type": "telepathy"},
    {"uuid": "3", "type": "system", "subtype": "moonrise"},
    {
        "uuid": "4",
        "type": "assistant",
        "usageMetadata": {
            "promptTokenCount": 10,
            "candidatesTokenCount": 5,
            "quantumTokenCount": 3,
        },
    },
]
GEMINI = [
    {"sessionId": "s", "projectHash": "p", "kind": "main"},
    {"id": "1", "type": "telepathy", "frobnicate": 1},
    {
        "id": "2",
        "type": "gemini",
        "model": "m",
        "toolCalls": [{"name": "x", "status": "bored"}],
        "tokens": {"input": 10, "output": 5, "quantum": 3},
    },
]
PI = [
    {"type": "session", "id": "s"},
    {"type": "telepathy", "id": "1"},
    {"type": "message", "id": "2", "message": {"role": "ghost"}},
    {
        "type": "message",
        "id": "3",
        "message": {
            "role": "assistant",
            "model": "m",
            "stopReason": "bored",
            "usage": {"input": 10, "output": 5, "quantum": 3},
        },
    },
]
DROID = [
    {"type": "session_start", "id": "s"},
    {"type": "telepathy"},
    {"type": "agent_turn_outcome", "reason": "bored"},
]
LINES: list[tuple[Reader, str, list[Json], set[str]]] = [
    (
        claude_code,
        f"projects/p/{UUID}.jsonl",
        CLAUDE,
        {
            "content block: hologram",
            "record field: frobnicate",
            "record type: telepathy",
            "stop reason: bored",
            "system record: moonrise",
            "usage field: quantum_tokens",
        },
    ),
    (
        codex,
        f"rollout-2026-03-01T12-00-00-{UUID}.jsonl",
        CODEX,
        {
            "abort reason: bored",
            "event: telepathy",
            "record type: moonrise",
            "response item: hologram",
            "usage field: quantum_tokens",
        },
    ),
    (
        copilot,
        "session-state/s/events.jsonl",
        COPILOT,
        {
            "event: telepathy",
            "record field: frobnicate",
            "shutdown type: bored",
            "usage field: quantumTokens",
        },
    ),
    (
        qwen,
        f"p/chats/{UUID}.jsonl",
        QWEN,
        {
            "record field: frobnicate",
            "record type: telepathy",
            "system record: moonrise",
            "usage field: quantumTokenCount",
        },
    ),
    (
        gemini,
        "p/chats/session-1.jsonl",
        GEMINI,
        {
            "message field: frobnicate",
            "message type: telepathy",
            "tokens field: quantum",
            "tool status: bored",
        },
    ),
    (
        pi,
        "s.jsonl",
        PI,
        {"entry type: telepathy", "role: ghost", "stop reason: bored", "usage field: quantum"},
    ),
    (droid, "s.jsonl", DROID, {"record type: telepathy", "turn outcome: bored"}),
]


@pytest.mark.parametrize(("reader", "name", "records", "unknown"), LINES, ids=lambda one: "")
def test_what_is_new_is_named_and_the_known_rest_still_counts(
    tmp_path: Path, reader: Reader, name: str, records: list[Json], unknown: set[str]
) -> None:
    facts = reader.read(write(tmp_path / name, records), None)
    assert facts.state.unknown.keys() == unknown
    assert facts.state.records == len(records)
    assert facts.state.skipped == {}
    if reader is not droid:  # whose tokens are in another file
        assert sum(request.output_tokens for request in facts.requests) in (5, 20)


def test_names_stay_known_between_two_readings(tmp_path: Path) -> None:
    path = write(tmp_path / f"projects/p/{UUID}.jsonl", CLAUDE[:3])
    first = claude_code.read(path, None)
    write(path, [*CLAUDE[:3], CLAUDE[2]])
    second = claude_code.read(path, first.state)
    assert first.state.unknown["record type: telepathy"] == 1
    assert second.state.unknown["record type: telepathy"] == 2


def test_documents_and_databases_tell_what_is_new_too(tmp_path: Path) -> None:
    settings = tmp_path / "s.settings.json"
    settings.write_text(json.dumps({"model": "m", "tokenUsage": {"inputTokens": 5, "quantum": 1}}))
    facts = droid.read(settings, None)
    assert facts.state.unknown == {"token usage field: quantum": 1}
    assert facts.requests[0].input_tokens == 5

    messages = [
        {"role": "ghost", "content": "boo"},
        {"role": "assistant", "content": "hi", "metrics": {"inputTokens": 5, "quantum": 1}},
    ]
    conversation = tmp_path / "c" / "c.messages.json"
    conversation.parent.mkdir()
    conversation.write_text(json.dumps({"messages": messages}))
    (conversation.parent / "c.json").write_text(json.dumps({"status": "bored"}))
    facts = cline.read(conversation, None)
    assert facts.state.unknown == {
        "metrics field: quantum": 1,
        "role: ghost": 1,
        "status: bored": 1,
    }

    database = tmp_path / "opencode.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE session (id TEXT, time_created INT, time_updated INT)")
        connection.execute(
            "CREATE TABLE message (id TEXT, session_id TEXT, time_created INT, time_updated INT,"
            " data TEXT)"
        )
        connection.execute("INSERT INTO session VALUES ('ses_1', 1795359600000, 1795359600000)")
        data = {
            "role": "assistant",
            "modelID": "m",
            "finish": "bored",
            "time": {"created": 1795359600000, "completed": 1795359601000},
            "tokens": {"input": 10, "output": 5, "quantum": 3},
        }
        connection.execute(
            "INSERT INTO message VALUES ('msg_1', 'ses_1', 1795359600000, 1795359600000, ?)",
            (json.dumps(data),),
        )
    connection.close()
    facts = opencode.read(database, None)
    assert facts.state.unknown == {"finish: bored": 1, "tokens field: quantum": 1}
    assert facts.requests[0].output_tokens == 5
