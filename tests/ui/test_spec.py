"""The page of a spec as Streamlit runs it, without a browser."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lib import daemon
from lib.model import DaemonRow, Session
from lib.settings import settings
from lib.store import Batch, Store
from lib.ui import state

TOP = Path(__file__).parent.parent.parent
SPEC = """---
status: in-progress
priority: high
tags: [board, "*bold*"]
depends_on: [001-base]
---
# Orchestration [and](http://elsewhere) $more$

- [x] one
- [ ] two

Raw <b>HTML</b>, see [the base](../001-base/README.md).
"""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The store of the app, with a daemon that has read everything."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    monkeypatch.setenv("QUARTERDECK_STORE_URL", url)
    monkeypatch.setenv("QUARTERDECK_DATA_FOLDER", str(tmp_path))
    monkeypatch.setattr(daemon, "ensure_running", lambda _: False)
    opened = Store.open(url)
    moment = time.time_ns() // 10**6
    opened.save_daemon(
        DaemonRow(
            machine=settings().machine, pid=1, started_at=moment, beat_at=moment, phase="watching"
        )
    )
    yield opened
    opened.close()
    state.open_store.clear()
    state.start_daemon.clear()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project on this machine with two specs."""
    for name, text in {"001-base": "---\nstatus: complete\n---\n# Base", "168-a": SPEC}.items():
        folder = tmp_path / "alpha" / "specs" / name
        folder.mkdir(parents=True)
        (folder / "README.md").write_text(text)
    return tmp_path / "alpha"


def a_session(store: Store, project: str, branch: str = "main", name: str = "s1") -> None:
    session = Session(
        key=f"codex:{name}",
        agent="codex",
        session_id=name,
        machine=settings().machine,
        project_path=project,
        branch=branch,
        title="Build *it* <b>now</b>",
        started_at=time.time_ns() // 10**6 - 60_000,
        last_activity_at=time.time_ns() // 10**6,
        turn="idle",
        turns=1,
    )
    store.write(Batch(sessions=[session]))


def run(**query: str) -> AppTest:
    app = AppTest.from_file(str(TOP / "dashboard.py"), default_timeout=30)
    for name, value in query.items():
        app.query_params[name] = value
    app.switch_page("pages/spec.py").run()
    assert [error.value for error in app.exception] == []
    return app


def said(app: AppTest) -> str:
    kinds = (app.error, app.warning, app.info, app.text, app.markdown, app.subheader, app.caption)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def drawn(app: AppTest) -> str:
    return "\n".join(str(element.proto.body) for element in app.get("html"))


def test_a_spec_is_shown_with_its_sessions(store: Store, project: Path) -> None:
    a_session(store, str(project), "168-a")
    app = run(project="alpha", spec="168-a")
    assert "Orchestration" in app.title[0].value
    assert r"\$more\$" in app.title[0].value
    for words in ("in\\-progress", "high priority", "\\#board", "Sessions (1)"):
        assert words in said(app)
    page = drawn(app)
    assert '<a href="spec?project=alpha&amp;spec=001-base">001-base</a>' in page
    assert '<a href="spec?project=alpha&amp;spec=001-base">the base</a>' in page
    assert '<a href="session?session=codex%3As1">Build *it* &lt;b&gt;now&lt;/b&gt;</a>' in page
    assert "Raw &lt;b&gt;HTML&lt;/b&gt;" in page
    assert "☑ one" in page


def test_opening_a_spec_filters_by_its_project(store: Store, project: Path) -> None:
    a_session(store, str(project), "168-a")
    a_session(store, "/w/beta", name="s2")
    app = run(project="alpha", spec="168-a")
    assert next(one for one in app.multiselect if one.label == "Project").value == ["alpha"]


def test_a_link_without_a_project_finds_the_only_one_that_works_on_it(
    store: Store, project: Path
) -> None:
    a_session(store, str(project), "168-a")
    assert "Orchestration" in run(spec="168-a").title[0].value


def test_an_unknown_spec_is_told_and_the_known_ones_are_offered(
    store: Store, project: Path
) -> None:
    a_session(store, str(project))
    app = run(project="alpha", spec="999-nothing")
    assert "can't be shown" in said(app)
    assert "There is no spec “999-nothing”" in said(app)
    chooser = next(one for one in app.selectbox if one.label.startswith("Specs of"))
    assert chooser.options == ["168-a", "001-base"]
    chooser.select("001-base").run()
    assert app.title[0].value == "Base"
    assert app.query_params["spec"] == "001-base"


def test_an_unknown_project_is_told_and_the_known_ones_are_offered(
    store: Store, project: Path
) -> None:
    a_session(store, str(project))
    app = run(project="nowhere", spec="168-a")
    assert "no project “nowhere”" in said(app)
    chooser = next(one for one in app.selectbox if one.label == "Project")
    assert chooser.options == ["alpha"]
    chooser.select("alpha").run()
    assert "Orchestration" in app.title[0].value


def test_a_project_without_specs_says_so(store: Store, tmp_path: Path) -> None:
    (tmp_path / "beta").mkdir()
    a_session(store, str(tmp_path / "beta"), "123-issue")
    app = run(project="beta", spec="123-issue")
    assert "has no folder of specs" in said(app)


def test_a_bad_frontmatter_is_told_above_the_text(store: Store, project: Path) -> None:
    (project / "specs/168-a/README.md").write_text("---\n[\n---\n# Title\n\nStill here")
    a_session(store, str(project))
    app = run(project="alpha", spec="168-a")
    assert "frontmatter can\\'t be read" in said(app)
    assert "Still here" in drawn(app)


def test_another_file_of_a_spec_can_be_linked_to_and_chosen(store: Store, project: Path) -> None:
    (project / "specs/168-a/PLAN.md").write_text("# The plan")
    a_session(store, str(project))
    app = run(project="alpha", spec="168-a", file="PLAN.md")
    assert "<h1>The plan</h1>" in drawn(app)
    next(one for one in app.selectbox if one.label == "File").select("README.md").run()
    assert "☑ one" in drawn(app)


def test_while_sessions_are_first_read_nothing_is_called_missing(store: Store) -> None:
    moment = time.time_ns() // 10**6
    store.save_daemon(
        DaemonRow(
            machine=settings().machine, pid=1, started_at=moment, beat_at=moment, phase="scanning"
        )
    )
    app = run(project="alpha", spec="168-a")
    assert "still being read" in said(app)
    assert not app.error
