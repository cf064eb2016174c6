"""Every agent's tool calls tell which specs a session touched."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lib.model import FileFacts
from lib.readers import claude_code, codex, copilot, droid, goose, kimi, pi, qwen
from lib.specs import MOST_SPECS
from tests.readers import (
    claude_records,
    codex_rollouts,
    copilot_records,
    droid_records,
    goose_records,
    kimi_records,
    pi_records,
    qwen_records,
)

Given = dict[str, Any]


def by_claude(folder: Path, given: Given) -> FileFacts:
    used = claude_records.tool("t1", "Read", **given)
    return claude_records.read_records(
        folder, claude_records.prompt("Go"), claude_records.answer("m1", used)
    )


def by_codex(folder: Path, given: Given) -> FileFacts:
    records = [codex_rollouts.meta("a"), codex_rollouts.call(dict(given))]
    return codex.read(codex_rollouts.write(folder, "a", records), None)


def by_copilot(folder: Path, given: Given) -> FileFacts:
    used = copilot_records.tool("view", **given)
    records = [copilot_records.start(), copilot_records.prompt(), used]
    return copilot.read(copilot_records.events_file(folder, records), None)


def by_droid(folder: Path, given: Given) -> FileFacts:
    used = droid_records.tool("Read", **given)
    records = [droid_records.header(), droid_records.prompt(), droid_records.answer("", 2, used)]
    return droid.read(droid_records.transcript(folder, [*records]), None)


def by_goose(folder: Path, given: Given) -> FileFacts:
    database = goose_records.Database(folder)
    session = database.session()
    database.say(session, "assistant", 2, goose_records.tool("view", **given))
    return goose.read(database.path, None)


def by_kimi(folder: Path, given: Given) -> FileFacts:
    used = kimi_records.tool("Read", **given)
    records = [kimi_records.header(), kimi_records.prompt(), *kimi_records.call(2), used]
    return kimi.read(kimi_records.wire_file(folder, [*records]), None)


def by_pi(folder: Path, given: Given) -> FileFacts:
    answer = pi_records.answer(2, pi_records.tool("read", **given), stop="toolUse")
    records = [pi_records.header(), pi_records.prompt(), answer]
    return pi.read(pi_records.session_file(folder, [*records]), None)


def by_qwen(folder: Path, given: Given) -> FileFacts:
    answer = qwen_records.answer(2, qwen_records.call("read_file", **given))
    path = qwen_records.write(folder, [qwen_records.prompt(1, "Go"), answer])
    return qwen.read(path, None)


@pytest.mark.parametrize(
    "given", [{"file_path": "/w/specs/168-a/README.md"}, {"command": "cat specs/168-a/x"}]
)
@pytest.mark.parametrize(
    "read", [by_claude, by_codex, by_copilot, by_droid, by_goose, by_kimi, by_pi, by_qwen]
)
def test_a_call_that_names_a_file_of_a_spec_touches_it(
    read: Callable[[Path, Given], FileFacts], given: Given, tmp_path: Path
) -> None:
    facts = read(tmp_path, given)
    sessions = [one for one in (facts.session, *facts.more_sessions) if one is not None]
    assert [one.specs for one in sessions] == [["168-a"]]


def test_codex_touches_what_a_patch_changes_and_not_what_it_says(tmp_path: Path) -> None:
    patch = "*** Begin Patch\n*** Update File: specs/168-a/README.md\n+see specs/169-b/README.md\n"
    call = codex_rollouts.item("custom_tool_call", name="apply_patch", call_id="c", input=patch)
    path = codex_rollouts.write(tmp_path, "a", [codex_rollouts.meta("a"), call])
    assert codex_rollouts.told(codex.read(path, None)).specs == ["168-a"]


def test_claude_code_keeps_the_first_few_over_several_readings(tmp_path: Path) -> None:
    uses = [
        claude_records.tool(f"t{number}", "Edit", file_path=f"/w/specs/{number:03}-x/README.md")
        for number in range(2 * MOST_SPECS)
    ]
    records = [claude_records.prompt("Go"), *(claude_records.answer("m1", use) for use in uses)]
    content = claude_records.lines(records)
    path = claude_records.session_path(tmp_path)
    steps = claude_records.read_in_steps(path, content, [len(content) // 3, len(content) // 2])
    session = steps[-1].session
    assert session is not None
    assert session.specs == [f"{number:03}-x" for number in range(MOST_SPECS)]
    assert claude_code.read(path, None).session == session
