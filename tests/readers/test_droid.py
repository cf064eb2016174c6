"""What Droid's files are known to do to those who count them."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given

from lib.collector import Collector
from lib.readers import droid
from lib.readers.droid_parser import AGGREGATE, CUSTOM_MODEL
from lib.store import Store
from tests.readers.droid_records import (
    MODEL,
    OTHER,
    SESSION,
    answer,
    header,
    message,
    notice,
    outcome,
    prompt,
    result,
    settings,
    text,
    tool,
    transcript,
)
from tests.readers.json_lines import Json, anything, moment_ms, tokens, told

USAGE = {
    "inputTokens": 10,
    "outputTokens": 5,
    "cacheReadTokens": 100,
    "cacheCreationTokens": 40,
    "thinkingTokens": 3,
}


def test_the_settings_hold_one_total_for_the_session(tmp_path: Path):
    with_children = {"inputTokens": 999}
    path = settings(tmp_path, USAGE, inclusiveTokenUsage=with_children, lastCallTokenUsage=USAGE)
    facts = droid.read(path, None)
    (call,) = facts.requests
    assert (call.key, call.session_key) == (f"droid:{SESSION}", f"droid:{SESSION}")
    assert tokens(call) == (10, 8, 100, 40, 3)
    assert (call.model, call.at) == (MODEL, moment_ms(0))
    assert facts.session is None
    assert facts.state.usage_records == 1


def test_a_session_that_used_nothing_has_no_call(tmp_path: Path):
    facts = droid.read(settings(tmp_path, dict.fromkeys(USAGE, 0)), None)
    assert (facts.requests, facts.state.usage_records, facts.state.skipped) == ([], 0, {})


def test_a_growing_total_stays_one_call_in_the_store(tmp_path: Path):
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    collector = Collector(store, (droid,), {"DROID_SESSIONS_DIR": str(tmp_path / "sessions")}, "m")
    transcript(tmp_path, [header(), prompt(), answer()])
    for factor in (1, 2, 3):
        settings(tmp_path, {name: count * factor for name, count in USAGE.items()})
        collector.collect(collector.sweep())
    (usage,) = store.usage()
    (session,) = store.sessions()
    assert (usage.session_key, usage.requests, usage.input_tokens) == (session.key, 1, 30)
    assert session.flags == [AGGREGATE]
    store.close()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\x00", b'{"tokenUsage":'])
def test_settings_that_are_being_written_cost_nothing_known(tmp_path: Path, content: bytes):
    path = settings(tmp_path, USAGE)
    known = droid.read(path, None)
    path.write_bytes(content)
    broken = droid.read(path, known.state)
    assert (broken.requests, broken.session) == ([], None)
    assert broken.state.error
    assert broken.state.usage_records == 1
    settings(tmp_path, USAGE)
    assert droid.read(path, broken.state).requests == known.requests


@pytest.mark.parametrize("usage", [None, [], "x", {"inputTokens": "many"}])
def test_settings_of_another_shape_are_borne(tmp_path: Path, usage: object):
    assert droid.read(settings(tmp_path, usage), None).requests == []


@pytest.mark.parametrize("count", [-1, 10**13, float("inf")])
def test_an_impossible_count_is_skipped_with_its_reason(tmp_path: Path, count: float):
    facts = droid.read(settings(tmp_path, USAGE | {"inputTokens": count}), None)
    assert facts.requests == []
    assert facts.state.skipped == {"implausible token count": 1}


@given(usage=anything, moment=anything, model=anything)
def test_any_value_in_any_field_of_the_settings_is_borne(
    usage: object, moment: object, model: object
):
    with tempfile.TemporaryDirectory() as folder:
        one_wrong = USAGE | {"outputTokens": usage}
        for counts in (usage, one_wrong):
            path = settings(Path(folder), counts, providerLockTimestamp=moment, model=model)
            facts = droid.read(path, None)
            for call in facts.requests:
                assert min(tokens(call)) >= 0
                assert call.at is not None
            assert len(facts.requests) + sum(facts.state.skipped.values()) <= 1


def test_what_the_agent_put_into_a_prompt_is_not_the_prompt(tmp_path: Path):
    context = message("user", 0, text("<system-reminder>tools"))
    facts = droid.read(transcript(tmp_path, [header(), context, prompt("Fix it")]), None)
    session = told(facts)
    assert (session.first_prompt, session.turns, session.turn) == ("Fix it", 1, "running")
    assert (session.started_at, session.turn_started_at) == (moment_ms(0), moment_ms(1))


def test_a_tool_runs_until_its_result_and_an_answer_ends_the_turn(tmp_path: Path):
    records: list[Json | bytes] = [header(), prompt(), answer("", 2, tool(command="make test"))]
    session = told(droid.read(transcript(tmp_path, records), None))
    assert (session.turn, session.turn_detail) == ("running", "Execute: make test")
    session = told(droid.read(transcript(tmp_path, [*records, result()]), None))
    assert (session.turn, session.turn_detail) == ("running", None)
    session = told(droid.read(transcript(tmp_path, [*records, result(), answer("Done.", 4)]), None))
    assert (session.turn, session.last_message) == ("idle", "Done.")


@pytest.mark.parametrize(
    ("name", "wanted"), [("AskUser", "an answer"), ("ExitSpecMode", "approval of its plan")]
)
def test_a_question_waits_for_the_user(tmp_path: Path, name: str, wanted: str):
    records: list[Json | bytes] = [header(), prompt(), answer("", 2, tool(name))]
    session = told(droid.read(transcript(tmp_path, records), None))
    assert (session.turn, session.turn_detail) == ("waiting", wanted)
    session = told(droid.read(transcript(tmp_path, [*records, result()]), None))
    assert session.turn == "running"


@pytest.mark.parametrize(
    ("reason", "turn", "kind"),
    [
        ("completed", "idle", None),
        ("model_authentication_failed", "failed", "authentication"),
        ("model_rate_limit_exceeded", "rate_limited", "rate_limit"),
        ("model_error", "failed", "api"),
        ("user_cancelled", "stopped", None),
        ("brand_new", "unknown", None),
    ],
)
def test_the_outcome_of_a_turn_is_told(tmp_path: Path, reason: str, turn: str, kind: str | None):
    records = [header(), prompt(), notice("BYOK Error: boom"), outcome(reason)]
    session = told(droid.read(transcript(tmp_path, list(records)), None))
    assert (session.turn, session.error_class) == (turn, kind)
    assert session.error_message == ("BYOK Error: boom" if kind else None)


@pytest.mark.parametrize(
    "todos",
    [
        [{"status": "completed"}, {"status": "pending"}],
        "1. [completed] Read\n2. [in_progress] Write",
    ],
)
def test_todos_are_counted_as_lists_and_as_text(tmp_path: Path, todos: object):
    records = [header(), prompt(), answer("", 2, tool("TodoWrite", todos=todos))]
    session = told(droid.read(transcript(tmp_path, list(records)), None))
    assert (session.todo_done, session.todo_total) == (1, 2)


def test_a_subagent_belongs_to_the_session_that_called_it(tmp_path: Path):
    path = transcript(tmp_path, [header(callingSessionId=OTHER), prompt()])
    assert told(droid.read(path, None)).parent_key == f"droid:{OTHER}"


def test_a_custom_model_is_said_to_have_no_price(tmp_path: Path):
    record = answer()
    record["message"]["modelId"] = "custom:Mine-0"
    session = told(droid.read(transcript(tmp_path, [header(), prompt(), record]), None))
    assert (session.model, session.flags) == ("custom:Mine-0", [AGGREGATE, CUSTOM_MODEL])


def test_only_transcripts_and_their_settings_are_read(tmp_path: Path):
    assert droid.roots({"HOME": "/home/dev"}) == [Path("/home/dev/.factory/sessions")]
    assert droid.roots({"DROID_SESSIONS_DIR": "/data"}) == [Path("/data")]
    assert droid.is_session_file(Path("a/x.jsonl"))
    assert droid.is_session_file(Path("a/x.settings.json"))
    assert not droid.is_session_file(Path("a/x.settings.json.bak"))
    assert not droid.is_session_file(Path("a/settings.json"))
    assert list(droid.live({}, 0)) == []
