"""Pages of a long table: newest rows first, and a cursor that stays right while rows are added."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from fastapi import HTTPException, Query
from sqlalchemy import Select, and_, or_
from sqlalchemy.orm import InstrumentedAttribute, Session

PAGE = 100
Row = TypeVar("Row")
Limit = Annotated[int, Query(ge=1, le=1000, description="Rows of a page.")]
Before = Annotated[str, Query(max_length=200, description="The `next` of the page before; empty: the newest rows.")]


def page(session: Session, rows: Select[Row], model: Any, before: str, limit: int) -> tuple[Sequence[Row], str | None]:
    """A page of these rows of ``model`` (which has ``created_at`` and ``id``), and the cursor of the next one."""
    created_at: InstrumentedAttribute[datetime] = model.created_at
    identifier: InstrumentedAttribute[str] = model.id
    if before:
        moment, last = _cursor(before)
        rows = rows.where(or_(created_at < moment, and_(created_at == moment, identifier < last)))
    found = session.scalars(rows.order_by(created_at.desc(), identifier.desc()).limit(limit + 1)).all()
    shown: Any = found[:limit]
    more = len(found) > limit
    return shown, _text(shown[-1].created_at, shown[-1].id) if more else None


def _text(moment: datetime, identifier: str) -> str:
    return base64.urlsafe_b64encode(f"{moment.isoformat()} {identifier}".encode()).decode()


def _cursor(text: str) -> tuple[datetime, str]:
    try:
        moment, _, identifier = base64.urlsafe_b64decode(text.encode("ascii")).decode().partition(" ")
        parsed = datetime.fromisoformat(moment)
        if parsed.tzinfo is None or not identifier.isprintable() or not identifier:
            raise ValueError
        return parsed.astimezone(UTC), identifier
    except (ValueError, binascii.Error, OverflowError):
        raise HTTPException(400, "before: expected the `next` of an earlier page") from None
