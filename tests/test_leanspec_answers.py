"""What a LeanSpec server answers, whatever it is, is read or counted."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from lib.leanspec_answers import ServerSession, message_of, readable, whole


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_of_one_line(content: bytes) -> None:
    said = message_of("application/json", content)
    assert len(said) <= 300
    assert "\n" not in said


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(ServerSession.__struct_fields__),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
                lambda inner: (
                    st.lists(inner, max_size=2)
                    | st.dictionaries(st.text(max_size=9), inner, max_size=2)
                ),
                max_leaves=4,
            ),
        ),
        max_size=4,
    )
)
def test_any_sessions_are_read_or_counted(items: list[dict[str, object]]) -> None:

    raw = whole(msgspec.json.encode(items), list[msgspec.Raw])
    answer = readable(raw)
    named = [item for item in items if isinstance(item.get("id"), str)]
    assert [one.id for one in answer.sessions] == [item["id"] for item in named]
    nameless = len(items) - len(named)
    assert answer.unreadable.get("a session without an id", 0) == nameless
