"""Alembic's environment: runs inside the transaction that `numbering.jobs.store.upgrade` opened."""

from __future__ import annotations

from alembic import context

from numbering.jobs import record_models  # noqa: F401 - its tables are the models' too
from numbering.jobs.models import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
