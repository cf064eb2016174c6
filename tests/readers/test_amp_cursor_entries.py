"""Transcripts of Amp's threads and of Cursor's sessions."""

from pathlib import Path

import pytest

from lib.entries import Reading
from lib.readers import amp_entries, cursor_entries
from lib.readers.cursor_chat import AGENT
from tests.readers import cursor_records, test_amp
from tests.readers.json_lines import moment_ms

KEY = f"amp:{test_amp.THREAD}"
CHAT_KEY = f"{AGENT}:{cursor_records.CHAT}"
EDITOR_KEY = f"{AGENT}:{cursor_records.COMPOSER}"


def told(reading: Reading) -> list[tuple[str, str]]:
    return [(one.kind, one.text) for one in reading.entries]


def test_an_amp_thread_tells_what_was_said_and_done(tmp_path: Path) -> None:
    call = test_amp.tool("Bash", "t1", cmd="make")
    path = test_amp.write(
        tmp_path,
        test_amp.thread(
            test_amp.prompt("Fix it", 1),
            test_amp.answer(1, test_amp.text("I try."), call, stop="tool_use"),
            test_amp.result("done", "t1", result={"output": "oops", "exitCode": 3}),
            test_amp.answer(2),
            events=[test_amp.event(1, 2), test_amp.event(2, 5)],
        ),
    )
    reading = amp_entries.entries(path, KEY, 100)
    assert told(reading) == [
        ("prompt", "Fix it"),
        ("answer", "I try."),
        ("tool_call", "cmd: make"),
        ("tool_result", "oops"),
        ("answer", "Done."),
    ]
    result = reading.entries[3]
    assert (result.tool, result.exit_status, result.failed) == ("Bash", 3, True)
    assert [one.at for one in reading.entries[:2]] == [moment_ms(1), moment_ms(2)]
    assert reading.entries[1].model == test_amp.CLAUDE


@pytest.mark.parametrize(
    ("status", "ends", "denied"),
    [
        ("done", True, False),
        ("rejected-by-user", True, True),
        ("in-progress", False, False),
        ("blocked-on-user", False, False),
    ],
)
def test_an_amp_call_has_ended_or_not(
    status: str, ends: bool, denied: bool, tmp_path: Path
) -> None:
    thread = test_amp.thread(test_amp.answer(1, test_amp.tool()), test_amp.result(status))
    path = test_amp.write(tmp_path, thread)
    results = [
        one for one in amp_entries.entries(path, KEY, 100).entries if one.kind == "tool_result"
    ]
    assert [one.denied for one in results] == ([denied] if ends else [])


def test_what_is_no_amp_message_is_counted(tmp_path: Path) -> None:
    path = test_amp.write(tmp_path, test_amp.thread(7, test_amp.prompt()))
    reading = amp_entries.entries(path, KEY, 100)
    assert (reading.skipped, len(reading.entries)) == (1, 1)
    path.write_text("{broken")
    assert amp_entries.entries(path, KEY, 100).skipped == 1


def test_a_cursor_chat_tells_what_was_said_and_done(tmp_path: Path) -> None:
    path = cursor_records.chat(
        tmp_path,
        [
            cursor_records.injected(),
            cursor_records.user("Fix it", 1),
            cursor_records.answer(cursor_records.tool("Shell", "c1", command="make"), second=2),
            cursor_records.result("c1", 5),
            cursor_records.answer(second=6),
            b"{broken",
        ],
    )
    reading = cursor_entries.entries(path, CHAT_KEY, 100)
    assert told(reading)[1:] == [
        ("prompt", "Fix it"),
        ("tool_call", "command: make"),
        ("tool_result", "ok"),
        ("answer", "Done."),
    ]
    assert reading.entries[0].kind == "notice"
    assert reading.entries[3].tool == "Shell"
    assert reading.entries[4].model == "composer-2.5"
    assert reading.skipped == 1
    assert len(cursor_entries.entries(path, CHAT_KEY, 2).entries) == 2


def test_a_conversation_of_cursors_editor_is_told_in_its_order(tmp_path: Path) -> None:
    editor = cursor_records.Editor(tmp_path)
    tool = {"toolCallId": "t1", "name": "run_terminal_cmd", "rawArgs": '{"command": "make"}'}
    refused = tool | {"toolCallId": "t2", "status": "cancelled", "userDecision": "rejected"}
    editor.bubble(3, 2, toolFormerData=tool | {"status": "completed", "result": "out"})
    editor.bubble(1, 1, text="Fix it")
    editor.bubble(2, 2, text="I try.")
    editor.bubble(4, 2, toolFormerData=refused)
    editor.bubble(5, 2, toolFormerData=tool | {"toolCallId": "t3", "status": "loading"})
    editor.session(1, 2, 2, 2, 2)
    reading = cursor_entries.entries(editor.path, EDITOR_KEY, 100)
    assert [one.kind for one in reading.entries] == [
        "prompt",
        "answer",
        "tool_call",
        "tool_result",
        "tool_call",
        "tool_result",
        "tool_call",
    ]
    assert [one.denied for one in reading.entries if one.kind == "tool_result"] == [False, True]
    assert reading.entries[2].text == "command: make"
    assert cursor_entries.entries(editor.path, f"{AGENT}:other", 100).entries == []
