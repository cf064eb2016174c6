"""Whatever a transcript holds and however reading it is cut up, the facts are the same and sane."""

import json
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.model import FileState
from lib.readers import claude_code
from lib.readers.claude_code_state import State
from tests.readers.claude_records import (
    Json,
    answer,
    conversation,
    lines,
    merged,
    prompt,
    read_in_steps,
    result,
    session_path,
    text,
    tool,
    usage,
)

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["2026-11-22T15:00:00Z", "-1", "99999999999999999999", "\ud800", "a" * 3000]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


def typical() -> list[Json]:
    """A session with everything that a record can say, each kind once or twice."""
    split = {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4}
    full = usage(
        9,
        cache_creation_input_tokens=7,
        cache_creation=split,
        server_tool_use={"web_search_requests": 1},
        output_tokens_details={"thinking_tokens": 2},
        iterations=[{"type": "advisor_message", "model": "claude-x", "input_tokens": 1}],
    )
    error = {"status": 429, "formatted": "429 slow", "rateLimits": {"resetsAt": 1_795_400_000}}
    nested = {"timestamp": None, "message": {"id": "m9", "model": "x", "usage": usage(3)}}
    return [
        {"type": "custom-title", "customTitle": "title"},
        {"type": "mode", "mode": "normal"},
        prompt("go on", 0),
        answer("m1", text("So."), second=1, stop="tool_use", tokens=usage(4)),
        answer("m1", tool("t1", "Bash", command="x"), second=2, stop="tool_use", tokens=full),
        answer("m1", tool("t2", "TaskCreate", subject="x"), second=2, stop="tool_use", tokens=full),
        result("t1", 3, "x" * 3000, toolUseResult={"stdout": "y" * 3000}),
        result("t2", 4, toolUseResult={"task": {"id": "1"}}),
        conversation("attachment", 4) | {"attachment": {"type": "x", "text": "z" * 400}},
        conversation("progress", 4, data={"type": "agent_progress", "message": nested}),
        conversation("system", 5, subtype="api_error", error=error, retryAttempt=1, maxRetries=2),
        answer("m2", tool("t3", "TodoWrite", todos=[{"status": "completed"}]), stop="tool_use"),
        answer("m3", text("Copy."), second=6, requestSessionId="other"),
        conversation("system", 7, subtype="compact_boundary", compactMetadata={"postTokens": 5}),
        prompt("again", 8),
        answer("m4", text("Failed."), second=9, model="<synthetic>", isApiErrorMessage=True),
        conversation("system", 9, subtype="turn_duration", pendingBackgroundAgentCount=0),
        {"type": "cost-state", "totalCostUSD": 1},
    ]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path to every value inside `value`."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found: list[tuple[Any, ...]] = []
    for key, item in inner:
        found.append((*path, key))
        if isinstance(item, dict | list):
            found += places(item, (*path, key))
    return found


PLACES = places(typical())


def replaced(changes: dict[tuple[Any, ...], Any]) -> list[Json]:
    records = typical()
    for path, value in changes.items():
        target: Any = records
        for key in path[:-1]:
            target = target[key] if _has(target, key) else None
        if _has(target, path[-1]):
            target[path[-1]] = value
    return records


def _has(target: Any, key: Any) -> bool:
    if isinstance(target, dict):
        return key in target
    return isinstance(target, list) and isinstance(key, int) and key < len(target)


def dumped(records: list[Any], *, compact: bool) -> bytes:
    separators = (",", ":") if compact else None
    return b"".join(json.dumps(one, separators=separators).encode() + b"\n" for one in records)


def kept(state: FileState) -> State:
    return msgspec.msgpack.decode(state.reader_state, type=State)


changed_records = st.dictionaries(st.sampled_from(PLACES), anything, max_size=4).map(replaced)


@given(changed_records, st.booleans())
@settings(max_examples=300)
def test_any_value_in_any_field_is_borne_and_yields_sane_facts(
    records: list[Any], compact: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = session_path(Path(folder))
        path.write_bytes(dumped(records, compact=compact))
        facts = claude_code.read(path, None)
    for request in facts.requests:
        counts = [
            request.input_tokens,
            request.output_tokens,
            request.cache_read_tokens,
            request.cache_write_5m_tokens,
            request.cache_write_1h_tokens,
            request.web_search_requests,
        ]
        assert all(type(count) is int and count >= 0 for count in counts)
        assert 0 <= request.reasoning_tokens <= request.output_tokens
    # Every fact can be stored: text without lone surrogates, whole numbers of 64 bits.
    assert msgspec.json.decode(msgspec.json.encode(facts))
    assert facts.state.records + sum(facts.state.skipped.values()) == facts.state.line


@given(st.binary(max_size=300))
def test_any_bytes_are_borne(noise: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = session_path(Path(folder))
        path.write_bytes(lines([prompt("go")]) + noise + b"\n" + lines([answer("m1", second=1)]))
        facts = claude_code.read(path, None)
    assert "claude-code:m1" in {one.key for one in facts.requests}


@given(changed_records, st.lists(st.floats(0, 1), max_size=6), st.booleans())
@settings(max_examples=300)
def test_reading_in_any_pieces_gives_the_facts_of_reading_at_once(
    records: list[Any], cuts: list[float], compact: bool
) -> None:
    content = dumped(records, compact=compact)
    with tempfile.TemporaryDirectory() as folder:
        path = session_path(Path(folder))
        path.write_bytes(content)
        whole = claude_code.read(path, None)
        # The rewritten file must keep its inode, as an appended one does.
        path.write_bytes(b"")
        steps = read_in_steps(path, content, [int(cut * len(content)) for cut in cuts])
    assert steps[-1].session == whole.session
    pieces = merged(request for step in steps for request in step.requests)
    assert pieces == merged(whole.requests)
    state = steps[-1].state
    assert kept(state) == kept(whole.state)
    assert (state.records, state.usage_records, state.repeated_records) == (
        whole.state.records,
        whole.state.usage_records,
        whole.state.repeated_records,
    )
    assert state.skipped == whole.state.skipped
