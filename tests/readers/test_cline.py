"""What the files of Cline mean, on small files of our own."""

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lib import processes
from lib.model import Evidence, FileFacts, Session
from lib.readers import cline
from lib.readers.cline_session import TOTAL_MISMATCH
from lib.readers.values import as_time

STARTED = "2026-11-22T15:00:00.000Z"
START = as_time(STARTED) or 0


class Files:
    """The two files of one session."""

    def __init__(self, home: Path, session_id: str = "s1"):
        self.folder = home / ".cline" / "data" / "sessions" / session_id
        self.folder.mkdir(parents=True)
        self.own = self.folder / f"{session_id}.json"
        self.conversation = self.folder / f"{session_id}.messages.json"
        self.messages: list[Any] = []
        self.tell()

    def tell(self, status: str = "running", **more: Any) -> None:
        """Write the session's own file."""
        content = {
            "session_id": self.folder.name,
            "pid": 1,
            "started_at": STARTED,
            "status": status,
            "cwd": "/home/dev/alpha",
            "model": "m-1",
            "metadata": {"title": "A title", "git": {"branch": "main"}},
        } | more
        self.own.write_text(json.dumps(content))

    def add(self, *messages: Any) -> None:
        """Write the conversation anew with more messages."""
        self.messages += messages
        self.conversation.write_text(json.dumps({"version": 1, "messages": self.messages}))

    def read(self) -> FileFacts:
        return cline.read(self.conversation, None)

    def session(self) -> Session:
        session = self.read().session
        assert session is not None
        beside = cline.read(self.own, None)
        assert beside.session == session
        assert beside.requests == []
        return session


@pytest.fixture
def files(tmp_path: Path) -> Files:
    files = Files(tmp_path)
    files.add(prompt("Do it"))
    return files


def prompt(words: str) -> dict[str, Any]:
    content = [{"type": "text", "text": f'<user_input mode="act">{words}</user_input>'}]
    return {"id": "p", "role": "user", "content": content, "ts": START + 1_000}


def answer(name: str, *blocks: dict[str, Any], **metrics: Any) -> dict[str, Any]:
    return {
        "id": name,
        "role": "assistant",
        "content": list(blocks),
        "ts": START + 2_000,
        "modelInfo": {"id": "m-2"},
        "metrics": metrics,
    }


def call(name: str, arguments: object) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"call-{name}", "name": name, "input": arguments}


def result(name: str) -> dict[str, Any]:
    block = {"type": "tool_result", "tool_use_id": f"call-{name}", "content": []}
    return {"id": "r", "role": "user", "content": [block], "ts": START + 3_000}


def said(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def test_cached_tokens_are_taken_out_of_the_input(files: Files) -> None:
    files.add(
        answer("m1", inputTokens=5_450, outputTokens=60, cacheReadTokens=5_000, cacheWriteTokens=50)
    )
    (request,) = files.read().requests
    assert (request.input_tokens, request.output_tokens) == (400, 60)
    assert (request.cache_read_tokens, request.cache_write_5m_tokens) == (5_000, 50)
    assert (request.key, request.model, request.at) == ("cline:m1", "m-2", START + 2_000)


def test_more_cached_than_given_is_counted_apart(files: Files) -> None:
    files.add(answer("m1", inputTokens=10, cacheReadTokens=500))
    (request,) = files.read().requests
    assert (request.input_tokens, request.cache_read_tokens) == (10, 500)


def test_an_answer_that_stands_there_twice_is_one_call(files: Files) -> None:
    files.add(answer("m1", inputTokens=10), answer("m1", inputTokens=10, outputTokens=2))
    facts = files.read()
    assert [request.output_tokens for request in facts.requests] == [2]
    assert facts.state.usage_records == 1


def test_sums_that_are_not_the_session_s_own_are_flagged(files: Files) -> None:
    files.add(answer("m1", said("Done."), inputTokens=10, outputTokens=5))
    files.tell("completed", metadata={"usage": {"outputTokens": 5}})
    assert TOTAL_MISMATCH not in files.session().flags
    files.tell("completed", metadata={"usage": {"outputTokens": 7}})
    assert TOTAL_MISMATCH in files.session().flags


def test_the_turn_follows_the_conversation_while_the_session_runs(files: Files) -> None:
    assert files.session().turn == "running"
    files.add(answer("m1", call("run_commands", {"commands": ["make  test"]})))
    session = files.session()
    assert (session.turn, session.turn_detail) == ("running", "run_commands: make test")
    files.add(result("run_commands"))
    assert (files.session().turn, files.session().turn_detail) == ("running", None)
    files.add(answer("m2", said("Done.")))
    assert (files.session().turn, files.session().last_message) == ("idle", "Done.")
    files.add(prompt("And that"))
    assert (files.session().turn, files.session().turns) == ("running", 2)


def test_a_question_waits_for_the_user(files: Files) -> None:
    files.add(answer("m1", call("ask_question", {"question": "Which?"})))
    session = files.session()
    assert (session.turn, session.turn_detail) == ("waiting", "ask_question: Which?")


@pytest.mark.parametrize(
    ("status", "turn", "error_class"),
    [
        ("completed", "idle", None),
        ("failed", "failed", "unknown"),
        ("cancelled", "stopped", None),
        ("something new", "running", None),
        (None, "running", None),
    ],
)
def test_the_session_s_own_file_says_how_it_ended(
    files: Files, status: Any, turn: str, error_class: str | None
) -> None:
    files.add(answer("m1", call("read_files", {"files": [{"path": "/a"}]})))
    files.tell(status, ended_at=None)
    session = files.session()
    assert (session.turn, session.error_class) == (turn, error_class)


@pytest.mark.parametrize(
    ("words", "turn", "error_class"),
    [
        ("Incorrect API key provided", "failed", "authentication"),
        ("429 rate limit", "rate_limited", "rate_limit"),
        ("The server is on fire", "failed", "api"),
    ],
)
def test_an_error_has_a_class(files: Files, words: str, turn: str, error_class: str) -> None:
    files.add(answer("m1", said(words)) | {"metadata": {"displayRole": "error"}})
    session = files.session()
    assert (session.turn, session.error_class, session.error_message) == (turn, error_class, words)
    files.add(prompt("Again"))
    assert files.session().error_class is None


def test_who_and_where_is_told(files: Files) -> None:
    session = files.session()
    assert (session.key, session.project_path, session.branch) == (
        "cline:s1",
        "/home/dev/alpha",
        "main",
    )
    assert (session.title, session.first_prompt) == ("A title", "Do it")
    assert session.started_at == START
    assert session.registered
    files.tell(pid=None)
    assert not files.session().registered


def test_a_conversation_below_a_session_is_a_subagent_s(files: Files) -> None:
    nested = files.folder / "agent-1" / "sub.messages.json"
    nested.parent.mkdir()
    nested.write_text(json.dumps({"messages": [answer("m9", inputTokens=3)]}))
    facts = cline.read(nested, None)
    assert facts.session is not None
    assert (facts.session.key, facts.session.parent_key) == ("cline:sub", "cline:s1")
    assert not facts.session.registered
    assert facts.requests[0].owner_rank.startswith("1")


def test_half_a_file_takes_nothing_back(files: Files) -> None:
    files.add(answer("m1", inputTokens=10))
    before = files.read()
    whole = files.conversation.read_text()
    files.conversation.write_text(whole[:40])
    half = cline.read(files.conversation, before.state)
    assert (half.session, half.state.error) == (None, "not JSON")
    assert half.state.usage_records == 1
    assert cline.read(files.own, None).session is None
    files.conversation.write_text(whole)
    files.own.write_text("{")
    assert cline.read(files.conversation, half.state).session is None
    assert len(cline.read(files.conversation, half.state).requests) == 1


def test_messages_that_cannot_be_read_are_counted_with_their_reason(files: Files) -> None:
    files.add(7, answer("m1", inputTokens=-1), answer("m2", inputTokens=1))
    facts = files.read()
    assert facts.state.skipped == {"not a JSON object": 1, "implausible token count": 1}
    assert len(facts.requests) == 1


def test_only_session_files_are_read() -> None:
    sessions = Path("/h/.cline/data/sessions")
    assert cline.is_session_file(sessions / "s1" / "s1.json")
    assert cline.is_session_file(sessions / "s1" / "s1.messages.json")
    assert cline.is_session_file(sessions / "s1" / "agent" / "x.messages.json")
    assert not cline.is_session_file(sessions / "s1" / "settings.json")
    assert not cline.is_session_file(sessions / "s1" / "s1.log")


@pytest.mark.parametrize(
    ("environ", "root"),
    [
        ({}, "/h/.cline/data/sessions"),
        ({"CLINE_DIR": "/c"}, "/c/data/sessions"),
        ({"CLINE_DIR": "/c", "CLINE_DATA_DIR": "/d"}, "/d/sessions"),
        ({"CLINE_DATA_DIR": "/d", "CLINE_SESSION_DATA_DIR": "/s"}, "/s"),
    ],
)
def test_roots_follow_the_environment(environ: dict[str, str], root: str) -> None:
    assert cline.roots({"HOME": "/h"} | environ) == [Path(root)]


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def live(files: Files) -> list[Evidence]:
    return list(cline.live({"HOME": str(files.folder.parents[3])}, START))


def started(pid: int, seconds_later: float) -> str:
    fact = processes.look(pid)
    assert fact is not None
    return datetime.fromtimestamp(fact.created_ms / 1000 + seconds_later, UTC).isoformat()


def test_a_session_lives_while_its_process_does(
    files: Files, process: subprocess.Popen[bytes]
) -> None:
    files.tell(pid=process.pid, started_at=started(process.pid, 5))
    (claim,) = live(files)
    assert (claim.session_key, claim.process, claim.pid) == ("cline:s1", "alive", process.pid)
    assert claim.turn is None
    process.kill()
    process.wait()
    assert live(files) == []


def test_a_pid_that_a_later_process_got_proves_nothing(
    files: Files, process: subprocess.Popen[bytes]
) -> None:
    files.tell(pid=process.pid, started_at=started(process.pid, -60))
    assert live(files) == []


def test_an_ended_session_has_no_process_and_a_resumed_one_has_one_again(
    files: Files, process: subprocess.Popen[bytes]
) -> None:
    began = started(process.pid, 5)
    files.tell("completed", pid=process.pid, started_at=began, ended_at=STARTED)
    assert live(files) == []
    files.tell(pid=process.pid, started_at=began)
    os.utime(files.own, (1, 1))
    assert len(live(files)) == 1


@pytest.mark.parametrize("content", ["", "[]", "{", '{"pid": "x"}', '{"pid": 1e300}', "null"])
def test_junk_in_place_of_a_session_file_claims_nothing(files: Files, content: str) -> None:
    files.own.write_text(content)
    assert live(files) == []


def test_calls_tell_the_specs_whose_files_they_touch(files: Files) -> None:
    files.add(answer("m1", call("read_file", {"path": "/w/specs/168-a/README.md"})))
    assert files.session().specs == ["168-a"]


def test_a_conversation_that_is_no_list_tells_nothing_and_says_so(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.conversation.write_text('{"messages": {"0": {"role": "user"}}}')
    facts = files.read()
    assert (facts.session, facts.requests) == (None, [])
    assert facts.state.error == "its messages are no list"
    assert cline.read(files.own, None).session is None
