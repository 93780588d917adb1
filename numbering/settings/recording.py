"""What belongs to one patient's record, and whose corrections count as verified."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Recording(BaseModel):
    """Settings of the patient's record."""

    patient_issuer: str = Field(
        "",
        description="The issuer that a patient ID has where an object names none; without it, the same ID with and "
        "without an issuer are two patients.",
    )
    trust_verified_reports: bool = Field(
        False,
        description="Whether a corrected report that says VERIFIED, by a person of an organisation, is one. Only where "
        "nobody but persons who signed in can send such a report here.",
    )
