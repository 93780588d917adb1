"""The HTTP interface, and the webhooks that it calls."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from numbering.settings.kinds import Port, Seconds

Event = Literal[
    "numbered", "abstained", "unsuitable", "held", "failed", "quarantined", "delivered", "committed", "undeliverable"
]
Count = Annotated[int, Field(ge=1)]
Bytes = Annotated[int, Field(ge=1024)]


class Webhook(BaseModel):
    """A receiver of events."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")]
    """How rows, log and metrics call it."""
    url: str
    secret_file: str
    """File of the secret that signs what is sent; at least 24 characters."""
    events: tuple[Event, ...] = ("numbered", "abstained", "failed", "quarantined", "delivered", "undeliverable")
    uids: bool = True
    """Whether study and series UIDs are told."""
    plain: bool = False
    """Whether ``http://`` is allowed."""
    ca_file: str = ""
    """PEM file of the authorities that the receiver's certificate is checked against; empty: this machine's."""

    @field_validator("url")
    @classmethod
    def _is_a_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.fragment:
            raise ValueError("expected https://HOST[:PORT]/PATH without user, password and fragment")
        _ = parts.port  # raises ValueError when it is none
        return url

    @model_validator(mode="after")
    def _is_private(self) -> Webhook:
        if urlsplit(self.url).scheme == "http" and not self.plain:
            raise ValueError(f"webhook {self.name}: http:// needs plain = true; better use https://")
        return self


class Web(BaseModel):
    """Settings of the web room."""

    web_host: str = Field("127.0.0.1", description="Address the HTTP port listens on; 0.0.0.0 for all interfaces.")
    web_port: Port = Field(8043, description="HTTP port; 0: no HTTP.")
    web_certificate_file: str = Field("", description="PEM file of the HTTP port's certificate; empty: no TLS.")
    web_key_file: str = Field("", description="PEM file of that certificate's key.")
    web_connections: Count = Field(128, description="HTTP connections at once; more are answered 503.")
    web_connections_per_address: Count = Field(32, description="HTTP connections at once from one address.")
    web_requests_per_second: Seconds = Field(
        50.0, description="Requests a second that one address may send in the long run; 0: any number."
    )
    web_idle_seconds: Annotated[float, Field(gt=0)] = Field(
        30.0, description="An HTTP connection on which nothing arrives for this long is closed."
    )
    stow_body_bytes: Bytes = Field(
        8 * 2**30, description="Bytes of one STOW-RS request; of one object in it: `maximum_object_mib`."
    )
    stow_parts: Count = Field(10000, description="Objects of one STOW-RS request.")
    stow_seconds: Annotated[float, Field(gt=0)] = Field(3600.0, description="Seconds that one may take.")
    stow_uploads: Count = Field(4, description="STOW-RS requests at once; more are answered 503, to come again.")
    webhooks: tuple[Webhook, ...] = Field(
        (),
        description="Receivers of events: tables of name, url, secret_file and, where other than usual, events, uids, "
        "plain, ca_file ([HTTP](howto-http.md#webhooks)).",
    )
    webhook_private_hosts: tuple[str, ...] = Field(
        (), description="Host names, addresses and networks that a webhook may reach although their address is private."
    )
    webhook_attempts: Count = Field(20, description="Attempts at telling an event before it needs a person.")
    webhook_retry_seconds: Seconds = Field(
        5.0, description="Wait after the first attempt that failed; doubled each time, at most an hour."
    )

    @field_validator("webhooks")
    @classmethod
    def _have_names_of_their_own(cls, webhooks: tuple[Webhook, ...]) -> tuple[Webhook, ...]:
        if len({webhook.name for webhook in webhooks}) < len(webhooks):
            raise ValueError("two webhooks have one name")
        return webhooks
