"""Whom objects are sent to: addresses of DICOM and DICOMweb peers, how long they are waited for, what they answered.

Plain types: settings are made of them, and importing them loads no DICOM library.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

_DESTINATION = re.compile(r"(?P<title>[^@]+)@(?P<host>\[[0-9A-Fa-f:.]+\]|[^@:\s]+):(?P<port>\d+)")
_WEB = re.compile(r"https?://", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class TLSFiles:
    """The PEM files of a TLS client: the peer's authorities (empty: this machine's), our certificate and its key."""

    authorities_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    check_hostname: bool = True


@dataclass(frozen=True)
class Destination:
    """A DICOM application entity: a called AE title at a host and port, over TLS where ``tls`` is given."""

    ae_title: str
    host: str
    port: int
    tls: TLSFiles | None = None

    @classmethod
    def parse(cls, text: str, tls: TLSFiles | None = None) -> Destination:
        """``AET@HOST:PORT``, an IPv6 host in brackets; ``ValueError`` says what is wrong."""
        match = _DESTINATION.fullmatch(text.strip())
        if match is None:
            raise ValueError(
                f"{text!r} is not a destination: expected AET@HOST:PORT, like ORTHANC@pacs.example.org:104"
            )
        title, port = match["title"].strip(), int(match["port"])
        if not 1 <= len(title) <= 16 or not title.isascii() or not title.isprintable() or "\\" in title:
            raise ValueError(f"{text!r}: AE title {title!r} must be 1 to 16 ASCII characters without backslash")
        if not 1 <= port <= 65535:
            raise ValueError(f"{text!r}: port {port} must be from 1 to 65535")
        return cls(title, match["host"].strip("[]"), port, tls)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.ae_title}@{host}:{self.port}"


@dataclass(frozen=True)
class WebDestination:
    """A DICOMweb service by its root, such as ``https://pacs.example.org/dicom-web``; ``/studies`` is added.

    ``token_file`` holds a bearer token, ``basic_file`` one line ``user:password``; they are read for each request, so
    that they may be replaced while the node runs.
    """

    url: str
    tls: TLSFiles = field(default_factory=TLSFiles)
    token_file: str = ""
    basic_file: str = ""

    @classmethod
    def parse(
        cls,
        text: str,
        tls: TLSFiles | None = None,
        *,
        token_file: str = "",
        basic_file: str = "",
        plain_http: bool = False,
    ) -> WebDestination:
        """A root that may be called; ``ValueError`` says what is wrong, and repeats no password."""
        parts = urlsplit(text.strip())
        shown = f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise ValueError(f"{shown!r} is no address of a DICOMweb service: expected https://HOST[:PORT]/PATH")
        if parts.username is not None or parts.password is not None:
            raise ValueError(f"{shown!r}: no user or password may stand in an address; name their file in `basic_file`")
        if parts.query or parts.fragment or any(character.isspace() for character in text.strip()):
            raise ValueError(f"{shown!r}: expected the root of a DICOMweb service, without ?, # or spaces")
        if token_file and basic_file:
            raise ValueError(f"{shown!r}: give `token_file` or `basic_file`, not both")
        if parts.scheme == "http" and not plain_http:
            raise ValueError(f"{shown!r} would send patients' data in the clear: use https, or set `plain_http`")
        if parts.scheme == "http" and (token_file or basic_file):
            raise ValueError(f"{shown!r}: credentials never go over plain http; use https")
        if parts.port == 0:  # `urlsplit` itself raises ValueError for other wrong ports
            raise ValueError(f"{shown!r}: port 0 must be from 1 to 65535")
        return cls(text.strip().rstrip("/"), tls or TLSFiles(), token_file, basic_file)

    def __str__(self) -> str:
        return self.url


Peer = Destination | WebDestination


def is_web(address: str) -> bool:
    """Whether an address is that of a DICOMweb service."""
    return _WEB.match(address.strip()) is not None


@dataclass(frozen=True, kw_only=True)
class Timeouts:
    """Seconds to wait: for the TCP connection, for the association, for an answer to a message, for anything at all."""

    connection: float = 5.0
    association: float = 10.0
    message: float = 15.0
    network: float = 30.0


DEFAULT_TIMEOUTS = Timeouts()


class Outcome(StrEnum):
    """What became of an object."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    """The peer answered no: sending the same again will hardly help, unless the refusal is `Sent.temporary`."""
    UNREACHABLE = "unreachable"
    """No answer: send again later."""


@dataclass(frozen=True)
class Sent:
    """One object's outcome, and the sentence that explains it. `status` is the peer's, when it answered.

    ``temporary``: the same object may well be taken later. ``connected`` is false when no association or HTTP
    connection with the peer's consent came about, so that this object cannot be why.
    """

    path: Path
    sop_instance_uid: str
    outcome: Outcome
    text: str
    status: int | None = None
    temporary: bool = False
    connected: bool = True
    retry_after_seconds: float = 0.0


@dataclass(frozen=True)
class Echoed:
    """The answer to the question whether a peer is there."""

    outcome: Outcome
    text: str
