"""What the entries of a session come to: its tool calls, and what tells of its health."""

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lib import tool_calls
from lib.entries import Entry
from lib.model_analysis import ToolCall
from lib.tool_calls import is_unique, told_by
from tests.tool_rows import UNIQUE, Script, session


def calls(script: Script, **of: Any) -> list[ToolCall]:
    return told_by(session(**of), script.entries).calls


def health(script: Script) -> Any:
    return told_by(session(), script.entries).analysis


def test_a_call_has_its_tool_its_outcome_its_duration_and_the_length_of_its_result() -> None:
    script = Script().prompt().call(UNIQUE, "mcp__db__query", sql="select 1")
    script.result(UNIQUE, "x" * 60_000, seconds=2.5)
    (found,) = calls(script)
    assert found.key == f"claude-code:{UNIQUE}"
    assert (found.tool, found.mcp_server, found.outcome) == ("mcp__db__query", "db", "ok")
    assert (found.result_characters, found.duration_ms) == (60_000, 2_500)
    assert found.at == script.entries[1].at


def test_outcomes_are_what_the_records_tell() -> None:
    script = Script()
    results: list[tuple[dict[str, Any], str]] = [
        ({"failed": False}, "ok"),
        ({"failed": True}, "failed"),
        ({"failed": None}, "unknown"),
        ({"failed": None, "exit_status": 0}, "ok"),
        ({"failed": None, "exit_status": 3}, "failed"),
        ({"failed": True, "denied": True}, "denied"),
    ]
    for number, (told, _) in enumerate(results):
        script.call(f"c{number}").result(f"c{number}", **told)
    script.call("c9")
    assert [one.outcome for one in calls(script)] == [*(name for _, name in results), "pending"]


def test_a_refusal_in_an_agents_own_words_is_a_denial_and_an_output_that_tells_of_one_is_none() -> (
    None
):
    refusals = (
        "The user rejected permission to use this specific tool call.",
        "The user has specified a rule which prevents you from using this specific tool call.",
        "The user has declined to run this tool. DO NOT attempt to call this tool again.",
        "exec command rejected by user",
        "[Operation Cancelled] Reason: User denied execution.",
        "The tool call is rejected by the user.",
    )
    script = Script()
    for number, text in enumerate(refusals):
        script.call(f"c{number}").result(f"c{number}", text, failed=True)
    script.call("x").result("x", "error: the user rejected it", failed=True, exit_status=1)
    script.call("y").result("y", "The user rejected permission", failed=False)
    outcomes = [one.outcome for one in calls(script)]
    assert outcomes == ["denied"] * len(refusals) + ["failed", "ok"]


def test_ids_that_are_unique_are_told_from_those_that_every_session_gives() -> None:
    assert all(
        map(
            is_unique,
            (UNIQUE, "call_a1b2c3d4e5f6a7b8", "tool_1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"),
        )
    )
    assert not any(
        map(is_unique, ("Read:0", "call_1", "toolu_abcdefghijklmnop", "call_000000000001", ""))
    )


def test_a_copied_call_has_the_key_of_its_original_and_a_reused_id_has_not() -> None:
    original, other = Script().call("Read:0", path="a"), Script().prompt().call("Read:0", path="a")
    (first,) = calls(original, key="kimi:a")
    (copy,) = calls(original, key="kimi:b", forked_from="kimi:a")
    (second,) = calls(other, key="kimi:c")
    assert first.key == copy.key
    assert first.owner_rank < copy.owner_rank
    assert second.key != first.key


def test_calls_without_id_or_time_are_told_apart_by_their_session_and_place() -> None:
    script = Script().call(None).call(None)
    for entry in script.entries:
        entry.at = None
    keys = [one.key for one in calls(script)] + [one.key for one in calls(script, key="pi:b")]
    assert len(set(keys)) == 4


def test_the_same_record_again_in_a_transcript_is_one_call() -> None:
    script = Script().call(UNIQUE)
    script.entries.append(script.entries[0])
    script.result(UNIQUE)
    (only,) = calls(script)
    assert only.outcome == "ok"
    assert health(script).most_repeats == 1


def test_the_same_call_in_a_row_is_counted_until_another_one_or_a_prompt() -> None:
    script = Script().prompt()
    for number in range(5):
        script.call(f"c{number}", command="make test").result(f"c{number}")
    looping = health(script)
    assert (looping.repeated_tool, looping.repeats, looping.most_repeats) == ("Bash", 5, 5)
    script.call("d", command="make lint")
    assert (health(script).repeats, health(script).most_repeats) == (1, 5)
    script.prompt()
    assert (health(script).repeats, health(script).repeated_tool) == (0, None)


def test_a_repeated_call_is_no_progress_and_an_answer_is() -> None:
    script = Script().prompt().call("c1", command="a").result("c1")
    progress = script.entries[-1].at
    script.call("c2", command="a").result("c2")
    assert health(script).progress_at == progress
    script.answer()
    assert health(script).progress_at == script.entries[-1].at


def test_errors_in_a_row_are_counted_until_a_tool_call_succeeds_or_somebody_prompts() -> None:
    script = Script().prompt()
    for number in range(3):
        script.call(f"c{number}", n=number).result(f"c{number}", failed=True).answer()
    script.call("d", n=9).result("d", failed=True, denied=True).error()
    assert health(script).error_streak == 4
    assert health(script.answer()).error_streak == 3
    assert health(script.call("e").result("e")).error_streak == 0
    assert health(script.error().prompt()).error_streak == 0


def test_api_retries_cost_the_tries_that_failed_and_the_waits_between_them() -> None:
    script = (
        Script().prompt().retry(wait_ms=500, seconds=2).retry(wait_ms=1_000, seconds=3).answer()
    )
    told = health(script)
    assert (told.api_retries, told.api_retry_ms) == (2, 2_000 + 500 + 2_500 + 1_000)
    idle = Script().answer().retry(wait_ms=None, seconds=7_200)
    assert (health(idle).api_retries, health(idle).api_retry_ms) == (1, 0)


def test_rate_limits_are_counted() -> None:
    assert health(Script().prompt().error("429 Too many requests").error()).rate_limits == 1


def test_more_calls_than_are_kept_are_told(monkeypatch: Any) -> None:
    monkeypatch.setattr(tool_calls, "MOST_CALLS", 2)
    script = Script().call("a", n=1).call("b", n=2).call("c", n=3)
    assert len(calls(script)) == 2
    assert not health(script).complete


STEPS = st.sampled_from(["prompt", "answer", "call", "result", "retry", "error"])


@given(st.lists(st.tuples(STEPS, st.sampled_from(["c1", "c2", UNIQUE, None]), st.booleans())))
def test_whatever_comes_every_call_is_told_once_and_figures_hold_together(
    steps: list[tuple[str, str | None, bool]],
) -> None:
    script = Script()
    for name, call_id, flag in steps:
        if name == "call":
            script.call(call_id, command=flag)
        elif name == "result":
            script.result(call_id, failed=flag)
        else:
            getattr(script, name)()
    told = told_by(session(), script.entries)
    made = [one for one in script.entries if one.kind == "tool_call"]
    named = {one.call_id for one in made if one.call_id == UNIQUE}
    others = [one for one in made if one.call_id != UNIQUE]
    assert len(told.calls) == len(others) + len(named)
    assert len({one.key for one in told.calls}) == len(told.calls)
    finished = sum(one.outcome != "pending" for one in told.calls)
    assert finished <= sum(one.kind == "tool_result" for one in script.entries)
    facts = told.analysis
    assert 0 <= facts.repeats <= facts.most_repeats <= len(told.calls)
    assert facts.api_retries == sum(one.retries for one in script.entries)
    times = [one.at for one in script.entries if one.at is not None]
    assert all(before < after for before, after in pairwise(times))
    assert facts.api_retry_ms <= (times[-1] - times[0] if times else 0)


@given(
    st.lists(
        st.builds(
            Entry,
            kind=st.sampled_from(
                [
                    "prompt",
                    "answer",
                    "reasoning",
                    "tool_call",
                    "tool_result",
                    "error",
                    "notice",
                    "log",
                ]
            ),
            at=st.none() | st.integers(0, 10**13),
            tool=st.none() | st.text(),
            mcp_server=st.none() | st.text(),
            model=st.none() | st.text(),
            call_id=st.none() | st.text(),
            input_hash=st.none() | st.text(),
            characters=st.none() | st.integers(0, 10**9),
            exit_status=st.none() | st.integers(-(2**31), 2**31),
            failed=st.none() | st.booleans(),
            denied=st.booleans(),
            retries=st.integers(0, 9),
            wait_ms=st.none() | st.integers(0, 10**9),
            text=st.text(),
        )
    )
)
def test_any_entries_in_any_order_make_facts_that_can_be_stored(entries: list[Entry]) -> None:
    told = told_by(session(), entries)
    assert len({one.key for one in told.calls}) == len(told.calls)
    for one in told.calls:
        assert one.tool
        assert len(one.tool) <= tool_calls.LONGEST_NAME
        assert len(one.key) < 400
        assert one.duration_ms is None or one.duration_ms >= 0
