"""Alembic's entry point: the connection is handed over by db.migrate, which holds the lock."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="activity_version",
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
