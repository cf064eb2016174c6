"""What a Claude Code transcript tells of what made the agent ask."""

from pathlib import Path

import pytest

from tests.readers.claude_records import Json, answer, prompt, read_records, tool, usage


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, None),
        ({"attributionAgent": "general-purpose"}, '{"agent":"general-purpose"}'),
        (
            {
                "attributionMcpTool": "read",
                "attributionMcpServer": "files",
                "attributionPlugin": "desk",
                "attributionSkill": "pdf",
            },
            '{"skill":"pdf","plugin":"desk","mcp_server":"files","mcp_tool":"read"}',
        ),
        ({"attributionSkill": 7, "attributionAgent": {"name": "a"}, "attributionPlugin": ""}, None),
    ],
)
def test_a_call_tells_what_made_the_agent_ask(
    tmp_path: Path, fields: Json, told: str | None
) -> None:
    records = [prompt("go"), answer("m1", tool("t1", "Bash"), **fields), answer("m1", **fields)]
    assert [one.attribution for one in read_records(tmp_path, *records).requests] == [told]


def test_calls_inside_a_call_have_its_cause(tmp_path: Path) -> None:
    inside = {"type": "advisor_message", "model": "other", **usage(3)}
    tokens = {**usage(), "iterations": [inside]}
    facts = read_records(tmp_path, answer("m1", tokens=tokens, attributionSkill="pdf"))
    assert [one.attribution for one in facts.requests] == ['{"skill":"pdf"}'] * 2
