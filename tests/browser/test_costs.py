"""The Costs page in a real browser: what is selected in the chart, and what is exported."""

import io
import json
import re
import time
from pathlib import Path

import pandas as pd
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import App
from tests.browser.widgets import choose
from tests.trees import Claude

SOON = 30_000
DAY = 86_400_000


def two_days_of_work(home: Path) -> None:
    now = time.time_ns() // 10**6
    for name, ago in {"today": 60_000, "earlier": 3 * DAY}.items():
        session = Claude(home, name, f"/home/dev/{name}", start=now - ago)
        session.prompt(f"task of {name}").say("done")


def click(page: Page, mark: Locator) -> None:
    mark.scroll_into_view_if_needed()
    box = mark.bounding_box()
    assert box is not None
    # A layer of plotly's own lies over what is drawn and takes the click.
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def test_a_bar_that_is_clicked_narrows_the_tables_and_a_table_is_exported_as_shown(
    home: Path, app: App, page: Page
) -> None:
    two_days_of_work(home)
    page.goto(f"{app.url}/costs")
    expect(page.get_by_text("All 1:").first).to_be_visible(timeout=SOON)
    page.get_by_role("tab", name="Project").click()
    expect(page.get_by_text("All 2:").first).to_be_visible(timeout=SOON)
    bars = page.locator(".stPlotlyChart").first.locator(".bars .point path")
    click(page, bars.last)
    expect(page.get_by_text("as selected in the charts")).to_be_visible(timeout=SOON)
    shown = page.get_by_role("tabpanel", name="Project")
    expect(shown.get_by_text("All 1:")).to_be_visible(timeout=SOON)
    with page.expect_download() as download:
        shown.get_by_role("button", name="JSON").click()
    rows = json.loads(download.value.path().read_text())
    assert [row["project"] for row in rows] == ["today"]
    # A link to it shows the same, until the selection is undone.
    assert "span=" in page.url
    page.reload()
    expect(shown.get_by_text("All 1:")).to_be_visible(timeout=SOON)
    page.get_by_role("button", name="Clear selection").click()
    expect(shown.get_by_text("All 2:")).to_be_visible(timeout=SOON)
    assert "span=" not in page.url


def test_a_session_and_an_hour_of_the_week_are_selected_in_their_charts(
    home: Path, app: App, page: Page
) -> None:
    two_days_of_work(home)
    page.goto(f"{app.url}/costs?table=Project&chart=Top+sessions")
    shown = page.get_by_role("tabpanel", name="Project")
    expect(shown.get_by_text("All 2:")).to_be_visible(timeout=SOON)
    top = page.get_by_role("tabpanel", name="Top sessions").locator(".stPlotlyChart")
    click(page, top.locator(".bars .point path").first)
    expect(shown.get_by_text("All 1:")).to_be_visible(timeout=SOON)
    assert "only=claude-code" in page.url
    page.get_by_role("button", name="Clear selection").click()
    expect(shown.get_by_text("All 2:")).to_be_visible(timeout=SOON)
    page.get_by_role("tab", name="When").click()
    cells = page.get_by_role("tabpanel", name="When").locator(".scatterlayer .point")
    expect(cells).to_have_count(7 * 24, timeout=SOON)
    click(page, cells.first)
    expect(page.get_by_text("Mon 00:00, as selected")).to_be_visible(timeout=SOON)
    assert "clock=0-0" in page.url


def test_the_view_is_in_the_address(home: Path, app: App, page: Page) -> None:
    two_days_of_work(home)
    page.goto(f"{app.url}/costs?period=Today&measure=Tokens")
    page.get_by_role("tab", name="Project").click()
    shown = page.get_by_role("tabpanel", name="Project")
    expect(shown.get_by_text("All 1:")).to_be_visible(timeout=SOON)
    choose(page, page.get_by_label("Period"), "Last 7 days")
    expect(shown.get_by_text("All 2:")).to_be_visible(timeout=SOON)
    assert "period=Last+7+days" in page.url


def test_a_pivot_is_chosen_linked_and_exported_as_shown(home: Path, app: App, page: Page) -> None:
    two_days_of_work(home)
    Claude(home, "odd", "/home/dev/today").prompt("odd").say("done", model="no-such-model")
    page.goto(f"{app.url}/costs?table=Pivot&measure=Tokens&period=All+time")
    shown = page.get_by_role("tabpanel", name="Pivot")
    expect(shown.get_by_role("button", name="CSV", exact=True)).to_be_visible(timeout=SOON)
    choose(page, shown.get_by_role("combobox", name="Columns"), "Tool")
    expect(page).to_have_url(re.compile("columns=Tool"))
    expect(shown.locator("th", has_text="Claude Code")).to_be_attached(timeout=SOON)

    def downloaded(kind: str) -> bytes:
        with page.expect_download() as download:
            shown.get_by_role("button", name=kind, exact=True).click()
        return download.value.path().read_bytes()

    expect_table = [
        {"Project": "today", "Claude Code": 2_320, "All": 2_320},
        {"Project": "earlier", "Claude Code": 1_160, "All": 1_160},
        {"Project": "All", "Claude Code": 3_480, "All": 3_480},
    ]
    text = downloaded("CSV").decode()
    assert pd.read_csv(io.StringIO(text)).to_dict("records") == expect_table
    parquet = pd.read_parquet(io.BytesIO(downloaded("Parquet")))
    assert parquet.to_dict("records") == expect_table

    # What has no price is no $0.
    page.goto(f"{app.url}/costs?table=Pivot&rows=Model&columns=Project&period=All+time")
    expect(shown.get_by_role("button", name="CSV", exact=True)).to_be_visible(timeout=SOON)
    whole = pd.read_csv(io.StringIO(downloaded("CSV").decode())).set_index("Model").T
    odd = whole["no-such-model"]
    assert odd.dropna().to_dict() == {"Unpriced calls": 1}
    assert whole["claude-opus-5-5"].notna().all()
