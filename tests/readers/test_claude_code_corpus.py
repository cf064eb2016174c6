"""Files that the real CLI wrote, against the log of the server that answered it."""

import json
from collections import Counter
from pathlib import Path

import pytest

from lib.model import FileFacts
from lib.readers import claude_code
from tests.readers.claude_records import merged

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "claude"
SCENARIOS = sorted(path.name for path in CORPUS.glob("*") if path.is_dir())
pytestmark = pytest.mark.skipif(not SCENARIOS, reason=f"no session corpus at {CORPUS}")

NOT_RECORDED = {"background": {("claude-opus-5-5", "input"): 26, ("claude-opus-5-5", "output"): 6}}
"""What the server sent and no file says: a background session's requests about its own state."""


def read_home(home: Path) -> dict[str, FileFacts]:
    facts = [
        claude_code.read(path, None)
        for path in sorted(home.rglob("*"))
        if claude_code.is_session_file(path)
    ]
    return {one.session.key: one for one in facts if one.session is not None}


def main_session(home: Path) -> FileFacts:
    return next(
        one for one in read_home(home).values() if one.session and not one.session.parent_key
    )


def tokens(home: Path) -> Counter[tuple[str | None, str]]:
    requests = merged(request for one in read_home(home).values() for request in one.requests)
    counts: Counter[tuple[str | None, str]] = Counter()
    for one in requests.values():
        counts[one.model, "input"] += one.input_tokens
        counts[one.model, "output"] += one.output_tokens
        counts[one.model, "cache_read"] += one.cache_read_tokens
        counts[one.model, "cache_5m"] += one.cache_write_5m_tokens
        counts[one.model, "cache_1h"] += one.cache_write_1h_tokens
        counts[one.model, "reasoning"] += one.reasoning_tokens
    return +counts


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_tokens_by_kind_and_model_are_those_that_the_server_sent(scenario: str) -> None:
    expected = json.loads((CORPUS / scenario / "expected.json").read_text())
    sent: Counter[tuple[str | None, str]] = Counter()
    for response in expected["responses_completed"]:
        for kind, count in response["usage"].items():
            sent[response["model"], kind] += count
    assert +sent - tokens(CORPUS / scenario / "home") == NOT_RECORDED.get(scenario, {})
    assert not tokens(CORPUS / scenario / "home") - sent


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_record_is_understood(scenario: str) -> None:
    for facts in read_home(CORPUS / scenario / "home").values():
        lines = facts.state.path and Path(facts.state.path).read_bytes().count(b"\n")
        assert (facts.state.records, facts.state.skipped) == (lines, {})


TURNS = {
    "api_401/home": ("failed", None, True, "authentication"),
    "api_401_retrying_killed/home": (
        "retrying",
        "401 invalid x-api-key, attempt 8 of 10",
        False,
        "authentication",
    ),
    "api_500/home": ("failed", None, True, "api"),
    "background/home": ("idle", None, False, None),
    "background/home_after_stop": ("idle", None, True, None),
    "edit_file/home": ("idle", None, True, None),
    "hooks/home": ("idle", None, True, None),
    "hooks_apierror/home": ("failed", None, True, "api"),
    "hooks_sigterm/home": ("running", "Bash: echo start; sleep 30; echo end", True, None),
    "interactive/home": ("idle", None, True, None),
    "interactive/home_interrupted": ("stopped", None, False, None),
    "interactive_plan_todo/home": ("idle", None, True, None),
    "interactive_plan_todo/home_question": ("running", None, False, None),
    "interactive_sigkill/home": ("running", "Bash: echo a; sleep 40", False, None),
    "interactive_sigterm/home": ("idle", None, True, None),
    "json_output/home": ("idle", None, True, None),
    "named_session_id/home": ("idle", None, True, None),
    "resumed/home": ("idle", None, True, None),
    "sigkill_midtool/home": ("running", "Bash: echo start; sleep 30; echo end", False, None),
    "sigterm_midtool/home": ("running", "Bash: echo start; sleep 30; echo end", True, None),
    "subagent/home": ("idle", None, True, None),
    "subagent/home_mid0_1": ("running", "Agent: Compute answer", False, None),
    "success_tool/home": ("idle", None, True, None),
    "success_tool/home_mid0_1": ("running", "Bash: echo hi; sleep 4", False, None),
    "todo_tasks/home": ("idle", None, True, None),
    "todo_tasks/home_mid0_0": ("running", "Bash: sleep 3; true", False, None),
    "todo_write/home": ("idle", None, True, None),
    "tool_denied/home": ("idle", None, True, None),
    "tool_fail/home": ("idle", None, True, None),
}


def test_every_tree_of_the_corpus_has_its_turn_named_here() -> None:
    trees = {f"{home.parent.name}/{home.name}" for home in CORPUS.glob("*/home*")}
    assert trees == set(TURNS)


@pytest.mark.parametrize("tree", TURNS)
def test_the_newest_turn_is_told_during_and_after(tree: str) -> None:
    session = main_session(CORPUS / tree).session
    assert session is not None
    told = (session.turn, session.turn_detail, session.ended_cleanly, session.error_class)
    assert told == TURNS[tree]


def test_an_error_keeps_its_words() -> None:
    session = main_session(CORPUS / "api_401/home").session
    assert session is not None
    assert session.error_message == "Invalid API key · Fix external API key"


@pytest.mark.parametrize(
    ("tree", "done_of"),
    [("todo_tasks/home", (1, 2)), ("todo_tasks/home_mid0_0", (0, 2)), ("todo_write/home", (1, 2))],
)
def test_progress_is_the_agents_own_list(tree: str, done_of: tuple[int, int]) -> None:
    session = main_session(CORPUS / tree).session
    assert session is not None
    assert (session.todo_done, session.todo_total) == done_of


def test_a_session_says_who_and_where_it_is() -> None:
    session = main_session(CORPUS / "interactive/home").session
    assert session is not None
    assert session.title == "my-task"
    assert session.first_prompt == "Make a file please"
    assert session.last_message == "Third answer."
    assert session.project_path == "/home/dev/code/workspace/alpha"
    assert session.branch == "main"
    assert session.model == "claude-opus-5-5"
    assert (session.agent_version, session.entrypoint) == ("2.1.330", "cli")
    assert session.registered
    assert (session.turns, session.turn_requests) == (3, 1)
    assert session.context_tokens == 12 + 13 + 5600


def test_a_subagent_is_a_session_of_its_own_below_its_parent() -> None:
    facts = read_home(CORPUS / "subagent/home")
    parent_key = "claude-code:c7f15d7f-3763-4573-9de7-fcbe607b770a"
    child = facts[f"{parent_key}/agent-a1360568f260cc519"]
    assert child.session is not None
    assert child.session.parent_key == parent_key
    assert child.session.title == "general-purpose: Compute answer"
    assert sum(one.input_tokens for one in child.requests) == 41
    assert sum(one.input_tokens for one in facts[parent_key].requests) == 22


def test_a_fork_owns_only_what_came_after_it() -> None:
    facts = read_home(CORPUS / "resumed/home")
    first = "claude-code:7f8d0bb6-f420-4212-b276-8f59cb8c298d"
    fork = "claude-code:6930ae98-dd46-4e0a-9eac-7376883f7d38"
    session = facts[fork].session
    assert session is not None
    assert (session.forked_from, session.started_at) == (first, 1795360027434)
    for order in (facts.values(), list(facts.values())[::-1]):
        owned = merged(request for one in order for request in one.requests)
        own = [one for one in owned.values() if one.session_key == fork]
        assert [one.input_tokens for one in own] == [10]
        assert len(owned) == 5
