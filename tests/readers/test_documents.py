"""Session files that are one JSON document."""

from pathlib import Path

import pytest

from lib.readers import documents
from lib.readers.documents import read_beside, read_document


def test_a_document_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text('{"a": 1}')
    state, content = read_document(path, None, "agent", 1)
    assert content == {"a": 1}
    assert (state.size, state.offset, state.error) == (8, 8, None)


@pytest.mark.parametrize("text", ["", '{"a": 1', "[1]", "\0\0", "nonsense", "null"])
def test_what_is_no_object_leaves_an_error_and_what_was_counted_before(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "s.json"
    path.write_text("{}")
    before, _ = read_document(path, None, "agent", 1)
    before.usage_records = 7
    path.write_text(text)
    state, content = read_document(path, before, "agent", 1)
    assert content is None
    assert state.error
    assert (state.usage_records, state.size) == (7, len(text))


def test_an_unreadable_content_is_not_decoded_again_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.json"
    path.write_text('{"a": ')
    bad, _ = read_document(path, None, "agent", 1)
    with monkeypatch.context() as patch:
        patch.setattr(documents, "decode_object", None)
        again, content = read_document(path, bad, "agent", 1)
    assert (again, content) == (bad, None)
    path.write_text('{"a": 12}')
    good, content = read_document(path, again, "agent", 1)
    assert (good.error, content) == (None, {"a": 12})


def test_a_good_content_that_could_not_be_opened_for_a_while_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text("{}")
    good, _ = read_document(path, None, "agent", 1)
    good.error = "Permission denied"
    state, content = read_document(path, good, "agent", 1)
    assert (state.error, content) == (None, {})


def test_a_document_over_the_limit_is_refused_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "MAXIMUM_DOCUMENT", 10)
    path = tmp_path / "s.json"
    path.write_text('{"a": "0123456789"}')
    state, content = read_document(path, None, "agent", 1)
    assert (state.error, content) == (documents.TOO_LARGE, None)
    assert read_beside(path) == {}


def test_a_missing_file_raises_and_a_missing_companion_is_empty(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_document(tmp_path / "none.json", None, "agent", 1)
    assert read_beside(tmp_path / "none.json") == {}


def test_deep_nesting_is_an_error_and_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text('{"a":' + "[" * 200_000)
    state, content = read_document(path, None, "agent", 1)
    assert content is None
    assert state.error


def test_a_byte_order_mark_before_a_document_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text('{"a": 1}', encoding="utf-8-sig")
    assert read_document(path, None, "agent", 1).content == read_beside(path) == {"a": 1}


def test_a_member_that_should_be_a_list_and_is_none_makes_the_document_unreadable(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s.json"
    for text, is_read in (
        ('{"m": []}', True),
        ("{}", True),
        ('{"m": {}}', False),
        ('{"m": 1}', False),
    ):
        path.write_text(text)
        state, content = read_document(path, None, "agent", 1, "m")
        assert (content is not None, state.error) == (
            is_read,
            None if is_read else "its m are no list",
        )
        assert bool(read_beside(path, "m")) == (text == '{"m": []}')
