"""The frame of sessions' rows: the same whether made anew or kept up."""

from typing import Any

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.session_row import session_frame, updated_frame
from tests.board_rows import HOUR, a_row

NAMES = ["a", "b", "c", "d", "e"]
FACTS = st.fixed_dictionaries(
    {},
    optional={
        "parent_key": st.sampled_from([f"claude-code:{name}" for name in NAMES]),
        "project_path": st.sampled_from(["/x/one", "/y/one", "/z/two", None]),
        "branch": st.sampled_from(["main", None]),
        "error_message": st.text(max_size=3),
        "dismissed_at": st.just(HOUR),
        "turns": st.sampled_from([0, 7, 2.5, None]),
        "turn_limit": st.sampled_from([10, None]),
        "requests": st.sampled_from([0, 5, 10**12]),
        "cost_usd": st.sampled_from([0, 1.25, None]),
        "models": st.lists(st.sampled_from(["one", "two"]), max_size=2),
    },
)


def by_key(frame: pd.DataFrame) -> list[dict[str, Any]]:
    rows = frame.sort_values("key").astype("object").where(frame.notna(), None)
    return rows.to_dict("records")  # pyright: ignore[reportReturnType]


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.sampled_from(NAMES), FACTS, min_size=1),
    st.lists(st.dictionaries(st.sampled_from(NAMES), FACTS), max_size=3),
)
def test_a_frame_that_is_kept_up_is_the_same_as_one_made_anew(
    first: dict[str, dict[str, Any]], later: list[dict[str, dict[str, Any]]]
) -> None:
    rows = {f"claude-code:{name}": a_row(name, **facts) for name, facts in first.items()}
    frame = session_frame(rows.values())
    for changes in later:
        news = {f"claude-code:{name}": a_row(name, **facts) for name, facts in changes.items()}
        rows |= news
        frame = updated_frame(frame, rows, news.keys())
    assert by_key(frame) == by_key(session_frame(rows.values()))
