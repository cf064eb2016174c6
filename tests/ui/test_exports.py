"""Files with what a page shows."""

import json
from typing import Any

import pandas as pd
import pytest

from lib.ui import exports


def test_times_in_json_are_those_that_the_page_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, Any] = {}

    class Place:
        def download_button(self, label: str, *, data: Any, **_: Any) -> None:
            made[label] = data()

    monkeypatch.setattr(exports.st, "container", lambda **_: Place())
    clock = pd.Timestamp("2026-03-10T21:00")
    exports.exports(pd.DataFrame({"start": [clock], "cost_usd": [0.5]}), "windows")
    assert json.loads(made["JSON"]) == [{"start": "2026-03-10T21:00:00.000", "cost_usd": 0.5}]
    assert made["CSV"] == "start,cost_usd\n2026-03-10 21:00:00,0.5\n"
