"""What the reader of Gemini CLI promises, on small files of our own."""

import json
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.readers import documents, gemini
from lib.readers.gemini_parser import COMPACTION, FAILURE, MISSING_MODEL, NO_TURN_MARKS
from lib.readers.genai import TOTAL_MISMATCH
from lib.readers.values import IMPLAUSIBLE_TOKENS, NOT_JSON
from tests.readers.genai_records import (
    ALPHA,
    MODEL,
    OTHER,
    SESSION,
    Json,
    Place,
    anything,
    assert_plausible,
    changed,
    lines_of,
    moment,
    owned,
    places,
    read_in_pieces,
    tokens,
    told,
    uuid,
)

HASH = sha256(ALPHA.encode()).hexdigest()


def header(second: int = 0, session: str = SESSION, **more: object) -> Json:
    start = moment(second)
    said = {"sessionId": session, "projectHash": HASH, "startTime": start, "lastUpdated": start}
    return {**said, "kind": "main", **more}


def user(number: int, text: str, second: int = 1) -> Json:
    content = [{"text": text}]
    return {"id": uuid(number), "timestamp": moment(second), "type": "user", "content": content}


def answer(number: int, text: str = "Done.", second: int = 2, **more: object) -> Json:
    said: Json = {"id": uuid(number), "timestamp": moment(second), "type": "gemini"}
    return {**said, "content": text, "thoughts": [], "tokens": used(), "model": MODEL, **more}


def used(given: int = 100, cached: int = 60, output: int = 10, thoughts: int = 5) -> Json:
    counts = {"input": given, "output": output, "cached": cached, "thoughts": thoughts}
    return {**counts, "tool": 0, "total": given + output + thoughts}


def tool(name: str = "run_shell_command", status: str = "success", **arguments: object) -> Json:
    return {"id": f"{name}-1", "name": name, "args": arguments, "status": status, "result": []}


def results(number: int, second: int = 3) -> Json:
    response = {"functionResponse": {"id": "run_shell_command-1", "response": {"output": "hi"}}}
    return {**user(number, "", second), "content": [response]}


def patched(**values: object) -> Json:
    return {"$set": values}


def write(folder: Path, records: Iterable[Json | bytes], session: str = SESSION) -> Path:
    chats = folder / "tmp" / "alpha" / "chats"
    chats.mkdir(parents=True, exist_ok=True)
    path = chats / f"session-2026-03-01T12-00-{session[:8]}.jsonl"
    path.write_bytes(lines_of(records))
    return path


def document(folder: Path, content: object, session: str = SESSION) -> Path:
    path = write(folder, [], session).with_suffix(".json")
    path.with_suffix(".jsonl").unlink()
    path.write_text(json.dumps(content))
    return path


FULL: list[Json] = [
    header(),
    patched(messages=[user(90, f"<session_context>\n- **Workspace Directories:**\n  - {ALPHA}\n")]),
    user(1, "Fix it"),
    answer(2, "", 2),
    answer(2, "", 2, toolCalls=[tool(command="make test"), tool("write_todos", todos=[{}])]),
    results(3, 4),
    answer(4, "All done.", 5),
    patched(summary="Repair of calc", lastUpdated=moment(6)),
    {"id": uuid(5), "timestamp": moment(7), "type": "error", "content": "[API Error: 429 quota]"},
    header(20),
    patched(messages=[user(1, "Fix it"), answer(2, "", 2), {**answer(4), "tokens": None}]),
    user(6, "More", 21),
    answer(
        7, "Well", 22, tokens=used(300, 0, 7, 0), toolCalls=[tool(status="executing", path="a")]
    ),
    {"$rewindTo": uuid(6)},
]
WHOLE = lines_of(FULL)
PLACES = [place for place in places(FULL) if place]


def test_the_kinds_of_tokens_are_told_apart(tmp_path: Path) -> None:
    facts = gemini.read(write(tmp_path, [header(), user(1, "Hi"), answer(2)]), None)
    assert tokens(facts) == [(40, 15, 60, 5)]
    (call,) = facts.requests
    assert (call.key, call.model) == (f"gemini:{uuid(2)}", MODEL)
    assert told(facts).context_tokens == 115
    assert told(facts).flags == [NO_TURN_MARKS]


def test_tokens_of_a_tool_prompt_are_input(tmp_path: Path) -> None:
    counts = {**used(), "tool": 1000, "total": 1115}
    facts = gemini.read(write(tmp_path, [header(), answer(2, tokens=counts)]), None)
    assert tokens(facts) == [(1040, 15, 60, 5)]
    assert told(facts).flags == []


def test_thoughts_inside_the_output_are_known_by_the_total(tmp_path: Path) -> None:
    counts = {**used(), "total": 110}
    facts = gemini.read(write(tmp_path, [header(), answer(2, tokens=counts)]), None)
    assert tokens(facts) == [(40, 10, 60, 5)]
    assert told(facts).flags == []


@pytest.mark.parametrize("wrong", [{"total": 999}, {"cached": 101}])
def test_counts_that_contradict_their_total_are_flagged(tmp_path: Path, wrong: Json) -> None:
    record = answer(2, tokens={**used(), **wrong})
    facts = gemini.read(write(tmp_path, [header(), record]), None)
    assert told(facts).flags == [TOTAL_MISMATCH]
    assert len(facts.requests) == 1


def test_an_answer_written_again_is_one_call_as_last_written(tmp_path: Path) -> None:
    first = answer(2, tokens=used(output=1))
    last = answer(2, tokens=used(output=9), toolCalls=[tool(command="ls")])
    facts = gemini.read(write(tmp_path, [header(), user(1, "Hi"), first, last]), None)
    assert tokens(facts) == [(40, 14, 60, 5)]
    assert (facts.state.usage_records, facts.state.repeated_records) == (2, 1)
    assert told(facts).turn_requests == 1


def test_a_history_repeated_at_resuming_adds_nothing(tmp_path: Path) -> None:
    before = [user(1, "Hi"), answer(2), user(3, "More", 3), answer(4, second=4)]
    records = [header(), *before, header(9), patched(messages=before), user(5, "Third", 10)]
    facts = gemini.read(write(tmp_path, records), None)
    assert len(facts.requests) == 2
    session = told(facts)
    assert (session.turns, session.turn, session.first_prompt) == (3, "running", "Hi")
    assert session.started_at == 1_772_366_400_000


def test_a_prompt_written_again_is_one_prompt(tmp_path: Path) -> None:
    session = told(gemini.read(write(tmp_path, [header(), user(1, "Hi"), user(1, "Hi")]), None))
    assert session.turns == 1


def test_resuming_does_not_take_a_prompt_back(tmp_path: Path) -> None:
    records = [header(), user(1, "Hi"), header(9), patched(messages=[])]
    assert told(gemini.read(write(tmp_path, records), None)).turn == "running"


def test_prompts_that_come_by_the_history_alone_count(tmp_path: Path) -> None:
    records = [header(), patched(messages=[user(1, "Hi")]), answer(2)]
    session = told(gemini.read(write(tmp_path, records), None))
    assert (session.turns, session.first_prompt, session.turn) == (1, "Hi", "idle")


def test_a_document_and_its_copy_in_lines_are_counted_once(tmp_path: Path) -> None:
    messages = [user(1, "Hi"), answer(2), answer(3)]
    old = document(tmp_path, {**header(), "messages": messages})
    new = write(tmp_path, [header(), *messages, user(4, "More", 8), answer(5, second=9)])
    calls = owned(gemini, old, new)
    assert len(calls) == 3
    assert {call.session_key for call in calls.values()} == {f"gemini:{SESSION}"}
    session = told(gemini.read(old, None))
    assert (session.turns, session.first_prompt, session.turn) == (1, "Hi", "idle")


def test_ids_that_are_no_uuids_are_the_sessions_own(tmp_path: Path) -> None:
    paths = [
        write(tmp_path, [header(session=one), {**answer(2), "id": "1"}], one)
        for one in (SESSION, OTHER)
    ]
    assert len(owned(gemini, *paths)) == 2


def test_a_subagent_is_below_the_session_that_its_folder_names(tmp_path: Path) -> None:
    folder = tmp_path / "tmp" / "alpha" / "chats" / SESSION
    folder.mkdir(parents=True)
    path = folder / f"{OTHER}.jsonl"
    done = answer(2, "", toolCalls=[tool("complete_task")])
    records = [header(session=OTHER, kind="subagent", directories=[ALPHA]), user(1, "Sub"), done]
    path.write_bytes(lines_of(records))
    assert gemini.is_session_file(path)
    session = told(gemini.read(path, None))
    assert (session.key, session.parent_key) == (f"gemini:{SESSION}/{OTHER}", f"gemini:{SESSION}")
    assert (session.turn, session.project_path) == ("idle", ALPHA)
    assert gemini.read(path, None).requests[0].owner_rank.startswith("1")


@pytest.mark.parametrize(
    ("records", "turn"),
    [
        ([user(1, "Hi")], "running"),
        ([user(1, "Hi"), answer(2)], "idle"),
        ([user(1, "Hi"), answer(2, "")], "running"),
        ([user(1, "Hi"), answer(2, toolCalls=[tool()])], "running"),
        ([user(1, "Hi"), answer(2, toolCalls=[tool()]), results(3)], "running"),
        ([user(1, "Hi"), answer(2, toolCalls=[tool(status="cancelled")])], "stopped"),
        ([user(1, "Hi"), answer(2, toolCalls=[tool(status="awaiting_approval")])], "waiting"),
        ([user(1, "Hi"), patched(messages=[])], "failed"),
        ([user(1, "Hi"), answer(2), patched(messages=[])], "idle"),
        ([user(1, "Hi"), {**user(3, "Request cancelled."), "type": "info"}], "stopped"),
        ([user(1, "Hi"), {**user(3, "[API Error: boom]"), "type": "error"}], "failed"),
        ([user(1, "Hi"), {**user(3, "[API Error: 429]"), "type": "error"}], "rate_limited"),
        ([user(1, "Hi"), answer(2), {**user(3, "Unknown command"), "type": "error"}], "idle"),
        ([user(1, "Hi"), answer(2), {**user(3, "An update"), "type": "info"}], "idle"),
        ([user(1, "/help")], "unknown"),
        ([user(1, "Hi"), {"$rewindTo": uuid(1)}], "idle"),
        ([user(1, "Hi"), {**answer(2), "type": "hologram"}], "running"),
    ],
)
def test_the_state_of_the_newest_turn(tmp_path: Path, records: list[Json], turn: str) -> None:
    session = told(gemini.read(write(tmp_path, [header(), *records]), None))
    assert session.turn == turn
    assert (session.error_message is not None) == (turn in ("failed", "rate_limited"))


def test_a_prompt_taken_back_is_a_failure_of_unknown_kind(tmp_path: Path) -> None:
    records = [header(), user(1, "Hi"), patched(messages=[])]
    session = told(gemini.read(write(tmp_path, records), None))
    assert (session.error_class, session.error_message) == ("unknown", FAILURE)


def test_a_compaction_is_flagged_and_is_no_failure(tmp_path: Path) -> None:
    snapshot = user(8, "<state_snapshot>\nWe fixed it.")
    records = [header(), user(1, "Hi"), answer(2), user(3, "More"), patched(messages=[snapshot])]
    session = told(gemini.read(write(tmp_path, records), None))
    assert (session.turn, session.turns) == ("running", 2)
    assert COMPACTION in session.flags


def test_a_call_without_a_model_is_counted_and_flagged(tmp_path: Path) -> None:
    facts = gemini.read(write(tmp_path, [header(), answer(2, model=None)]), None)
    assert (len(facts.requests), facts.requests[0].model) == (1, None)
    assert told(facts).flags == [MISSING_MODEL]


def test_titles_come_from_summaries_then_topics_then_prompts(tmp_path: Path) -> None:
    records: list[Json] = [header(), user(1, "Fix\n it")]
    assert told(gemini.read(write(tmp_path, records), None)).title == "Fix it"
    records.append(answer(2, toolCalls=[tool("update_topic", title="Repairing")]))
    assert told(gemini.read(write(tmp_path, records), None)).title == "Repairing"
    records[2:2] = [patched(summary="Repair of calc")]
    assert told(gemini.read(write(tmp_path, records), None)).title == "Repair of calc"


def test_todos_are_counted_without_the_cancelled(tmp_path: Path) -> None:
    todos = [{"status": status} for status in ("completed", "in_progress", "cancelled")]
    record = answer(2, toolCalls=[tool("write_todos", todos=todos)])
    session = told(gemini.read(write(tmp_path, [header(), record]), None))
    assert (session.todo_done, session.todo_total) == (1, 2)


def test_the_project_is_found_by_marker_by_list_and_by_hash(tmp_path: Path) -> None:
    context = user(9, f"<session_context>\n- **Workspace Directories:**\n  - {ALPHA}\n- **X")
    path = write(tmp_path, [header(), user(1, "Hi")])
    assert told(gemini.read(path, None)).project_path is None
    told_it = write(tmp_path, [header(), context], OTHER)
    assert told(gemini.read(told_it, None)).project_path == ALPHA
    elsewhere = write(tmp_path, [header(projectHash="0" * 64), context], OTHER)
    assert told(gemini.read(elsewhere, None)).project_path is None
    projects = tmp_path / "projects.json"
    projects.write_text(json.dumps({"projects": {"/x": "x", ALPHA: "another"}}))
    assert told(gemini.read(path, None)).project_path == ALPHA
    projects.write_text(json.dumps({"projects": {"/by/name": "alpha"}}))
    assert told(gemini.read(path, None)).project_path == "/by/name"
    (path.parent.parent / ".project_root").write_text("/by/marker\n")
    assert told(gemini.read(path, None)).project_path == "/by/marker"


def test_folders_named_by_the_environment_are_looked_at() -> None:
    assert gemini.roots({"HOME": "/h"}) == [Path("/h/.gemini/tmp")]
    assert gemini.roots({"HOME": "/h", "GEMINI_CLI_HOME": "/c"}) == [Path("/c/.gemini/tmp")]
    named = {"HOME": "/h", "GEMINI_DIR": "/a, /b/tmp", "GEMINI_DATA_DIR": "/a"}
    assert gemini.roots(named) == [Path("/a/tmp"), Path("/b/tmp")]


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("chats/session-1.jsonl", True),
        ("chats/session-1.json", True),
        ("chats/notes.jsonl", False),
        (f"chats/{SESSION}/{OTHER}.jsonl", True),
        (f"chats/{SESSION}/{OTHER}.json", False),
        ("chats/session-1.jsonl.unreadable-17", False),
        ("logs.json", False),
        ("checkpoint-x.json", False),
    ],
)
def test_session_files_are_known_by_name(name: str, is_one: bool) -> None:
    assert gemini.is_session_file(Path("/h/.gemini/tmp/alpha") / name) is is_one


def test_an_impossible_count_costs_the_call_and_is_named(tmp_path: Path) -> None:
    broken = answer(2, "Oh.", tokens={**used(), "output": -1})
    facts = gemini.read(write(tmp_path, [header(), user(1, "Hi"), broken, answer(3)]), None)
    assert facts.state.skipped == {IMPLAUSIBLE_TOKENS: 1}
    assert [call.key for call in facts.requests] == [f"gemini:{uuid(3)}"]
    old = document(tmp_path, {**header(), "messages": [broken, answer(3)]}, OTHER)
    facts = gemini.read(old, None)
    assert facts.state.skipped == {IMPLAUSIBLE_TOKENS: 1}
    assert (len(facts.requests), told(facts).last_message) == (1, "Done.")


def test_a_record_cut_off_by_a_kill_costs_no_other(tmp_path: Path) -> None:
    cut = lines_of([answer(2)])[:80] + lines_of([answer(3)]).rstrip(b"\n")
    facts = gemini.read(write(tmp_path, [header(), user(1, "Hi"), cut]), None)
    assert facts.state.skipped == {NOT_JSON: 1}
    assert [call.key for call in facts.requests] == [f"gemini:{uuid(3)}"]


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"\xff\x00" * 99, b'{"a":' + b"[" * 9999])
def test_a_document_that_is_none_is_an_error_of_the_file(tmp_path: Path, content: bytes) -> None:
    path = document(tmp_path, {**header(), "messages": [answer(2)]})
    before = gemini.read(path, None)
    path.write_bytes(content)
    facts = gemini.read(path, before.state)
    assert (facts.session, facts.requests) == (None, [])
    assert facts.state.error
    assert facts.state.usage_records == 1


def test_a_document_over_the_limit_is_an_error_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "MAXIMUM_DOCUMENT", 100)
    facts = gemini.read(document(tmp_path, {**header(), "messages": [answer(2)]}), None)
    assert facts.state.error == documents.TOO_LARGE


@given(st.lists(st.tuples(st.sampled_from(PLACES), anything), min_size=1, max_size=4))
def test_any_value_in_any_field_is_borne(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[Place, object]]
) -> None:
    records = changed(FULL, changes)
    folder = tmp_path_factory.mktemp("any")
    whole = lines_of(records)
    path = write(folder, [whole.rstrip(b"\n")])
    facts = gemini.read(path, None)
    assert_plausible(facts)
    assert facts.state.records + sum(facts.state.skipped.values()) == len(records)
    pieces, requests = read_in_pieces(gemini, path, whole, [len(whole) // 3, len(whole) // 2])
    assert pieces.session == facts.session
    assert requests == {call.key: call for call in facts.requests}
    assert_plausible(gemini.read(document(folder, records[-1]), None))
    assert_plausible(gemini.read(document(folder, {**header(), "messages": records}), None))


@given(st.lists(st.integers(0, len(WHOLE)), max_size=6))
def test_reading_in_pieces_tells_what_reading_at_once_does(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    path = write(tmp_path_factory.mktemp("cuts"), FULL)
    facts = gemini.read(path, None)
    pieces, requests = read_in_pieces(gemini, path, WHOLE, cuts)
    assert pieces.session == facts.session
    assert requests == {call.key: call for call in facts.requests}
    for name in ("records", "usage_records", "repeated_records", "session_key", "line", "offset"):
        assert getattr(pieces.state, name) == getattr(facts.state, name)


@given(st.binary(max_size=200), st.integers(0, len(WHOLE)))
def test_any_bytes_anywhere_are_borne(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, position: int
) -> None:
    path = write(tmp_path_factory.mktemp("noise"), [])
    path.write_bytes(WHOLE[:position] + noise + WHOLE[position:] + b"\n")
    facts = gemini.read(path, None)
    assert_plausible(facts)
    assert facts.state.offset == len(WHOLE) + len(noise) + 1


def test_calls_tell_the_specs_whose_files_they_touch(tmp_path: Path) -> None:
    used = [tool("read_file", path="specs/168-a/README.md"), tool(command="ls specs/169-b")]
    path = write(tmp_path, [header(), user(1, "Go"), answer(2, toolCalls=used)])
    assert told(gemini.read(path, None)).specs == ["168-a", "169-b"]
