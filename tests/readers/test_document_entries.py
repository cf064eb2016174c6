"""Entries of transcripts that are documents or rows: Cline, OpenCode, older Gemini CLI."""

import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.entries import Reading
from lib.readers.entries import ENTRY_SOURCES
from lib.readers.values import NOT_AN_OBJECT, NOT_JSON
from tests.readers import opencode_records as opencode
from tests.readers.json_lines import Json, anything, places, replaced

MESSAGES: list[Json] = [
    {
        "id": "1",
        "role": "user",
        "ts": 1_795_362_425_000,
        "content": [{"type": "text", "text": '<user_input mode="act">Fix it</user_input>'}],
    },
    {
        "id": "2",
        "role": "assistant",
        "ts": 1_795_362_426_000,
        "modelInfo": {"id": "m-1"},
        "metrics": {"inputTokens": 110, "outputTokens": 5, "cacheReadTokens": 100},
        "content": [
            {"type": "text", "text": "Done."},
            {"type": "tool_use", "id": "t1", "name": "run_commands", "input": {"commands": ["ls"]}},
        ],
    },
    {
        "id": "3",
        "role": "user",
        "ts": 1_795_362_427_000,
        "content": [
            {
                "type": "tool_result",
                "tool_use_id": "t1",
                "content": [
                    {"result": "oops", "error": "Command exited with code 3", "success": False}
                ],
            }
        ],
    },
]


def cline(folder: Path, messages: object) -> Reading:
    folder.mkdir(exist_ok=True)
    (folder / "s.messages.json").write_text(json.dumps({"messages": messages}))
    return ENTRY_SOURCES["cline"].entries(folder / "s.json", "cline:s", 100)


def kinds(found: Reading) -> list[str]:
    return [entry.kind for entry in found.entries]


def test_what_wraps_a_prompt_of_cline_is_taken_off_once_and_in_no_time(tmp_path: Path) -> None:
    hostile = "</user_input>" + "<user_input" * 200_000
    texts = ['a <user_input mode="act">b</user_input> c', hostile, "<user_input>d"]
    blocks: list[Json] = [{"type": "text", "text": text} for text in texts]
    found = cline(tmp_path / "c", [{"role": "user", "content": blocks}])
    assert [entry.text[:20] for entry in found.entries] == ["b", hostile[:20], texts[2]]


def test_a_conversation_of_cline_is_told(tmp_path: Path) -> None:
    found = cline(tmp_path, MESSAGES)
    assert kinds(found) == ["prompt", "answer", "tool_call", "tool_result"]
    prompt, answer, _, result = found.entries
    assert (prompt.text, answer.text, answer.model) == ("Fix it", "Done.", "m-1")
    assert answer.tokens is not None
    assert (answer.tokens.input, answer.tokens.cache_read) == (10, 100)
    assert (result.text, result.exit_status, result.tool) == ("oops", 3, "run_commands")
    assert [entry.line for entry in found.entries] == [1, 2, 2, 3]


def test_what_is_no_message_is_counted_and_half_a_document_is_one_record(tmp_path: Path) -> None:
    found = cline(tmp_path, [*MESSAGES, 7])
    assert [(skip.line, skip.reason) for skip in found.skips] == [(4, NOT_AN_OBJECT)]
    (tmp_path / "s.messages.json").write_text('{"messages": [')
    found = ENTRY_SOURCES["cline"].entries(tmp_path / "s.json", "cline:s", 100)
    assert [skip.reason for skip in found.skips] == [NOT_JSON]


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_at_any_place_of_a_conversation_is_read(
    tmp_path: Path, data: st.DataObject
) -> None:
    place = data.draw(st.sampled_from(places(MESSAGES)))
    found = cline(tmp_path, replaced(MESSAGES, place, data.draw(anything)))
    assert not [skip for skip in found.skips if skip.reason.startswith("unexpected")]


def test_an_older_chat_of_gemini_is_one_document(tmp_path: Path) -> None:
    path = tmp_path / "session-1.json"
    user = {"id": "1", "type": "user", "content": "Fix it"}
    answer = {"id": "2", "type": "gemini", "content": "Done.", "tokens": {"input": 3, "output": 2}}
    path.write_text(json.dumps({"sessionId": "s", "messages": [user, answer]}))
    found = ENTRY_SOURCES["gemini"].entries(path, "gemini:s", 1)
    assert (kinds(found), found.earlier) == (["answer"], True)


def a_database(folder: Path) -> opencode.Database:
    database = opencode.Database(folder)
    for session_id in ("ses_1", "ses_2"):
        database.session(session_id)
        prompt = opencode.text(f"Fix {session_id}")
        database.message(session_id, f"{session_id}_m1", opencode.user(), prompt)
        failed = {"status": "completed", "input": {"command": "ls"}, "output": "oops"}
        tool = {"type": "tool", "tool": "bash", "callID": "c1", "state": failed}
        failed["metadata"] = {"exit": 3}  # type: ignore[assignment]
        answer = opencode.answer(1, opencode.tokens(10, 5, 100, 2))
        parts = (opencode.text("Done."), tool)
        database.message(session_id, f"{session_id}_m2", answer, *parts)
    return database


def test_a_session_of_opencode_is_told_by_its_rows_alone(tmp_path: Path) -> None:
    database = a_database(tmp_path)
    found = ENTRY_SOURCES["opencode"].entries(database.path, "opencode:ses_2", 100)
    assert kinds(found) == ["prompt", "answer", "tool_call", "tool_result"]
    assert found.entries[0].text == "Fix ses_2"
    assert found.entries[1].tokens is not None
    assert found.entries[1].tokens.output == 7
    assert (found.entries[3].exit_status, found.entries[3].failed) == (3, True)
    assert not found.earlier


def test_only_the_newest_messages_of_opencode_are_read(tmp_path: Path) -> None:
    database = a_database(tmp_path)
    database.run("UPDATE message SET data = 'broken' WHERE id = 'ses_1_m1'")
    found = ENTRY_SOURCES["opencode"].entries(database.path, "opencode:ses_1", 1)
    assert (found.skipped, found.earlier) == (0, True)
    found = ENTRY_SOURCES["opencode"].entries(database.path, "opencode:ses_1", 10)
    assert [(skip.line, skip.reason) for skip in found.skips] == [(1, NOT_JSON)]
    assert [entry.line for entry in found.entries] == [2, 2, 2]


def test_a_session_of_an_older_opencode_is_told_by_its_files(tmp_path: Path) -> None:
    storage = tmp_path / "storage"
    for place, record in {
        "session/p/ses_1.json": {"id": "ses_1"},
        "message/ses_1/m1.json": opencode.user(),
        "part/m1/p1.json": opencode.text("Fix it"),
        "message/ses_1/m2.json": opencode.answer(1),
        "part/m2/p1.json": opencode.text("Done."),
        "message/other/m3.json": opencode.user(),
    }.items():
        (storage / place).parent.mkdir(parents=True, exist_ok=True)
        (storage / place).write_text(json.dumps(record))
    found = ENTRY_SOURCES["opencode"].entries(
        storage / "session/p/ses_1.json", "opencode:ses_1", 100
    )
    assert [(entry.kind, entry.text) for entry in found.entries] == [
        ("prompt", "Fix it"),
        ("answer", "Done."),
    ]
