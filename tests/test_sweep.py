"""Finding what changed without looking at everything."""

import os
import time
from pathlib import Path

import msgspec
import pytest

from lib.model import FileState
from lib.readers import claude_code
from lib.readers.base import Reader
from lib.readers.values import path_name
from lib.sweep import HOT_SECONDS, Tree, changed

READER: Reader = claude_code


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "projects" / "alpha"
    folder.mkdir(parents=True)
    (folder / "s1.jsonl").write_text("{}\n")
    return tmp_path / "projects"


def names(tree: Tree, *, full: bool = True) -> set[str]:
    return {Path(found.path).name for found in tree.sweep(full, {})}


def age(path: Path, seconds: float) -> None:
    moment = time.time() - seconds
    os.utime(path, (moment, moment))


def test_only_session_files_are_found(root: Path) -> None:
    (root / "alpha" / "notes.txt").write_text("no")
    assert names(Tree(READER, root)) == {"s1.jsonl"}


def test_a_new_file_in_a_new_folder_is_found_by_a_light_sweep(root: Path) -> None:
    tree = Tree(READER, root)
    names(tree)
    (root / "beta").mkdir()
    (root / "beta" / "s2.jsonl").write_text("{}\n")
    assert "s2.jsonl" in names(tree, full=False)


def test_a_light_sweep_leaves_out_cold_files_and_a_full_one_does_not(root: Path) -> None:
    age(root / "alpha" / "s1.jsonl", HOT_SECONDS + 60)
    tree = Tree(READER, root)
    names(tree)
    assert names(tree, full=False) == set()
    assert names(tree) == {"s1.jsonl"}


def test_a_folder_is_listed_again_only_when_its_time_moved(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (root, root / "alpha"):
        age(folder, 60)
    tree = Tree(READER, root)
    names(tree)
    listed: list[str] = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or scandir(path))
    assert names(tree) == {"s1.jsonl"}
    assert listed == []
    (root / "alpha" / "s2.jsonl").write_text("{}\n")
    assert names(tree) == {"s1.jsonl", "s2.jsonl"}
    assert listed == [str(root / "alpha")]


def test_a_symlink_loop_ends(root: Path) -> None:
    (root / "alpha" / "again").symlink_to(root)
    assert names(Tree(READER, root)) == {"s1.jsonl"}


def test_a_linked_folder_is_followed(root: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "s2.jsonl").write_text("{}\n")
    (root / "linked").symlink_to(elsewhere)
    assert names(Tree(READER, root)) == {"s1.jsonl", "s2.jsonl"}


def test_sources_say_absent_readable_and_unreadable(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = Tree(READER, tmp_path / "nowhere")
    names(absent)
    assert absent.source("here", 1).state == "absent"
    tree = Tree(READER, root)
    names(tree)
    assert (tree.source("here", 1).state, tree.source("here", 1).files) == ("ok", 1)

    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    closed = Tree(READER, root)
    names(closed)
    source = closed.source("here", 1)
    assert source.state == "unreadable"
    assert source.error == f"{root}: Permission denied"


def test_an_unchanged_file_is_not_read_again(root: Path) -> None:
    path = root / "alpha" / "s1.jsonl"
    known = READER.read(path, None).state
    assert changed(path.stat(), None)
    assert not changed(path.stat(), known)
    path.write_text("{}\n{}\n")
    assert changed(path.stat(), known)


def test_a_sweep_leaves_out_what_is_as_it_was_left(root: Path) -> None:
    path = root / "alpha" / "s1.jsonl"
    known = {str(path): READER.read(path, None).state}
    tree = Tree(READER, root)
    assert list(tree.sweep(True, known)) == []
    path.write_text("{}\n{}\n")
    assert [found.path for found in tree.sweep(True, known)] == [str(path)]


def test_a_file_whose_name_is_no_text_is_known_by_its_written_name(root: Path) -> None:
    path = os.fsdecode(os.fsencode(root / "alpha") + b"/s\xff.jsonl")
    Path(path).write_text("{}\n")
    known = {path_name(path): READER.read(Path(path), None).state}
    tree = Tree(READER, root)
    assert {found.path for found in tree.sweep(True, known)} == {str(root / "alpha" / "s1.jsonl")}


def test_an_entry_that_can_not_be_looked_at_hides_no_other(root: Path) -> None:
    loop = root / "alpha" / "loop.jsonl"
    loop.symlink_to(loop)
    tree = Tree(READER, root)
    assert names(tree) == {"s1.jsonl"}
    source = tree.source("here", 1)
    assert source.state == "ok"
    assert source.error == f"{loop}: Too many levels of symbolic links"


def test_a_pipe_is_never_opened(root: Path) -> None:
    pipe = root / "alpha" / "pipe.jsonl"
    os.mkfifo(pipe)
    assert names(Tree(READER, root)) == {"s1.jsonl"}
    assert not changed(pipe.stat(), None)


def test_a_root_that_is_closed_to_us_is_unreadable_and_not_absent(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = Tree(READER, root)
    names(tree)
    real = os.stat

    def refuse(path: str, **options: bool) -> os.stat_result:
        if str(path) == str(root):
            raise PermissionError(13, "Permission denied")
        return real(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", refuse)
        assert names(tree) == set()
        assert tree.source("here", 1).state == "unreadable"
        assert tree.blind_spots() == [str(root)]


@pytest.mark.parametrize("away", ["alpha/s1.jsonl", "alpha", "."])
def test_what_went_and_came_back_as_it_was_is_looked_at_again(
    root: Path, tmp_path: Path, away: str
) -> None:
    path = root / "alpha" / "s1.jsonl"
    age(path, HOT_SECONDS + 60)
    tree = Tree(READER, root)
    [found] = tree.sweep(full=True, known={})
    left = FileState(
        path=path_name(path),
        agent="claude-code",
        size=found.status.st_size,
        mtime_ns=found.status.st_mtime_ns,
        inode=found.status.st_ino,
        device=found.status.st_dev,
    )
    assert list(tree.sweep(full=True, known={left.path: left})) == []
    (root / away).rename(tmp_path / "elsewhere")
    assert list(tree.sweep(full=False, known={left.path: left})) == []
    gone = {left.path: msgspec.structs.replace(left, gone=True)}
    (tmp_path / "elsewhere").rename(root / away)
    assert [Path(one.path) for one in tree.sweep(full=True, known=gone)] == [path]
