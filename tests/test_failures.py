"""Signatures: the same failure is one group, another failure is another."""

import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.failures import (
    ERROR_WORDS,
    LONGEST_NAME,
    LONGEST_SIGNATURE,
    RULES,
    Signature,
    error_words,
    group_name,
    normal_form,
    signature,
)
from lib.model import ErrorClass

CASES = {
    "terminal colours": ("\x1b[31mboom\x1b[0m", "boom"),
    "command of a tool": (
        "The process ended in the middle of a turn (Bash: echo (a); sleep 30).",
        "The process ended in the middle of a turn (Bash).",
    ),
    "web address": (
        "401 Unauthorized, url: http://127.0.0.1:43481/v1/responses, again",
        "401 Unauthorized, url: <url>, again",
    ),
    "mail address": ("no seat for someone@example.org", "no seat for <mail>"),
    "time": ("resets at 2026-11-22T20:13:19.5Z, or 3:15 pm", "resets at <time>, or <time>"),
    "identifier": (
        "request req_011CSabc12, session 0b1c2d3e-0000-4000-8000-00000000000f",
        "request <id>, session <id>",
    ),
    "quoted value": ('expected "running" and `3`', "expected <value> and <value>"),
    "value in single quotes": (
        "Expected 'running' but got 'pending', didn't it",
        "Expected <value> but got <value>, didn't it",
    ),
    "network address": ("gateway (127.0.0.1:35017) is away", "gateway (<address>) is away"),
    "path": (
        "cannot read /home/me/a, b/x.py, ../lib/y.py:12 and/or agent_test.rs:42:7",
        "cannot read <path>, <path>, <path> and/or <path>",
    ),
    "hash": ("bad object 1a2b3c4d5e at 0xDEADBEEF", "bad object <hash> at <hash>"),
    "number": (
        "retried 5 times (5.40 seconds): 429 of 1,024",
        "retried <n> times (<n> seconds): 429 of <n>",
    ),
    "space": ("one\n\n  two\tthree", "one two three"),
}


@pytest.mark.parametrize("rule", [rule.name for rule in RULES])
def test_each_rule_takes_its_kind_of_text_out(rule: str) -> None:
    message, expected = CASES[rule]
    assert normal_form(message) == expected


@pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])
def test_each_rule_is_needed_for_its_case(rule: object, monkeypatch: pytest.MonkeyPatch) -> None:
    others = tuple(one for one in RULES if one is not rule)
    monkeypatch.setattr("lib.failures.RULES", others)
    message, expected = CASES[getattr(rule, "name")]  # noqa: B009
    assert normal_form(message) != expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "API Error: 500 boom. Check your inference gateway (127.0.0.1:35017).",
            "API Error: 500 boom. Check your inference gateway (10.1.2.3:80).",
        ),
        (
            "retried 5 times (total retry wait time: 5.40 seconds) Last error: 429",
            "retried 6 times (total retry wait time: 16 seconds) Last error: 429",
        ),
        (
            "Test assertion failed in agent_test.rs:42",
            "Test assertion failed in src/other_test.rs:7",
        ),
    ],
)
def test_the_same_failure_has_one_signature(one: str, other: str) -> None:
    assert signature("api", one) == signature("api", other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Last error: 429 Rate limit reached", "Last error: 500 Rate limit reached"),
        ("Incorrect API key provided", "Quota exceeded"),
    ],
)
def test_another_failure_has_another_signature(one: str, other: str) -> None:
    assert signature("api", one).id != signature("api", other).id


def test_the_class_tells_failures_apart() -> None:
    assert signature("api", "boom").id != signature("tool", "boom").id


def test_an_error_without_class_and_message_has_a_signature() -> None:
    assert signature(None, None) == signature("unknown", "")


@given(st.text(max_size=300))
def test_a_normal_form_is_its_own(message: str) -> None:
    once = normal_form(message)
    assert len(once) <= LONGEST_SIGNATURE
    assert normal_form(once) == once


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_numbers_never_split_a_group(one: int, other: int) -> None:
    def message(number: int) -> str:
        return f"worker {number + 10_000} gave up after {number + 1_000} ms"

    assert signature("timeout", message(one)) == signature("timeout", message(other))


@given(st.text(max_size=50_000))
def test_any_text_has_a_short_signature(message: str) -> None:
    found = signature("unknown", message)
    assert re.fullmatch("[0-9a-f]{12}", found.id)
    assert len(found.text) <= LONGEST_SIGNATURE


def test_each_class_has_words_of_its_own_and_a_missing_one_is_an_error() -> None:
    assert set(ERROR_WORDS) == set(get_args(ErrorClass))
    assert len(set(ERROR_WORDS.values())) == len(ERROR_WORDS)
    assert error_words("api") == "API error"
    assert error_words(None) == error_words("no such class") == "Error"


@given(st.lists(st.text(max_size=2 * LONGEST_NAME), min_size=2, max_size=2, unique_by=normal_form))
def test_two_groups_never_have_one_name(messages: list[str]) -> None:
    one, other = (group_name(signature("api", message)) for message in messages)
    assert one != other
    assert len(one) < LONGEST_NAME + 30


def test_a_group_is_named_by_its_class_and_what_it_says() -> None:
    assert group_name(Signature("0123456789ab", "timeout", "gave up")) == "Timeout: gave up"
    assert group_name(Signature("0123456789ab", "killed", "")) == "Killed"
