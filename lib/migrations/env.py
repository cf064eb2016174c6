"""Runs the migrations on the connection that `lib.store_engine` hands over."""

from alembic import context

from lib.store_schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
