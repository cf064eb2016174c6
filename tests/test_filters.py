"""What filters leave, what they count, and what a link says."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import filters
from lib.cards import LOOKS
from lib.filters import FACETS, NONE, RANGES, SORTS, Filters, from_query, to_query
from tests.board_rows import DAY, HOUR, NOW, a_frame, a_row, an_ended_row

ROWS = a_frame(
    a_row("s1", project_path="/w/alpha", branch="main", models=["sonnet"]),
    a_row("s2", project_path="/w/beta", branch=None, models=["opus", "sonnet"]),
    an_ended_row(
        "s3",
        project_path="/w/alpha",
        status="failed",
        error_message="Boom at line 7",
        error_signature="0123456789ab",
    ),
    an_ended_row("s4", project_path="/w/alpha", agent="codex", models=[], specs=["042-dark-mode"]),
    an_ended_row("s5", ago=3 * DAY, project_path="/w/alpha"),
    an_ended_row("s6", dismissed_at=HOUR, project_path=None),
    a_row("s1/sub", parent_key="claude-code:s1", project_path="/w/alpha"),
)


def left(**chosen: Any) -> list[str]:
    return list(filters.apply(ROWS, Filters(**chosen), NOW)["session_id"])


def test_without_filters_everything_of_now_and_the_last_day_is_shown() -> None:
    assert left() == ["s1", "s2", "s3", "s4"]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"project": ("beta",)}, ["s2"]),
        ({"project": ("alpha", "beta")}, ["s1", "s2", "s3", "s4"]),
        ({"tool": ("codex",)}, ["s4"]),
        ({"status": ("failed",)}, ["s3"]),
        ({"error": ("0123456789ab",)}, ["s3"]),
        ({"error": (NONE,)}, ["s1", "s2", "s4"]),
        ({"branch": ("main",), "project": ("alpha",), "status": ("running",)}, ["s1"]),
        ({"branch": (NONE,)}, ["s2"]),
        ({"model": ("opus",)}, ["s2"]),
        ({"model": (NONE,)}, ["s4"]),
        ({"project": ("no-such",)}, []),
        ({"range": "7d"}, ["s1", "s2", "s3", "s4", "s5"]),
        ({"range": "all", "dismissed": True}, ["s1", "s2", "s3", "s4", "s5", "s6"]),
        ({"range": "1h"}, ["s1", "s2", "s3", "s4"]),
        ({"dismissed": True}, ["s1", "s2", "s3", "s4", "s6"]),
    ],
)
def test_filters_agree_with_each_other(chosen: dict[str, Any], expected: list[str]) -> None:
    assert left(**chosen) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3", ["s3"]),
        ("#s3", ["s3"]),
        ("TASK S1", ["s1"]),
        ("boom LINE", ["s3"]),
        ("beta", ["s2"]),
        ("dark-mode", ["s4"]),
        ("line boom alpha", ["s3"]),
        (".*", []),
        ("#", ["s1", "s2", "s3", "s4"]),
        ("  ", ["s1", "s2", "s3", "s4"]),
    ],
)
def test_every_word_of_the_search_must_be_somewhere(text: str, expected: list[str]) -> None:
    assert left(text=text) == expected


def test_a_count_is_what_choosing_the_option_would_leave() -> None:
    chosen = Filters(project=("alpha",), status=("failed",))
    counted = filters.counts(ROWS, chosen, NOW)
    assert counted["project"] == {"alpha": 1, "beta": 0, NONE: 0}
    assert counted["status"] == {"running": 1, "failed": 1, "completed": 1}
    for facet in FACETS:
        for value, count in counted[facet].items():
            alone = chosen.model_copy(update={facet: (value,)})
            assert len(filters.apply(ROWS, alone, NOW)) == count, (facet, value)


def test_a_project_is_found_by_the_name_that_it_had_before_another_of_its_name_came() -> None:
    rows = a_frame(
        a_row("s1", project_path="/me/work/api"),
        a_row("s2", project_path="/srv/x/api"),
        a_row("s3", project_path="/me/rapid-api"),
    )
    left = filters.apply(rows, Filters(project=("api",)), NOW)
    assert list(left["session_id"]) == ["s1", "s2"]
    known = filters.values(rows, "project")
    found, notes = filters.from_query({"project": ["api", "gone"]}, {"project": known})
    assert (found.project, notes) == (("work/api", "x/api"), ["no project “gone”"])


def test_a_session_of_two_models_counts_for_both_and_once_for_each() -> None:
    assert filters.counts(ROWS, Filters(), NOW)["model"] == {
        "sonnet": 2,
        "opus": 1,
        "claude-sonnet-4-5": 1,
        NONE: 1,
    }


def test_nothing_can_be_filtered_too() -> None:
    nothing = a_frame()
    assert filters.apply(nothing, Filters(text="x", project=("a",)), NOW).empty
    assert filters.counts(nothing, Filters(), NOW) == {facet: {} for facet in FACETS}


NAMES = st.lists(st.text(min_size=1), unique=True, max_size=4).map(tuple)
ANY_FILTERS = st.builds(
    Filters,
    project=NAMES,
    tool=NAMES,
    status=st.lists(st.sampled_from(sorted(LOOKS)), unique=True).map(tuple),
    error=NAMES,
    model=NAMES,
    branch=NAMES,
    range=st.sampled_from(sorted(RANGES)),
    text=st.text(max_size=200),
    sort=st.sampled_from(sorted(SORTS)),
    dismissed=st.booleans(),
)


@given(ANY_FILTERS)
def test_a_link_reproduces_the_view(chosen: Filters) -> None:
    assert from_query(to_query(chosen), {}) == (chosen, [])


def test_the_default_view_needs_no_parameters() -> None:
    assert to_query(Filters()) == {}


def test_what_a_link_names_and_nobody_knows_is_left_out_and_noted() -> None:
    query = {
        "project": ["alpha", "no-such"],
        "status": ["failed", "exploded"],
        "range": ["century"],
        "sort": ["colour"],
        "dismissed": ["perhaps"],
        "q": ["boom"],
    }
    chosen, notes = from_query(query, {"project": ["alpha"]})
    assert chosen == Filters(project=("alpha",), status=("failed",), text="boom")
    assert notes == [
        "no project “no-such”",
        "no status “exploded”",
        "no range “century”",
        "no sort “colour”",
        "no dismissed “perhaps”",
    ]


@given(st.dictionaries(st.sampled_from(filters.PARAMETERS), st.lists(st.text(), max_size=5)))
def test_no_link_is_an_error(query: dict[str, list[str]]) -> None:
    chosen, notes = from_query(query, {facet: [] for facet in FACETS})
    assert chosen.project == ()
    assert all(len(note) < 100 for note in notes)


def test_a_parameter_that_is_no_filter_is_none_of_our_business() -> None:
    assert from_query({"utm_source": ["mail"], "dismiss": ["x"]}, {}) == (Filters(), [])


def test_only_what_narrows_counts_as_narrowing() -> None:
    assert not Filters(sort="cost").narrows()
    assert Filters(text="x").narrows()
