"""Daemons and LeanSpec servers on the Machines page."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from lib import samples
from lib.model import DaemonRow, ServerRow
from lib.store import Store
from lib.ui import access, state
from tests.ui import pages
from tests.ui.pages import said

PAGE = "pages/machines.py"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with pages.store_of_the_app(tmp_path, monkeypatch) as opened:
        yield opened


def test_without_servers_the_page_says_where_they_are_added(store: Store) -> None:
    assert "No LeanSpec server is asked. Settings adds one." in said(pages.run(PAGE))


def test_the_servers_of_all_machines_are_shown_as_their_daemons_found_them(store: Store) -> None:
    down = ServerRow(machine="a", url="http://a", name="A", state="unreachable", error="refused")
    down.retry_at = 1_000
    up = ServerRow(machine="b", url="http://b", name="B", state="ok", version="0.2.28", seen_at=0)
    for row in (down, up, ServerRow(machine=samples.MACHINE, url="http://c", name="C")):
        store.save_servers(row.machine, [row])
    table = next(one.value for one in pages.run(PAGE).dataframe if "Server" in one.value)
    assert list(table["Server"]) == ["A", "B"]
    assert list(table["State"]) == ["❌ unreachable", "🟢 connected"]
    assert list(table["Error"]) == ["refused", ""]
    assert pd.isna(table["Last answer"][0])
    assert pd.isna(table["Next try"][1])
    assert table["Next try"][0] == pd.Timestamp(1, unit="s", tz="UTC")


def test_a_machine_whose_clock_is_wrong_is_told_with_by_how_much(store: Store) -> None:
    moment = state.now_ms()
    for machine, beat in (("a", moment), ("b", moment + 7_500_000)):
        store.save_daemon(DaemonRow(machine=machine, pid=1, started_at=1, beat_at=beat))
    table = next(one.value for one in pages.run(PAGE).dataframe if "Clock" in one.value)
    (right, wrong) = table["Clock"]
    assert right == "right"
    assert wrong.startswith("⚠️ 2h 04m ahead")


def test_a_public_board_tells_no_addresses(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(access.PUBLIC_VARIABLE, "1")
    store.save_servers(
        "a", [ServerRow(machine="a", url="http://a", name="A", error="http://a: no")]
    )
    table = next(one.value for one in pages.run(PAGE).dataframe if "Server" in one.value)
    assert "A" in list(table["Server"])
    assert "http://a" not in table.to_csv()
