"""The store's tables. A row is a struct of the models; what a migration added stands at the end.

Times are milliseconds since the epoch, UTC. `version` is the store's version in which a row
last changed. A new database gets these tables at once, an older one by `lib.migrations`, and a
first scan makes them by what `python -m lib.fresh_store_statements` kept; tests hold them together.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
)

from lib.model import ServerProject, ServerRunner, Skip
from lib.store_types import Json, Whole, Words

SCHEMA = "0003"
"""The newest migration. Four digits, so that a later one compares greater."""

VERSION_TABLE = "quarterdeck_schema"
"""Where alembic keeps which migrations a database has seen."""

metadata = MetaData()

_IDENTITY = BigInteger().with_variant(Integer(), "sqlite")

store_state = Table(
    "store_state",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", BigInteger, nullable=False),
    # The version in which rows were last deleted: readers that add up changes start anew.
    Column("removed_version", BigInteger, nullable=False),
)

file = Table(
    "file",
    metadata,
    Column("path", Words, primary_key=True),
    Column("agent", Words, nullable=False),
    Column("machine", Words, primary_key=True),
    Column("session_key", Words),
    # Text: file systems hand out 64 and 128 bits without a sign, databases take 63.
    Column("device", Whole, nullable=False),
    Column("inode", Whole, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("line", BigInteger, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("discarding", Boolean, nullable=False),
    Column("reader_version", Integer, nullable=False),
    Column("reader_state", LargeBinary, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("usage_records", BigInteger, nullable=False),
    Column("repeated_records", BigInteger, nullable=False),
    Column("skipped", Json(dict[str, int]), nullable=False),
    Column("skips", Json(list[Skip]), nullable=False),
    Column("error", Words),
    Column("gone", Boolean, nullable=False),
    Column("unknown", Json(dict[str, int]), nullable=False, server_default="{}"),
)

session = Table(
    "session",
    metadata,
    Column("key", Words, primary_key=True),
    Column("agent", Words, nullable=False),
    Column("session_id", Words, nullable=False),
    Column("parent_key", Words),
    Column("forked_from", Words),
    Column("machine", Words, nullable=False),
    Column("source_path", Words, nullable=False),
    Column("project_path", Words),
    Column("branch", Words),
    Column("title", Words),
    Column("first_prompt", Words),
    Column("last_message", Words),
    Column("model", Words),
    Column("agent_version", Words),
    Column("entrypoint", Words),
    Column("started_at", BigInteger),
    Column("last_activity_at", BigInteger),
    Column("turn", Words, nullable=False),
    Column("turn_detail", Words),
    Column("turn_started_at", BigInteger),
    Column("ended_cleanly", Boolean, nullable=False),
    Column("error_class", Words),
    Column("error_message", Words),
    Column("resets_at", BigInteger),
    Column("turns", BigInteger, nullable=False),
    Column("turn_requests", BigInteger, nullable=False),
    Column("todo_done", BigInteger, nullable=False),
    Column("todo_total", BigInteger, nullable=False),
    Column("context_tokens", BigInteger),
    Column("context_window", BigInteger),
    Column("registered", Boolean, nullable=False),
    Column("flags", Json(list[str]), nullable=False),
    # Also moves when the session's requests, evidence or dismissal change.
    Column("version", BigInteger, nullable=False),
    Column("specs", Json(list[str]), nullable=False, server_default="[]"),
    Column("server", Words),
    Column("runner", Words),
    Column("mode", Words),
    Column("protocol", Words),
    Column("exit_code", BigInteger),
    Column("retry_of", Words),
    Column("reported_tokens", BigInteger),
    Column("reported_cost_usd", Double),
    Index("session_version", "version"),
)

request = Table(
    "request",
    metadata,
    Column("key", Words, primary_key=True),
    Column("session_key", Words, nullable=False),
    # Without the session's key at its end, see `lib.store_merge`.
    Column("owner_rank", Words, nullable=False),
    Column("at", BigInteger),
    Column("model", Words),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cache_read_tokens", BigInteger, nullable=False),
    Column("cache_write_5m_tokens", BigInteger, nullable=False),
    Column("cache_write_1h_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    Column("web_search_requests", BigInteger, nullable=False),
    Column("service_tier", Words),
    Column("speed", Words),
    Column("region", Words),
    # Whose copy everything else was taken from; null where it is the owner's.
    Column("content_rank", Words),
    Column("content_session_key", Words),
    # The owner before `version`; its totals changed too.
    Column("previous_session_key", Words),
    Column("version", BigInteger, nullable=False),
    Column("reported_cost_usd", Double),
    Column("attribution", Words),
    Column("provider_total", BigInteger),
    Index("request_session_key", "session_key"),
    Index("request_version", "version"),
)

evidence = Table(
    "evidence",
    metadata,
    Column("session_key", Words, primary_key=True),
    Column("source", Words, primary_key=True),
    Column("agent", Words, nullable=False),
    Column("session_id", Words, nullable=False),
    Column("machine", Words, primary_key=True),
    Column("observed_at", BigInteger, nullable=False),
    Column("process", Words, nullable=False),
    Column("turn", Words),
    Column("detail", Words),
    Column("since", BigInteger),
    Column("pid", BigInteger),
    Column("process_started", Words),
    Column("turn_limit", BigInteger),
    Column("project_path", Words),
    Column("title", Words),
    Column("started_at", BigInteger),
    Column("version", BigInteger, nullable=False),
    Index("evidence_version", "version"),
)

event = Table(
    "event",
    metadata,
    Column("id", _IDENTITY, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("session_key", Words, nullable=False),
    Column("kind", Words, nullable=False),
    Column("detail", Words),
    Index("event_session_key", "session_key"),
    # An id is never given twice, also when the newest rows were removed.
    sqlite_autoincrement=True,
)

dismissal = Table(
    "dismissal",
    metadata,
    Column("session_key", Words, primary_key=True),
    Column("at", BigInteger, nullable=False),
)

daemon = Table(
    "daemon",
    metadata,
    Column("machine", Words, primary_key=True),
    Column("pid", BigInteger, nullable=False),
    Column("process_started", Words),
    Column("started_at", BigInteger, nullable=False),
    Column("beat_at", BigInteger, nullable=False),
    Column("phase", Words, nullable=False),
    Column("files_done", BigInteger, nullable=False),
    Column("files_total", BigInteger, nullable=False),
    Column("bytes_done", BigInteger, nullable=False),
    Column("bytes_total", BigInteger, nullable=False),
    Column("last_error", Words),
    Column("software_version", Words),
)

source = Table(
    "source",
    metadata,
    Column("machine", Words, primary_key=True),
    Column("agent", Words, primary_key=True),
    Column("root", Words, primary_key=True),
    Column("state", Words, nullable=False),
    Column("files", BigInteger, nullable=False),
    Column("error", Words),
    Column("checked_at", BigInteger, nullable=False),
)

server = Table(
    "server",
    metadata,
    Column("machine", Words, primary_key=True),
    Column("url", Words, primary_key=True),
    Column("name", Words, nullable=False),
    Column("state", Words, nullable=False),
    Column("error", Words),
    Column("version", Words),
    Column("projects", Json(list[ServerProject]), nullable=False),
    Column("runners", Json(list[ServerRunner]), nullable=False),
    Column("default_runner", Words),
    Column("sessions", BigInteger, nullable=False),
    Column("checked_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger),
    Column("retry_at", BigInteger),
)

action = Table(
    "action",
    metadata,
    Column("id", Words, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("kind", Words, nullable=False),
    Column("by", Words, nullable=False),
    Column("machine", Words, nullable=False),
    Column("session_key", Words),
    Column("target", Words, nullable=False),
    Column("arguments", Json(dict[str, str | list[str] | None]), nullable=False),
    Column("state", Words, nullable=False),
    Column("outcome", Words),
    Column("result_key", Words),
    Column("updated_at", BigInteger, nullable=False),
    Index("action_state", "machine", "state"),
    Index("action_at", "at"),
)

tool_call = Table(
    "tool_call",
    metadata,
    Column("key", Words, primary_key=True),
    Column("session_key", Words, primary_key=True),
    # Without the session's key at its end, like a request's.
    Column("owner_rank", Words, nullable=False),
    Column("at", BigInteger),
    Column("tool", Words, nullable=False),
    Column("mcp_server", Words),
    Column("model", Words),
    Column("outcome", Words, nullable=False),
    Column("exit_status", BigInteger),
    Column("input_hash", Words),
    Column("result_characters", BigInteger),
    Column("duration_ms", BigInteger),
    # Another session's copy counts in place of this one. Every session's claim is kept, so that
    # it never matters which of them is read first, or again.
    Column("is_copy", Boolean, nullable=False),
    Index("tool_call_session_key", "session_key"),
    # All that figures need, so that they are made without reading the rows themselves.
    Index(
        "tool_call_figures",
        "tool",
        "mcp_server",
        "duration_ms",
        "is_copy",
        "at",
        "model",
        "outcome",
        "exit_status",
        "result_characters",
        "session_key",
    ),
)

analysis = Table(
    "analysis",
    metadata,
    Column("session_key", Words, primary_key=True),
    Column("mark", Words, nullable=False),
    Column("analysed_at", BigInteger, nullable=False),
    Column("problem", Words),
    Column("complete", Boolean, nullable=False),
    Column("repeated_tool", Words),
    Column("repeats", BigInteger, nullable=False),
    Column("most_repeated_tool", Words),
    Column("most_repeats", BigInteger, nullable=False),
    Column("error_streak", BigInteger, nullable=False),
    Column("progress_at", BigInteger),
    Column("api_retries", BigInteger, nullable=False),
    Column("api_retry_ms", BigInteger, nullable=False),
    Column("rate_limits", BigInteger, nullable=False),
    # The store's version at the time; its highest moves with every change of tool calls.
    Column("version", BigInteger, nullable=False),
    Index("analysis_version", "version"),
)

budget = Table(
    "budget",
    metadata,
    Column("id", Words, primary_key=True),
    Column("name", Words, nullable=False),
    Column("amount_usd", Double, nullable=False),
    Column("period", Words, nullable=False),
    Column("dimension", Words),
    Column("value", Words),
    Column("time_zone", Words, nullable=False),
    Column("by", Words, nullable=False),
    Column("at", BigInteger, nullable=False),
)

budget_event = Table(
    "budget_event",
    metadata,
    Column("id", _IDENTITY, primary_key=True),
    Column("budget_id", Words, nullable=False),
    Column("period_start", BigInteger, nullable=False),
    Column("kind", Words, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("spent_usd", Double, nullable=False),
    Column("amount_usd", Double, nullable=False),
    UniqueConstraint("budget_id", "period_start", "kind", name="budget_event_once"),
    sqlite_autoincrement=True,
)

plan = Table(
    "plan",
    metadata,
    Column("id", Words, primary_key=True),
    Column("agent", Words, nullable=False),
    Column("name", Words, nullable=False),
    Column("price_usd", Double, nullable=False),
    Column("since", Words, nullable=False),
    Column("until", Words),
    Column("by", Words, nullable=False),
    Column("at", BigInteger, nullable=False),
)

failure_note = Table(
    "failure_note",
    metadata,
    Column("id", _IDENTITY, primary_key=True),
    Column("signature", Words, nullable=False),
    Column("kind", Words, nullable=False),
    Column("text", Words),
    Column("by", Words, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("failure_note_signature", "signature"),
    sqlite_autoincrement=True,
)

schema_version = Table(
    VERSION_TABLE,
    # Apart: alembic does not count its own table among those that it compares.
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
)
"""As alembic makes it."""
