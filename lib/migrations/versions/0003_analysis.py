"""Tool calls and what else is made of transcripts, budgets, plans, failure notes, attribution."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
identity = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables and columns. Stored facts stay as they are."""
    op.add_column("request", sa.Column("attribution", words))
    op.add_column("request", sa.Column("provider_total", sa.BigInteger()))
    op.create_table(
        "tool_call",
        sa.Column("key", words, primary_key=True),
        sa.Column("session_key", words, primary_key=True),
        sa.Column("owner_rank", words, nullable=False),
        sa.Column("at", sa.BigInteger()),
        sa.Column("tool", words, nullable=False),
        sa.Column("mcp_server", words),
        sa.Column("model", words),
        sa.Column("outcome", words, nullable=False),
        sa.Column("exit_status", sa.BigInteger()),
        sa.Column("input_hash", words),
        sa.Column("result_characters", sa.BigInteger()),
        sa.Column("duration_ms", sa.BigInteger()),
        sa.Column("is_copy", sa.Boolean(), nullable=False),
    )
    op.create_index("tool_call_session_key", "tool_call", ["session_key"])
    op.create_index(
        "tool_call_figures",
        "tool_call",
        [
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
        ],
    )
    op.create_table(
        "analysis",
        sa.Column("session_key", words, primary_key=True),
        sa.Column("mark", words, nullable=False),
        sa.Column("analysed_at", sa.BigInteger(), nullable=False),
        sa.Column("problem", words),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("repeated_tool", words),
        sa.Column("repeats", sa.BigInteger(), nullable=False),
        sa.Column("most_repeated_tool", words),
        sa.Column("most_repeats", sa.BigInteger(), nullable=False),
        sa.Column("error_streak", sa.BigInteger(), nullable=False),
        sa.Column("progress_at", sa.BigInteger()),
        sa.Column("api_retries", sa.BigInteger(), nullable=False),
        sa.Column("api_retry_ms", sa.BigInteger(), nullable=False),
        sa.Column("rate_limits", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
    )
    op.create_index("analysis_version", "analysis", ["version"])
    op.create_table(
        "budget",
        sa.Column("id", words, primary_key=True),
        sa.Column("name", words, nullable=False),
        sa.Column("amount_usd", sa.Double(), nullable=False),
        sa.Column("period", words, nullable=False),
        sa.Column("dimension", words),
        sa.Column("value", words),
        sa.Column("time_zone", words, nullable=False),
        sa.Column("by", words, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "budget_event",
        sa.Column("id", identity, primary_key=True),
        sa.Column("budget_id", words, nullable=False),
        sa.Column("period_start", sa.BigInteger(), nullable=False),
        sa.Column("kind", words, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("spent_usd", sa.Double(), nullable=False),
        sa.Column("amount_usd", sa.Double(), nullable=False),
        sa.UniqueConstraint("budget_id", "period_start", "kind", name="budget_event_once"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "plan",
        sa.Column("id", words, primary_key=True),
        sa.Column("agent", words, nullable=False),
        sa.Column("name", words, nullable=False),
        sa.Column("price_usd", sa.Double(), nullable=False),
        sa.Column("since", words, nullable=False),
        sa.Column("until", words),
        sa.Column("by", words, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "failure_note",
        sa.Column("id", identity, primary_key=True),
        sa.Column("signature", words, nullable=False),
        sa.Column("kind", words, nullable=False),
        sa.Column("text", words),
        sa.Column("by", words, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("failure_note_signature", "failure_note", ["signature"])
