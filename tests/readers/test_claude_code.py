"""What the Claude Code reader makes of records, one promise a test."""

from pathlib import Path
from typing import Any

import pytest

from lib.model import FileFacts, Request, Session
from lib.readers import claude_code
from lib.readers.values import IMPLAUSIBLE_TOKENS, NOT_JSON
from tests.readers.claude_records import (
    SESSION,
    Json,
    answer,
    at,
    conversation,
    lines,
    merged,
    ms,
    prompt,
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


def only_request(facts: FileFacts) -> Request:
    assert len(facts.requests) == 1
    return facts.requests[0]


# Where


def test_the_config_variable_replaces_the_usual_places() -> None:
    environ = {"HOME": "/home/u", "CLAUDE_CONFIG_DIR": "/a, ~/b,/a"}
    assert claude_code.roots(environ)[:2] == [Path("/a/projects"), Path("/home/u/b/projects")]


def test_without_it_both_usual_places_and_the_desktops_are_looked_at() -> None:
    desktop = Path("/home/u/Library/Application Support/Claude/local-agent-mode-sessions")
    usual = [Path("/home/u/.claude/projects"), Path("/home/u/.config/claude/projects"), desktop]
    assert claude_code.roots({"HOME": "/home/u"}) == usual
    moved = claude_code.roots({"HOME": "/home/u", "XDG_CONFIG_HOME": "/x"})
    assert moved[1] == Path("/x/claude/projects")


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("projects/-p/s.jsonl", True),
        ("projects/-p/agent-1.jsonl", True),
        ("projects/-p/s/subagents/agent-1.jsonl", True),
        ("projects/-p/s/subagents/workflows/wf1/agent-1.jsonl", True),
        ("projects/-p/s/subagents/workflows/wf1/journal.jsonl", False),
        ("projects/-p/s/custom-title.json", False),
        ("projects/-p/s/tool-results/x.jsonl", False),
        ("history.jsonl", False),
    ],
)
def test_a_transcript_is_known_by_its_place(path: str, is_one: bool) -> None:
    assert claude_code.is_session_file(Path("/home/u/.claude") / path) is is_one


def test_what_lies_above_the_projects_is_not_claudes(tmp_path: Path) -> None:
    path = session_path(tmp_path / "subagents" / ".claude")
    path.write_bytes(lines([prompt("go"), answer("m1")]))
    assert claude_code.is_session_file(path)
    assert session_of(claude_code.read(path, None)).parent_key is None


def test_a_missing_file_is_an_error_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        claude_code.read(tmp_path / "gone.jsonl", None)


# Counting


def test_of_a_streamed_call_the_record_with_most_output_counts_whole(tmp_path: Path) -> None:
    facts = read_records(
        tmp_path,
        answer("m1", tokens=usage(5), requestId="r1"),
        answer("m1", tokens=usage(500, cache_read_input_tokens=7), requestId="r1"),
        answer("m1", tokens=usage(200, cache_read_input_tokens=9), requestId="r1"),
    )
    request = only_request(facts)
    assert (request.output_tokens, request.cache_read_tokens) == (500, 7)
    assert (facts.state.usage_records, facts.state.repeated_records) == (3, 2)


def test_one_message_id_is_one_call_whatever_its_request_ids(tmp_path: Path) -> None:
    facts = read_records(
        tmp_path, answer("m1", requestId="r1"), answer("m2"), answer("m1", requestId="r2")
    )
    assert [one.key for one in facts.requests] == ["claude-code:m1", "claude-code:m2"]
    assert facts.state.repeated_records == 0


@pytest.mark.parametrize("missing", [{}, {"requestId": "r1"}])
def test_a_call_without_a_message_id_is_known_by_the_next_best(
    tmp_path: Path, missing: Json
) -> None:
    record = answer(None, **missing)
    assert only_request(read_records(tmp_path, record)).key == (
        f"claude-code:{missing.get('requestId', record['uuid'])}"
    )


def test_a_call_without_any_id_is_known_by_its_figures(tmp_path: Path) -> None:
    record = answer(None, uuid=None)
    other = answer(None, uuid=None, tokens=usage(11))
    assert len(read_records(tmp_path, record, record, other).requests) == 2


def test_cache_writes_are_told_apart_by_how_long_they_live(tmp_path: Path) -> None:
    split = {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 70}
    tokens = usage(cache_creation_input_tokens=100, cache_creation=split)
    request = only_request(read_records(tmp_path, answer("m1", tokens=tokens)))
    assert (request.cache_write_5m_tokens, request.cache_write_1h_tokens) == (30, 70)


def test_cache_writes_without_a_split_are_the_short_kind(tmp_path: Path) -> None:
    facts = read_records(tmp_path, answer("m1", tokens=usage(cache_creation_input_tokens=100)))
    request = only_request(facts)
    assert (request.cache_write_5m_tokens, request.cache_write_1h_tokens) == (100, 0)
    assert session_of(facts).flags == []


def test_a_split_that_does_not_add_up_gives_way_to_the_total_and_is_flagged(tmp_path: Path) -> None:
    split = {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 2}
    tokens = usage(cache_creation_input_tokens=100, cache_creation=split)
    facts = read_records(tmp_path, answer("m1", tokens=tokens))
    request = only_request(facts)
    assert (request.cache_write_5m_tokens, request.cache_write_1h_tokens) == (100, 0)
    assert session_of(facts).flags == ["total_mismatch"]


def test_what_a_price_depends_on_is_kept(tmp_path: Path) -> None:
    tokens = usage(
        100,
        output_tokens_details={"thinking_tokens": 40},
        server_tool_use={"web_search_requests": 2},
        service_tier="priority",
        speed="fast",
        inference_geo="us",
    )
    request = only_request(read_records(tmp_path, answer("m1", tokens=tokens)))
    assert (request.output_tokens, request.reasoning_tokens) == (100, 40)
    assert request.web_search_requests == 2
    assert (request.service_tier, request.speed, request.region) == ("priority", "fast", "us")


def test_an_advisor_inside_a_call_is_a_call_of_its_own_model(tmp_path: Path) -> None:
    iterations = [
        {"type": "message", "input_tokens": 5, "output_tokens": 10},
        {"type": "advisor_message", "model": "claude-x", "input_tokens": 7, "output_tokens": 3},
    ]
    main, advisor = read_records(
        tmp_path, answer("m1", tokens=usage(iterations=iterations))
    ).requests
    assert (main.key, main.input_tokens) == ("claude-code:m1", 5)
    assert (advisor.key, advisor.model) == ("claude-code:m1#1", "claude-x")
    assert (advisor.input_tokens, advisor.output_tokens) == (7, 3)


def test_every_call_is_one_usage_record_or_a_repeated_one(tmp_path: Path) -> None:
    advisor = {"type": "advisor_message", "model": "claude-x", "output_tokens": 3}
    facts = read_records(
        tmp_path,
        answer("m1", tokens=usage(iterations=[advisor])),
        answer("m1", tokens=usage(iterations=[advisor])),
        answer("m2", tokens=usage(-1)),
        answer("m3", tool("t1", "WebSearch", query="x"), stop="tool_use"),
        result("t1", 3, toolUseResult={"query": "x", "searchCount": 3}),
    )
    state = facts.state
    assert state.usage_records - state.repeated_records == len(merged(facts.requests)) == 4
    assert state.skipped == {IMPLAUSIBLE_TOKENS: 1}


def test_synthetic_messages_never_count_and_say_nothing(tmp_path: Path) -> None:
    facts = read_records(
        tmp_path,
        prompt("go"),
        answer("m1", tool("t1", "Bash", command="sleep 9"), stop="tool_use"),
        answer("m2", text("No response requested."), model="<synthetic>", tokens=usage(9)),
    )
    session = session_of(facts)
    assert only_request(facts).key == "claude-code:m1"
    assert (session.turn, session.turn_detail) == ("running", "Bash: sleep 9")
    assert (session.model, session.last_message) == ("claude-opus-5-5", None)


def test_an_old_recorded_price_is_not_believed(tmp_path: Path) -> None:
    request = only_request(read_records(tmp_path, answer("m1", costUSD=9.99)))
    assert (request.input_tokens, request.output_tokens) == (5, 10)


def test_a_web_search_counts_as_a_call_whose_tokens_are_unknown(tmp_path: Path) -> None:
    facts = read_records(
        tmp_path,
        answer("m1", tool("t1", "WebSearch", query="x"), stop="tool_use"),
        result("t1", 3, toolUseResult={"query": "x", "searchCount": 3}),
    )
    searched = merged(facts.requests)["claude-code:t1"]
    assert (searched.web_search_requests, searched.output_tokens) == (3, 0)
    assert session_of(facts).flags == ["web_search_tokens_not_recorded"]


def test_a_call_reported_inside_progress_counts_and_gives_way_to_its_own_file(
    tmp_path: Path,
) -> None:
    call = {"id": "m9", "model": "claude-x", "usage": usage(30)}
    nested = {"timestamp": at(2), "requestId": "r9", "message": call}
    progress = conversation("progress", 2, data={"type": "agent_progress", "message": nested})
    reported = only_request(read_records(tmp_path, prompt("go"), progress))
    assert (reported.key, reported.at, reported.output_tokens) == ("claude-code:m9", ms(2), 30)
    path = session_path(tmp_path, f"{SESSION}/subagents/agent-a1")
    path.write_bytes(lines([answer("m9", second=2, isSidechain=True)]))
    in_own_file = only_request(claude_code.read(path, None))
    assert in_own_file.owner_rank < reported.owner_rank


@pytest.mark.parametrize("tokens", [{"output_tokens": -1}, {"input_tokens": 10**13}])
def test_an_impossible_count_is_skipped_counted_and_costs_nothing_else(
    tmp_path: Path, tokens: Json
) -> None:
    bad = answer("m1", text("Said."), tokens=usage() | tokens)
    facts = read_records(tmp_path, prompt("go"), bad, answer("m2", text("More."), second=2))
    assert only_request(facts).key == "claude-code:m2"
    assert facts.state.skipped == {IMPLAUSIBLE_TOKENS: 1}
    assert session_of(facts).turn_requests == 2


@pytest.mark.parametrize(
    ("record", "flag"),
    [
        (answer("m1", timestamp=None), "missing_timestamp"),
        (answer("m1", model=None), "missing_model"),
        (answer("m1", isAbortedMidStream=True), "stream_cut"),
        (answer("m1", sessionKind="bg"), "background_requests_not_recorded"),
        (conversation("system", 1, subtype="compact_boundary"), "compaction_not_recorded"),
    ],
)
def test_what_a_file_cannot_know_is_flagged_with_a_sentence(
    tmp_path: Path, record: Json, flag: str
) -> None:
    assert session_of(read_records(tmp_path, record)).flags == [flag]
    assert claude_code.CANNOT_KNOW[flag]


# Reading whatever the fields hold


@pytest.mark.parametrize("field", ["cwd", "gitBranch", "version", "toolUseResult", "origin"])
@pytest.mark.parametrize("value", [None, 7, [], {"a": 1}, True])
def test_an_irrelevant_field_of_a_wrong_type_costs_no_call(
    tmp_path: Path, field: str, value: Any
) -> None:
    facts = read_records(tmp_path, answer("m1", **{field: value}))
    assert only_request(facts).output_tokens == 10


def test_numbers_written_as_text_are_numbers(tmp_path: Path) -> None:
    tokens = {"input_tokens": "12", "output_tokens": "34", "cache_creation": 5}
    request = only_request(read_records(tmp_path, answer("m1", tokens=tokens)))
    assert (request.input_tokens, request.output_tokens) == (12, 34)


def test_spaces_and_key_order_make_no_difference(tmp_path: Path) -> None:
    records = [prompt("go"), answer("m1", second=1), {"type": "mode", "mode": "x"}, COST_STATE]
    turned = [dict(reversed(record.items())) for record in records]
    first = read_records(tmp_path, *records)
    second = read_records(tmp_path, *turned, compact=False)
    assert (first.session, first.requests) == (second.session, second.requests)


def test_invalid_utf8_costs_no_call(tmp_path: Path) -> None:
    path = session_path(tmp_path)
    path.write_bytes(lines([answer("m1", text("caf@"))]).replace(b"caf@", b"caf\xe9"))
    facts = claude_code.read(path, None)
    assert only_request(facts).key == "claude-code:m1"
    assert session_of(facts).last_message == "caf\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("compact", [True, False])
def test_a_record_glued_to_one_that_was_cut_off_is_read(tmp_path: Path, compact: bool) -> None:
    heavy = conversation("attachment", 0) | {"attachment": {"type": "x", "text": "y" * 5000}}
    heavy = {key: heavy[key] for key in ("parentUuid", "isSidechain", "attachment", "type")}
    path = session_path(tmp_path)
    path.write_bytes(lines([heavy], compact=compact)[:3000] + lines([answer("m1")]))
    facts = claude_code.read(path, None)
    assert only_request(facts).key == "claude-code:m1"
    assert facts.state.skipped == {NOT_JSON: 1}


def test_a_file_without_a_conversation_is_no_session(tmp_path: Path) -> None:
    facts = read_records(tmp_path, {"type": "summary", "summary": "x"}, COST_STATE)
    assert (facts.session, facts.requests) == (None, [])


# Copies


def test_a_copy_gives_way_to_the_session_that_it_names(tmp_path: Path) -> None:
    old = "99999999-2222-4333-8444-555555555555"
    facts = read_records(
        tmp_path,
        prompt("first", 0),
        answer("m1", second=1, requestSessionId=old),
        prompt("forked", 60),
        answer("m2", second=61),
    )
    session = session_of(facts)
    copied, own = facts.requests
    assert session.forked_from == f"claude-code:{old}"
    assert session.started_at == ms(60)
    assert (copied.owner_rank[0], own.owner_rank[0]) == ("2", "0")


def test_a_resume_that_kept_the_older_session_id_is_a_copy(tmp_path: Path) -> None:
    old = "99999999-2222-4333-8444-555555555555"
    facts = read_records(tmp_path, answer("m1", sessionId=old), answer("m2", second=2))
    assert [one.owner_rank[0] for one in facts.requests] == ["2", "0"]
    assert session_of(facts).key == KEY


def test_a_sidechain_inside_a_main_file_counts_but_moves_no_turn(tmp_path: Path) -> None:
    side = {"isSidechain": True}
    facts = read_records(
        tmp_path,
        prompt("go"),
        answer("m1", tool("t1", "Task", description="Look"), stop="tool_use"),
        prompt("look around", 2, **side),
        answer("m2", text("Found."), second=3, **side),
    )
    session = session_of(facts)
    assert (session.turn, session.turn_detail) == ("running", "Task: Look")
    assert (session.turns, session.turn_requests, session.last_message) == (1, 1, None)
    assert [one.owner_rank[0] for one in facts.requests] == ["0", "1"]


@pytest.mark.parametrize("place", ["subagents", "subagents/workflows/wf1"])
def test_a_subagent_belongs_to_the_session_of_its_folder(tmp_path: Path, place: str) -> None:
    path = session_path(tmp_path, f"{SESSION}/{place}/agent-a1")
    path.write_bytes(lines([answer("m1", isSidechain=True)]))
    facts = claude_code.read(path, None)
    assert (session_of(facts).key, session_of(facts).parent_key) == (f"{KEY}/agent-a1", KEY)
    assert only_request(facts).owner_rank.startswith("1")
    path.with_name("agent-a1.meta.json").write_text('{"agentType": "Explore"}')
    assert session_of(claude_code.read(path, facts.state)).title == "Explore"


def test_a_subagent_beside_its_parent_is_placed_by_the_session_it_names(tmp_path: Path) -> None:
    path = session_path(tmp_path, "agent-a1")
    path.write_bytes(lines([answer("m1", isSidechain=True)]))
    facts = claude_code.read(path, None)
    assert (session_of(facts).key, session_of(facts).parent_key) == (f"{KEY}/agent-a1", KEY)


def test_a_replay_of_the_parents_call_in_a_subagents_file_stays_the_parents(
    tmp_path: Path,
) -> None:
    parent = only_request(read_records(tmp_path, answer("m1")))
    path = session_path(tmp_path, f"{SESSION}/subagents/agent-a1")
    path.write_bytes(lines([answer("m1", second=0.5, isSidechain=True)]))
    replay = only_request(claude_code.read(path, None))
    assert parent.key == replay.key
    assert parent.owner_rank < replay.owner_rank
