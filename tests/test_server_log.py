"""The log of a LeanSpec session as entries, from a real server and from lines of its kind."""

import json
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from lib.entries import LONGEST_TEXT, Entry
from lib.leanspec_answers import LogLine
from lib.leanspec_facts import AGENT, key_of
from lib.model import Session
from lib.server_log import is_of_server, read_lines, read_server_log
from lib.settings import Settings
from lib.transcript import Transcript
from tests.leanspec_server import LeanSpecServer
from tests.readers.json_lines import anything

AT = "2026-11-22T15:00:00Z"


def told(server: LeanSpecServer, folder: Path, prompt: str, runner: str) -> Transcript:
    """What the page is told of a session that ran to its end."""
    with server.client() as client:
        made = client.create(str(server.project), [], prompt, runner)
        client.start(made.id)
        server.wait_for_status(made.id, "completed", "failed")
    session = Session(
        key=key_of(made.id), agent=AGENT, session_id=made.id, server=server.url, machine="here"
    )
    assert is_of_server(session)
    config = Settings(f"sqlite:///{folder / 'x.db'}", folder, "here")
    found = read_server_log(session, config, {"QUARTERDECK_LEANSPEC_SERVERS": server.url})
    assert found.problem is None
    return found


def test_the_server_of_another_machine_is_not_taken_for_the_one_of_its_address_here(
    tmp_path: Path,
) -> None:
    url = "http://localhost:3000"
    there = Session(key=key_of("a"), agent=AGENT, session_id="a", server=url, machine="me@laptop")
    config = Settings(f"sqlite:///{tmp_path / 'x.db'}", tmp_path, "here")
    found = read_server_log(there, config, {"QUARTERDECK_LEANSPEC_SERVERS": url})
    assert found.problem == f"Its log is on {url} of me@laptop. Open the board there."


def texts(found: Transcript, kind: str, level: str) -> list[str]:
    entries = found.reading.entries
    return [one.text for one in entries if (one.kind, one.level) == (kind, level)]


def test_the_output_of_a_runner_is_its_log(leanspec_server: LeanSpecServer, tmp_path: Path) -> None:
    found = told(leanspec_server, tmp_path, "print ahoy; error leaking; fail 3", "scripted")
    assert "ahoy" in texts(found, "log", "info")
    assert "leaking" in texts(found, "log", "warning")
    assert all(entry.at is not None for entry in found.reading.entries)
    assert not found.reading.earlier


def test_a_runner_that_speaks_acp_is_told_by_what_it_says_and_does(
    leanspec_server: LeanSpecServer, tmp_path: Path
) -> None:
    prompt = "print Looking; plan 1 2; tool make test; tool-done make test; print Done"
    found = told(leanspec_server, tmp_path, prompt, "scripted-acp")
    assert texts(found, "answer", "info") == ["Looking", "Done"]
    assert texts(found, "notice", "info") == ["✓ step 0\n○ step 1"]
    calls = [entry for entry in found.reading.entries if entry.kind.startswith("tool")]
    assert [(call.kind, call.tool) for call in calls] == [
        ("tool_call", "make test"),
        ("tool_result", "make test"),
    ]


def test_a_server_that_is_not_configured_or_gone_says_so(tmp_path: Path) -> None:
    session = Session(
        key="leanspec:x", agent=AGENT, session_id="x", server="http://127.0.0.1:9", machine="here"
    )
    config = Settings("sqlite://", tmp_path, "here")
    assert "not configured here" in (read_server_log(session, config, {}).problem or "")
    environ = {"QUARTERDECK_LEANSPEC_SERVERS": "http://127.0.0.1:9"}
    assert "can't be read" in (read_server_log(session, config, environ).problem or "")


def sent(kind: str, **update: object) -> LogLine:
    params = {"update": {"sessionUpdate": kind} | update}
    message = json.dumps({"__acp_method": "session/update", "params": params})
    return LogLine(id=7, timestamp=AT, level="info", message=message)


def test_chunks_of_an_answer_are_one_entry_and_keep_their_spaces() -> None:
    words = ("One ", "two", "\n three")
    lines = [sent("agent_message_chunk", content={"text": text}) for text in words]
    lines.insert(0, sent("agent_thought_chunk", content={"text": "Hm"}))
    entries = read_lines(lines, clock_offset_ms=1_000).entries
    assert [(one.kind, one.text) for one in entries] == [
        ("reasoning", "Hm"),
        ("answer", "One two\n three"),
    ]
    assert entries[0].at == 1_795_359_599_000


def test_a_thousand_long_chunks_are_one_entry_with_what_was_left_out_counted() -> None:
    chunk = sent("agent_message_chunk", content={"text": "word\n" * 4_000})
    (entry,) = read_lines([chunk] * 1_000).entries
    assert (len(entry.text), entry.omitted) == (LONGEST_TEXT, 20_000_000 - LONGEST_TEXT)


@given(st.lists(st.builds(LogLine, level=st.text(max_size=6), message=st.text(max_size=40))))
def test_any_line_is_read(lines: list[LogLine]) -> None:
    assert all(isinstance(entry, Entry) for entry in read_lines(lines).entries)


@given(
    st.sampled_from(["agent_message_chunk", "tool_call", "tool_call_update", "plan", "x"]),
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ("content", "status", "entries", "toolCallId", "title", "rawInput", "kind"), anything
        ),
    ),
)
def test_any_message_of_a_runner_is_read(kind: str, update: dict[str, object]) -> None:
    message = {"__acp_method": "session/update", "params": {"update": {**update, "type": kind}}}
    try:
        text = msgspec.json.encode(message).decode()
    except (msgspec.MsgspecError, OverflowError, UnicodeEncodeError):
        return
    for entry in read_lines([LogLine(message=text), LogLine(message=text)]).entries:
        assert "\x1b" not in entry.text + entry.title
