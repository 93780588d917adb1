"""The base of everything that is stored and compared: pydantic models that go to JSON and back unchanged."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """Immutable, unknown fields refused, floats kept exactly."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_enum_values=False)
