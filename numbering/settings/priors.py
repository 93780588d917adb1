"""Where a patient's earlier studies are asked for."""

from __future__ import annotations

from pydantic import BaseModel


class Priors(BaseModel):
    """Settings of the client that fetches priors."""
