"""Where the specs of a project are looked for, and where not."""

from pathlib import Path

import pytest

from lib import spec_places
from lib.model import ServerProject, ServerRow
from lib.settings import settings
from lib.spec_places import Place
from lib.spec_reader import SpecError
from tests.board_rows import a_frame, a_row, one
from tests.leanspec_server import LeanSpecServer

HERE = settings().machine


def a_project(folder: Path, *specs: str) -> str:
    for name in specs:
        (folder / "specs" / name).mkdir(parents=True)
        (folder / "specs" / name / "README.md").write_text(f"---\nstatus: draft\n---\n# Of {name}")
    return str(folder)


def a_server(url: str, path: str, machine: str = HERE) -> ServerRow:
    project = ServerProject(id=Path(path).name, name=Path(path).name, path=path)
    return ServerRow(machine=machine, url=url, name="one", projects=[project])


def test_a_project_is_wherever_its_sessions_lie_this_machine_first() -> None:
    frame = a_frame(
        a_row("s1", machine="elsewhere", project_path="/w/alpha"),
        a_row("s2", machine=HERE, project_path="/w/alpha"),
        a_row("s3", machine=HERE, project_path="/w/beta"),
        a_row("s4", machine="sample", project_path="/w/alpha", sample=True),
        a_row("s5", machine=HERE, project_path="/w/gamma", server="http://one"),
    )
    server = a_server("http://one", "/w/gamma")
    assert spec_places.places(frame, [server], "alpha") == [
        Place(HERE, "/w/alpha"),
        Place("elsewhere", "/w/alpha"),
    ]
    assert spec_places.places(frame, [server], "gamma") == [
        Place(HERE, "/w/gamma", "http://one", "gamma")
    ]
    assert spec_places.places(frame, [server], "delta") == []


def test_the_first_place_that_has_the_spec_is_read(tmp_path: Path) -> None:
    first = Place(HERE, a_project(tmp_path / "a", "001-one"))
    second = Place(HERE, a_project(tmp_path / "b", "002-two"))
    assert spec_places.read([first, second], "002-two").title == "Of 002-two"
    assert spec_places.names([Place(HERE, "/nowhere"), second]) == ["002-two"]


def test_what_each_place_said_is_told(tmp_path: Path) -> None:
    found = [Place(HERE, a_project(tmp_path, "001-one")), Place("desk", "/w/alpha")]
    with pytest.raises(SpecError) as error:
        spec_places.read(found, "002-two")
    assert "There is no spec “002-two”" in str(error.value)
    assert "at /w/alpha of desk. Open the board there" in str(error.value)
    with pytest.raises(SpecError, match="No session of this project"):
        spec_places.names([])


def test_another_machines_path_is_never_looked_for_on_this_disk(tmp_path: Path) -> None:
    path = a_project(tmp_path, "001-one")
    with pytest.raises(SpecError, match="Open the board there"):
        spec_places.read([Place("desk", path)], "001-one")


def test_another_machines_server_is_never_asked(leanspec_server: LeanSpecServer) -> None:
    with pytest.raises(SpecError, match="Open the board there"):
        spec_places.names([Place("desk", "/w", leanspec_server.url, "harbour")])


def test_a_server_tells_its_specs(leanspec_server: LeanSpecServer) -> None:
    found = [Place(HERE, "/not/here", leanspec_server.url, "harbour")]
    assert spec_places.names(found) == ["003-tide-table", "002-mooring", "001-lighthouse"]
    spec = spec_places.read(found, "001-lighthouse")
    assert (spec.title, spec.status, spec.priority) == ("Lighthouse", "complete", "high")
    assert (spec.tasks_done, spec.tasks_total) == (1, 2)
    assert (spec.tags, spec.required_by) == (["board", "live"], ["002-mooring"])
    assert spec.origin == leanspec_server.url
    assert "# Lighthouse" in spec.text
    with pytest.raises(SpecError, match="not found"):
        spec_places.read(found, "009-nothing")
    with pytest.raises(SpecError, match="can't be the name"):
        spec_places.read(found, "../../projects")


def test_the_same_spec_reads_alike_from_disk_and_from_its_server(
    leanspec_server: LeanSpecServer,
) -> None:
    project = str(leanspec_server.project)
    local = spec_places.read([Place(HERE, project)], "002-mooring")
    served = spec_places.read([Place(HERE, project, leanspec_server.url, "harbour")], "002-mooring")
    for name in ("name", "number", "title", "status", "priority", "tags", "depends_on"):
        assert getattr(local, name) == getattr(served, name), name
    assert (local.tasks_done, local.tasks_total) == (served.tasks_done, served.tasks_total)
    assert local.text.strip() == served.text.strip()


def test_a_servers_token_comes_from_the_configuration(
    leanspec_server: LeanSpecServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    leanspec_server.kill()
    leanspec_server.token = "a-token"
    leanspec_server.start()
    found = [Place(HERE, "/not/here", leanspec_server.url, "harbour")]
    with pytest.raises(SpecError, match=r"(?i)token|unauthorized"):
        spec_places.names(found)
    monkeypatch.setenv("QUARTERDECK_LEANSPEC_SERVERS", leanspec_server.url)
    monkeypatch.setenv("QUARTERDECK_LEANSPEC_TOKEN", "a-token")
    assert len(spec_places.names(found)) == 3


def test_a_server_that_is_gone_is_told() -> None:
    with pytest.raises(SpecError, match=r"127\.0\.0\.1"):
        spec_places.read([Place(HERE, "/w", "http://127.0.0.1:9", "harbour")], "001-one")


def test_a_card_links_only_to_specs_that_are_not_known_to_be_missing(tmp_path: Path) -> None:
    path = a_project(tmp_path, "168-here")
    here = one(machine=HERE, project_path=path)
    assert spec_places.has_spec(here, "168-here")
    assert not spec_places.has_spec(here, "123-an-issue")
    assert not spec_places.has_spec(one(machine=HERE, project_path="/nowhere"), "168-here")
    assert spec_places.has_spec(one(machine="desk", project_path="/nowhere"), "168-here")
    assert spec_places.has_spec(one(machine=HERE, server="http://one"), "168-here")
    assert not spec_places.has_spec(one(machine=HERE, project_path=path, sample=True), "168-here")
