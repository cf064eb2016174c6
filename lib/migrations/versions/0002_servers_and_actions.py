"""LeanSpec servers and actions; specs, reported costs and what readers did not know."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the tables and columns. Stored facts stay as they are."""
    op.add_column("file", sa.Column("unknown", sa.Text(), nullable=False, server_default="{}"))
    op.add_column("session", sa.Column("specs", sa.Text(), nullable=False, server_default="[]"))
    for name in ("server", "runner", "mode", "protocol"):
        op.add_column("session", sa.Column(name, words))
    op.add_column("session", sa.Column("exit_code", sa.BigInteger()))
    op.add_column("session", sa.Column("retry_of", words))
    op.add_column("session", sa.Column("reported_tokens", sa.BigInteger()))
    op.add_column("session", sa.Column("reported_cost_usd", sa.Double()))
    op.add_column("request", sa.Column("reported_cost_usd", sa.Double()))
    op.create_table(
        "server",
        sa.Column("machine", words, primary_key=True),
        sa.Column("url", words, primary_key=True),
        sa.Column("name", words, nullable=False),
        sa.Column("state", words, nullable=False),
        sa.Column("error", words),
        sa.Column("version", words),
        sa.Column("projects", sa.Text(), nullable=False),
        sa.Column("runners", sa.Text(), nullable=False),
        sa.Column("default_runner", words),
        sa.Column("sessions", sa.BigInteger(), nullable=False),
        sa.Column("checked_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger()),
        sa.Column("retry_at", sa.BigInteger()),
    )
    op.create_table(
        "action",
        sa.Column("id", words, primary_key=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", words, nullable=False),
        sa.Column("by", words, nullable=False),
        sa.Column("machine", words, nullable=False),
        sa.Column("session_key", words),
        sa.Column("target", words, nullable=False),
        sa.Column("arguments", sa.Text(), nullable=False),
        sa.Column("state", words, nullable=False),
        sa.Column("outcome", words),
        sa.Column("result_key", words),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("action_state", "action", ["machine", "state"])
    op.create_index("action_at", "action", ["at"])
