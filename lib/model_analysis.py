"""What a transcript tells beside its session and its model calls: tool calls and health."""

from typing import Literal

import msgspec

ToolOutcome = Literal["ok", "failed", "denied", "unknown", "pending"]
"""`denied`: somebody or a rule said no. `unknown`: the record does not tell. `pending`: there is
no result (yet)."""


class ToolCall(msgspec.Struct, kw_only=True):
    """One call of a tool by a model, as the transcript tells it."""

    key: str
    """The same for every copy of the call, in whatever file."""
    session_key: str
    owner_rank: str
    """As a request's: of the copies with a result, the one with the smallest rank counts."""
    at: int | None
    tool: str
    mcp_server: str | None = None
    model: str | None = None
    """The model that made the call; the session's, where the record tells none."""
    outcome: ToolOutcome = "unknown"
    exit_status: int | None = None
    input_hash: str | None = None
    """Of tool and arguments: the same for the same call made again."""
    result_characters: int | None = None
    """Length of the result that went into the context; None where there is none (yet)."""
    duration_ms: int | None = None
    """From the call to its result, with what was waited for a permission."""


class Analysis(msgspec.Struct, kw_only=True):
    """What one reading of a session's transcript came to, beside its tool calls."""

    session_key: str
    mark: str
    """Moves when the transcript does, and when the meaning of these facts changes."""
    analysed_at: int
    problem: str | None = None
    """Why the transcript can't be read, in a sentence for people."""
    complete: bool = True
    """Nothing before what was read is left out."""
    repeated_tool: str | None = None
    repeats: int = 0
    """How often the newest tool call was made in a row with the same arguments since the last
    prompt; 1: once."""
    most_repeated_tool: str | None = None
    most_repeats: int = 0
    """The most that `repeats` ever was."""
    error_streak: int = 0
    """Tool calls and model calls that failed since the last one that did not."""
    progress_at: int | None = None
    """When something new came of its work: a prompt, an answer, or a tool call unlike the one
    before and its result."""
    api_retries: int = 0
    """Model calls that the agent tried again."""
    api_retry_ms: int = 0
    """What the tries that failed cost in time, as far as the records tell."""
    rate_limits: int = 0
    """Model calls that were refused because of a limit."""
