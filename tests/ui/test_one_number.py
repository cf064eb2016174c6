"""The pages of a store of all agents show the totals of the report, and export them."""

import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from lib import report, samples
from lib.store import Store
from lib.ui import cost_tables, exports
from lib.ui.costs import DIMENSION_NAMES
from tests.agent_trees import MAKERS, Call
from tests.collecting import collect
from tests.traps import UTC
from tests.ui.pages import again, now_ms, run, store_of_the_app

CALLS = [Call(100_000, 1_000, 2_000, 5), Call(200, 0, 30), Call(7, 3, 9, 9)]
COLUMNS = ["requests", "input_tokens", "output_tokens", "cache_write_tokens", "cache_read_tokens"]


@pytest.fixture(params=[False, True], ids=["real sessions", "samples among them"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A store of two sessions of every agent, one of them with a model of no known price."""
    with store_of_the_app(tmp_path, monkeypatch) as opened:
        for make in MAKERS:
            for number, model in enumerate(("claude-sonnet-4-5", "nobody-knows-it")):
                make(tmp_path, number, model, CALLS)
        collect(opened, tmp_path)
        if request.param:
            samples.write(opened, now_ms())
        yield opened


@pytest.fixture
def total(store: Store) -> dict[str, Any]:
    found = report.totals_report(store, report.Scope(UTC), now_ms())["total"]
    assert (found["requests"] > 50, found["unpriced_requests"] > 20) == (True, True)
    return found


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: str(metric.value) for metric in app.metric}


def test_costs_says_what_the_report_says(store: Store, total: dict[str, Any]) -> None:
    shown = metrics(app := run("pages/costs.py", period=["All time"]))
    assert shown["Cost"] == f"\\${total['cost_usd']:,.2f}"
    assert shown["Tokens"] == f"{sum(total[name] for name in COLUMNS[1:]):,}"
    said = [caption.value for caption in app.caption]
    assert f"{total['unpriced_requests']:,} calls unpriced" in said
    assert any(f"{total['requests']:,} calls" in words for words in said)


@pytest.mark.parametrize("name", DIMENSION_NAMES.values())
def test_what_costs_exports_adds_up_to_the_same(
    store: Store, total: dict[str, Any], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    found: list[pd.DataFrame] = []
    monkeypatch.setattr(cost_tables, "exports", lambda table, _: found.append(table))
    run("pages/costs.py", period=["All time"], table=[name])
    for table in (
        found[-1],
        pd.read_csv(io.StringIO(exports.as_csv(found[-1]))),
        pd.DataFrame(json.loads(found[-1].to_json(orient="records"))),
        pd.read_parquet(io.BytesIO(found[-1].to_parquet(index=False))),
    ):
        assert {column: int(table[column].sum()) for column in COLUMNS} == {
            column: total[column] for column in COLUMNS
        }
        assert table["cost_usd"].sum() == pytest.approx(total["cost_usd"])
        assert table["unpriced_requests"].sum() == total["unpriced_requests"]


def test_data_quality_says_what_the_report_says(store: Store, total: dict[str, Any]) -> None:
    app = run("pages/quality.py")
    shown = metrics(app)
    assert shown["Model calls"] == f"{total['requests']:,}"
    assert shown["Unpriced calls"] == f"{total['unpriced_requests']:,}"
    by_agent = next(table.value for table in app.dataframe if "Calls" in table.value)
    assert (by_agent["Calls"].sum(), by_agent["Unpriced"].sum()) == (
        total["requests"],
        total["unpriced_requests"],
    )
    told = report.why_report(store, None, now_ms())["records"]
    assert shown["Records read"] == f"{told['records']:,}"
    assert by_agent["Records"].sum() == told["records"]


def test_machines_counts_the_same_calls(store: Store, total: dict[str, Any]) -> None:
    assert metrics(run("pages/machines.py"))["Model calls"] == f"{total['requests']:,}"


def test_the_panel_of_a_session_says_what_the_report_says(store: Store) -> None:
    for key in ("claude-code:00000000-0000-4000-8000-000000000000", "opencode:ses_1"):
        told = report.why_report(store, key, now_ms())
        app = run("pages/session.py", session=[key])
        next(one for one in app.toggle if one.label == "Why these figures").set_value(True)
        shown = metrics(again(app))
        assert told["total"]["requests"] == len(CALLS)
        assert shown["Model calls"] == f"{len(CALLS)}"
        assert shown["Unpriced calls"] == f"{told['total']['unpriced_requests']}"
