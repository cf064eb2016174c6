"""Opening what others made: only plain files, and never waiting."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from lib.plain_file import NotPlainError, is_plain, open_plain, open_raw


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.fspath(path))


@pytest.mark.parametrize(
    "make",
    [
        os.mkfifo,
        a_socket,
        os.mkdir,
        lambda path: os.symlink(path, path),
        lambda path: os.symlink("/dev/zero", path),
    ],
    ids=["pipe", "socket", "folder", "loop", "device"],
)
def test_what_is_no_plain_file_is_told_at_once(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    path = tmp_path / "odd"
    make(path)
    for look in (is_plain, open_plain, open_raw):
        with pytest.raises(NotPlainError, match="no plain file"):
            look(path)


def test_a_plain_file_is_read_also_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"content")
    (tmp_path / "link").symlink_to("real")
    for path in (tmp_path / "real", tmp_path / "link"):
        assert is_plain(path)
        with open_plain(path) as buffered, open_raw(path) as raw:
            assert buffered.read() == raw.read() == b"content"


def test_what_is_not_there_is_missing(tmp_path: Path) -> None:
    assert not is_plain(tmp_path / "gone")
    for opened in (open_plain, open_raw):
        with pytest.raises(FileNotFoundError):
            opened(tmp_path / "gone")
