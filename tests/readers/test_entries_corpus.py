"""Transcripts of the real CLIs' files, beside what was really sent to each of them."""

from collections import Counter
from collections.abc import Iterable

import pytest

from lib.entries import Entry, Reading
from lib.readers import READERS
from lib.readers.entries import ENTRY_SOURCES
from lib.store import SessionRow, Store
from lib.transcript import read_transcript
from tests.corpus import CORPUS, collect, expected, recorded, scenarios, without_zeros

ALL = scenarios("claude", "cline", "codex", "copilot", "droid", "gemini", "opencode", "pi", "qwen")
OTHERWISE_COUNTED = {
    # A fork's file repeats the calls of its origin, which the store counts once.
    "claude/resumed",
    "opencode/resumed",
    # Requests of the agent itself and a subagent's model are told by telemetry only.
    "qwen/resumed",
    "qwen/subagent",
}
KINDS = ("input", "output", "cache_read", "reasoning")

pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason="no corpus beside the repository")


def transcripts(scenario: str, store: Store) -> dict[str, tuple[SessionRow, Reading]]:
    """Every session of a scenario and its transcript, by key."""
    home = CORPUS / scenario / "home"
    collect(store, home, READERS)
    found: dict[str, tuple[SessionRow, Reading]] = {}
    for session in store.sessions():
        transcript = read_transcript(session, session.machine, {"HOME": str(home)})
        assert transcript.problem is None
        found[session.key] = (session, transcript.reading)
    return found


def of_kind(reading: Reading, kind: str) -> list[Entry]:
    return [entry for entry in reading.entries if entry.kind == kind]


@pytest.mark.parametrize("scenario", ALL)
def test_every_session_has_its_prompts_its_last_words_and_its_tokens(
    scenario: str, file_store: Store
) -> None:
    found = transcripts(scenario, file_store)
    for session, reading in found.values():
        assert (reading.skipped, reading.earlier) == (0, False)
        prompts = {prompt.text for prompt in of_kind(reading, "prompt")}
        assert session.first_prompt is None or session.first_prompt in prompts
        if session.last_message is not None:
            assert session.last_message in {answer.text for answer in of_kind(reading, "answer")}
        if session.turn == "failed" and session.error_message and session.agent != "gemini":
            assert {entry.level for entry in reading.entries} & {"error", "warning"}
    if scenario not in OTHERWISE_COUNTED and not scenario.startswith("droid/"):
        assert shown(reading for _, reading in found.values()) == counted(file_store)


def shown(readings: Iterable[Reading]) -> Counter[tuple[str, str]]:
    """Model and kind to the tokens that entries bear, without zeros."""
    totals: Counter[tuple[str, str]] = Counter()
    for entry in (entry for reading in readings for entry in reading.entries if entry.tokens):
        for kind in KINDS:
            totals[entry.model or "", kind] += getattr(entry.tokens, kind)
    return without_zeros(totals)


def counted(store: Store) -> Counter[tuple[str, str]]:
    """The same of the calls in the store."""
    return Counter({key: tokens for key, tokens in recorded(store).items() if key[1] in KINDS})


@pytest.mark.parametrize("scenario", [one for one in ALL if one.endswith("/tool_fail")])
def test_a_failing_command_shows_its_exit_status_and_a_missing_file_its_failure(
    scenario: str, file_store: Store
) -> None:
    assert expected(scenario)
    for _, reading in transcripts(scenario, file_store).values():
        results = of_kind(reading, "tool_result")
        command = results[0]
        assert (command.exit_status, command.failed, command.level) == (3, True, "warning")
        assert "oops" in command.text
        assert all(result.tool for result in results)
        assert all(result.failed for result in results)
        calls = of_kind(reading, "tool_call")
        assert "exit 3" in calls[0].text
        assert len(calls) == len(results)


@pytest.mark.parametrize("scenario", [one for one in ALL if one.endswith("/success_tool")])
def test_a_command_that_went_well_is_no_failure(scenario: str, file_store: Store) -> None:
    for _, reading in transcripts(scenario, file_store).values():
        results = of_kind(reading, "tool_result")
        assert results
        assert {result.level for result in results} == {"info"}
        assert not any(result.failed for result in results)


@pytest.mark.parametrize("scenario", [one for one in ALL if "sigkill" in one])
def test_a_killed_session_shows_its_call_without_a_result(scenario: str, file_store: Store) -> None:
    for session, reading in transcripts(scenario, file_store).values():
        if session.agent == "gemini":  # A call is recorded with its result.
            continue
        assert len(of_kind(reading, "tool_call")) == 1
        assert of_kind(reading, "tool_result") == []


def test_entries_are_read_for_agents_that_are_known() -> None:
    assert set(ENTRY_SOURCES) <= {reader.AGENT for reader in READERS}
