"""How objects come in: the DICOM port, and when a series is complete."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, model_validator

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
    settle_seconds: Seconds = Field(
        0.0,
        description="Quiet time of a series whose expected instances have all arrived, where their number is known.",
    )
    incomplete_seconds: Seconds = Field(
        900.0,
        description="A series of which fewer instances than expected arrived is held until nothing came for this long.",
    )
    incomplete_policy: Literal["proceed", "hold"] = Field(
        "proceed",
        description="What becomes of it then: proceed numbers what is there and says so in the result; hold lists it "
        "as unsuitable until the rest arrives.",
    )
    hold_seconds: Seconds = Field(
        86400.0, description="A held series (view unknown) becomes unsuitable after this long without news."
    )
    keep_received_days: Annotated[float, Field(ge=0)] = Field(
        0.0, description="Received objects of finished, delivered studies are removed after so many days; 0: never."
    )
    keep_objects_days: Annotated[float, Field(ge=0)] = Field(
        0.0, description="Objects that we wrote and delivered are removed after so many days; 0: never."
    )
    clean_below_percent: Annotated[float, Field(ge=0, le=100)] = Field(
        15.0,
        description="Below this much free disk the oldest finished, delivered studies are removed; 0: never. Should "
        "be above the receiver's own mark, or it refuses before anything is removed.",
    )
    clean_to_percent: Annotated[float, Field(ge=0, le=100)] = Field(
        20.0, description="How much free disk that clean-up aims at."
    )

    @model_validator(mode="after")
    def _aims_above_its_mark(self) -> Completion:
        if self.clean_below_percent and self.clean_to_percent < self.clean_below_percent:
            raise ValueError(
                f"clean_to_percent is {self.clean_to_percent:g}: expected at least clean_below_percent "
                f"({self.clean_below_percent:g})"
            )
        return self
