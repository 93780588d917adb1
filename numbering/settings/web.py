"""The HTTP interface."""

from __future__ import annotations

from pydantic import BaseModel


class Web(BaseModel):
    """Settings of the web room."""
