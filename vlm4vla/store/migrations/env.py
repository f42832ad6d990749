"""Alembic's entry: the steps run on the connection, and in the transaction, that they are given."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
