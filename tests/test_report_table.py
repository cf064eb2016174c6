"""Reports as text for people."""

from hypothesis import given
from hypothesis import strategies as st

from lib.report_table import table

plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
rows = st.lists(st.fixed_dictionaries({"date": plain, "cost_usd": plain, "requests": plain}))


def test_columns_stand_in_line_and_figures_to_the_right() -> None:
    shown = table({"rows": [{"model": "a", "requests": 7}, {"model": "bb", "requests": 1_234}]})
    assert shown == "Rows\nmodel  requests\na             7\nbb        1,234"


def test_what_is_not_known_is_not_shown_as_nothing() -> None:
    assert table([{"model": None, "cost_usd": None}]).splitlines()[1].split() == ["–", "unpriced"]
    assert table([]) == "  nothing"


def test_an_empty_part_is_said() -> None:
    assert table({"skipped": {}, "timezone": "UTC"}) == "Skipped\n  nothing\n\nTimezone: UTC"


@given(rows)
def test_whatever_a_row_holds_stays_on_its_line(found: list[dict[str, object]]) -> None:
    assert len(table(found).split("\n")) == max(1, len(found) + bool(found))


def test_nothing_that_a_terminal_would_obey_is_shown_as_it_is() -> None:
    shown = table([{"title": "a\x1b[31mb\x9b\u202ec é 漢 🛰"}])
    assert "a\\x1b[31mb\\x9b\\u202ec é 漢 🛰" in shown
