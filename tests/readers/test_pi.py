"""What pi's files are known to do to those who count them."""

from pathlib import Path

import pytest

from lib.readers import pi
from lib.readers.pi_parser import COMPACTION, MISSING_MODEL, REASONING, TOTAL_MISMATCH
from tests.readers.json_lines import Json, moment_ms, owned, tokens, told
from tests.readers.pi_records import (
    FORK,
    MODEL,
    SESSION,
    answer,
    entry,
    header,
    message,
    prompt,
    result,
    session_file,
    text,
    tool,
    usage,
)


def test_cached_tokens_are_apart_from_input(tmp_path: Path):
    path = session_file(tmp_path, [header(), prompt(), answer(used=usage(10, 5, 100, 40))])
    (call,) = pi.read(path, None).requests
    assert tokens(call) == (10, 5, 100, 40, 0)
    assert (call.model, call.at) == (MODEL, moment_ms(2))


def test_a_fork_counts_its_copies_for_the_session_that_made_them(tmp_path: Path):
    history: list[Json] = [prompt(), answer(call="r1"), answer(3, call=None)]
    first = session_file(tmp_path, [header(), *history])
    fork = [header(FORK, 9, parentSession=str(first)), *history, prompt("B", 10), answer(11)]
    second = session_file(tmp_path, list(fork), FORK)
    session = told(pi.read(second, None))
    assert session.forked_from == f"pi:{SESSION}"
    for order in ((first, second), (second, first)):
        calls = owned(pi, *order)
        assert sorted(call.session_key for call in calls.values()) == [
            f"pi:{SESSION}",
            f"pi:{SESSION}",
            f"pi:{FORK}",
        ]


def test_calls_without_an_id_are_known_by_when_they_were_made(tmp_path: Path):
    same = [header(), prompt(), answer(2), answer(2) | {"id": "migrated"}, answer(3)]
    facts = pi.read(session_file(tmp_path, list(same)), None)
    assert len({call.key for call in facts.requests}) == len(facts.requests) == 2
    assert (facts.state.usage_records, facts.state.repeated_records) == (3, 1)


def test_an_error_ends_the_turn_though_the_cli_exits_with_0(tmp_path: Path):
    nothing = usage(0, 0, 0)
    failed = answer(2, stop="error", errorMessage="401 Incorrect API key provided", used=nothing)
    facts = pi.read(session_file(tmp_path, [header(), prompt(), failed]), None)
    session = told(facts)
    assert (session.turn, session.error_class) == ("failed", "authentication")
    assert session.error_message == "401 Incorrect API key provided"
    assert (facts.requests, facts.state.usage_records) == ([], 0)


@pytest.mark.parametrize(
    ("words", "turn", "kind"),
    [
        ("429 Too many requests", "rate_limited", "rate_limit"),
        ("500 boom", "failed", "api"),
        ("prompt is too long: 210000 tokens", "failed", "context_overflow"),
        ("Request timed out", "failed", "timeout"),
        ("line 429 of the answer was cut", "failed", "api"),
    ],
)
def test_errors_are_told_apart(tmp_path: Path, words: str, turn: str, kind: str):
    failed = answer(2, stop="error", errorMessage=words)
    session = told(pi.read(session_file(tmp_path, [header(), prompt(), failed]), None))
    assert (session.turn, session.error_class) == (turn, kind)


@pytest.mark.parametrize(
    ("stop", "turn"),
    [("stop", "idle"), ("length", "idle"), ("aborted", "stopped"), ("brand_new", "unknown")],
)
def test_the_stop_reason_tells_what_became_of_the_turn(tmp_path: Path, stop: str, turn: str):
    path = session_file(tmp_path, [header(), prompt(), answer(2, text("A"), stop=stop)])
    assert told(pi.read(path, None)).turn == turn


def test_a_running_tool_is_shown_until_its_result(tmp_path: Path):
    calls = answer(2, tool(command="make  test"), tool("read", "t2", path="a.py"), stop="toolUse")
    path = session_file(tmp_path, [header(), prompt(), calls])
    assert told(pi.read(path, None)).turn_detail == "read: a.py"
    path = session_file(tmp_path, [header(), prompt(), calls, result("t2")])
    assert told(pi.read(path, None)).turn_detail == "bash: make test"


def test_what_is_not_in_the_file_is_said(tmp_path: Path):
    def flags(*records: Json) -> list[str]:
        return told(pi.read(session_file(tmp_path, [header(), prompt(), *records]), None)).flags

    wrong = usage() | {"totalTokens": 999}
    assert flags(answer()) == []
    assert flags(answer(used=wrong)) == [TOTAL_MISMATCH]
    assert flags(answer(model=None)) == [MISSING_MODEL]
    assert flags(answer(2, {"type": "thinking"})) == [REASONING]
    assert flags(answer(2, {"type": "thinking"}, used=usage() | {"reasoning": 3})) == []
    assert flags(entry("compaction", 3, summary="x")) == [COMPACTION]
    assert flags(entry("compaction", 3, summary="x", fromHook=True)) == []


def test_prompts_and_names_make_the_title(tmp_path: Path):
    records: list[Json | bytes] = [header(), prompt("Fix\nthe tests"), answer()]
    assert told(pi.read(session_file(tmp_path, records), None)).title == "Fix the tests"
    records += [entry("session_info", 3, name="Repairs"), prompt("More", 4)]
    session = told(pi.read(session_file(tmp_path, records), None))
    assert (session.title, session.turns, session.turn_requests) == ("Repairs", 2, 0)
    assert (session.turn, session.turn_started_at) == ("running", moment_ms(4))


def test_text_content_of_old_versions_is_read(tmp_path: Path):
    record = message("user", 1)
    record["message"]["content"] = "Fix it"
    assert told(pi.read(session_file(tmp_path, [header(), record]), None)).first_prompt == "Fix it"


def test_an_impossible_count_costs_the_call_and_not_the_turn(tmp_path: Path):
    impossible = answer(2, text("Done."), used=usage(-5))
    facts = pi.read(session_file(tmp_path, [header(), prompt(), impossible]), None)
    assert facts.requests == []
    assert facts.state.skipped == {"implausible token count": 1}
    assert told(facts).turn == "idle"


def test_a_damaged_header_leaves_the_id_in_the_file_name(tmp_path: Path):
    facts = pi.read(session_file(tmp_path, [b'{"type":"ses', prompt(), answer()]), None)
    assert told(facts).key == f"pi:{SESSION}"


def test_the_folder_of_sessions_follows_the_environment(tmp_path: Path):
    home = {"HOME": "/home/dev"}
    assert pi.roots(home) == [Path("/home/dev/.pi/agent/sessions")]
    moved = home | {"PI_CODING_AGENT_DIR": "~/pi"}
    assert pi.roots(moved) == [Path("/home/dev/pi/sessions")]
    both = moved | {"PI_CODING_AGENT_SESSION_DIR": "/data/pi"}
    assert pi.roots(both) == [Path("/data/pi"), Path("/home/dev/pi/sessions")]
    assert list(pi.live(home, 0)) == []
