"""What the browser gets of a transcript."""

from hypothesis import given
from hypothesis import strategies as st

from lib.entries import CallTokens, Entry
from lib.transcript_view import (
    KINDS,
    LONGEST_SHOWN,
    MOST_LINES_SHOWN,
    PAGE,
    Wanted,
    identities,
    matching,
    on_page,
    pages,
    rows,
)

ENTRIES = [
    Entry(kind="notice", level="debug", text="The agent adds", place=0),
    Entry(kind="prompt", text="Fix the Straße", place=10),
    Entry(
        kind="tool_call",
        tool="Bash",
        title="Bash: make",
        text="command: make",
        model="gpt-5.5",
        tokens=CallTokens(input=1_000, output=20, cache_read=300),
        place=20,
    ),
    Entry(kind="tool_result", tool="Bash", level="warning", failed=True, exit_status=2, place=20),
    Entry(kind="error", level="error", text="500 boom", place=30, line=4),
]


def test_level_kind_and_text_narrow_together() -> None:
    assert matching(ENTRIES, Wanted()) == [1, 2, 3, 4]
    assert matching(ENTRIES, Wanted(level="debug")) == [0, 1, 2, 3, 4]
    assert matching(ENTRIES, Wanted(level="warning")) == [3, 4]
    assert matching(ENTRIES, Wanted(kinds=("Tools",))) == [2, 3]
    assert matching(ENTRIES, Wanted(kinds=("Tools", "Errors"), level="error")) == [4]
    assert matching(ENTRIES, Wanted(text="  STRASSE ")) == [1]
    assert matching(ENTRIES, Wanted(text="gpt-5.5")) == [2]
    assert matching(ENTRIES, Wanted(text="bash", level="warning")) == [3]
    assert matching(ENTRIES, Wanted(text="<b>")) == []


def test_every_kind_of_entry_can_be_chosen() -> None:
    chosen = {kind for kinds in KINDS.values() for kind in kinds}
    assert chosen == set(Entry.__annotations__["kind"].__args__)


@given(st.integers(0, 5 * PAGE))
def test_pages_hold_everything_once_and_the_first_the_newest(count: int) -> None:
    numbers = range(count)
    found = [list(on_page(numbers, page)) for page in range(1, pages(count) + 1)]
    assert [number for page in reversed(found) for number in page] == list(numbers)
    assert count == 0 or found[0][-1] == count - 1
    assert all(len(page) <= PAGE for page in found)


def test_an_entry_keeps_its_id_when_earlier_ones_come_before_it() -> None:
    assert identities(ENTRIES) == ["0.0", "10.0", "20.0", "20.1", "30.0"]
    assert identities(ENTRIES[2:]) == identities(ENTRIES)[2:]


def test_a_row_tells_status_tokens_and_where_it_stands() -> None:
    call, result, error = rows(ENTRIES, [2, 3, 4], ())
    assert call["about"] == "gpt-5.5 · 1,000 in, 20 out, 300 cache read"
    assert (result["badge"], result["icon"]) == ("exit 2", "⚠️")
    assert (error["source"], call["source"]) == ("record 4", "byte 20")


def test_a_long_text_is_sent_when_it_is_asked_for() -> None:
    for text in ("x" * (LONGEST_SHOWN + 10), "line\n" * (MOST_LINES_SHOWN + 10)):
        entries = [Entry(kind="answer", text=text, place=7)]
        (row,) = rows(entries, [0], ())
        assert len(row["text"]) + row["more"] == len(text)
        assert row["more"] > 0
        (row,) = rows(entries, [0], ["7.0"])
        assert (row["text"], row["more"]) == (text, 0)
