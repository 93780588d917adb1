"""Where a patient's earlier studies are asked for."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from numbering.dicom.outgoing.destination import Destination, Peer, TLSFiles, WebDestination, is_web
from numbering.settings.kinds import Seconds

Count = Annotated[int, Field(ge=1)]


class Priors(BaseModel):
    """Settings of the client that fetches priors."""

    priors_source: str = Field(
        "",
        description="Whom a patient's earlier studies are asked of: AET@HOST:PORT (C-FIND) or the root of a DICOMweb "
        "service (QIDO-RS); empty: nobody.",
    )
    priors_fetch: bool = Field(
        True, description="Look for priors by itself once for each study that is numbered; else `numbering priors`."
    )
    priors_method: Literal["move", "get"] = Field(
        "move", description="How an AET hands objects over: C-MOVE to our DICOM port, or C-GET where it allows that."
    )
    priors_tls: bool = Field(False, description="Whether the AET is called by DICOM TLS.")
    priors_ca_file: str = Field(
        "", description="PEM file of the authorities that the source's certificate is checked against."
    )
    priors_certificate_file: str = Field("", description="PEM file of our certificate for the source.")
    priors_key_file: str = Field("", description="PEM file of that certificate's key.")
    priors_check_hostname: bool = Field(True, description="Whether the source's certificate must name its host.")
    priors_token_file: str = Field("", description="File of a bearer token for the DICOMweb service.")
    priors_basic_file: str = Field("", description="File of one line `user:password` for the DICOMweb service.")
    priors_plain_http: bool = Field(False, description="Whether http:// is allowed for the DICOMweb service.")
    priors_modalities: tuple[str, ...] = Field(("CR", "DX"), description="Modalities of the series that are fetched.")
    priors_region: Literal["spine", "any"] = Field(
        "spine", description="Body part of the series that are fetched; spine leaves out those that name another one."
    )
    priors_studies: Count = Field(3, description="Studies that are fetched for one study; the newest that fit.")
    priors_days_from: Annotated[int, Field(ge=0)] = Field(
        1, description="A prior is at least so many days older than the study that it is fetched for."
    )
    priors_days_to: Annotated[int, Field(ge=0)] = Field(3650, description="And at most so many.")
    priors_objects: Count = Field(2000, description="Objects that are fetched of one study; one with more fails.")
    priors_bytes: Annotated[int, Field(ge=1024)] = Field(
        4 * 2**30, description="Bytes that are fetched of one study; one with more fails."
    )
    priors_seconds: Annotated[float, Field(gt=0)] = Field(
        600.0, description="Seconds that one search, or one study's transfer, may take."
    )
    priors_attempts: Count = Field(10, description="Attempts at a search or transfer before it needs a person.")
    priors_retry_seconds: Seconds = Field(
        30.0, description="Wait after the first attempt that failed; doubled each time, at most an hour."
    )
    priors_deliver: bool = Field(
        False, description="Whether results of fetched priors are delivered too; nobody asked for them."
    )

    @property
    def priors_peer(self) -> Peer:
        """The source as somebody to call; ``ValueError`` says what is wrong with its address."""
        files = TLSFiles(
            authorities_file=self.priors_ca_file,
            certificate_file=self.priors_certificate_file,
            key_file=self.priors_key_file,
            check_hostname=self.priors_check_hostname,
        )
        if is_web(self.priors_source):
            return WebDestination.parse(
                self.priors_source,
                files,
                token_file=self.priors_token_file,
                basic_file=self.priors_basic_file,
                plain_http=self.priors_plain_http,
            )
        return Destination.parse(self.priors_source, files if self.priors_tls else None)

    @model_validator(mode="after")
    def _can_be_called(self) -> Self:
        if self.priors_source:
            _ = self.priors_peer
        return self
