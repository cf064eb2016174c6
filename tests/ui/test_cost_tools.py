"""Which tools fill the context, as the Costs page shows it."""

import pytest

from lib.store import Store
from lib.tool_figures import by_tool
from lib.ui.cost_tools import filling
from tests.tool_rows import a_store_with, call, found


def test_tools_with_results_stand_by_how_much_of_the_context_they_fill(file_store: Store) -> None:
    key = "claude-code:a"
    calls = [
        call("1", result_characters=100),
        call("2", result_characters=200),
        call("3", tool="Read", result_characters=900, mcp_server="files"),
        call("4", tool="Sleep"),
    ]
    a_store_with(file_store, key).tool_calls.replace([found(key, *calls)])
    table = filling(by_tool(file_store))
    assert list(table["tool"]) == ["Read", "Bash"]
    assert list(table["result_characters"]) == [900, 300]
    assert list(table["characters_share"]) == pytest.approx([0.75, 0.25])
    assert list(table["characters_per_call"]) == [900, 150]
