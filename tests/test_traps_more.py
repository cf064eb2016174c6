"""Further trap cases, from what people report of trackers of all kinds; see `tests.test_traps`."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lib.store import Store
from tests.collecting import collect
from tests.readers import (
    codex_rollouts,
    copilot_records,
    goose_records,
    kimi_records,
    opencode_records,
    pi_records,
    qwen_records,
)
from tests.readers.codex_rollouts import CHILD, PARENT, SIBLING, TURN_1, context, count, event, meta
from tests.traps import ALPHA, BETA, Json, claude, figures, moment, rollout, said, usage, write

Case = tuple[Callable[[Path], None], tuple[int, int, int, int, int]]
cases: list[Case] = []
"""Who writes the files, and what comes of them: calls, input, output, written to and read from
the cache."""


def comes_to(
    *expected: int,
) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    """Note a case."""

    def note(write_files: Callable[[Path], None]) -> Callable[[Path], None]:
        calls, given, output, written, read = expected
        cases.append((write_files, (calls, given, output, written, read)))
        return write_files

    return note


def spawned(turn: int) -> list[Json]:
    """The turn of a subagent itself, behind what it copied."""
    turn_id = f"01a203cc-aaaa-7000-8000-{turn:012}"
    return [event("task_started", 51, turn_id=turn_id), context(turn_id=turn_id)]


def child(thread: str, **more: object) -> Json:
    source = {"subagent": {"thread_spawn": {"parent_thread_id": PARENT, "depth": 1}}}
    return meta(thread, 50, source=source, **more)


def used(given: int, output: int, cached: int = 0) -> Json:
    return codex_rollouts.usage(given, cached, output)


@comes_to(2, 3_000, 150, 0, 0)
def codex_counts_without_info(home: Path) -> None:
    nothing = event("token_count", info=None, rate_limits=None)
    counted = [nothing, count(used(1_000, 50)), nothing, count(used(3_000, 150))]
    rollout(home, PARENT, meta(PARENT), context(), *counted)


@comes_to(2, 1_000, 60, 0, 400)
def codex_another_model_in_mid_session(home: Path) -> None:
    first, second = count(used(600, 30, 200)), count(used(1_400, 60, 400))
    rollout(home, PARENT, meta(PARENT), context("gpt-5.4"), first, context("gpt-5.5"), second)


@comes_to(2, 1_500, 60, 0, 0)
def codex_totals_that_begin_anew_with_the_last_call(home: Path) -> None:
    first, second = used(1_000, 50), used(500, 10)
    rollout(home, PARENT, meta(PARENT), context(), count(first, first), count(second, second))


@comes_to(3, 1_800, 80, 0, 0)
def codex_calls_of_equal_figures_in_a_row(home: Path) -> None:
    one = used(600, 30)
    more = [count(used(1_200, 60), one), count(used(1_800, 80), used(600, 20))]
    rollout(home, PARENT, meta(PARENT), context(), count(one, one), *more)


@comes_to(1, 0, 50, 0, 1_000)
def codex_more_cached_than_given(home: Path) -> None:
    rollout(home, PARENT, meta(PARENT), context(), count(used(900, 50, 1_000)))


@comes_to(1, 1_000, 50, 0, 0)
def codex_counts_as_text_fractions_and_null(home: Path) -> None:
    odd = used(1_000, 50) | {"input_tokens": "1000", "output_tokens": 50.0}
    odd["cached_input_tokens"] = None
    rollout(home, PARENT, meta(PARENT), context(), count(odd))


@comes_to(2, 1_300, 60, 0, 0)
def codex_a_review_thread(home: Path) -> None:
    rollout(home, PARENT, meta(PARENT), context(), count(used(1_000, 50)))
    review = meta(CHILD, 50, source={"subagent": "review"})
    rollout(home, CHILD, review, context(), count(used(300, 10), second=60))


@comes_to(4, 2_200, 90, 0, 0)
def codex_two_subagents_of_equal_figures(home: Path) -> None:
    first, second = count(used(1_000, 50)), count(used(1_200, 60), second=80)
    rollout(home, PARENT, meta(PARENT), context(turn_id=TURN_1), first, second)
    for number, thread in enumerate((CHILD, SIBLING)):
        own = count(used(500, 15), second=60)
        rollout(home, thread, child(thread), *spawned(number), own)


@comes_to(3, 1_700, 70, 0, 0)
def codex_subagents_that_replay_counts_without_their_parent_s_meta(home: Path) -> None:
    turn = [event("task_started", turn_id=TURN_1), context(turn_id=TURN_1)]
    copied = [*turn, count(used(1_000, 50))]
    rollout(home, PARENT, meta(PARENT), *copied)
    for number, (thread, given) in enumerate(((CHILD, 1_300), (SIBLING, 1_400))):
        own = count(used(given, 60), second=60)
        rollout(home, thread, child(thread), *copied, *spawned(number), own)


@comes_to(2, 900, 30, 0, 300)
def codex_counts_beside_records_of_single_calls(home: Path) -> None:
    first, second, both = used(600, 20, 200), used(600, 10, 100), used(1_200, 30, 300)
    records = [codex_rollouts.call_record("r1", first, first), count(first, first)]
    records += [codex_rollouts.call_record("r2", second, both), count(both, second)]
    rollout(home, PARENT, meta(PARENT, cli_version="0.169.0"), context(), *records)


@comes_to(1, 100, 30, 0, 0)
def claude_parts_of_a_stream_out_of_order(home: Path) -> None:
    claude(home, *(said("a", usage(100, output), second) for second, output in ((1, 30), (2, 1))))


@comes_to(1, 100, 500, 0, 0)
def claude_a_fork_that_copied_half_an_answer(home: Path) -> None:
    claude(home, said("a", usage(100, 500)))
    claude(home, said("a", usage(100, 3)), session=BETA)


@comes_to(1, 100, 10, 0, 0)
def claude_one_message_in_two_projects(home: Path) -> None:
    claude(home, said("a", usage()))
    copy = {**said("a", usage()), "sessionId": BETA, "cwd": "/home/dev/beta"}
    write(home / ".claude/projects/-home-dev-beta" / f"{BETA}.jsonl", [copy])


@comes_to(2, 200, 20, 0, 0)
def claude_a_compaction_between_calls(home: Path) -> None:
    facts = {"preTokens": 900_000, "postTokens": 5}
    boundary = {"type": "system", "subtype": "compact_boundary", "compactMetadata": facts}
    summary = {"type": "summary", "summary": "x", "leafUuid": "u"}
    claude(home, said("a", usage()), summary, boundary, said("b", usage(), 3))


@comes_to(1, 100, 10, 0, 0)
def claude_sums_of_a_subagent_in_a_tool_s_result(home: Path) -> None:
    block = {"type": "tool_result", "tool_use_id": "t", "content": "x"}
    told = {"agentId": "a1", "totalTokens": 5_000, "usage": usage(3_000, 2_000)}
    message = {"role": "user", "content": [block]}
    record = {"type": "user", "timestamp": moment(2), "message": message, "toolUseResult": told}
    claude(home, said("a", usage()), record)


@comes_to(1, 100, 10, 60, 0)
def claude_cache_writes_told_by_their_split_only(home: Path) -> None:
    split = {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": "40"}
    claude(home, said("a", usage(cache_creation=split)))


@comes_to(2, 200, 20, 0, 0)
def claude_messages_without_any_id(home: Path) -> None:
    claude(home, *(said("", usage(), second, request=None) for second in (1, 2)))


@comes_to(2, 200, 20, 0, 0)
def claude_a_file_that_an_editor_of_windows_wrote(home: Path) -> None:
    path = claude(home, said("a", usage()), said("b", usage(), 2))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))


def gemini_answer(number: int, **counts: int) -> Json:
    identity = f"{number}3333333-3333-4333-8333-333333333333"
    facts = {"type": "gemini", "model": "gemini-2.5-pro", "timestamp": moment(number)}
    return {"id": identity, **facts, "tokens": counts}


def gemini(home: Path, *records: Json) -> None:
    header = {"sessionId": ALPHA, "startTime": moment(0), "kind": "main"}
    name = "session-2026-11-22T15-00-11111111.jsonl"
    write(home / ".gemini/tmp/alpha/chats" / name, [header, *records])


@comes_to(1, 650, 150, 0, 400)
def gemini_the_prompt_of_a_tool(home: Path) -> None:
    counts = {"input": 1_000, "output": 100, "cached": 400, "thoughts": 50, "tool": 50}
    gemini(home, gemini_answer(1, **counts, total=1_200))


@comes_to(2, 200, 20, 0, 0)
def gemini_answers_that_were_rewound(home: Path) -> None:
    first, second = (gemini_answer(number, input=100, output=10) for number in (1, 2))
    gemini(home, first, second, {"$rewindTo": first["id"]})


@comes_to(2, 80, 30, 0, 120)
def qwen_two_equal_calls_each_told_twice(home: Path) -> None:
    told = [qwen_records.report(2), qwen_records.answer(3)]
    told += [qwen_records.report(4, second=4), qwen_records.answer(5, second=5)]
    qwen_records.write(home / ".qwen", [qwen_records.prompt(1, "x"), *told])


@comes_to(2, 20, 20, 0, 200)
def copilot_totals_said_twice_beside_usage_records(home: Path) -> None:
    totals = {copilot_records.MODEL: copilot_records.metrics(220, 20, 200)}
    calls = [copilot_records.used("a"), copilot_records.used("b", second=3)]
    ends = [copilot_records.shutdown(second, 0, **totals) for second in (4, 9)]
    copilot_records.events_file(home / ".copilot", [copilot_records.start(), *calls, *ends])


@comes_to(1, 900, 30, 0, 0)
def copilot_totals_of_two_processes(home: Path) -> None:
    first, second = (copilot_records.metrics(*sums) for sums in ((600, 10), (300, 20)))
    ends = [
        copilot_records.shutdown(4, 0, **{copilot_records.MODEL: first}),
        copilot_records.shutdown(9, 5, **{copilot_records.MODEL: second}),
    ]
    start = copilot_records.start(version="0.0.400")
    copilot_records.events_file(home / ".copilot", [start, *ends])


@comes_to(2, 600, 40, 0, 400)
def pi_a_fork_of_a_fork(home: Path) -> None:
    counts = pi_records.usage(300, 20, 200)
    answers = [pi_records.answer(second, call=f"r{second}", used=counts) for second in (2, 3)]
    forks = [(pi_records.SESSION, 1), (pi_records.FORK, 2), (ALPHA, 2)]
    for number, (name, copied) in enumerate(forks):
        records = [pi_records.header(name, number * 9), *answers[:copied]]
        pi_records.session_file(home / ".pi" / "agent", records, name)


@comes_to(1, 100, 10, 0, 0)
def opencode_a_session_in_the_old_files_and_in_the_database(home: Path) -> None:
    folder = home / ".local" / "share" / "opencode"
    record = opencode_records.answer(1, opencode_records.tokens(100, 10))
    database = opencode_records.Database(folder, wal=False)
    database.session("ses_1")
    database.message("ses_1", "msg_1", record)
    database.close()
    times = {"created": opencode_records.at(0), "updated": opencode_records.at(9)}
    write(folder / "storage/session/p/ses_1.json", [{"id": "ses_1", "time": times}])
    message = {"id": "msg_1", "sessionID": "ses_1", **record}
    write(folder / "storage/message/ses_1/msg_1.json", [message])


@comes_to(2, 200, 20, 0, 0)
def opencode_a_child_and_a_compaction(home: Path) -> None:
    database = opencode_records.Database(home / ".local" / "share" / "opencode", wal=False)
    counted = opencode_records.tokens(100, 10)
    database.session("s1")
    database.session("s2", 5, parent_id="s1")
    compaction = opencode_records.answer(1, counted, summary=True, mode="compaction")
    finish = {"type": "step-finish", "tokens": counted, "cost": 0.1}
    database.message("s1", "m1", compaction, finish)
    database.message("s2", "m2", opencode_records.answer(6, counted))
    database.close()


@comes_to(1, 10, 5, 0, 100)
def kimi_a_subagent_s_call_in_both_logs(home: Path) -> None:
    call = kimi_records.status(3, "m9")
    kimi_records.old_wire_file(home / ".kimi", [kimi_records.nested(call, 3)])
    kimi_records.old_wire_file(home / ".kimi", [call], agent="a1")


@comes_to(2, 200, 20, 0, 0)
def goose_sums_beside_the_ledger_of_the_same_calls(home: Path) -> None:
    database = goose_records.Database(home / ".local" / "share" / "goose")
    session = database.session()
    for second in (1, 2):
        database.count(session, second, 100, 10, 0)
    sums = {"input": 200, "output": 20, "total": 220}
    database.touch(session, 3, **{f"accumulated_{kind}_tokens": sums[kind] for kind in sums})


@pytest.mark.parametrize(
    ("write_files", "expected"), cases, ids=lambda one: getattr(one, "__name__", "")
)
def test_the_calls_of_a_home_are_those_that_were_made(
    file_store: Store, tmp_path: Path, write_files: Callable[[Path], None], expected: Json
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    write_files(home)
    collect(file_store, home)
    assert figures(file_store)[:5] == expected
