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
    "time": (
        "resets at 2026-11-22T20:13:19.5Z, or 3:15 pm, or 3pm (Europe/Berlin), or Nov 3, 2026 UTC",
        "resets at <time>, or <time>, or <time>, or <time>",
    ),
    "identifier": (
        "request req_011CSabc12, 0b1c2d3e-0000-4000-8000-00000000000f, msg_aBcdEfghijklmnop",
        "request <id>, <id>, <id>",
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
    "hash": ("bad object a1b2c3d4e5 at 0xDEADBEEF", "bad object <n> at <n>"),
    "duration": ("gave up after 1m30s, then 250 ms", "gave up after <n> s, then <n> s"),
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


MARKS = st.sampled_from(list("\"'`“”<>/\\\\.:,_@-+ ()\n0159afgAZ\x1b[m"))


@given(st.lists(MARKS, max_size=2 * LONGEST_SIGNATURE).map("".join))
def test_a_normal_form_of_marks_and_digits_is_its_own_too(message: str) -> None:
    once = normal_form(message)
    assert normal_form(once) == once


NAME = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,12}", fullmatch=True)
# What a server answered with stays, see "number".
NUMBER = st.integers(0, 10**12).filter(lambda number: not 400 <= number < 600).map(str)
MOMENT = st.datetimes()
VARYING = {
    "path": st.one_of(
        st.lists(NAME, min_size=1, max_size=5).map(lambda names: "/" + "/".join(names)),
        st.lists(NAME, min_size=2, max_size=4).map(lambda names: "/".join(names) + ".py"),
        st.lists(NAME, min_size=1, max_size=4).map(lambda names: "C:\\" + "\\".join(names)),
        st.tuples(NAME, st.integers(1, 9999)).map(lambda pair: f"~/{pair[0]}.rs:{pair[1]}:7"),
    ),
    "id": st.one_of(
        st.uuids().map(str),
        st.from_regex(r"(req|msg|toolu)_[0-9][A-Za-z0-9]{10,24}", fullmatch=True),
    ),
    "hash or number": st.one_of(
        st.binary(min_size=4, max_size=32)
        .map(bytes.hex)
        .filter(lambda digest: any(one.isdigit() for one in digest)),
        NUMBER,
        st.floats(600, 10**6).map("{:.2f}".format),
        st.integers(1000, 10**9).map("{:,}".format),
    ),
    "time": st.one_of(
        MOMENT.map(lambda moment: moment.isoformat(timespec="milliseconds") + "Z"),
        MOMENT.map(lambda moment: f"{moment:%H:%M:%S}"),
        MOMENT.map(lambda moment: f"{moment.hour % 12 + 1}{moment:%p}".lower()),
        MOMENT.map(lambda moment: f"{moment.day} {moment:%b} {moment.year:04}"),
    ),
    "value": st.tuples(
        st.sampled_from(['""', "``", "“”", "''"]),
        st.text(st.characters(exclude_characters="\"'`“”\n\x1b"), max_size=100),
    ).map(lambda pair: f"{pair[0][0]}{pair[1]}{pair[0][1]}"),
    "address": st.one_of(
        st.ip_addresses(v=4).map("http://{}:8080/v1".format), NAME.map("https://{}.example".format)
    ),
}


@pytest.mark.parametrize("kind", VARYING)
@given(data=st.data())
def test_what_varies_never_changes_a_signature(kind: str, data: st.DataObject) -> None:
    one, other = data.draw(VARYING[kind]), data.draw(VARYING[kind])
    assert normal_form(f"reading {one} failed") == normal_form(f"reading {other} failed")
    assert normal_form(f"it failed: {one}") == normal_form(f"it failed: {other}")
    assert normal_form(f"({one}) failed") == normal_form(f"({other}) failed")


@given(st.lists(st.tuples(*VARYING.values()), min_size=2, max_size=2))
def test_a_message_that_varies_in_everything_is_one_group(fills: list[tuple[str, ...]]) -> None:
    words = ["cannot read", "of", "after", "at", "it said", "from"]
    messages = [
        " ".join(f"{word} {value}" for word, value in zip(words, fill, strict=True))
        for fill in fills
    ]
    assert signature("api", messages[0]) == signature("api", messages[1])


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
