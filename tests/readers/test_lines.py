"""Files of JSON lines that grow, shrink, are replaced and damaged: nothing twice, nothing lost."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.model import FileState, Skip
from lib.readers import lines
from lib.readers.lines import ONLY_NUL, TOO_LONG, Increment
from lib.readers.values import NOT_JSON, Unreadable, decode_object

OPENERS = (b'{"n":',)


class Numbers:
    """Takes lines `{"n": number}` and keeps the numbers."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    def consume(self, buffer: bytearray, start: int, end: int) -> str | None:
        try:
            self.seen.append(decode_object(bytes(buffer[start:end])).get("n"))
        except Unreadable as reason:
            return str(reason)
        return None


def read(path: Path, previous: FileState | None = None) -> tuple[list[object], FileState]:
    numbers = Numbers()
    with Increment(path, previous, "test", 1) as increment:
        increment.each_line(numbers.consume, OPENERS)
    return numbers.seen, increment.state


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "session.jsonl"


def test_what_was_appended_is_read_and_nothing_again(path: Path):
    path.write_bytes(b'{"n":1}\n{"n":2}\n')
    seen, state = read(path)
    assert seen == [1, 2]
    assert read(path, state)[0] == []
    append(path, b'{"n":3}\n')
    seen, state = read(path, state)
    assert (seen, state.line, state.records, state.offset) == ([3], 3, 3, 24)


def test_a_record_is_read_when_its_last_piece_has_come(path: Path):
    path.write_bytes(b'{"n":1}\n{"n"')
    seen, state = read(path)
    assert (seen, state.offset) == ([1], 8)
    append(path, b":2")
    seen, state = read(path, state)
    assert seen == []
    append(path, b"}\n")
    assert read(path, state)[0] == [2]


def test_a_whole_last_record_needs_no_newline(path: Path):
    path.write_bytes(b'{"n":1}\n{"n":2}')
    seen, state = read(path)
    assert (seen, state.offset) == ([1, 2], 15)
    append(path, b"\n{}x\n")
    seen, state = read(path, state)
    assert (seen, state.skips) == ([], [Skip(3, NOT_JSON)])


def test_a_truncated_file_is_read_from_its_start(path: Path):
    path.write_bytes(b'{"n":1}\n{"n":2}\n')
    _, state = read(path)
    path.write_bytes(b'{"n":3}\n')
    seen, state = read(path, state)
    assert (seen, state.records) == ([3], 1)


def test_a_file_that_was_truncated_and_grew_again_is_read_from_its_start(path: Path):
    path.write_bytes(b'{"n":1}\n{"n":2}\n')
    _, state = read(path)
    inode = path.stat().st_ino
    path.write_bytes(b'{"n":3}\n{"n":4}\n{"n":5}\n')
    assert path.stat().st_ino == inode
    assert read(path, state)[0] == [3, 4, 5]


def test_a_replaced_file_is_read_from_its_start(path: Path):
    path.write_bytes(b'{"n":1}\n')
    _, state = read(path)
    other = path.with_name("other")
    other.write_bytes(b'{"n":1}\n{"n":2}\n')
    os.replace(other, path)
    assert read(path, state)[0] == [1, 2]


def test_a_rewrite_of_the_same_size_is_read_from_its_start(path: Path):
    path.write_bytes(b'{"n":1}\n{"n":2}\n')
    _, state = read(path)
    with path.open("r+b") as file:
        file.write(b'{"n":1}\n{"n":7}\n')
    assert read(path, state)[0] == [1, 7]


def test_a_reader_of_another_version_reads_anew(path: Path):
    path.write_bytes(b'{"n":1}\n')
    _, state = read(path)
    numbers = Numbers()
    with Increment(path, state, "test", 2) as increment:
        increment.each_line(numbers.consume, OPENERS)
    assert numbers.seen == [1]


def test_what_was_known_is_left_as_it_was(path: Path):
    path.write_bytes(b"bad\n")
    _, state = read(path)
    append(path, b"worse\n")
    _, newer = read(path, state)
    assert (state.skipped, newer.skipped) == ({NOT_JSON: 1}, {NOT_JSON: 2})
    assert (len(state.skips), len(newer.skips)) == (1, 2)


def test_a_record_glued_to_one_that_was_cut_off_is_read(path: Path):
    path.write_bytes(b'{"n":1}\n{"n":2,"text":"cut of{"n":3}\n{"n":4}\n')
    seen, state = read(path)
    assert seen == [1, 3, 4]
    assert (state.records, state.skipped, state.skips) == (3, {NOT_JSON: 1}, [Skip(2, NOT_JSON)])


def test_two_whole_records_on_one_line_are_two_however_reading_was_cut(path: Path):
    path.write_bytes(b'{"n":1}\n{"n":2}')
    seen, state = read(path)
    append(path, b'{"n":3}\n')
    later, state = read(path, state)
    assert [*seen, *later] == [1, 2, 3]
    fresh, once = read(path)
    assert (fresh, once.records, once.skipped) == ([1, 2, 3], state.records, {})


def test_a_record_at_which_the_reader_itself_fails_costs_only_itself(path: Path):
    class Fragile(Numbers):
        def consume(self, buffer: bytearray, start: int, end: int) -> str | None:
            if b"bad" in buffer[start:end]:
                raise OverflowError
            return super().consume(buffer, start, end)

    path.write_bytes(b'{"n":1}\n{"bad":2}\n{"n":3}\n{"bad":4}')
    fragile = Fragile()
    with Increment(path, None, "test", 1) as increment:
        increment.each_line(fragile.consume, OPENERS)
    assert fragile.seen == [1, 3]
    assert increment.state.skipped == {"unexpected OverflowError": 2}
    assert [skip.line for skip in increment.state.skips] == [2, 4]


def test_nul_bytes_before_a_record_are_passed_over(path: Path):
    path.write_bytes(b"\0" * 5_000 + b'{"n":1}\n' + b"\0" * 7 + b'\n{"n":2}\n')
    seen, state = read(path)
    assert (seen, state.skipped, state.skips) == ([1, 2], {ONLY_NUL: 1}, [Skip(2, ONLY_NUL)])


def test_empty_lines_and_carriage_returns_are_nothing(path: Path):
    path.write_bytes(b'\n\r\n{"n":1}\r\n\n{"n":2}\n')
    seen, state = read(path)
    assert (seen, state.skipped, state.line) == ([1, 2], {}, 5)


def test_thousands_of_empty_lines_are_counted_and_never_handed_over(path: Path):
    path.write_bytes(b"\n" * lines.BLOCK + b"bad\n\n\n" + b'{"n":1}\n')
    seen, state = read(path)
    assert (seen, state.records, state.line) == ([1], 1, lines.BLOCK + 4)
    assert state.skips == [Skip(lines.BLOCK + 1, NOT_JSON)]


def test_only_the_first_skips_are_kept_and_all_are_counted(path: Path):
    path.write_bytes(b"bad\n" * 100)
    _, state = read(path)
    assert (state.skipped, len(state.skips)) == ({NOT_JSON: 100}, lines.MAXIMUM_SKIPS_KEPT)


@pytest.mark.parametrize("size", [lines.BLOCK - 3, lines.BLOCK, lines.BLOCK + 1, 3 * lines.BLOCK])
def test_records_longer_than_a_block_are_read(path: Path, size: int):
    long = json.dumps({"n": 2, "text": "x" * size}).encode()
    path.write_bytes(b'{"n":1}\n' + long + b'\n{"n":3}\n')
    seen, state = read(path)
    assert (seen, state.offset) == ([1, 2, 3], path.stat().st_size)


def test_a_line_that_is_too_long_is_skipped_once_over_any_number_of_readings(path: Path):
    path.write_bytes(b'{"n":1}\n{"n":2,"text":"')
    seen, state = read(path)
    for _ in range(7):
        append(path, b"x" * (lines.MAXIMUM_LINE // 6))
        more, state = read(path, state)
        seen += more
    assert state.discarding
    append(path, b'"}\n{"n":3}\n')
    more, state = read(path, state)
    assert seen + more == [1, 3]
    assert (state.skipped, state.skips) == ({TOO_LONG: 1}, [Skip(2, TOO_LONG)])
    assert (state.line, state.discarding) == (3, False)


def test_a_line_refused_for_its_content_is_handed_over_once(path: Path):
    path.write_bytes(b'{"n":1}\n{"n":2}\n')
    handed: list[bytes] = []

    def refuse(buffer: bytearray, start: int, end: int) -> str:
        handed.append(bytes(buffer[start:end]))
        return "refused"

    with Increment(path, None, "test", 1) as increment:
        increment.each_line(refuse, OPENERS)
    assert handed == [b'{"n":1}', b'{"n":2}']
    assert increment.state.skipped == {"refused": 2}


def test_a_line_that_is_too_long_at_once(path: Path):
    path.write_bytes(b'{"n":1}\n"' + b"x" * (20 << 20) + b'"\n{"n":3}\n')
    seen, state = read(path)
    assert (seen, state.skipped, state.line) == ([1, 3], {TOO_LONG: 1}, 3)


def test_an_unreadable_file_is_an_error(path: Path):
    with pytest.raises(FileNotFoundError):
        read(path)


documents = st.lists(
    st.one_of(
        st.integers(0, 999).map(lambda number: b'{"n":%d}' % number),
        st.integers(0, 999).map(lambda number: b'{"n":%d}\r' % number),
        st.just(b""),
        st.just(b"\0\0\0"),
        st.just(b'\0{"n":5}'),
        st.just(b'{"n":6,"tex{"n":7}'),
        st.just(b"[1]"),
        st.binary(max_size=9).map(lambda noise: noise.replace(b"\n", b"")),
    ),
    max_size=12,
)


@given(documents, st.lists(st.integers(0, 200), max_size=5))
def test_any_file_in_any_pieces_is_read_as_at_once(
    tmp_path_factory: pytest.TempPathFactory, texts: list[bytes], cuts: list[int]
):
    path = tmp_path_factory.mktemp("cuts") / "session.jsonl"
    whole = b"".join(text + b"\n" for text in texts)
    path.write_bytes(whole)
    at_once, expected = read(path)
    path.write_bytes(b"")
    seen: list[object] = []
    state: FileState | None = None
    for cut in [*sorted(cuts), len(whole)]:
        with path.open("r+b") as file:
            file.write(whole[:cut])
        more, state = read(path, state)
        seen += more
    assert state is not None
    assert seen == at_once
    assert (state.line, state.offset, state.records) == (
        expected.line,
        expected.offset,
        expected.records,
    )
    assert (state.skipped, state.skips) == (expected.skipped, expected.skips)
