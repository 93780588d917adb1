"""What a level check lets count, and where plans are asked for."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from numbering.dicom.outgoing.destination import Destination, TLSFiles
from numbering.levelcheck.policy import LEAST_PROBABILITY, Policy
from numbering.record.model import BasisKind

PlanPlace = Literal["step-description", "step-code", "procedure-description", "procedure-code"]


class Checking(BaseModel):
    """Settings of the level check: the site's policy, and its worklist."""

    check_probability: Annotated[float, Field(ge=0.5, le=1)] = Field(
        LEAST_PROBABILITY, description="A level check agrees or disagrees with names of this probability or more."
    )
    check_widened_by: tuple[str, ...] = Field(
        (),
        description="Bases that a level check accepts although nobody counted from C2 or verified the name; each "
        "verdict prints them. See [the level check](levelcheck.md#verdicts).",
    )
    worklist: str = Field(
        "", description="Whom the plans of level checks are asked of by C-FIND, as AET@HOST:PORT; empty: nobody."
    )
    worklist_plan: PlanPlace = Field(
        "step-description",
        description="Where in a worklist item the plan stands: description or protocol code of the scheduled step, "
        "description or code of the requested procedure. The others are only looked at for contradictions.",
    )
    worklist_tls: bool = Field(False, description="Whether the worklist is called by DICOM TLS.")
    worklist_ca_file: str = Field(
        "", description="PEM file of the authorities that the worklist's certificate is checked against."
    )
    worklist_certificate_file: str = Field("", description="PEM file of our certificate for the worklist.")
    worklist_key_file: str = Field("", description="PEM file of that certificate's key.")
    worklist_check_hostname: bool = Field(True, description="Whether the worklist's certificate must name its host.")
    worklist_seconds: Annotated[float, Field(gt=0)] = Field(
        20.0, description="Seconds that a query of the worklist may take."
    )

    @property
    def check_policy(self) -> Policy:
        """The policy that these settings are."""
        return Policy(
            probability=self.check_probability,
            widened_by=tuple(BasisKind(kind) for kind in self.check_widened_by),
        )

    @property
    def worklist_peer(self) -> Destination:
        """The worklist as somebody to call; ``ValueError`` says what is wrong with its address."""
        files = TLSFiles(
            authorities_file=self.worklist_ca_file,
            certificate_file=self.worklist_certificate_file,
            key_file=self.worklist_key_file,
            check_hostname=self.worklist_check_hostname,
        )
        return Destination.parse(self.worklist, files if self.worklist_tls else None)

    @model_validator(mode="after")
    def _can_be_followed(self) -> Self:
        _ = self.check_policy
        if self.worklist:
            _ = self.worklist_peer
        return self
