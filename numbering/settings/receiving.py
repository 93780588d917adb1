"""How objects come in: the DICOM port, and when a series is complete."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, field_validator, model_validator

from numbering.settings.kinds import AllowedPeer, Port, Seconds


class Receiving(BaseModel):
    """Settings of the receivers."""

    ae_title: Annotated[str, Field(min_length=1, max_length=16)] = Field(
        "NUMBERING", description="Our application entity title, called by modalities and calling the archive."
    )
    host: str = Field("127.0.0.1", description="Address the DICOM port listens on; 0.0.0.0 for all interfaces.")
    port: Port = Field(11112, description="DICOM port; 0 takes any free one.")
    acceptors: Annotated[int, Field(ge=0, le=64)] = Field(
        0, description="Processes that receive behind the DICOM port; 0: one for each core, at most 4."
    )
    require_called_ae_title: bool = Field(
        True, description="Associations must call our application entity title; others are rejected."
    )
    peers: tuple[str, ...] = Field(
        (),
        description="Who may send, as AET@CIDR, AET (from anywhere) or @CIDR (by any title), such as "
        "CT1@10.1.2.0/24; empty: anybody. A title is no proof of who calls: see `dicom_tls_client_certificates`.",
    )
    maximum_associations: Annotated[int, Field(ge=1, le=500)] = Field(
        64, description="Associations open at once, over all acceptors of a data folder on one machine."
    )
    maximum_associations_per_peer: Annotated[int, Field(ge=1, le=500)] = Field(
        32,
        description="Of these, how many from one address (of IPv6: from one /64). In each acceptor it may have as many "
        "connections, but at least 16, that have no association yet.",
    )
    maximum_pdu_bytes: Annotated[int, Field(ge=4096, le=1048576)] = Field(
        131072, description="Largest P-DATA PDU that is announced and taken; a peer that sends a larger one is aborted."
    )
    maximum_object_mib: Annotated[int, Field(ge=1)] = Field(
        4096, description="Largest object that is taken, in MiB; a larger one is answered with A700."
    )
    objects_per_second: Annotated[float, Field(ge=0)] = Field(
        0.0,
        description="Objects that one address (of IPv6: one /64) may send each second; its data are then read no "
        "faster. 0: any number.",
    )
    artim_seconds: Annotated[float, Field(gt=0)] = Field(
        15.0, description="Time from a connection to its association request, a TLS handshake included (ARTIM)."
    )
    idle_seconds: Annotated[float, Field(gt=0)] = Field(
        120.0, description="An association on which nothing came for this long, or a PDU that takes longer, is aborted."
    )
    disk_minimum_mib: Annotated[int, Field(ge=0)] = Field(
        1024, description="With less free disk than this, in MiB, objects are refused with A700 until there is more."
    )
    disk_minimum_percent: Annotated[float, Field(ge=0, le=100)] = Field(
        5.0, description="The same in percent of the disk; the larger of both counts."
    )
    dicom_tls_certificate_file: str = Field(
        "",
        description="PEM file of the DICOM port's certificate (chain); given with its key, the port speaks TLS only.",
    )
    dicom_tls_key_file: str = Field("", description="PEM file of that certificate's key, readable to the node alone.")
    dicom_tls_authorities_file: str = Field("", description="PEM file of those who sign the certificates of senders.")
    dicom_tls_client_certificates: Literal["none", "optional", "required"] = Field(
        "none", description="Whether senders show a certificate."
    )
    dicom_tls_port: Port = Field(
        0, description="A port of its own for TLS, so that `port` stays plain beside it; 0: `port` speaks TLS."
    )

    @field_validator("peers")
    @classmethod
    def _peers_are_readable(cls, peers: tuple[str, ...]) -> tuple[str, ...]:
        for peer in peers:
            AllowedPeer.parse(peer)
        return peers

    @model_validator(mode="after")
    def _certificate_with_its_key(self) -> Receiving:
        if bool(self.dicom_tls_certificate_file) != bool(self.dicom_tls_key_file):
            raise ValueError("dicom_tls_certificate_file and dicom_tls_key_file: expected both or neither")
        if self.dicom_tls_port and not self.dicom_tls_certificate_file:
            raise ValueError("dicom_tls_port needs dicom_tls_certificate_file and dicom_tls_key_file")
        if self.dicom_tls_client_certificates != "none" and not self.dicom_tls_authorities_file:
            raise ValueError("dicom_tls_client_certificates needs dicom_tls_authorities_file")
        return self


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
