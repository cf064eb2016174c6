"""Reading specs from a project's folder, and from nowhere else."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import spec_reader
from lib.spec_reader import SpecError
from lib.spec_text import LONGEST_TEXT

SECRET = "a secret outside"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project beside a folder that is none of its business."""
    folder = tmp_path / "app"
    (folder / "specs").mkdir(parents=True)
    outside = tmp_path / "outside" / "001-secret"
    outside.mkdir(parents=True)
    (outside / "README.md").write_text(SECRET)
    (outside / "PLAN.md").write_text(SECRET)
    return folder


def write(folder: Path, text: str = "# Title", head: str = "status: draft") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(f"---\n{head}\n---\n{text}")
    return folder


def test_a_spec_is_read_with_its_other_files_and_what_depends_on_it(project: Path) -> None:
    spec_folder = write(project / "specs/168-a", "# Orchestration\n- [x] one\n- [ ] two")
    (spec_folder / "TESTING.md").write_text("---\nx: y\n---\n# Tests")
    (spec_folder / "design.md").write_text("# Design")
    (spec_folder / "notes.txt").write_text("no Markdown")
    write(project / "specs/244-b", head="status: draft\ndepends_on: [168-a]")
    write(project / "specs/245-c", head="status: draft\ntags: [168-a]")
    spec = spec_reader.read(str(project), "168-a")
    assert (spec.title, spec.status, spec.tasks_done, spec.tasks_total) == (
        "Orchestration",
        "draft",
        1,
        2,
    )
    assert [(one.file, one.text) for one in spec.sub_specs] == [
        ("design.md", "# Design"),
        ("TESTING.md", "# Tests"),
    ]
    assert spec.required_by == ["244-b"]
    assert spec.origin == str(spec_folder / "README.md")
    assert spec.problems == []


def test_names_come_with_the_newest_first_and_archived_ones_last(project: Path) -> None:
    for name in ("007-b", "168-a", "archived/003-old", "notes"):
        write(project / "specs" / name)
    (project / "specs/009-a-file").write_text("")
    assert spec_reader.names(str(project)) == ["168-a", "007-b", "003-old"]


def test_a_spec_in_the_archive_is_archived_whatever_it_says(project: Path) -> None:
    write(project / "specs/archived/003-old", head="status: complete")
    assert spec_reader.read(str(project), "003-old").status == "archived"


@pytest.mark.parametrize("place", spec_reader.FOLDERS)
def test_specs_may_lie_where_leanspec_looks(tmp_path: Path, place: str) -> None:
    write(tmp_path / place / "001-a")
    assert spec_reader.names(str(tmp_path)) == ["001-a"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.json", '{"specsDir": "planning"}'),
        ("config.yaml", "specs_dir: planning\n"),
        ("config.yaml", "specsDir: planning\n"),
    ],
)
def test_the_projects_configuration_may_name_the_folder(
    tmp_path: Path, name: str, text: str
) -> None:
    write(tmp_path / "planning/001-a")
    (tmp_path / ".lean-spec").mkdir()
    (tmp_path / ".lean-spec" / name).write_text(text)
    assert spec_reader.names(str(tmp_path)) == ["001-a"]


@pytest.mark.parametrize("text", ["{", "[]", '{"specsDir": 7}', '{"specsDir": "nowhere"}', "["])
def test_a_configuration_that_names_nothing_is_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / ".lean-spec").mkdir()
    for name in ("config.json", "config.yaml"):
        (tmp_path / ".lean-spec" / name).write_text(text)
    with pytest.raises(SpecError, match="has no folder of specs"):
        spec_reader.names(str(tmp_path))


@pytest.mark.parametrize("value", ['!!int ""', "!!bool x", "!!timestamp x", "!!python/name:os.x"])
def test_a_configuration_with_tags_is_nothing_but_text(tmp_path: Path, value: str) -> None:
    write(tmp_path / "planning/001-a")
    (tmp_path / ".lean-spec").mkdir()
    (tmp_path / ".lean-spec/config.yaml").write_text(f"other: {value}\nspecs_dir: planning\n")
    assert spec_reader.names(str(tmp_path)) == ["001-a"]


@pytest.mark.parametrize("named", ["../outside", "/", "planning/../../outside"])
def test_a_configuration_can_not_lead_out_of_the_project(tmp_path: Path, named: str) -> None:
    write(tmp_path / "outside/001-secret", SECRET)
    project = tmp_path / "app"
    (project / ".lean-spec").mkdir(parents=True)
    (project / "planning").mkdir()
    (project / ".lean-spec/config.json").write_text(f'{{"specsDir": "{named}"}}')
    with pytest.raises(SpecError, match="leads out of"):
        spec_reader.read(str(project), "001-secret")


def test_no_link_leads_out_of_the_folder(project: Path) -> None:
    outside = project.parent / "outside" / "001-secret"
    specs = project / "specs"
    (specs / "001-secret").symlink_to(outside)
    (specs / "002-file").mkdir()
    (specs / "002-file/README.md").symlink_to(outside / "README.md")
    (project / ".env").write_text(SECRET)
    (specs / "003-inside-the-project").mkdir()
    (specs / "003-inside-the-project/README.md").symlink_to(project / ".env")
    for name in ("001-secret", "002-file", "003-inside-the-project"):
        with pytest.raises(SpecError, match="leads out of the folder"):
            spec_reader.read(str(project), name)


def test_a_linked_folder_of_specs_outside_is_refused(project: Path) -> None:
    (project / "specs").rmdir()
    (project / "specs").symlink_to(project.parent / "outside")
    with pytest.raises(SpecError, match="specs leads out of"):
        spec_reader.read(str(project), "001-secret")


def test_links_inside_a_spec_are_told_and_not_followed_out(project: Path) -> None:
    folder = write(project / "specs/168-a")
    (folder / "PLAN.md").symlink_to(project.parent / "outside/001-secret/PLAN.md")
    (folder / "RING.md").symlink_to(folder / "RING.md")
    spec = spec_reader.read(str(project), "168-a")
    assert SECRET not in f"{spec}"
    assert spec.sub_specs == []
    assert len(spec.problems) == 2


def test_a_link_between_two_specs_is_followed(project: Path) -> None:
    write(project / "specs/168-a", "# The one")
    (project / "specs/169-alias").symlink_to(project / "specs/168-a")
    assert spec_reader.read(str(project), "169-alias").title == "The one"


def test_a_pipe_is_not_waited_for(project: Path) -> None:
    (project / "specs/168-a").mkdir()
    os.mkfifo(project / "specs/168-a/README.md")
    with pytest.raises(SpecError, match="no plain file"):
        spec_reader.read(str(project), "168-a")


def test_a_folder_for_a_file_and_a_missing_file_are_told(project: Path) -> None:
    (project / "specs/168-a/README.md").mkdir(parents=True)
    (project / "specs/169-b").mkdir()
    with pytest.raises(SpecError, match=r"168-a/README\.md can't be read"):
        spec_reader.read(str(project), "168-a")
    with pytest.raises(SpecError, match="There is no spec “169-b”"):
        spec_reader.read(str(project), "169-b")


def test_of_a_huge_file_only_the_beginning_is_read(project: Path) -> None:
    folder = write(project / "specs/168-a")
    with (folder / "README.md").open("r+b") as file:
        file.truncate(10 << 30)
    spec = spec_reader.read(str(project), "168-a")
    assert len(spec.text) <= LONGEST_TEXT
    assert "Only its first" in spec.problems[0]


def test_bytes_that_are_no_text_are_shown_as_such(project: Path) -> None:
    write(project / "specs/168-a")
    (project / "specs/168-a/README.md").write_bytes(b"\xff\xfe# T\x00\x1b[31m")
    spec = spec_reader.read(str(project), "168-a")
    assert "\x1b" not in spec.text
    assert "\x00" not in spec.text


@pytest.mark.parametrize("path", ["", "relative/app", "/no/such/folder", "/\0", "C:\\app"])
def test_a_project_that_is_not_here_is_told(path: str) -> None:
    with pytest.raises(SpecError, match="not on this machine"):
        spec_reader.names(path)


@given(st.text())
def test_no_name_reads_anything_but_a_spec(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    project = tmp_path_factory.mktemp("app")
    (project / "specs").mkdir()
    with pytest.raises(SpecError):
        spec_reader.read(str(project), name)


@pytest.mark.parametrize("name", ["../../outside/001-secret", "..", "001-secret/../001-secret", ""])
def test_a_name_is_no_path(project: Path, name: str) -> None:
    with pytest.raises(SpecError, match="can't be the name"):
        spec_reader.read(str(project), name)


def test_more_dependencies_than_can_be_read_in_time_are_said(project: Path) -> None:
    write(project / "specs/001-a")
    head = "depends_on:\n" + "  - 001-a\n" * 1_500
    for number in range(100, 160):
        write(project / f"specs/{number}-b", head=head)
    spec = spec_reader.read(str(project), "001-a")
    assert len(spec.required_by) == 43
    assert spec.problems == ["Whether 17 other specs depend on it was not looked at."]
