"""What the Claude Code reader says of turns, titles, plans and contexts, one promise a test."""

from pathlib import Path
from typing import Any

import pytest

from lib.model import FileFacts, Session
from tests.readers.claude_records import (
    SESSION,
    Json,
    answer,
    conversation,
    lines,
    ms,
    prompt,
    read_in_steps,
    read_records,
    result,
    session_path,
    text,
    tool,
    usage,
)

KEY = f"claude-code:{SESSION}"
COST_STATE: Json = {"type": "cost-state", "sessionId": SESSION, "totalCostUSD": 0.1}


def session_of(facts: FileFacts) -> Session:
    assert facts.session is not None
    return facts.session


def turn_after(folder: Path, *records: Json) -> tuple[str, str | None]:
    session = session_of(read_records(folder, *records))
    return session.turn, session.turn_detail


def test_a_turn_runs_from_prompt_to_answer(tmp_path: Path) -> None:
    turn: list[Json] = [prompt("go")]
    assert turn_after(tmp_path, *turn) == ("running", None)
    turn.append(answer("m1", tool("t1", "Bash", command="make\n test"), stop="tool_use"))
    assert turn_after(tmp_path, *turn) == ("running", "Bash: make test")
    turn.append(result("t1", 2))
    assert turn_after(tmp_path, *turn) == ("running", None)
    turn.append(answer("m2", second=3))
    assert turn_after(tmp_path, *turn) == ("idle", None)


def test_of_tools_at_once_the_newest_that_still_works_shows(tmp_path: Path) -> None:
    calls = answer("m1", tool("t1", "Read", file_path="/a"), tool("t2", "Grep", pattern="b"),
                   stop="tool_use")  # fmt: skip
    assert turn_after(tmp_path, calls) == ("running", "Grep: b")
    assert turn_after(tmp_path, calls, result("t2", 2)) == ("running", "Read: /a")


def test_an_answer_that_did_not_fit_is_a_failure(tmp_path: Path) -> None:
    facts = read_records(
        tmp_path, prompt("go"), answer("m1", text("Half."), stop="model_context_window_exceeded")
    )
    session = session_of(facts)
    assert (session.turn, session.error_class) == ("failed", "context_overflow")


@pytest.mark.parametrize(
    ("call", "detail"),
    [
        (tool("t1", "AskUserQuestion", questions=[{"question": "Which way?"}]), "Which way?"),
        (tool("t1", "ExitPlanMode", plan="1."), "approval of its plan"),
    ],
)
def test_a_question_waits_for_its_answer(tmp_path: Path, call: Json, detail: str) -> None:
    asked = answer("m1", call, stop="tool_use")
    assert turn_after(tmp_path, prompt("go"), asked) == ("waiting", detail)
    assert turn_after(tmp_path, prompt("go"), asked, result("t1", 5)) == ("running", None)


@pytest.mark.parametrize("size", [10, 100_000])
@pytest.mark.parametrize("id_first", [True, False])
def test_a_tool_result_of_any_length_ends_its_call(
    tmp_path: Path, size: int, id_first: bool
) -> None:
    calls = answer("m1", tool("t1", "Read", file_path="/a"), stop="tool_use")
    over = result(
        "t1", 7, "x\"\\ {'timestamp'}" * (size // 10), toolUseResult={"stdout": "y" * size}
    )
    if not id_first:
        block = over["message"]["content"][0]
        block["tool_use_id"] = block.pop("tool_use_id")
    session = session_of(read_records(tmp_path, calls, over))
    assert (session.turn, session.turn_detail) == ("running", None)
    assert session.last_activity_at == ms(7)


def test_long_results_of_several_tools_in_one_record_all_arrive(tmp_path: Path) -> None:
    calls = answer("m1", tool("t1", "Read", file_path="/a"), tool("t2", "Read", file_path="/b"),
                   stop="tool_use")  # fmt: skip
    over = result("t1", 7, "x" * 5000)
    over["message"]["content"].append({"tool_use_id": "t2", "type": "tool_result"})
    assert turn_after(tmp_path, calls, over) == ("running", None)


def test_an_interruption_stops_the_turn(tmp_path: Path) -> None:
    blocks = [text("[Request interrupted by user for tool use]")]
    line = conversation("user", 5, message={"role": "user", "content": blocks})
    calls = answer("m1", tool("t1", "Bash", command="x"), stop="tool_use")
    assert turn_after(tmp_path, prompt("go"), calls, line) == ("stopped", None)


def test_a_retry_shows_what_failed_and_how_often(tmp_path: Path) -> None:
    error = {"message": "529 {…}", "status": 529, "formatted": "529 Overloaded"}
    retry = conversation(
        "system", 3, subtype="api_error", error=error, retryAttempt=3, maxRetries=10
    )
    session = session_of(read_records(tmp_path, prompt("go"), retry))
    assert (session.turn, session.turn_detail) == ("retrying", "529 Overloaded, attempt 3 of 10")
    assert (session.error_class, session.error_message) == ("api", "529 Overloaded")
    session = session_of(read_records(tmp_path, prompt("go"), retry, answer("m1", second=4)))
    assert (session.turn, session.error_class) == ("idle", None)


def test_an_error_of_older_versions_is_found_where_they_put_it(tmp_path: Path) -> None:
    inner = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    retry = conversation("system", 3, subtype="api_error", error={"status": 529, "error": inner})
    assert session_of(read_records(tmp_path, retry)).error_message == "Overloaded"


def api_failure(words: str, **more: Any) -> Json:
    return answer("x", text(words), model="<synthetic>", isApiErrorMessage=True, **more)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (api_failure("Invalid API key", error="authentication_failed"), "authentication"),
        (api_failure("OAuth token revoked · Please run /login"), "authentication"),
        (api_failure("API Error: 403", apiErrorStatus=403), "authentication"),
        (api_failure("Prompt is too long", error="invalid_request"), "context_overflow"),
        (api_failure("Request timed out"), "timeout"),
        (api_failure("API Error: 500 boom", error="server_error", apiErrorStatus=500), "api"),
        (api_failure("API Error: Overloaded", error="overloaded"), "api"),
        (api_failure("API Error: Connection error."), "api"),
    ],
)
def test_a_failure_has_a_class_and_its_words(tmp_path: Path, failure: Json, kind: str) -> None:
    session = session_of(read_records(tmp_path, prompt("go"), failure))
    assert (session.turn, session.error_class) == ("failed", kind)
    assert session.error_message == failure["message"]["content"][0]["text"]


@pytest.mark.parametrize(
    ("words", "more", "resets_at"),
    [
        ("Claude AI usage limit reached|1795400000", {}, 1_795_400_000_000),
        ("5-hour limit reached ∙ resets 5pm (Europe/Berlin)", {}, ms(60 * 60)),
        ("You've hit your limit · resets 3:30pm (Europe/Berlin)", {}, ms(-30 * 60) + 86_400_000),
        ("Weekly limit reached · resets Nov 24, 5pm (Europe/Berlin)", {}, ms(49 * 60 * 60)),
        ("Limited", {"error": "rate_limit", "apiErrorStatus": 429}, None),
        ("Credit balance is too low", {"error": "billing_error"}, None),
    ],
)  # fmt: skip
def test_a_rate_limit_is_told_with_its_end(
    tmp_path: Path, words: str, more: Json, resets_at: int | None
) -> None:
    session = session_of(read_records(tmp_path, prompt("go"), api_failure(words, **more)))
    assert (session.turn, session.error_class) == ("rate_limited", "rate_limit")
    assert session.resets_at == resets_at


def test_a_structured_reset_time_is_found_wherever_it_lies(tmp_path: Path) -> None:
    limits = {"windows": [{"resetsAt": 1_795_400_000}, {"resetsAt": 1_795_300_000}]}
    error = {"status": 429, "formatted": "429 rate limited", "rateLimits": limits}
    retry = conversation("system", 3, subtype="api_error", error=error)
    assert session_of(read_records(tmp_path, retry)).resets_at == 1_795_400_000_000


def test_the_end_of_a_turn_in_the_terminal_is_idle_unless_agents_go_on(tmp_path: Path) -> None:
    over = conversation("system", 9, subtype="turn_duration", durationMs=1)
    assert turn_after(tmp_path, prompt("go"), over) == ("idle", None)
    going = over | {"pendingBackgroundAgentCount": 2}
    assert turn_after(tmp_path, prompt("go"), going)[0] == "running"
    assert turn_after(tmp_path, prompt("go"), api_failure("boom"), over)[0] == "failed"


def test_the_end_mark_outlives_a_late_result_but_no_new_turn(tmp_path: Path) -> None:
    records = [
        prompt("go"),
        answer("m1", tool("t1", "Bash", command="sleep 30"), stop="tool_use"),
        COST_STATE,
        result("t1", 5, "Exit code 137"),
    ]
    ended = session_of(read_records(tmp_path, *records))
    assert (ended.ended_cleanly, ended.turn, ended.turn_detail) == (
        True,
        "running",
        "Bash: sleep 30",
    )
    assert not session_of(read_records(tmp_path, *records, prompt("again", 60))).ended_cleanly
    assert not session_of(read_records(tmp_path, *records, answer("m2", second=60))).ended_cleanly


def test_the_repair_of_a_killed_turn_is_no_progress(tmp_path: Path) -> None:
    asked = answer("m1", tool("t1", "AskUserQuestion", questions=[]), stop="tool_use")
    repair = result("t1", 60, "interrupted", toolDenialKind="interrupted")
    assert turn_after(tmp_path, prompt("go"), asked, repair)[0] == "waiting"


NOT_PROMPTS: list[Json] = [
    prompt("hidden", isMeta=True),
    prompt("summary", isCompactSummary=True),
    prompt("companion", turnCompanion=True),
    prompt("<command-name>/model</command-name>"),
    prompt("<local-command-stdout>x</local-command-stdout>"),
    prompt("<task-notification>x</task-notification>"),
    prompt("<system-reminder>x</system-reminder>"),
    prompt("woken", origin={"kind": "task-notification"}),
]


@pytest.mark.parametrize("record", NOT_PROMPTS)
def test_what_the_machine_writes_as_user_is_no_prompt(tmp_path: Path, record: Json) -> None:
    session = session_of(read_records(tmp_path, record, prompt("real\nwords", 5)))
    assert (session.turns, session.first_prompt, session.title) == (1, "real\nwords", "real")


def test_titles_rank_by_who_chose_them(tmp_path: Path) -> None:
    chosen: list[Json] = [
        {"type": "custom-title", "customTitle": "custom"},
        {"type": "ai-title", "aiTitle": "ai"},
        {"type": "agent-name", "agentName": "agent"},
        {"type": "summary", "summary": "summary"},
    ]
    while chosen:
        assert session_of(read_records(tmp_path, prompt("go"), *chosen)).title == next(
            value for key, value in chosen[0].items() if key != "type"
        )
        chosen.pop(0)


def test_a_deleted_task_leaves_the_plan(tmp_path: Path) -> None:
    def change(number: int, status: str, second: int) -> list[Json]:
        name, call = f"u{second}", tool(f"u{second}", "TaskUpdate", taskId=str(number))
        outcome = {"success": True, "taskId": str(number), "statusChange": {"to": status}}
        return [
            answer(f"c{second}", call, stop="tool_use"),
            result(name, second, toolUseResult=outcome),
        ]

    created: list[Json] = []
    for number in (1, 2, 3):
        created.append(answer(f"m{number}", tool(f"t{number}", "TaskCreate"), stop="tool_use"))
        task = {"task": {"id": str(number)}}
        created.append(result(f"t{number}", number, toolUseResult=task))
    records = created + change(1, "completed", 10) + change(3, "deleted", 11)
    session = session_of(read_records(tmp_path, *records))
    assert (session.todo_done, session.todo_total) == (1, 2)


def test_the_context_is_what_the_newest_main_call_saw(tmp_path: Path) -> None:
    seen = usage(10, cache_read_input_tokens=1000, cache_creation_input_tokens=100)
    compacted = conversation(
        "system", 9, subtype="compact_boundary", compactMetadata={"postTokens": 77}
    )
    facts = read_records(tmp_path, answer("m1", tokens=seen, model="claude-x[1m]"))
    assert session_of(facts).context_tokens == 5 + 10 + 1000 + 100
    assert session_of(facts).context_window == 1_000_000
    facts = read_records(tmp_path, answer("m1", tokens=seen), compacted)
    assert (session_of(facts).context_tokens, session_of(facts).context_window) == (77, None)


@pytest.mark.parametrize(
    ("version", "announces"), [("2.1.138", False), ("2.1.139", True), ("x", False), (None, False)]
)
def test_versions_that_announce_their_process_are_known(
    tmp_path: Path, version: str | None, announces: bool
) -> None:
    assert session_of(read_records(tmp_path, prompt("go", version=version))).registered is announces


def test_only_what_was_added_is_read_the_second_time(tmp_path: Path) -> None:
    first, second = lines([prompt("go"), answer("m1")]), lines([answer("m2", second=2)])
    steps = read_in_steps(session_path(tmp_path), first + second, [len(first)])
    assert [[one.key for one in step.requests] for step in steps] == [
        ["claude-code:m1"],
        ["claude-code:m2"],
    ]
    assert (steps[1].state.records, steps[1].state.usage_records) == (3, 2)
    assert steps[1].state.session_key == KEY


def attached(kind: str, second: float, **facts: Any) -> Json:
    return conversation("attachment", second, attachment={"type": kind, **facts})


def test_a_limit_of_turns_that_is_reached_is_a_failure(tmp_path: Path) -> None:
    ended = session_of(
        read_records(
            tmp_path,
            prompt("go"),
            answer("m1", tool("t1", "Bash", command="ls"), stop="tool_use"),
            result("t1", 2),
            attached("max_turns_reached", 3, maxTurns=2, turnCount=3, exitCommitted=False),
            COST_STATE,
        )
    )
    assert (ended.turn, ended.error_class) == ("failed", "own_limit")
    assert ended.error_message == "The limit of 2 turns was reached."
    # What the CLI attaches is no act of anybody's.
    assert ended.last_activity_at == ms(2)


@pytest.mark.parametrize(
    ("spent", "turn", "error_class"), [(0.1, "failed", "own_limit"), (0.09, "running", None)]
)
def test_a_budget_that_is_spent_in_mid_turn_is_a_failure(
    tmp_path: Path, spent: float, turn: str, error_class: str | None
) -> None:
    call = answer("m1", tool("t1", "Bash", command="ls"), stop="tool_use")
    budget = attached("budget_usd", 0, used=0, total=0.1, remaining=0.1)
    end = {**COST_STATE, "totalCostUSD": spent}
    ended = session_of(read_records(tmp_path, prompt("go"), budget, call, end))
    assert (ended.turn, ended.error_class) == (turn, error_class)
    answered = read_records(tmp_path, prompt("go"), budget, answer("m2"), end)
    assert session_of(answered).turn == "idle"


@pytest.mark.parametrize("odd", [None, "max_turns_reached", [1], {"type": ["max_turns_reached"]}])
def test_an_attachment_of_another_shape_changes_nothing(tmp_path: Path, odd: object) -> None:
    record = conversation("attachment", 1, attachment=odd)
    assert turn_after(tmp_path, prompt("go"), record) == ("running", None)
