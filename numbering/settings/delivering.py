"""How results go out: to whom, which of them, and how often it is tried."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from numbering.dicom.outgoing.destination import Destination, Peer, Timeouts, TLSFiles, WebDestination, is_web
from numbering.settings.kinds import Seconds

ARCHIVE = "archive"
"""The name of the destination that `archive` is the short form of."""

HEAT_MAP = "OT"
"""Modality of parametric maps, which go only to destinations that ask for them."""
Kind = Literal["SR", "PR", "SEG", "KO", "OT"]


class DestinationSettings(BaseModel):
    """One destination: where it is, which objects go there, and how it is talked to."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")] = Field(
        description="What rows, logs and metrics call it: small letters, digits and hyphens."
    )
    address: str = Field(
        description="AET@HOST:PORT for C-STORE, or the https:// root of a DICOMweb service for STOW-RS."
    )
    kinds: tuple[Kind, ...] = Field(
        (),
        description="Objects that go there, by modality; empty: all but OT (maps of where a slice was looked at).",
    )
    statuses: tuple[Literal["numbered", "abstained"], ...] = Field(
        (), description="Results whose objects go there; empty: all."
    )
    pipelines: tuple[str, ...] = Field((), description="Pipelines whose objects go there; empty: all.")
    commitment: bool = Field(False, description="Ask for storage commitment (C-STORE only).")
    tls: bool = Field(False, description="DICOM over TLS; https always uses it.")
    authorities_file: str = Field(
        "",
        description="PEM file of the authorities that may have signed the peer's certificate; empty: this machine's.",
    )
    certificate_file: str = Field("", description="PEM file of our certificate, where the peer asks for one.")
    key_file: str = Field("", description="PEM file of its key, without password.")
    check_hostname: bool = Field(True, description="The peer's certificate must name the host that is called.")
    token_file: str = Field("", description="File with a bearer token for STOW-RS.")
    basic_file: str = Field("", description="File with one line USER:PASSWORD for STOW-RS.")
    plain_http: bool = Field(False, description="Allow http://, which carries patients' data in the clear.")
    connection_seconds: Annotated[float, Field(gt=0)] = Field(5.0, description="Wait for the connection.")
    answer_seconds: Annotated[float, Field(gt=0)] = Field(15.0, description="Wait for each answer.")

    @field_validator("pipelines")
    @classmethod
    def _installed(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        from numbering.pipelines import CARDS

        installed = [card.name for card in CARDS]
        for name in names:
            if name not in installed:
                raise ValueError(f"no pipeline {name!r} is installed; there is {', '.join(installed)}")
        return names

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        peer = self.peer  # ValueError says what is wrong with the address
        if bool(self.certificate_file) != bool(self.key_file):
            raise ValueError("a certificate needs its key and a key its certificate: name both files")
        if isinstance(peer, WebDestination):
            if self.commitment:
                raise ValueError("storage commitment is a service of DICOM associations; STOW-RS has none")
            return self
        if self.token_file or self.basic_file or self.plain_http:
            raise ValueError("token_file, basic_file and plain_http are for https addresses")
        if not self.tls and (self.authorities_file or self.certificate_file):
            raise ValueError("certificates are given, and `tls` is not set")
        return self

    @property
    def peer(self) -> Peer:
        """The address as something to send to."""
        files = TLSFiles(
            authorities_file=self.authorities_file,
            certificate_file=self.certificate_file,
            key_file=self.key_file,
            check_hostname=self.check_hostname,
        )
        if is_web(self.address):
            return WebDestination.parse(
                self.address,
                files,
                token_file=self.token_file,
                basic_file=self.basic_file,
                plain_http=self.plain_http,
            )
        return Destination.parse(self.address, files if self.tls else None)

    @property
    def timeouts(self) -> Timeouts:
        """How long the peer is waited for."""
        return Timeouts(
            connection=self.connection_seconds,
            association=self.answer_seconds,
            message=self.answer_seconds,
            network=2 * self.answer_seconds,
        )

    def wants(self, kind: str, status: str, pipeline: str) -> bool:
        """Whether an object of this modality, from a result of this status and pipeline, goes there."""
        if kind == HEAT_MAP and kind not in self.kinds:
            return False
        rules = ((self.kinds, kind), (self.statuses, status), (self.pipelines, pipeline))
        return all(not wanted or value in wanted for wanted, value in rules)


class Delivering(BaseModel):
    """Settings of the deliverers."""

    archive: str = Field(
        "",
        description="Where all results go, as AET@HOST:PORT: short for one of `destinations` called archive; empty: "
        "results stay in the data folder's `objects`.",
    )
    destinations: tuple[DestinationSettings, ...] = Field(
        (), description="Where results go, a table each; see [destinations](howto-destinations.md)."
    )
    delivery_attempts: Annotated[int, Field(ge=1)] = Field(
        20, description="Attempts at sending an object before it needs a person; while nobody answers none is counted."
    )
    refused_attempts: Annotated[int, Field(ge=1)] = Field(
        3, description="Attempts at an object that is refused for good before it needs a person."
    )
    delivery_retry_seconds: Seconds = Field(
        5.0, description="Wait after the first failed delivery; doubled each time, at most an hour."
    )
    probe_seconds: Annotated[float, Field(gt=0)] = Field(
        30.0, description="A destination that is out of reach is asked at least this often whether it is back."
    )
    commitment_seconds: Annotated[float, Field(gt=0)] = Field(
        3600.0, description="Storage commitment that is not answered for this long is asked for again."
    )
    commitment_attempts: Annotated[int, Field(ge=1)] = Field(
        5, description="Times that an object's storage commitment is asked for before it needs a person."
    )
    commitment_wait_seconds: Seconds = Field(
        2.0, description="Wait for the answer on the association that asked; later ones come to the DICOM port."
    )
    own_results: Literal["keep", "drop"] = Field(
        "keep", description="What is done with our own results when they come back: kept in the spool, or dropped."
    )

    @field_validator("archive")
    @classmethod
    def _is_a_dicom_address(cls, address: str) -> str:
        if address:
            Destination.parse(address)  # ValueError says what is wrong
        return address

    @field_validator("destinations")
    @classmethod
    def _names_are_different(
        cls, destinations: tuple[DestinationSettings, ...], given: ValidationInfo
    ) -> tuple[DestinationSettings, ...]:
        names = [ARCHIVE] if given.data.get("archive") else []
        for name in (each.name for each in destinations):
            if name in names:
                raise ValueError(f"two destinations are called {name!r}: each needs a name of its own")
            names.append(name)
        return destinations

    @property
    def every_destination(self) -> tuple[DestinationSettings, ...]:
        """The destinations, that of ``archive`` first."""
        short = (DestinationSettings(name=ARCHIVE, address=self.archive),) if self.archive else ()
        return short + self.destinations

    @property
    def heat_maps(self) -> bool:
        """Whether any destination asks for parametric maps: else none is written."""
        return any(HEAT_MAP in each.kinds for each in self.every_destination)

    def destination(self, name: str) -> DestinationSettings | None:
        """The destination of this name, None when there is none (any more)."""
        return next((each for each in self.every_destination if each.name == name), None)
