"""Which specs a session works on, told by names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.model import Session
from lib.specs import (
    MOST_SPECS,
    is_spec_name,
    names_in,
    note_touched,
    page_link,
    resolved,
    specs_of,
)


def a_session(**facts: object) -> Session:
    session = Session(key="codex:s", agent="codex", session_id="s")
    for name, value in facts.items():
        setattr(session, name, value)
    return session


@pytest.mark.parametrize(
    ("branch", "found"),
    [
        ("168-orchestration", ["168-orchestration"]),
        ("feature/168-orchestration", ["168-orchestration"]),
        ("main", []),
        ("release-2026", []),
        ("v1/12345-issue", []),
        (None, []),
    ],
)
def test_a_branch_named_after_a_spec_tells_it(branch: str | None, found: list[str]) -> None:
    assert specs_of(a_session(branch=branch)) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Do specs/042-dark-mode.", ["042-dark-mode"]),
        ("cat /srv/app/specs/042-dark-mode/README.md", ["042-dark-mode"]),
        (r"C:\app\specs\042-dark-mode\README.md", ["042-dark-mode"]),
        ("specs/archived/007-old/README.md", ["007-old"]),
        ("specs/1-a specs/02-b, specs/003-c and specs/02-b", ["02-b", "003-c"]),
        ("my-specs/042-no and specs/readme", []),
        ("", []),
    ],
)
def test_text_tells_the_specs_whose_folders_it_names(text: str, found: list[str]) -> None:
    assert names_in(text) == found


def test_the_branch_comes_before_the_prompt_and_both_before_touched_files() -> None:
    session = a_session(
        branch="168-orchestration",
        first_prompt="See specs/244-ui and specs/168-orchestration",
        specs=["239-sessions", "244-ui"],
    )
    assert specs_of(session) == ["168-orchestration", "244-ui", "239-sessions"]


def test_what_a_server_names_comes_first_on_its_sessions() -> None:
    session = a_session(
        branch="168-orchestration", specs=["239-sessions"], server="http://localhost:3000"
    )
    assert specs_of(session) == ["239-sessions", "168-orchestration"]


def test_a_name_that_leads_out_of_its_folder_is_none() -> None:
    session = a_session(specs=["../../etc", "168-a/../../x", "168-" + "a" * 200, "168-fine"])
    assert specs_of(session) == ["168-fine"]


def test_touched_specs_are_few_and_each_named_once() -> None:
    specs: list[str] = []
    for number in (1, 1, *range(40)):
        note_touched(specs, f"/app/specs/{number:03}-name/README.md")
    note_touched(specs, None)
    assert specs[:3] == ["001-name", "000-name", "002-name"]
    assert len(specs) == MOST_SPECS


@given(st.text(), st.text(), st.lists(st.text()))
def test_whatever_a_session_says_only_plain_names_come_of_it(
    branch: str, prompt: str, specs: list[str]
) -> None:
    found = specs_of(a_session(branch=branch, first_prompt=f"specs/{prompt}", specs=specs))
    assert len(found) <= MOST_SPECS
    assert all(is_spec_name(name) and "/" not in name and ".." not in name for name in found)


def test_a_link_to_a_spec_bears_any_project_name() -> None:
    assert page_link("a & b/c", "168-x") == "spec?project=a+%26+b%2Fc&spec=168-x"
    assert page_link(None, "168-x") == "spec?spec=168-x"
    assert page_link("a", "168-x", "A B.md") == "spec?project=a&spec=168-x&file=A+B.md"


@pytest.mark.parametrize(
    ("target", "page"),
    [
        ("../239-sessions/README.md", "spec?spec=239-sessions"),
        ("../239-sessions/", "spec?spec=239-sessions"),
        ("../239-sessions#plan", "spec?spec=239-sessions"),
        ("TESTING.md", "spec?spec=168-x&file=TESTING.md"),
        ("./A%20B.md", "spec?spec=168-x&file=A+B.md"),
        ("../239-sessions/PLAN.md?x=1", "spec?spec=239-sessions&file=PLAN.md"),
        ("README.md", "spec?spec=168-x"),
        ("#plan", None),
        ("../../README.md", None),
        ("../../../../etc/passwd", None),
        ("/etc/passwd", None),
        ("notes.txt", None),
        ("deep/er/PLAN.md", None),
        ("../templates/README.md", None),
        ("..%2F..%2Fx.md", None),
    ],
)
def test_a_relative_link_leads_to_a_spec_or_nowhere(target: str, page: str | None) -> None:
    assert resolved(target, None, "168-x") == page


@given(st.text())
def test_whatever_a_link_says_it_stays_on_the_page_of_specs(target: str) -> None:
    try:
        page = resolved(target, "alpha", "168-x")
    except ValueError:
        return
    assert page is None or page.startswith("spec?project=alpha&spec=")
