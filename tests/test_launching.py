"""What can be chosen for a new session, and what a choice comes to."""

from typing import Any

import pytest

from lib import launching
from lib.launching import Choice, Offer
from lib.model import ServerProject, ServerRow, ServerRunner
from lib.servers import ServerSetting
from lib.spec_text import Spec
from tests.leanspec_server import LeanSpecServer

QUAY = ServerProject(id="p1", name="Quay", path="/w/quay")
MOLE = ServerProject(id="Quay", name="Mole", path="/w/mole")
OFFER = Offer(specs=[Spec(name="odd", title="Odd", origin="")], runners={"claude": "Claude Code"})


def a_row(name: str, machine: str = "here", **facts: Any) -> ServerRow:
    fields: dict[str, Any] = {"state": "ok", "projects": [QUAY], **facts}
    return ServerRow(machine=machine, url=f"http://{name}", name=name, **fields)


def a_choice(**chosen: Any) -> Choice:
    fields: dict[str, Any] = {
        "project": QUAY,
        "specs": ["042-dark-mode"],
        "runner": "claude",
        "mode": "autonomous",
        "prompt": "",
        **chosen,
    }
    return Choice(**fields)


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({}, None),
        ({"specs": [], "prompt": "do it"}, None),
        ({"specs": ["odd"]}, None),
        ({"specs": [], "prompt": " \n"}, "Choose a spec or write a prompt"),
        ({"runner": "rm"}, "Choose a runner"),
        ({"runner": None}, "Choose a runner"),
        ({"mode": "wild"}, "Choose a runner and a mode"),
        ({"specs": ["042-dark-mode", "../etc"]}, "named like its folder"),
    ],
)
def test_only_what_is_offered_can_be_started(chosen: dict[str, Any], told: str | None) -> None:
    found = launching.refusal(a_choice(**chosen), OFFER)
    assert found is None if told is None else told in (found or "")


def test_servers_that_can_be_used_come_in_their_order() -> None:
    rows = [
        a_row("far", "there"),
        a_row("down", state="unreachable"),
        a_row("near"),
        a_row("off", state="off"),
        a_row("empty", projects=[]),
    ]
    assert [row.name for row in launching.in_order(rows, "here")] == ["near", "down", "far"]


def test_a_link_names_a_server_by_url_or_name() -> None:
    rows = [a_row("a"), a_row("b")]
    assert launching.server_asked_for(rows, "b") == rows[1]
    assert launching.server_asked_for(rows, "http://a") == rows[0]
    assert launching.server_asked_for(rows, "c") is None


def test_a_link_names_a_project_by_id_before_path_before_name() -> None:
    assert launching.project_asked_for([QUAY, MOLE], "Quay") == MOLE
    assert launching.project_asked_for([QUAY, MOLE], "/w/quay") == QUAY
    assert launching.project_asked_for([QUAY], "Quay") == QUAY
    assert launching.project_asked_for([QUAY], "x") is None


def test_a_server_tells_its_specs_and_the_runners_that_it_can_start(
    leanspec_server: LeanSpecServer,
) -> None:
    with leanspec_server.client() as client:
        (project,) = client.projects()
    setting = ServerSetting(url=leanspec_server.url, name="harbour")
    offer = launching.ask(setting, a_row("harbour"), project)
    names = [spec.name for spec in offer.specs]
    assert names == ["003-tide-table", "002-mooring", "001-lighthouse"]
    assert offer.runners["scripted-acp"] == "Scripted (ACP)"
    assert "antigravity" not in offer.runners
    assert (offer.specs_error, offer.runners_error) == (None, None)

    stranger = ServerProject(id="nowhere", name="x", path=project.path)
    offer = launching.ask(setting, a_row("harbour"), stranger)
    assert offer.specs == []
    assert offer.specs_error
    assert "scripted" in offer.runners

    leanspec_server.kill()
    runners = [ServerRunner(id="claude", name="Claude Code", available=True)]
    offer = launching.ask(setting, a_row("harbour", runners=runners), project)
    assert offer.runners == {"claude": "Claude Code"}
    assert offer.runners_error
    assert offer.specs_error
