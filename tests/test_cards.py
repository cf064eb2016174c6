"""What a card says of a session."""

from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.cards import LOOKS, card, look, money, tokens_and_cost
from lib.status import StatusName
from tests.board_rows import HOUR, MINUTE, NOW_MS, VIEW, one


@pytest.mark.parametrize(
    ("tokens", "cost", "unpriced", "words"),
    [
        (127_432, 0.85, 0, "127,432 tokens (~$0.85)"),
        (1, 0.0001, 0, "1 token (<$0.01)"),
        (10, 1234.5, 0, "10 tokens (~$1,234.50)"),
        (500, None, 4, "500 tokens (unpriced)"),
        (500, 0.2, 1, "500 tokens (~$0.20, 1 call unpriced)"),
        (500, 0.2, 1200, "500 tokens (~$0.20, 1,200 calls unpriced)"),
        (0, 0.0, 0, "0 tokens (~$0.00)"),
    ],
)
def test_tokens_stand_with_what_they_cost(
    tokens: int, cost: float | None, unpriced: int, words: str
) -> None:
    assert tokens_and_cost(tokens, cost, unpriced) == words


def test_what_a_subscription_pays_is_said_to_be_api_equivalent() -> None:
    assert tokens_and_cost(10, 0.85, 0, on_plan=True) == "10 tokens (~$0.85 API-equivalent)"
    assert tokens_and_cost(10, None, 1, on_plan=True) == "10 tokens (unpriced)"


@given(st.floats(min_value=1e-9, max_value=1e9))
def test_money_that_was_spent_is_never_nothing(amount: float) -> None:
    assert money(amount) != "$0.00"


def test_every_status_has_a_look_that_differs_in_icon_and_in_words() -> None:
    assert set(LOOKS) == set(StatusName.__args__)
    assert len({found.icon for found in LOOKS.values()}) == len(LOOKS)
    assert len({found.words for found in LOOKS.values()}) == len(LOOKS)


@pytest.mark.parametrize(
    ("activity", "words"),
    [
        ("permission prompt: Bash: git push", "Waiting for permission"),
        ("approval of a patch", "Waiting for approval"),
        ("Question: which database?", "Waiting for an answer"),
        ("plan", "Waiting for plan approval"),
        ("explanation", "Waiting for you"),
        (None, "Waiting for you"),
    ],
)
def test_a_waiting_session_says_for_what(activity: str | None, words: str) -> None:
    assert look(one(status="waiting", activity=activity), VIEW).words == words


def test_a_rate_limit_says_until_when_in_the_viewers_time() -> None:
    limited = one(status="rate-limited", resets_at=-HOUR)
    berlin = VIEW._replace(zone=ZoneInfo("Europe/Berlin"))
    utc_hour = (NOW_MS + HOUR) // HOUR % 24
    assert look(limited, VIEW).words.startswith(f"Rate-limited until {utc_hour:02}:")
    assert look(limited, berlin).words.startswith(f"Rate-limited until {utc_hour + 1:02}:")
    assert look(one(status="rate-limited"), VIEW).words == "Rate-limited"


def test_a_rate_limit_that_ends_on_another_day_names_the_day() -> None:
    limited = one(status="rate-limited", resets_at=-30 * HOUR)
    assert "Nov" in look(limited, VIEW).words


def test_retrying_is_told_from_running() -> None:
    assert look(one(turn="retrying"), VIEW).words != look(one(turn="running"), VIEW).words


def test_a_percentage_comes_from_todos_only() -> None:
    planned = card(one(todo_done=3, todo_total=8), VIEW)
    assert (planned["percent"], planned["todos"]) == (38, "3 of 8 to-dos done")
    without = card(one(todo_done=0, todo_total=0, context_share=0.9), VIEW)
    assert (without["percent"], without["todos"]) == (None, None)


def test_more_todos_done_than_there_are_is_all_of_them() -> None:
    assert card(one(todo_done=9, todo_total=8), VIEW)["percent"] == 100


@pytest.mark.parametrize(
    ("facts", "meta"),
    [
        ({"turns": 3}, ["127,432 tokens (~$0.85)", "Turn 3"]),
        (
            {"turns": 3, "turn_requests": 3, "turn_limit": 10},
            ["127,432 tokens (~$0.85)", "Iter 3/10"],
        ),
        ({"context_share": 0.416}, ["127,432 tokens (~$0.85)", "context 42%"]),
        ({"context_tokens": 9_000}, ["127,432 tokens (~$0.85)", "context 9,000 tokens"]),
        ({"requests": 0, "total_tokens": 0, "cost_usd": 0.0}, ["no model calls yet"]),
        (
            {"requests": 0, "total_tokens": 0, "flags": ["no_local_tokens"], "subagents": 1},
            ["no local data on tokens", "+ 1 subagent"],
        ),
        (
            {"subagents": 2, "subagent_tokens": 34_000, "subagent_cost_usd": 0.2},
            ["127,432 tokens (~$0.85)", "+ 2 subagents · 34,000 tokens ($0.20)"],
        ),
        (
            {"subagents": 1, "subagent_tokens": 7, "subagent_cost_usd": None},
            ["127,432 tokens (~$0.85)", "+ 1 subagent · 7 tokens"],
        ),
        ({"cost_usd": None, "unpriced_requests": 3}, ["127,432 tokens (unpriced)"]),
    ],
)
def test_the_figures_are_those_that_are_known(facts: dict[str, Any], meta: list[str]) -> None:
    assert card(one(**facts), VIEW)["meta"] == meta


def test_an_activity_is_shown_as_it_is_and_a_message_in_quotes() -> None:
    working = card(one(activity="Bash: make test", last_message="On it."), VIEW)
    assert (working["latest"], working["quoted"]) == ("Bash: make test", False)
    idle = card(one(status="idle", last_message="Done.\n\nAnything  else?"), VIEW)
    assert (idle["latest"], idle["quoted"]) == ("Done. Anything else?", True)


def test_tags_name_three_specs_and_how_many_more() -> None:
    names = [f"{number:03}-part" for number in range(5)]
    assert card(one(specs=names), VIEW)["tags"][3:] == [*names[:3], "+ 2 specs"]


def test_a_card_links_to_each_spec_that_can_be_opened() -> None:
    row = one(specs=["168-a", "169-b"], project_path="/w/alpha")
    assert card(row, VIEW)["specs"] == [
        {"name": "168-a", "href": "spec?project=alpha&spec=168-a"},
        {"name": "169-b", "href": "spec?project=alpha&spec=169-b"},
    ]
    view = VIEW._replace(has_spec=lambda _, name: name == "169-b")
    assert [link["name"] for link in card(row, view)["specs"]] == ["169-b"]
    assert card(one(), VIEW)["specs"] == []


def test_tags_name_each_thing_once() -> None:
    tags = card(one(branch="042-dark-mode", specs=["042-dark-mode"]), VIEW)["tags"]
    assert tags == ["Claude Code", "alpha", "042-dark-mode"]
    assert card(one(project_path=None, branch=None), VIEW, machine=True)["tags"] == [
        "Claude Code",
        "here",
    ]


def test_a_failure_shows_class_and_message_and_can_be_copied_and_dismissed() -> None:
    failed = card(
        one(section="recent", status="failed", error_class="api", error_message="500 boom"), VIEW
    )
    assert (failed["errorClass"], failed["error"]) == ("API error", "500 boom")
    assert failed["actions"] == ["copy-error", "dismiss"]


def test_a_failure_without_a_message_has_nothing_to_copy() -> None:
    failed = card(one(section="recent", status="failed", error_class="killed"), VIEW)
    assert (failed["errorClass"], failed["error"]) == ("Killed", None)
    assert failed["actions"] == ["dismiss"]


def test_a_huge_error_is_cut_and_says_so() -> None:
    failed = card(one(section="recent", status="failed", error_message="x" * 25_000), VIEW)
    assert failed["error"] is not None
    assert failed["error"].endswith("(5,000 more characters)")


@pytest.mark.parametrize("status", ["running", "waiting", "paused", "rate-limited", "idle"])
def test_a_live_session_has_no_buttons_that_do_not_work(status: str) -> None:
    assert card(one(status=status), VIEW)["actions"] == []


def test_a_dismissed_session_can_be_restored() -> None:
    dismissed = card(one(section="recent", dismissed_at=MINUTE), VIEW)
    assert (dismissed["dismissed"], dismissed["actions"]) == (True, ["undismiss"])


def test_whoever_may_only_look_gets_no_button_that_acts() -> None:
    failed = one(section="recent", status="failed", error_message="boom")
    assert card(failed, VIEW._replace(may_act=False))["actions"] == ["copy-error"]


def test_times_are_numbers_for_the_browser() -> None:
    ended = card(one(section="recent", ago=HOUR), VIEW)
    assert (ended["endedAt"], ended["durationMs"]) == (NOW_MS - HOUR, 10 * MINUTE)
    live = card(one(since=2 * MINUTE), VIEW)
    assert (live["startedAt"], live["endedAt"]) == (NOW_MS - 10 * MINUTE, None)
    assert (live["since"], live["durationMs"]) == (NOW_MS - 2 * MINUTE, None)


def test_an_unknown_session_of_yesterday_stands_still() -> None:
    card_ = card(one(section="recent", status="unknown", ended_at=None), VIEW)
    assert (card_["endedAt"], card_["words"]) == (NOW_MS - HOUR, "Unknown")


@given(st.text(), st.text())
def test_any_text_is_one_line_of_bounded_length(title: str, message: str) -> None:
    found = card(one(title=title, last_message=message), VIEW)
    assert found["title"]
    assert "\n" not in found["title"] + (found["latest"] or "")
    assert len(found["title"]) <= 301


def test_a_link_names_the_session_and_keeps_the_filters() -> None:
    made = card(one(key="codex:a&b/c d"), VIEW._replace(query="project=x&range=all"))
    path, _, query = made["link"].partition("?")
    assert path == "session"
    assert parse_qs(query) == {"session": ["codex:a&b/c d"], "project": ["x"], "range": ["all"]}


def test_a_card_offers_what_is_permitted_to_whoever_may_act() -> None:
    ended = one(
        section="recent", permitted=["retry", "archive", "delete"], retry_of="leanspec:0af1"
    )
    offered = card(ended, VIEW)
    assert offered["actions"] == ["retry", "dismiss"]
    assert offered["menu"] == ["archive", "delete"]
    assert "↻ retry of #0af1" in offered["meta"]
    looked_at = card(ended, VIEW._replace(may_act=False))
    assert (looked_at["actions"], looked_at["menu"]) == ([], [])


def test_a_card_tells_what_is_under_way_and_what_did_not_come_to_pass() -> None:
    row = one(permitted=["pause", "stop"], under_way=["stop"], note="Pause refused: no")
    told = card(row, VIEW)
    assert (told["actions"], told["underWay"]) == (["pause", "stop"], ["stop"])
    assert told["note"] == "Pause refused: no"
