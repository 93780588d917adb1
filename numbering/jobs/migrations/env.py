"""Alembic's environment: runs inside the transaction that `numbering.jobs.store.upgrade` opened."""

from __future__ import annotations

from alembic import context

from numbering.jobs.models import Base
from numbering.jobs.record import rows  # noqa: F401 - its tables are the models' too

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
