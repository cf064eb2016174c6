"""Entries of transcripts that are JSON lines: records of every agent, and what must not matter."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.entries import LONGEST_TEXT, Entry, Reading
from lib.readers import entry_lines
from lib.readers.entries import ENTRY_SOURCES
from lib.readers.lines import MAXIMUM_LINE, TOO_LONG
from lib.readers.values import NOT_JSON
from tests.readers import kimi_records as kimi
from tests.readers.json_lines import Json, anything, lines_of, moment, moment_ms, places, replaced

NAMES = {"copilot": "events.jsonl", "kimi": "wire.jsonl"}


def claude(kind: str, second: float, **more: object) -> Json:
    return {
        "type": kind,
        "timestamp": moment(second),
        "sessionId": "s",
        "isSidechain": False,
    } | more


def block(second: float, *blocks: Json, role: str = "user", **more: object) -> Json:
    return {
        "type": "message",
        "timestamp": moment(second),
        "message": {"role": role, "content": list(blocks)} | more,
    }


def codex(kind: str, second: float, **payload: object) -> Json:
    return {"timestamp": moment(second), "type": kind, "payload": payload}


def copilot(kind: str, second: float, **data: object) -> Json:
    return {"type": kind, "timestamp": moment(second), "data": data}


def google(kind: str, second: float, *parts: Json, **more: object) -> Json:
    record = {"type": kind, "timestamp": moment(second), "uuid": f"{second}", "id": f"{second}"}
    message: Json = {"message": {"parts": list(parts)}, "content": list(parts)}
    return record | message | more


USAGE = {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 100}
RECORDS: dict[str, list[Json]] = {
    "claude-code": [
        claude("user", 1, message={"role": "user", "content": "Fix it"}),
        claude(
            "assistant",
            2,
            message={
                "id": "m1",
                "model": "claude-opus-5-5",
                "usage": USAGE,
                "content": [{"type": "thinking", "thinking": "Let me look."}],
            },
        ),
        claude(
            "assistant",
            2,
            message={
                "id": "m1",
                "model": "claude-opus-5-5",
                "usage": USAGE,
                "content": [
                    {"type": "text", "text": "Done."},
                    {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "make"}},
                ],
            },
        ),
        claude(
            "user",
            3,
            message={
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t1",
                        "content": "Exit code 2\nno rule",
                        "is_error": True,
                    }
                ]
            },
        ),
    ],
    "codex": [
        codex("turn_context", 0, model="gpt-5.5"),
        codex(
            "response_item",
            1,
            type="message",
            role="user",
            content=[{"type": "input_text", "text": "Fix it"}],
        ),
        codex("response_item", 2, type="reasoning", summary=[{"text": "Let me look."}]),
        codex("response_item", 2, type="message", role="assistant", content=[{"text": "Done."}]),
        codex(
            "response_item",
            2,
            type="function_call",
            name="shell",
            call_id="t1",
            arguments='{"command": ["bash", "-lc", "make"]}',
        ),
        codex("token_usage_record", 2, usage={"input_tokens": 110, "cached_input_tokens": 100}),
        codex(
            "response_item",
            3,
            type="function_call_output",
            call_id="t1",
            output='{"output": "no rule", "metadata": {"exit_code": 2}}',
        ),
    ],
    "copilot": [
        copilot("user.message", 1, content="Fix it"),
        copilot("session.usage_record", 2, usage={"inputTokens": 110, "cacheReadTokens": 100}),
        copilot(
            "assistant.message",
            2,
            content="Done.",
            reasoningText="Let me look.",
            model="m",
            toolRequests=[{"toolCallId": "t1", "name": "bash", "arguments": {"command": "make"}}],
        ),
        copilot(
            "tool.execution_complete",
            3,
            toolCallId="t1",
            success=True,
            shellExecution={"exitCode": 2},
            result={"content": "no rule"},
        ),
    ],
    "droid": [
        block(1, {"type": "text", "text": "Fix it"}),
        block(
            2,
            {"type": "thinking", "thinking": "Let me look."},
            {"type": "text", "text": "Done."},
            {"type": "tool_use", "id": "t1", "name": "Execute", "input": {"command": "make"}},
            role="assistant",
        ),
        block(
            3,
            {
                "type": "tool_result",
                "tool_use_id": "t1",
                "is_error": True,
                "content": "Error: Command failed (exit code: 2)\nno rule",
            },
        ),
    ],
    "pi": [
        block(1, {"type": "text", "text": "Fix it"}),
        block(
            2,
            {"type": "thinking", "thinking": "Let me look."},
            {"type": "text", "text": "Done."},
            {"type": "toolCall", "id": "t1", "name": "bash", "arguments": {"command": "make"}},
            role="assistant",
            usage={"input": 10, "output": 5, "cacheRead": 100},
        ),
        block(
            3,
            {"type": "text", "text": "no rule\nCommand exited with code 2"},
            role="toolResult",
            toolCallId="t1",
            toolName="bash",
            isError=True,
        ),
    ],
    "qwen": [
        google("user", 1, {"text": "Fix it"}),
        google(
            "assistant",
            2,
            {"text": "Let me look.", "thought": True},
            {"text": "Done."},
            {
                "functionCall": {
                    "id": "t1",
                    "name": "run_shell_command",
                    "args": {"command": "make"},
                }
            },
            usageMetadata={"promptTokenCount": 110, "cachedContentTokenCount": 100},
        ),
        google(
            "tool_result",
            3,
            {"functionResponse": {"id": "t1", "response": {"error": "no rule\nExit Code: 2"}}},
            toolCallResult={"status": "error", "resultDisplay": {"exitCode": 2}},
        ),
    ],
    "kimi": [
        kimi.prompt("Fix it", 1),
        kimi.begin("s1", 2),
        kimi.asked(2),
        kimi.step("content.part", 2, part={"type": "think", "think": "Let me look."}),
        kimi.said("Done.", 2),
        kimi.tool("Bash", "t1", 2, command="make"),
        kimi.used(2, given=10, read=100),
        kimi.step(
            "tool.result",
            3,
            toolCallId="t1",
            result={"output": "no rule", "isError": True, "exitCode": 2},
        ),
    ],
    "gemini": [
        google("user", 1, {"text": "Fix it"}),
        google("gemini", 2, content="Done.", thoughts=[{"description": "Let me look."}]),
        google(
            "gemini",
            2,
            content="Done.",
            thoughts=[{"description": "Let me look."}],
            tokens={"input": 110, "cached": 100},
            toolCalls=[
                {
                    "id": "t1",
                    "name": "run_shell_command",
                    "args": {"command": "make"},
                    "status": "success",
                    "timestamp": moment(3),
                    "result": [{"functionResponse": {"response": {"output": "Exit Code: 2"}}}],
                }
            ],
        ),
    ],
}


def written(folder: Path, agent: str, content: bytes) -> Path:
    path = folder / NAMES.get(agent, "s.jsonl")
    path.write_bytes(content)
    return path


def entries(folder: Path, agent: str, content: bytes, limit: int = 100) -> Reading:
    return ENTRY_SOURCES[agent].entries(written(folder, agent, content), f"{agent}:s", limit)


def of_kind(found: Reading, kind: str) -> Entry:
    (one,) = (entry for entry in found.entries if entry.kind == kind)
    return one


@pytest.mark.parametrize("agent", RECORDS)
def test_a_turn_is_told_with_its_call_its_exit_status_and_its_tokens(
    agent: str, tmp_path: Path
) -> None:
    found = entries(tmp_path, agent, lines_of(RECORDS[agent]))
    assert (found.skipped, found.earlier) == (0, False)
    kinds = ["prompt", "reasoning", "answer", "tool_call", "tool_result"]
    assert [entry.kind for entry in found.entries] == kinds
    assert [entry.at for entry in found.entries] == [
        moment_ms(second) for second in (1, 2, 2, 2, 3)
    ]
    assert of_kind(found, "prompt").text == "Fix it"
    assert of_kind(found, "reasoning").text == "Let me look."
    assert of_kind(found, "answer").text == "Done."
    call, result = of_kind(found, "tool_call"), of_kind(found, "tool_result")
    assert call.text == "command: make"
    assert call.title == f"{call.tool}: make"
    assert (result.tool, result.exit_status, result.failed) == (call.tool, 2, True)
    assert result.level == "warning"
    borne = [entry.tokens for entry in found.entries if entry.tokens]
    wanted = [] if agent == "droid" else [(10, 100)]
    assert [(one.input, one.cache_read) for one in borne] == wanted


@pytest.mark.parametrize("agent", RECORDS)
def test_terminal_sequences_and_long_texts_do_not_reach_an_entry(
    agent: str, tmp_path: Path
) -> None:
    words = "\x1b[31mred\x1b[0m\x07 " + "x" * (LONGEST_TEXT + 500)
    content = lines_of(RECORDS[agent]).replace(b"Fix it", repr(words)[1:-1].encode())
    content = content.replace(b"\\x1b", b"\\u001b").replace(b"\\x07", b"\\u0007")
    prompt = of_kind(entries(tmp_path, agent, content), "prompt")
    assert prompt.text.startswith("red x")
    assert len(prompt.text) <= LONGEST_TEXT
    assert prompt.omitted >= 500


def test_the_end_of_a_long_file_is_read_without_its_beginning(tmp_path: Path) -> None:
    turn = lines_of(RECORDS["pi"])
    content = b"not JSON\n" + turn * (3 * entry_lines.FIRST_WINDOW // len(turn))
    found = entries(tmp_path, "pi", content, limit=50)
    assert len(found.entries) == 50
    assert (found.skipped, found.earlier, found.from_start) == (0, True, False)
    assert found.entries[-1].kind == "tool_result"
    assert found.entries[-1].line is None
    assert found.entries[-1].place == content.rfind(b"\n", 0, -1) + 1
    everything = entries(tmp_path, "pi", content, limit=10**6)
    assert (everything.skipped, everything.earlier) == (1, False)
    assert everything.skips[0].line == 1
    assert everything.entries[-50:] != []
    assert [one.place for one in everything.entries[-50:]] == [one.place for one in found.entries]


def test_more_of_the_end_is_read_where_it_holds_too_few_entries(tmp_path: Path) -> None:
    silent = lines_of([{"type": "custom", "blob": "x" * 10_000}]) * 300
    found = entries(tmp_path, "pi", lines_of(RECORDS["pi"]) + silent, limit=5)
    assert len(found.entries) == 5


def test_what_can_not_be_read_is_counted_with_its_line(tmp_path: Path) -> None:
    whole = lines_of(RECORDS["pi"])
    long = b'{"type":"message","x":"' + b"x" * MAXIMUM_LINE + b'"}\n'
    found = entries(tmp_path, "pi", b"\n{cut off\n" + long + whole, limit=10)
    assert [(skip.line, skip.reason) for skip in found.skips] == [(2, NOT_JSON), (3, TOO_LONG)]
    assert len(found.entries) == 5


def test_a_line_that_is_still_being_written_is_no_unreadable_one(tmp_path: Path) -> None:
    whole = lines_of(RECORDS["pi"])
    found = entries(tmp_path, "pi", whole[:-20])
    assert (found.skipped, len(found.entries)) == (0, 4)
    assert len(entries(tmp_path, "pi", whole[:-1]).entries) == 5


@pytest.mark.parametrize("agent", RECORDS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300))
def test_any_bytes_are_read(agent: str, tmp_path: Path, content: bytes) -> None:
    whole = lines_of(RECORDS[agent])
    found = entries(tmp_path, agent, whole + content + b"\n" + whole)
    assert len(found.entries) >= 5


@pytest.mark.parametrize("agent", RECORDS)
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_at_any_place_of_a_record_is_read(
    agent: str, tmp_path: Path, data: st.DataObject
) -> None:
    records: object = RECORDS[agent]
    for _ in range(data.draw(st.integers(1, 3))):
        records = replaced(
            records, data.draw(st.sampled_from(places(records)[1:])), data.draw(anything)
        )
    content = lines_of(record for record in records if isinstance(record, dict))  # type: ignore[attr-defined]
    found = entries(tmp_path, agent, content)
    for entry in found.entries:
        assert isinstance(entry.text, str)
        assert "\x1b" not in entry.text + entry.title
        entry.text.encode()
        entry.title.encode()
    assert not [skip for skip in found.skips if skip.reason.startswith("unexpected")]


def test_a_log_of_the_older_kimi_cli_is_told(tmp_path: Path) -> None:
    records = [
        kimi.message("TurnBegin", 1, user_input="Fix it"),
        kimi.message("StepBegin", 2, n=1),
        kimi.status(2),
        kimi.message("ContentPart", 2, type="text", text="Done."),
        kimi.old_tool("Shell", "t1", 2, command="make"),
        kimi.old_result("t1", 3),
    ]
    found = entries(tmp_path, "kimi", lines_of(records))
    kinds = [entry.kind for entry in found.entries]
    assert kinds == ["prompt", "answer", "tool_call", "tool_result"]
    _, answer, call, result = found.entries
    assert answer.tokens is not None
    assert (answer.tokens.input, answer.tokens.cache_read) == (10, 100)
    assert (call.tool, call.text, result.text) == ("Shell", "command: make", "ok")
    assert (result.tool, result.failed) == ("Shell", False)
