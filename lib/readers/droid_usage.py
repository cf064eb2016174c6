"""What a Droid session used: `<id>.settings.json`, one total that grows with the session.

`tokenUsage` is the session's own; subagents are sessions with files of their own, so that
`inclusiveTokenUsage` must not be added. Cached tokens are apart from `inputTokens`, thinking
is apart from `outputTokens`.
"""

from pathlib import Path
from typing import Any

from lib.model import FileFacts, FileState, Request, Skip, owner_rank
from lib.readers import drift, vocabulary
from lib.readers.documents import read_document
from lib.readers.values import (
    Unreadable,
    as_object,
    as_time,
    as_tokens,
    as_word,
    path_name,
)

SUFFIX = ".settings.json"

_AGENT = "droid"


def read(path: Path, previous: FileState | None, version: int) -> FileFacts:
    """The session's total, as one request.

    Raises OSError when the file can't be opened or read; never for what is in it.
    """
    session_id = path_name(path.name.removesuffix(SUFFIX))
    state, content = read_document(path, previous, _AGENT, version)
    state.session_key = f"{_AGENT}:{session_id}"
    if content is None:
        return FileFacts(state, None, [])
    state.records = 1
    usage = as_object(content.get("tokenUsage"))
    drift.note_fields(state, "token usage", usage, vocabulary.DROID_TOKENS)
    try:
        request = _total(session_id, content, state.mtime_ns // 1_000_000)
    except Unreadable as reason:
        state.skipped, state.skips = {str(reason): 1}, [Skip(1, str(reason))]
        return FileFacts(state, None, [])
    state.usage_records = int(request is not None)
    return FileFacts(state, None, [] if request is None else [request])


def _total(session_id: str, settings: dict[str, Any], written_at: int) -> Request | None:
    """The session's tokens, None where there are none yet.

    Raises Unreadable when a count is impossible.
    """
    usage = as_object(settings.get("tokenUsage"))
    names = ("inputTokens", "outputTokens", "cacheReadTokens", "cacheCreationTokens")
    given, output, read, written = (as_tokens(usage.get(name)) for name in names)
    thinking = as_tokens(usage.get("thinkingTokens"))
    if not (given or output or read or written or thinking):
        return None
    key = f"{_AGENT}:{session_id}"
    at = as_time(settings.get("providerLockTimestamp")) or as_time(written_at)
    return Request(
        key=key,
        session_key=key,
        owner_rank=owner_rank(0, at, key),
        at=at,
        model=as_word(settings.get("model")),
        input_tokens=given,
        output_tokens=output + thinking,
        cache_read_tokens=read,
        cache_write_5m_tokens=written,
        reasoning_tokens=thinking,
    )
