"""Where images lie: a plane names its image itself, and its directions by the words of the rest."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

RENAMED = {"origin_mm": "position_mm", "along_row": "row_direction", "along_column": "column_direction"}
GEOMETRY = sa.table("record_geometry", sa.column("study_uid"), sa.column("series_uid"), sa.column("images", sa.Text()))


def upgrade() -> None:
    """``{uid, frame, plane: {…}}`` becomes the plane with its UID and frame."""
    _rewrite(_flat)


def downgrade() -> None:
    """And back."""
    _rewrite(_nested)


def _rewrite(change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    connection = op.get_bind()
    for study_uid, series_uid, images in connection.execute(sa.select(GEOMETRY)).all():
        changed = json.dumps([change(image) for image in json.loads(images)])
        here = (GEOMETRY.c.study_uid == study_uid) & (GEOMETRY.c.series_uid == series_uid)
        connection.execute(sa.update(GEOMETRY).where(here).values(images=changed))


def _flat(image: dict[str, Any]) -> dict[str, Any]:
    plane = image.pop("plane", None) or {}
    return image | {RENAMED.get(name, name): value for name, value in plane.items()}


def _nested(image: dict[str, Any]) -> dict[str, Any]:
    names = {new: old for old, new in RENAMED.items()}
    named = {name: image.pop(name) for name in ("sop_instance_uid", "frame")}
    return named | {"plane": {names.get(name, name): value for name, value in image.items()} or None}
