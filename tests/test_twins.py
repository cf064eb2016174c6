"""Which local session is which session of a LeanSpec server."""

from typing import Any

import pytest

from lib.model import Session
from lib.twins import Twins, joined, pairs

BEGIN = 1_800_000_000_000


def served(name: str = "s1", **facts: Any) -> Session:
    known: dict[str, Any] = {
        "key": f"leanspec:{name}",
        "agent": "leanspec",
        "session_id": name,
        "machine": "desk",
        "project_path": "/srv/harbour",
        "first_prompt": "Moor the boat",
        "started_at": BEGIN,
        "turn": "running",
        "server": "http://127.0.0.1:3000",
        "runner": "claude",
        "protocol": "shell",
    }
    return Session(**(known | facts))


def local(name: str = "l1", **facts: Any) -> Session:
    known: dict[str, Any] = {
        "key": f"claude-code:{name}",
        "agent": "claude-code",
        "session_id": name,
        "machine": "desk",
        "project_path": "/srv/harbour",
        "first_prompt": "Moor  the boat\n",
        "started_at": BEGIN + 1_500,
        "turn": "running",
    }
    return Session(**(known | facts))


def found(theirs: Session, mine: Session) -> dict[str, str]:
    twins = Twins()
    twins.note([theirs, mine])
    return twins.server_of


def test_what_a_server_here_started_is_the_session_that_its_agent_writes() -> None:
    assert found(served(), local()) == {"claude-code:l1": "leanspec:s1"}


@pytest.mark.parametrize(
    ("theirs", "mine"),
    [
        ({"server": "https://far.example"}, {}),
        ({}, {"machine": "laptop"}),
        ({}, {"project_path": "/srv/lagoon"}),
        ({}, {"agent": "codex"}),
        ({"runner": "scripted"}, {}),
        ({}, {"started_at": BEGIN + 31_000}),
        ({}, {"started_at": BEGIN - 10_000}),
        ({}, {"started_at": None}),
        ({}, {"first_prompt": "Unmoor the boat"}),
        ({}, {"parent_key": "claude-code:l0"}),
        ({"turn": "pending"}, {}),
        ({"project_path": None}, {"project_path": None}),
    ],
)
def test_others_are_not(theirs: dict[str, Any], mine: dict[str, Any]) -> None:
    assert found(served(**theirs), local(**mine)) == {}


@pytest.mark.parametrize(
    ("theirs", "mine"),
    [
        ({"first_prompt": None}, {}),
        ({}, {"first_prompt": None}),
        ({"project_path": "/srv/harbour/"}, {}),
        ({"server": "http://localhost:3000"}, {}),
        ({"server": "http://[::1]:3000"}, {}),
        ({"protocol": "acp"}, {"started_at": BEGIN - 10_000}),
        ({"first_prompt": "x" * 2_000}, {"first_prompt": "x" * 1_999 + "…"}),
    ],
)
def test_what_nobody_tells_speaks_not_against_it(
    theirs: dict[str, Any], mine: dict[str, Any]
) -> None:
    assert found(served(**theirs), local(**mine)) == {"claude-code:l1": "leanspec:s1"}


def test_of_several_the_nearest_in_time_belong_together_and_each_once() -> None:
    theirs = [served("s1"), served("s2", started_at=BEGIN + 5_000)]
    mine = [
        local("l1", started_at=BEGIN + 500),
        local("l2", started_at=BEGIN + 5_400),
        local("l3", started_at=BEGIN + 9_000),
    ]
    expected = {"claude-code:l1": "leanspec:s1", "claude-code:l2": "leanspec:s2"}
    assert pairs(theirs, mine) == pairs(theirs[::-1], mine[::-1]) == expected


def test_pairs_follow_what_becomes_known() -> None:
    twins = Twins()
    assert twins.note([served(turn="pending")]) == set()
    assert twins.note([local(project_path=None)]) == set()
    assert twins.note([served()]) == set()
    both = {"leanspec:s1", "claude-code:l1"}
    assert twins.note([local()]) == both
    assert twins.local_of == {"leanspec:s1": "claude-code:l1"}
    assert twins.note([local(last_message="ahoy")]) == set()
    assert twins.note([local(first_prompt="Something else")]) == both
    assert twins.server_of == twins.local_of == {}


def test_both_together_know_more() -> None:
    theirs = served(todo_done=1, todo_total=3, last_message="a line of output")
    mine = local(branch="main", model="claude-sonnet-4-5", todo_total=9, turns=4)
    both = joined(theirs, mine)
    assert (both.key, both.server, both.branch, both.model) == (
        "leanspec:s1",
        "http://127.0.0.1:3000",
        "main",
        "claude-sonnet-4-5",
    )
    assert (both.todo_done, both.todo_total, both.turns) == (1, 3, 4)
    assert both.last_message == "a line of output"
