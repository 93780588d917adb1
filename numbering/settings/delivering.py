"""How results go out."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from numbering.settings.kinds import Seconds


class Delivering(BaseModel):
    """Settings of the deliverers."""

    archive: str = Field(
        "", description="Where results go, as AET@HOST:PORT; empty: results stay in the data folder's `objects`."
    )
    delivery_attempts: Annotated[int, Field(ge=1)] = Field(
        20, description="Attempts at sending an object before it needs a person."
    )
    delivery_retry_seconds: Seconds = Field(
        5.0, description="Wait after the first failed delivery; doubled each time, at most an hour."
    )
