"""Alembic's entry: always called with a connection (`gateway.store.database.upgrade`), never from a file."""

from alembic import context

from gateway.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=False)
with context.begin_transaction():
    context.run_migrations()
