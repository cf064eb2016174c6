"""From a card to its spec and back, in a real browser."""

import re
import time
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import App
from tests.trees import Claude

SOON = 20_000
SPEC = """---
status: in-progress
priority: high
depends_on: [001-base]
---
# Orchestration

- [x] one
- [ ] two

![picture](http://tracker.invalid/x.png) <img src="http://tracker.invalid/y.png">
<script>window.harmed = true</script>

See [the base](../001-base/README.md), [the web](https://example.com/), [out](../../../x).
"""


def a_project(home: Path) -> Path:
    project = home / "alpha"
    for name, text in {"001-base": "---\nstatus: complete\n---\n# Base", "168-a": SPEC}.items():
        folder = project / "specs" / name
        folder.mkdir(parents=True)
        (folder / "README.md").write_text(text)
    return project


def a_session(home: Path, name: str, project: Path | str, branch: str) -> None:
    session = Claude(home, name, str(project), start=time.time_ns() // 10**6 - 60_000)
    session.branch = branch
    session.prompt(f"task of {name}").say("done").exit()


def test_a_card_opens_its_spec_and_the_board_then_shows_that_project(
    home: Path, app: App, page: Page
) -> None:
    project = a_project(home)
    a_session(home, "s1", project, "feature/168-a")
    a_session(home, "s2", "/home/dev/beta", "123-an-issue")
    page.goto(app.url)
    cards = page.locator("article")
    expect(cards).to_have_count(2, timeout=SOON)
    expect(page.get_by_role("link", name="Open Spec")).to_have_count(1)

    page.get_by_role("link", name="Open Spec 168-a, session s1").click()
    expect(page.get_by_role("heading", name="Orchestration")).to_be_visible(timeout=SOON)
    expect(page).to_have_url(re.compile(r"/spec\?project=alpha&spec=168-a$"))
    expect(page.get_by_text("1 of 2 tasks done (50%)")).to_be_visible()
    expect(page.get_by_role("link", name="task of s1")).to_have_attribute(
        "href", re.compile("session=claude-code%3As1")
    )

    page.get_by_role("link", name="Sessions").click()
    expect(cards).to_have_count(1, timeout=SOON)
    expect(cards).to_contain_text("task of s1")
    expect(page).to_have_url(re.compile(r"project=alpha"))


def test_a_spec_runs_nothing_fetches_nothing_and_leads_where_it_may(
    home: Path, app: App, page: Page
) -> None:
    a_session(home, "s1", a_project(home), "168-a")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{app.url}/spec?project=alpha&spec=168-a")
    text = page.locator(".spec.text")
    expect(text).to_contain_text("☑ one", timeout=SOON)
    expect(text).to_contain_text("<script>window.harmed = true</script>")
    expect(text.get_by_role("link", name="🖼 picture")).to_be_visible()
    assert page.evaluate("window.harmed") is None
    assert not [url for url in asked if "tracker" in url]

    links = text.locator("a")
    assert links.evaluate_all("all => all.map(one => one.getAttribute('href'))") == [
        "http://tracker.invalid/x.png",
        "spec?project=alpha&spec=001-base",
        "https://example.com/",
    ]
    assert text.get_by_role("link", name="the web").get_attribute("target") == "_blank"
    text.get_by_role("link", name="the base").click()
    expect(page.get_by_role("heading", name="Base").first).to_be_visible(timeout=SOON)


def test_a_refresh_keeps_what_is_selected_in_a_spec_and_shows_what_changed(
    home: Path, app: App, page: Page
) -> None:
    project = a_project(home)
    a_session(home, "s1", project, "168-a")
    page.goto(f"{app.url}/spec?project=alpha&spec=168-a")
    text = page.locator(".spec.text")
    expect(text).to_contain_text("☐ two", timeout=SOON)
    text.get_by_text("☐ two").select_text()
    page.wait_for_timeout(6_000)
    assert page.evaluate("getSelection().toString()") == "☐ two"

    readme = project / "specs/168-a/README.md"
    readme.write_text(SPEC.replace("[ ] two", "[x] two"))
    expect(page.get_by_text("2 of 2 tasks done (100%)")).to_be_visible(timeout=SOON)
    expect(text).to_contain_text("☑ two")
