"""What Alembic runs: the caller brings the connection, with its transaction open and its lock taken."""

from __future__ import annotations

from alembic import context

from connector.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
