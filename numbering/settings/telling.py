"""What the node tells of itself: log, audit trail."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class Telling(BaseModel):
    """Settings of log and audit trail."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="What goes to the log.")
