"""Clicks from a browser that is not trusted."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.ui.outbox import MOST_ITEMS, receive

ID = "0123456789abcdef" * 2


def click(n: int, action: str = "dismiss", key: str = "claude-code:s1") -> dict[str, Any]:
    return {"n": n, "action": action, "key": key, "session": "mine"}


def test_each_click_is_taken_once_and_in_order() -> None:
    received = receive([click(3), click(1), click(2)], "mine", 1)
    assert [item.n for item in received.items] == [2, 3]
    assert received.acknowledged == 3
    assert receive([click(1), click(2), click(3)], "mine", received.acknowledged).items == []


@pytest.mark.parametrize(
    "action", ["start", "pause", "resume", "stop", "retry", "archive", "delete"]
)
def test_what_is_asked_of_a_server_comes_with_an_id_of_its_own(action: str) -> None:
    sent = {**click(1, action), "id": ID}
    [item] = receive([sent], "mine", 0).items
    assert (item.asked, item.id) == (action, ID)
    assert receive([{**click(1), "id": None}], "mine", 0).items[0].asked is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"n": 1, "action": "stop", "key": "x", "session": "mine"},
        {"n": 1, "action": "stop", "key": "x", "session": "mine", "id": "short"},
        {"n": 1, "action": "stop", "key": "x", "session": "mine", "id": ID.upper()},
        {"n": 1, "action": "stop", "key": "x", "session": "mine", "id": ID + "\n"},
        {"n": 1, "action": "create", "key": "x", "session": "mine", "id": ID},
        {"n": 1, "action": "dismiss", "key": "x", "session": "mine", "id": ID},
        {"n": 1, "action": "shutdown", "key": "x", "session": "mine", "id": ID},
        {"n": 0, "action": "dismiss", "key": "x", "session": "mine"},
        {"n": "1", "action": "dismiss", "key": "x", "session": "mine"},
        {"n": True, "action": "dismiss", "key": "x", "session": "mine"},
        {"n": 2**60, "action": "dismiss", "key": "x", "session": "mine"},
        {"n": 1, "action": "dismiss", "key": "", "session": "mine"},
        {"n": 1, "action": "dismiss", "key": "x" * 1001, "session": "mine"},
        {"n": 1, "action": "dismiss", "key": "x", "session": "mine", "sudo": True},
        {"n": 1, "action": "dismiss"},
        None,
        "dismiss",
    ],
)
def test_what_is_no_click_of_ours_is_refused_and_hinders_no_other(wrong: Any) -> None:
    received = receive([wrong, click(2)], "mine", 0)
    assert [item.n for item in received.items] == [2]
    assert received.refused == 1


def test_what_was_sent_to_a_server_of_before_is_not_taken() -> None:
    theirs = {**click(1), "session": "before"}
    received = receive([theirs, click(2)], "mine", 0)
    assert [item.n for item in received.items] == [2]
    assert received.refused == 0


def test_a_flood_is_cut() -> None:
    assert (
        len(receive([click(n + 1) for n in range(MOST_ITEMS + 500)], "mine", 0).items) == MOST_ITEMS
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON, st.integers(min_value=0, max_value=100))
def test_nothing_a_browser_sends_breaks_it(sent: Any, acknowledged: int) -> None:
    assert receive(sent, "mine", acknowledged).acknowledged >= acknowledged
