"""One line for a tool call, one class for a failure, whatever the agents write."""

import pytest
from hypothesis import given

from lib.readers.wording import DETAIL_LENGTH, call_text, error_class, one_line
from tests.readers.json_lines import anything


@pytest.mark.parametrize(
    ("message", "kind", "status", "expected"),
    [
        ("boom", None, 401, "authentication"),
        ("boom", None, 429, "rate_limit"),
        ("boom", None, 504, "timeout"),
        ("boom", None, 500, "api"),
        ("401 Incorrect API key provided", None, None, "authentication"),
        ("It failed (HTTP 403)", None, None, "authentication"),
        ("Last error: 429 slow down", None, None, "rate_limit"),
        ("You exceeded your current quota", None, None, "rate_limit"),
        ("This model's maximum context length is 8192", None, None, "context_overflow"),
        ("retried 429 times", None, None, "api"),
        ("boom", "rate_limit", 500, "rate_limit"),
        ("429 Rate limit", "context_limit", None, "context_overflow"),
        (None, None, None, "api"),
        ("", "", "401", "api"),
    ],
)
def test_the_agents_own_word_counts_before_the_status_and_the_text(
    message: str | None, kind: str | None, status: object, expected: str
):
    assert error_class(message, kind, status) == expected


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("bash", {"description": "long", "command": "make\n  test"}, "bash: make test"),
        ("Read", {"limit": 5, "file_path": "a.py"}, "Read: a.py"),
        ("AskUser", {"questions": [{"question": "Which?"}]}, "AskUser: Which?"),
        ("custom", {"first": "", "second": "value"}, "custom: value"),
        ("custom", {"only": 5}, "custom"),
        ("custom", "free text", "custom"),
        (None, None, "tool"),
    ],
)
def test_a_call_is_told_by_the_argument_that_says_most(
    name: str | None, arguments: object, expected: str
):
    assert call_text(name, arguments) == expected


@given(anything)
def test_any_argument_makes_one_short_line(arguments: object):
    for given_arguments in (arguments, {"command": arguments}, {"questions": arguments}):
        text = call_text("bash", given_arguments)
        assert text.startswith("bash")
        assert len(text) <= DETAIL_LENGTH
        assert "\n" not in text
        assert text.encode()


def test_long_text_is_cut_and_other_values_are_no_line():
    assert one_line("x" * 1_000_000) == "x" * (DETAIL_LENGTH - 1) + "…"
    assert one_line(" \n ") is None
    assert one_line(5) is None
