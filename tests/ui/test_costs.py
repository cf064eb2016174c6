"""The Costs page, without a browser: its figures are those of the report."""

from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from lib import daemon, report
from lib.model import Request, Session
from lib.model_notes import Plan
from lib.store import Batch, Store
from lib.ui import exports, state
from lib.ui.costs import DIMENSION_NAMES
from tests.tool_rows import call, found
from tests.ui.test_app import TOP, now_ms


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store with a completed, a failed and a subagent's session, read by the page."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    monkeypatch.setenv("QUARTERDECK_STORE_URL", url)
    monkeypatch.setenv("QUARTERDECK_DATA_FOLDER", str(tmp_path))
    monkeypatch.setattr(daemon, "ensure_running", lambda _: False)
    opened = Store.open(url)
    opened.write(
        Batch(
            sessions=[
                a_session("done", turn="idle", project_path="/w/$alpha$"),
                a_session("lost", turn="failed", project_path="/w/beta"),
                a_session("done/a", turn="idle", parent_key="claude-code:done"),
            ],
            requests=[
                a_call("done", input_tokens=100_000),
                a_call("done/a", output_tokens=100_000),
                a_call("lost", input_tokens=100_000),
                a_call("lost", number=2, model="nobody-knows-it", input_tokens=7),
            ],
        )
    )
    yield opened
    opened.close()
    state.open_store.clear()
    state.start_daemon.clear()


def a_session(name: str, **facts: object) -> Session:
    known = Session(key=f"claude-code:{name}", agent="claude-code", session_id=name)
    known.registered, known.turns = True, 1
    known.started_at, known.last_activity_at = now_ms() - 60_000, now_ms()
    for field, value in facts.items():
        setattr(known, field, value)
    return known


def a_call(
    session: str, number: int = 1, model: str = "claude-sonnet-4-5", **tokens: Any
) -> Request:
    return Request(
        key=f"claude-code:{session}{number}",
        session_key=f"claude-code:{session}",
        owner_rank="0",
        at=now_ms() - 1_000,
        model=model,
        **tokens,
    )


def run(**query: str) -> AppTest:
    app = AppTest.from_file(str(TOP / "dashboard.py"), default_timeout=60)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    app.switch_page("pages/costs.py").run()
    assert [error.value for error in app.exception] == []
    return app


def figure(app: AppTest, label: str) -> str:
    return next(str(one.value) for one in app.metric if one.label == label)


def test_the_figures_on_top_are_those_of_the_report_command(store: Store) -> None:
    app = run()
    totals = report.totals_report(store, report.Scope(UTC), now_ms())
    assert figure(app, "Cost") == f"\\${totals['total']['cost_usd']:,.2f}" == "\\$2.10"
    assert figure(app, "Tokens") == "300,007"
    assert figure(app, "Sessions") == "2"
    assert figure(app, "Spent on failed ones") == "\\$0.30"
    assert figure(app, "Per completed session") == "\\$1.80"
    assert figure(app, "Burn rate") == "\\$12.60/h"
    assert any("1 calls unpriced" in caption.value for caption in app.caption)


@pytest.mark.parametrize("name", DIMENSION_NAMES.values())
def test_every_table_adds_up_to_the_same(store: Store, name: str) -> None:
    app = run(table=name)
    (table,) = [table.value for table in app.dataframe]
    assert table["cost_usd"].sum() == pytest.approx(2.1)
    assert table["total_tokens"].sum() == 300_007
    if name == "Model":
        assert table.set_index("model")["cost_usd"].isna()["nobody-knows-it"]


def test_the_pivot_adds_up_to_the_same(store: Store) -> None:
    (table,) = [table.value for table in run(table="Pivot").dataframe]
    assert list(table.index) == ["$alpha$", "beta", "All"]
    assert list(table["All"]) == pytest.approx([1.8, 0.3, 2.1])
    last = dict(zip(table.columns, table.to_numpy()[-1], strict=True))
    assert last["claude-sonnet-4-5"] == last["All"] == pytest.approx(2.1)
    assert pd.isna(last["nobody-knows-it"])


def test_a_subagent_whose_parent_is_not_known_counts_as_in_the_report(store: Store) -> None:
    orphan = a_session("gone/a", turn="idle", parent_key="claude-code:gone")
    store.write(Batch(sessions=[orphan], requests=[a_call("gone/a", input_tokens=100_000)]))
    totals = report.totals_report(store, report.Scope(UTC), now_ms())
    assert figure(run(), "Cost") == f"\\${totals['total']['cost_usd']:,.2f}" == "\\$2.40"


def test_names_that_a_page_uses_itself_are_borne_in_a_pivot(store: Store) -> None:
    project = a_session("odd", turn="idle", project_path="/w/Model")
    calls = [a_call("odd", model=name, input_tokens=1) for name in ("All", "Project")]
    calls[1].key += "2"
    store.write(Batch(sessions=[project], requests=calls))
    (table,) = [table.value for table in run(table="Pivot").dataframe]
    assert table["All*"].iloc[-1] == pytest.approx(2.1)
    assert {"All", "Project"} <= set(table.columns)


def test_no_text_becomes_a_formula_in_a_spreadsheet() -> None:
    found = pd.DataFrame({"title": ["=1+1", "@a", "fine"], "-x": [-1.5, 0.0, 2.0]})
    told = exports.as_csv(found).splitlines()
    assert told == ["title,'-x", "'=1+1,-1.5", "'@a,0.0", "fine,2.0"]


def test_the_sidebars_filters_narrow_the_figures(store: Store) -> None:
    app = run(q="lost")
    assert (figure(app, "Sessions"), figure(app, "Cost")) == ("1", "\\$0.30")


def test_no_calls_at_all_are_no_error(store: Store) -> None:
    app = run(q="nothing is called so")
    assert (figure(app, "Cost"), figure(app, "Per completed session")) == ("\\$0.00", "–")


CHARTS = ["Top sessions", "Cost and duration", "When", "Cache", "Context", "Five-hour windows"]


@pytest.mark.parametrize("chart", CHARTS)
def test_every_chart_is_drawn_with_much_little_and_nothing(store: Store, chart: str) -> None:
    drawn = run(chart=chart).get("plotly_chart")
    assert len(drawn) == (3 if chart == "Cache" else 2)
    assert run(chart=chart, only="claude-code:done", clock="0-0.1-1", span="2020-01-01/2020-01-02")
    store.remove_machine("")
    assert run(chart=chart)


def test_a_selection_in_the_address_narrows_the_tables(store: Store) -> None:
    (table,) = [one.value for one in run(table="Project", only="claude-code:lost").dataframe]
    assert list(table["project"]) == ["beta"]
    (table,) = [one.value for one in run(table="Project", only="claude-code:nobody").dataframe]
    assert table.empty


def test_the_active_window_of_five_hours_is_told(store: Store) -> None:
    metrics = {one.label: one.value for one in run(chart="Five-hour windows").metric}
    assert "min left" in metrics["Active window"]
    assert metrics["Spent in it"] == "\\$2.10"


def test_the_active_window_shows_one_selection_in_all_its_figures(store: Store) -> None:
    app = run(chart="Five-hour windows", only="claude-code:done")
    assert figure(app, "Spent in it") == "\\$1.80"
    assert any(one.value.startswith("200,000 tokens") for one in app.caption)


def test_where_no_call_has_a_price_nothing_on_the_page_is_zero_dollars(store: Store) -> None:
    store.remove_machine("")
    call = a_call("done", model="nobody-knows-it", input_tokens=7)
    call.at = now_ms() - 3 * 86_400_000
    later = a_call("done", number=2, model="nobody-knows-it", input_tokens=7)
    store.write(Batch(sessions=[a_session("done", turn="idle")], requests=[call, later]))
    store.plans.save(
        Plan(id="p", agent="claude-code", name="Max", price_usd=9, since="2026-01", by="me", at=0)
    )
    app = run(chart="Five-hour windows")
    shown = [str(one.value) for one in app.caption]
    shown += [str(one.value) for one in app.metric if one.label != "Spent on failed ones"]
    assert [one for one in shown if "$0.00" in one] == []
    assert figure(app, "Forecast for the month") == "–"


def test_a_call_of_a_clock_that_was_ahead_makes_no_million_bars(store: Store) -> None:
    ahead = a_call("done", number=9, input_tokens=7)
    ahead.at = now_ms() + 70 * 365 * 86_400_000
    store.write(Batch(requests=[ahead]))
    app = run(period="All time")
    (bucket,) = [one for one in app.selectbox if one.label == "By"]
    assert bucket.value == "month"


def test_what_only_the_board_is_filtered_by_is_not_offered_here_and_kept_for_there(
    store: Store,
) -> None:
    app = AppTest.from_file(str(TOP / "dashboard.py"), default_timeout=60).run()
    app.selectbox(key="filter_range").set_value("7d").run()
    app.switch_page("pages/costs.py").run()
    assert "filter_range" not in {box.key for box in app.selectbox}
    app.run()
    app.switch_page("pages/sessions.py").run()
    assert app.selectbox(key="filter_range").value == "7d"


def test_a_pivot_is_in_the_address(store: Store) -> None:
    (table,) = [one.value for one in run(table="Pivot", rows="Tool", columns="Subagent").dataframe]
    assert list(table.index) == ["Claude Code", "All"]
    assert set(table.columns) == {"–", "Claude Code subagent", "All", "Unpriced calls"}
    assert list(table["Unpriced calls"]) == [1, 1]


def test_a_pivot_names_sessions_by_title_and_id_and_no_two_alike(store: Store) -> None:
    (table,) = [one.value for one in run(table="Pivot", rows="Session", columns="Tool").dataframe]
    names = list(table.index)
    assert len(set(names)) == len(names)
    assert not any(name.startswith("claude-code:") for name in names)
    assert all(" · " in name for name in names[:-1])


def test_sessions_are_told_with_a_link_and_nothing_that_is_not_shown(store: Store) -> None:
    (table,) = [one.value for one in run(table="Session").dataframe]
    assert list(table["link"]) == [
        "session?session=claude-code%3Adone",
        "session?session=claude-code%3Alost",
    ]
    assert "top_key" not in table


def test_what_has_no_price_has_no_share_of_the_cost(store: Store) -> None:
    (table,) = [one.value for one in run(table="Model").dataframe]
    shares = table.set_index("model")["share"]
    assert shares.isna()["nobody-knows-it"]
    assert shares.sum() == pytest.approx(1)


def test_the_tools_whose_results_fill_the_context_are_shown(store: Store) -> None:
    calls = [call("1", "claude-code:done", at=now_ms() - 1_000, result_characters=700)]
    store.tool_calls.replace([found("claude-code:done", *calls)])
    tables = [one.value for one in run(chart="Tools", period="Today").dataframe]
    told = next(one for one in tables if "result_characters" in one)
    assert told[["tool", "result_characters"]].to_numpy().tolist() == [["Bash", 700]]
    assert any("tells of a tool" in one.value for one in run(chart="Tools", q="lost").info)
