"""Small sessions as Gemini CLI and Qwen Code write them, and ways to read them."""

import json
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from hypothesis import strategies as st

from lib.model import FileFacts, Request, Session
from lib.readers.genai import keep_fuller

SESSION = "8e3977e5-13f4-4e6e-a628-2984638283a8"
OTHER = "0c4f1dc5-7230-4944-ae70-7c868def67cd"
MODEL = "gemini-3.1-pro-preview"
ALPHA = "/home/dev/alpha"

Json = dict[str, Any]
Place = tuple[str | int, ...]

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["-5", "12", "1e9", "\ud800", "\x00", "2026-03-01T12:00:00Z", SESSION]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


def moment(second: int) -> str:
    return f"2026-03-01T12:{second // 60:02}:{second % 60:02}.000Z"


def uuid(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


def lines_of(records: Iterable[Json | bytes]) -> bytes:
    texts = (
        record
        if isinstance(record, bytes)
        else json.dumps(record, separators=(",", ":"), ensure_ascii=True).encode()
        for record in records
    )
    return b"".join(text + b"\n" for text in texts)


def told(facts: FileFacts) -> Session:
    """The session of `facts`, which must be there."""
    assert facts.session is not None
    return facts.session


def tokens(facts: FileFacts) -> list[tuple[int, int, int, int]]:
    return [
        (call.input_tokens, call.output_tokens, call.cache_read_tokens, call.reasoning_tokens)
        for call in facts.requests
    ]


def owned(reader: ModuleType, *paths: Path) -> dict[str, Request]:
    """Calls of several files, each once, with the owner that the smallest rank gives it."""
    calls: dict[str, Request] = {}
    for path in paths:
        for request in reader.read(path, None).requests:
            known = calls.get(request.key)
            if known is None or request.owner_rank < known.owner_rank:
                calls[request.key] = request
    return calls


def read_in_pieces(
    reader: ModuleType, path: Path, whole: bytes, cuts: Iterable[int]
) -> tuple[FileFacts, dict[str, Request]]:
    """What reading comes to when the file grows to each of `cuts` in turn, restarted in between.

    Calls are merged as the store merges them.
    """
    requests: dict[str, Request] = {}
    path.write_bytes(b"")
    facts: FileFacts = reader.read(path, None)
    for cut in [*sorted(cuts), len(whole)]:
        with path.open("r+b") as file:
            file.write(whole[:cut])
        facts = reader.read(path, facts.state)
        for request in facts.requests:
            keep_fuller(requests, request)
    return facts, requests


def places(value: object, place: Place = ()) -> list[Place]:
    """The place of everything in a JSON value, itself included."""
    found = [place]
    if isinstance(value, dict):
        for name, inner in value.items():
            found += places(inner, (*place, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found += places(inner, (*place, index))
    return found


def changed(records: list[Json], changes: list[tuple[Place, object]]) -> list[Json]:
    """`records` with other values at some places, as far as those still are there."""
    for place, new in changes:
        try:
            records = _replaced(records, place, new)
        except (KeyError, IndexError, TypeError, AttributeError):
            continue
    return records


def _replaced(value: Any, place: Place, new: object) -> Any:
    if not place:
        return new
    copy = value.copy()
    copy[place[0]] = _replaced(value[place[0]], place[1:], new)
    return copy


def assert_plausible(facts: FileFacts) -> None:
    """No figure is negative, and every text can be stored."""
    for call in facts.requests:
        counts = (call.input_tokens, call.output_tokens, call.cache_read_tokens)
        assert min(*counts, call.reasoning_tokens) >= 0
        assert call.reasoning_tokens <= call.output_tokens
        assert f"{call.key}{call.session_key}{call.owner_rank}{call.model}".encode()
    if facts.session is not None:
        session = facts.session
        assert f"{session.key}{session.title}{session.error_message}{session.turn_detail}".encode()
        assert session.todo_total >= session.todo_done >= 0
