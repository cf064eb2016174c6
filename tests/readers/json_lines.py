"""Files of JSON lines as small trees of records, and ways to read them in pieces."""

import json
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
from hypothesis import strategies as st

from lib.model import FileFacts, FileState, Request, Session

Json = dict[str, Any]
Place = tuple[str | int, ...]

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["-5", "12", "1e9", "\ud800", "\x00", "2026-03-01T12:00:00Z"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


def moment(second: float) -> str:
    """ISO time so many seconds after noon of a day."""
    return f"2026-03-01T12:{int(second) // 60:02}:{second % 60:06.3f}Z"


def moment_ms(second: float) -> int:
    """The same in milliseconds since the epoch."""
    return 1_772_366_400_000 + round(second * 1000)


def lines_of(records: Iterable[Json | bytes]) -> bytes:
    """Records as an agent writes them; bytes are lines of their own."""
    texts = (
        record if isinstance(record, bytes) else json.dumps(record, separators=(",", ":")).encode()
        for record in records
    )
    return b"".join(text + b"\n" for text in texts)


def write(path: Path, records: Iterable[Json | bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lines_of(records))
    return path


def told(facts: FileFacts) -> Session:
    """The session of `facts`, which must be there."""
    assert facts.session is not None
    return facts.session


def tokens(request: Request) -> tuple[int, int, int, int, int]:
    """Input, output, cache read, cache write, reasoning."""
    return (
        request.input_tokens,
        request.output_tokens,
        request.cache_read_tokens,
        request.cache_write_5m_tokens + request.cache_write_1h_tokens,
        request.reasoning_tokens,
    )


def owned(reader: ModuleType, *paths: Path) -> dict[str, Request]:
    """Calls of several files, each once, with the owner that the smallest rank gives it."""
    calls: dict[str, Request] = {}
    for path in paths:
        for request in reader.read(path, None).requests:
            known = calls.get(request.key)
            if known is None or request.owner_rank < known.owner_rank:
                calls[request.key] = request
    return calls


def in_pieces(
    reader: ModuleType, path: Path, whole: bytes, cuts: Iterable[int]
) -> tuple[FileFacts, dict[str, Session], dict[str, Request]]:
    """The file read as it grows: the last facts, every session and request as last told."""
    state: FileState | None = None
    sessions: dict[str, Session] = {}
    requests: dict[str, Request] = {}
    facts = None
    for cut in [*sorted(cuts), len(whole)]:
        path.write_bytes(whole[:cut])
        facts = reader.read(path, state)
        # As the store keeps it.
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(facts.state), type=FileState)
        for session in (facts.session, *facts.more_sessions):
            if session is not None:
                sessions[session.key] = session
        requests |= {request.key: request for request in facts.requests}
    assert facts is not None
    return facts, sessions, requests


def places(value: object, place: Place = ()) -> list[Place]:
    """The place of everything in a JSON value, itself included."""
    found: list[Place] = [place]
    if isinstance(value, dict):
        for name, inner in value.items():
            found += places(inner, (*place, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found += places(inner, (*place, index))
    return found


def replaced(value: Any, place: Place, new: object) -> Any:
    """`value` with `new` at a place of it; unchanged where there is no such place any more."""
    if not place:
        return new
    try:
        inner = replaced(value[place[0]], place[1:], new)
        copy = value.copy()
        copy[place[0]] = inner
    except (KeyError, IndexError, TypeError, AttributeError):
        return value
    return copy
