"""Values out of untrusted JSON: of the wanted type, or None."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.model import MAXIMUM_TOKENS
from lib.readers.values import (
    IMPLAUSIBLE_TOKENS,
    NOT_AN_OBJECT,
    NOT_JSON,
    TOO_DEEP,
    Unreadable,
    as_count,
    as_list,
    as_object,
    as_text,
    as_time,
    as_tokens,
    as_word,
    decode_object,
    is_complete_json,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


class TestDecoding:
    def test_an_object(self):
        assert decode_object(b' {"a": [1, null]} ') == {"a": [1, None]}

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            (b"[1]", NOT_AN_OBJECT),
            (b"null", NOT_AN_OBJECT),
            (b'{"a":', NOT_JSON),
            (b'{"a":1}{"b":2}', NOT_JSON),
            (b"", NOT_JSON),
            (b'{"a":' + b"9" * 10_000 + b"}x", NOT_JSON),
            (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", TOO_DEEP),
        ],
    )
    def test_what_is_none_has_a_reason(self, line: bytes, reason: str):
        with pytest.raises(Unreadable, match=reason):
            decode_object(line)

    def test_invalid_utf8_is_replaced(self):
        assert decode_object(b'{"a":"x\xff\xfey"}') == {"a": "x\ufffd\ufffdy"}

    def test_lone_surrogates_and_infinite_numbers_are_borne(self):
        assert as_text(decode_object(b'{"a":"\\ud800"}')["a"]) == "?"
        assert decode_object(b'{"a":Infinity,"b":1e999}')["b"] == float("inf")

    @given(st.binary())
    def test_any_bytes_are_an_object_or_unreadable(self, line: bytes):
        outcome: object
        try:
            outcome = decode_object(line)
        except Unreadable as reason:
            outcome = str(reason)
        assert isinstance(outcome, dict) or outcome in (NOT_JSON, NOT_AN_OBJECT, TOO_DEEP)

    @given(json_values)
    def test_every_whole_value_is_complete_and_no_beginning_of_an_object_is(self, value: object):
        text = json.dumps({"a": value}, allow_nan=False, default=str) if _finite(value) else "{}"
        line = text.encode()
        assert is_complete_json(line)
        assert not any(is_complete_json(line[:end]) for end in range(1, len(line)))


def _finite(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


class TestTokens:
    @pytest.mark.parametrize(
        ("value", "tokens"),
        [
            (0, 0),
            (12, 12),
            ("12", 12),
            (" 12 ", 12),
            (12.0, 12),
            (12.9, 12),
            (None, 0),
            (True, 0),
            ([], 0),
            ({}, 0),
            ("many", 0),
            ("9" * 5_000, 0),
            (MAXIMUM_TOKENS, MAXIMUM_TOKENS),
        ],
    )
    def test_of_any_type(self, value: object, tokens: int):
        assert as_tokens(value) == tokens

    @pytest.mark.parametrize(
        "value", [-1, "-1", -0.5e9, 1e300, float("inf"), float("nan"), MAXIMUM_TOKENS + 1, 10**40]
    )
    def test_impossible_ones_are_refused(self, value: object):
        with pytest.raises(Unreadable, match=IMPLAUSIBLE_TOKENS):
            as_tokens(value)

    @given(json_values)
    def test_are_never_negative(self, value: object):
        try:
            tokens = as_tokens(value)
        except Unreadable:
            tokens = 0
        assert 0 <= tokens <= MAXIMUM_TOKENS


class TestTimes:
    @pytest.mark.parametrize(
        ("value", "milliseconds"),
        [
            ("2026-03-01T12:00:00.250Z", 1_772_366_400_250),
            ("2026-03-01T12:00:00.250000+00:00", 1_772_366_400_250),
            ("2026-03-01T14:00:00+02:00", 1_772_366_400_000),
            ("2026-03-01T12:00:00", 1_772_366_400_000),
            (1_772_366_400, 1_772_366_400_000),
            (1_772_366_400.25, 1_772_366_400_250),
            (1_772_366_400_250, 1_772_366_400_250),
        ],
    )
    def test_in_every_way_that_agents_write_them(self, value: object, milliseconds: int):
        assert as_time(value) == milliseconds

    @given(st.integers(946_684_800_000, 4_102_444_799_999))
    def test_to_the_millisecond(self, milliseconds: int):
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
        assert as_time(moment.isoformat(timespec="milliseconds")) == milliseconds

    @pytest.mark.parametrize(
        "value",
        [
            None,
            True,
            "",
            "soon",
            "2026-13-01T00:00:00Z",
            "1999-12-31T23:59:59Z",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-14:00",
            0,
            -1,
            10**40,
            float("nan"),
            float("inf"),
            [],
            {},
        ],
    )
    def test_what_is_none(self, value: object):
        assert as_time(value) is None

    @given(json_values)
    def test_of_anything(self, value: object):
        moment = as_time(value)
        assert moment is None or 946_684_800_000 <= moment < 4_102_444_800_000


class TestTexts:
    def test_terminal_sequences_and_control_characters_go(self):
        assert as_text("\x1b]0;title\x07\x1b[1;31mred\x1b[0m\x00\x08\u202etxt\r\n ") == "redtxt"

    def test_lines_stay(self):
        assert as_text("one\n\ttwo") == "one\n\ttwo"

    def test_long_texts_end_in_an_ellipsis(self):
        assert as_text("x" * 50, 10) == "x" * 9 + "…"
        assert as_text("x" * 10, 10) == "x" * 10

    @pytest.mark.parametrize("value", [None, 1, True, [], {}, "", "  ", "\x00\x1b[0m"])
    def test_nothing_is_none(self, value: object):
        assert as_text(value) is None

    @given(st.text(alphabet=st.characters(), max_size=300), st.integers(1, 100))
    def test_any_text_is_storable_and_within_its_limit(self, value: str, limit: int):
        text = as_text(value, limit)
        assert text is None or (0 < len(text) <= limit and "\x00" not in text and text.encode())

    def test_a_word_is_short(self):
        assert len(as_word("x" * 9_000) or "") == 1_000


@pytest.mark.parametrize(
    ("value", "count"),
    [(3, 3), (0, 0), (-1, None), (True, None), (1.5, None), ("3", None), (10**40, None)],
)
def test_counts(value: object, count: int | None):
    assert as_count(value) == count


@given(json_values)
def test_objects_and_lists_of_anything(value: Any):
    assert as_object(value) == (value if isinstance(value, dict) else {})
    assert as_list(value) == (value if isinstance(value, list) else [])


@pytest.mark.parametrize("number", [10**400, -(10**400), 1e300, float("nan"), float("inf"), 10**16])
def test_a_number_beyond_all_times_is_no_time(number: float) -> None:
    assert as_time(number) is None
