"""How objects come in: the DICOM port, and when a series is complete."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from numbering.settings.kinds import Port, Seconds


class Receiving(BaseModel):
    """Settings of the receivers."""

    ae_title: Annotated[str, Field(min_length=1, max_length=16)] = Field(
        "NUMBERING", description="Our application entity title, called by modalities and calling the archive."
    )
    host: str = Field("127.0.0.1", description="Address the DICOM port listens on; 0.0.0.0 for all interfaces.")
    port: Port = Field(11112, description="DICOM port; 0 takes any free one.")


class Completion(BaseModel):
    """Settings of what is done with series that arrive, and for how long they are kept."""

    quiet_seconds: Seconds = Field(10.0, description="A series is complete when nothing arrived for this long.")
    hold_seconds: Seconds = Field(
        86400.0, description="A held series (view unknown) becomes unsuitable after this long without news."
    )
