"""Sections, their orders, the strip, and the header's totals."""

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.figures import Figures
from lib.sections import (
    FIRST_SHOWN,
    SECTIONS,
    Section,
    Sort,
    ordered,
    running_count,
    sections,
    top_level,
    totals,
    waiting,
)
from tests.board_rows import DAY, HOUR, MINUTE, VIEW, a_frame, a_row, an_ended_row


def by_name(found: list[Section]) -> dict[str, Section]:
    return {section["name"]: section for section in found}


def shorts(section: Section) -> list[str]:
    return [card["short"] for card in section["cards"]]


def order(section: str, sort: Sort, *rows: dict[str, Any]) -> list[str]:
    return list(ordered(a_frame(*rows), section, sort)["session_id"])


def test_only_older_sessions_have_a_section_just_when_there_are_some() -> None:
    assert list(by_name(sections(a_frame(), "default", VIEW))) == ["running", "pending", "recent"]
    full = a_frame(
        a_row("r"), a_row("p", status="queued", section="pending"), an_ended_row("o", ago=2 * DAY)
    )
    assert list(by_name(sections(full, "default", VIEW))) == list(SECTIONS)


def test_each_section_has_its_own_order() -> None:
    rows = a_frame(
        a_row("young", started_at=MINUTE),
        a_row("old", started_at=HOUR),
        a_row("p-new", status="pending", section="pending", started_at=MINUTE),
        a_row("p-old", status="pending", section="pending", started_at=HOUR),
        an_ended_row("ended-1", ago=2 * HOUR),
        an_ended_row("ended-2", ago=HOUR),
    )
    found = by_name(sections(rows, "default", VIEW))
    assert shorts(found["running"]) == ["old", "young"]
    assert shorts(found["pending"]) == ["p-old", "p-new"]
    assert shorts(found["recent"]) == ["ended-2", "ended-1"]


def test_needs_attention_puts_waiting_first_and_the_longest_ignored_before_others() -> None:
    assert order(
        "running",
        "attention",
        a_row("idle", status="idle", since=9 * HOUR),
        a_row("working", since=8 * HOUR),
        a_row("limited", status="rate-limited", since=HOUR),
        a_row("failed", status="failed", since=MINUTE),
        a_row("waits", status="waiting", since=MINUTE),
        a_row("waits-long", status="waiting", since=HOUR),
    ) == ["waits-long", "waits", "failed", "limited", "working", "idle"]


def test_duration_puts_the_longest_first() -> None:
    assert order(
        "recent",
        "duration",
        an_ended_row("short", duration_ms=MINUTE),
        an_ended_row("long", duration_ms=HOUR),
        an_ended_row("unknown", duration_ms=None),
    ) == ["long", "short", "unknown"]


def test_newest_puts_the_last_begun_or_ended_first() -> None:
    live = (a_row("old", started_at=HOUR), a_row("new", started_at=MINUTE))
    assert order("running", "newest", *live) == ["new", "old"]
    ended = (an_ended_row("old", ago=HOUR), an_ended_row("new", ago=MINUTE))
    assert order("recent", "newest", *ended) == ["new", "old"]


def test_what_subagents_cost_is_part_of_a_sessions_cost() -> None:
    alone = a_row("alone", cost_usd=2.0)
    helped = a_row("helped", cost_usd=0.5, subagent_cost_usd=5.0, subagents=1)
    only_below = a_row("below", cost_usd=None, subagent_cost_usd=3.0, subagents=1)
    assert order("running", "cost", alone, helped, only_below) == ["helped", "below", "alone"]


def test_cost_puts_the_highest_first_and_the_unpriced_last() -> None:
    assert order(
        "running",
        "cost",
        a_row("free", cost_usd=0.0),
        a_row("unpriced", cost_usd=None),
        a_row("dear", cost_usd=9.0),
    ) == ["dear", "free", "unpriced"]


@given(
    st.permutations(["a", "b", "c", "d"]),
    st.sampled_from(get_args(Sort)),
    st.sampled_from(list(SECTIONS)),
)
def test_equal_sessions_never_swap(names: list[str], sort: Sort, section: str) -> None:
    assert order(section, sort, *map(a_row, names)) == ["a", "b", "c", "d"]


def test_the_first_sixty_are_shown_with_a_count_of_the_rest() -> None:
    rows = a_frame(*(a_row(f"s{number:03}") for number in range(70)))
    running = by_name(sections(rows, "default", VIEW))["running"]
    assert (len(running["cards"]), running["more"], running["total"]) == (FIRST_SHOWN, 10, 70)
    more = by_name(sections(rows, "default", VIEW, {"running": 120}))["running"]
    assert (len(more["cards"]), more["more"]) == (70, 0)


def test_a_session_that_waits_is_shown_however_many_come_before_it() -> None:
    rows = [a_row(f"s{number:03}") for number in range(70)]
    rows.append(a_row("waits", status="waiting", started_at=0))
    running = by_name(sections(a_frame(*rows), "default", VIEW))["running"]
    assert shorts(running)[-1] == "waits"
    assert (len(running["cards"]), running["more"]) == (61, 10)


def test_the_machine_is_named_where_there_are_several() -> None:
    rows = a_frame(a_row("a"), a_row("b", machine="there"))
    cards = by_name(sections(rows, "default", VIEW))["running"]["cards"]
    assert [card["tags"][-1] for card in cards] == ["here", "there"]


def test_the_strip_names_who_waits_and_for_what() -> None:
    rows = a_frame(
        a_row("a"),
        a_row("b", status="waiting", since=MINUTE),
        a_row("c", status="waiting", since=HOUR, activity="permission: Bash"),
    )
    assert [(item["short"], item["words"]) for item in waiting(rows, VIEW)] == [
        ("c", "Waiting for permission"),
        ("b", "Waiting for you"),
    ]


def test_totals_count_what_is_now_and_what_failed_lately() -> None:
    rows = a_frame(
        a_row("a"),
        a_row("b", status="waiting"),
        an_ended_row("c", status="failed"),
        an_ended_row("d", status="failed", dismissed_at=MINUTE),
        an_ended_row("e", status="failed", ago=3 * DAY),
    )
    today = Figures(requests=9, input_tokens=1_234_567, cost_usd=12.5, unpriced_requests=2)
    found = {total["name"]: (total["value"], total["note"]) for total in totals(rows, today)}
    assert found == {
        "Running": ("1", ""),
        "Waiting": ("1", ""),
        "Failed in 24 h": ("1", ""),
        "Tokens today": ("1,234,567", ""),
        "Cost today": ("$12.50", "2 calls unpriced"),
    }


def test_a_day_without_a_price_is_unpriced_and_a_day_without_calls_is_free() -> None:
    unpriced = totals(a_frame(), Figures(requests=2, unpriced_requests=2))[-1]
    assert (unpriced["value"], unpriced["note"]) == ("unpriced", "2 calls unpriced")
    assert totals(a_frame(), Figures())[-1]["value"] == "$0.00"


def test_subagents_have_no_card_and_do_not_count() -> None:
    rows = a_frame(a_row("a"), a_row("a/sub", parent_key="claude-code:a"))
    assert list(top_level(rows)["session_id"]) == ["a"]
    assert running_count(rows) == 1


@pytest.mark.parametrize("sort", get_args(Sort))
def test_the_board_is_plain_data_of_a_size_that_can_be_sent(sort: Sort) -> None:
    rows = [a_row(f"s{n:04}", todo_total=3, todo_done=1) for n in range(500)]
    rows += [an_ended_row(f"e{n:04}", status="failed", error_message="boom") for n in range(500)]
    sent = json.dumps(sections(a_frame(*rows), sort, VIEW), allow_nan=False)
    assert len(sent) < 150_000
