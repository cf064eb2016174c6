"""The first tables: files, sessions, requests, evidence, events, dismissals, daemons, sources."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

identity = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables, and the row that holds the store's version."""
    op.create_table(
        "daemon",
        sa.Column("machine", words, primary_key=True),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("process_started", words),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("beat_at", sa.BigInteger(), nullable=False),
        sa.Column("phase", words, nullable=False),
        sa.Column("files_done", sa.BigInteger(), nullable=False),
        sa.Column("files_total", sa.BigInteger(), nullable=False),
        sa.Column("bytes_done", sa.BigInteger(), nullable=False),
        sa.Column("bytes_total", sa.BigInteger(), nullable=False),
        sa.Column("last_error", words),
        sa.Column("software_version", words),
    )
    op.create_table(
        "dismissal",
        sa.Column("session_key", words, primary_key=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "event",
        sa.Column("id", identity, primary_key=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("session_key", words, nullable=False),
        sa.Column("kind", words, nullable=False),
        sa.Column("detail", words),
        # An id is never given twice, also when the newest rows were removed.
        sqlite_autoincrement=True,
    )
    op.create_index("event_session_key", "event", ["session_key"])
    op.create_table(
        "evidence",
        sa.Column("session_key", words, primary_key=True),
        sa.Column("source", words, primary_key=True),
        sa.Column("agent", words, nullable=False),
        sa.Column("session_id", words, nullable=False),
        sa.Column("machine", words, primary_key=True),
        sa.Column("observed_at", sa.BigInteger(), nullable=False),
        sa.Column("process", words, nullable=False),
        sa.Column("turn", words),
        sa.Column("detail", words),
        sa.Column("since", sa.BigInteger()),
        sa.Column("pid", sa.BigInteger()),
        sa.Column("process_started", words),
        sa.Column("turn_limit", sa.BigInteger()),
        sa.Column("project_path", words),
        sa.Column("title", words),
        sa.Column("started_at", sa.BigInteger()),
        sa.Column("version", sa.BigInteger(), nullable=False),
    )
    op.create_index("evidence_version", "evidence", ["version"])
    op.create_table(
        "file",
        sa.Column("path", words, primary_key=True),
        sa.Column("agent", words, nullable=False),
        sa.Column("machine", words, primary_key=True),
        sa.Column("session_key", words),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("inode", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("discarding", sa.Boolean(), nullable=False),
        sa.Column("reader_version", sa.Integer(), nullable=False),
        sa.Column("reader_state", sa.LargeBinary(), nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.Column("usage_records", sa.BigInteger(), nullable=False),
        sa.Column("repeated_records", sa.BigInteger(), nullable=False),
        sa.Column("skipped", sa.Text(), nullable=False),
        sa.Column("skips", sa.Text(), nullable=False),
        sa.Column("error", words),
        sa.Column("gone", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "request",
        sa.Column("key", words, primary_key=True),
        sa.Column("session_key", words, nullable=False),
        sa.Column("owner_rank", words, nullable=False),
        sa.Column("at", sa.BigInteger()),
        sa.Column("model", words),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_read_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_5m_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_1h_tokens", sa.BigInteger(), nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger(), nullable=False),
        sa.Column("web_search_requests", sa.BigInteger(), nullable=False),
        sa.Column("service_tier", words),
        sa.Column("speed", words),
        sa.Column("region", words),
        sa.Column("content_rank", words),
        sa.Column("content_session_key", words),
        sa.Column("previous_session_key", words),
        sa.Column("version", sa.BigInteger(), nullable=False),
    )
    op.create_index("request_session_key", "request", ["session_key"])
    op.create_index("request_version", "request", ["version"])
    op.create_table(
        "session",
        sa.Column("key", words, primary_key=True),
        sa.Column("agent", words, nullable=False),
        sa.Column("session_id", words, nullable=False),
        sa.Column("parent_key", words),
        sa.Column("forked_from", words),
        sa.Column("machine", words, nullable=False),
        sa.Column("source_path", words, nullable=False),
        sa.Column("project_path", words),
        sa.Column("branch", words),
        sa.Column("title", words),
        sa.Column("first_prompt", words),
        sa.Column("last_message", words),
        sa.Column("model", words),
        sa.Column("agent_version", words),
        sa.Column("entrypoint", words),
        sa.Column("started_at", sa.BigInteger()),
        sa.Column("last_activity_at", sa.BigInteger()),
        sa.Column("turn", words, nullable=False),
        sa.Column("turn_detail", words),
        sa.Column("turn_started_at", sa.BigInteger()),
        sa.Column("ended_cleanly", sa.Boolean(), nullable=False),
        sa.Column("error_class", words),
        sa.Column("error_message", words),
        sa.Column("resets_at", sa.BigInteger()),
        sa.Column("turns", sa.BigInteger(), nullable=False),
        sa.Column("turn_requests", sa.BigInteger(), nullable=False),
        sa.Column("todo_done", sa.BigInteger(), nullable=False),
        sa.Column("todo_total", sa.BigInteger(), nullable=False),
        sa.Column("context_tokens", sa.BigInteger()),
        sa.Column("context_window", sa.BigInteger()),
        sa.Column("registered", sa.Boolean(), nullable=False),
        sa.Column("flags", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
    )
    op.create_index("session_version", "session", ["version"])
    op.create_table(
        "source",
        sa.Column("machine", words, primary_key=True),
        sa.Column("agent", words, primary_key=True),
        sa.Column("root", words, primary_key=True),
        sa.Column("state", words, nullable=False),
        sa.Column("files", sa.BigInteger(), nullable=False),
        sa.Column("error", words),
        sa.Column("checked_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "store_state",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("removed_version", sa.BigInteger(), nullable=False),
    )
    op.execute("INSERT INTO store_state (id, version, removed_version) VALUES (1, 0, 0)")
