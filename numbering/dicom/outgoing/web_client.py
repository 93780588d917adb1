"""An HTTP client for a DICOMweb service: its TLS and credentials, no redirects, no proxy out of the environment."""

from __future__ import annotations

import ssl
from base64 import b64encode
from pathlib import Path

import httpx

from numbering.dicom.outgoing.association import context_of
from numbering.dicom.outgoing.destination import Timeouts, WebDestination


class CredentialsError(ValueError):
    """The file of a token or password cannot be read; names the file, never what it holds."""


def web_client(destination: WebDestination, timeouts: Timeouts) -> httpx.Client:
    """A client for this service alone. `TLSFileError` and `CredentialsError` name a file that is not as it should be.

    Redirects are not followed: what a service answers never tells the node where to go.
    """
    verify: ssl.SSLContext | bool = False
    if destination.url.lower().startswith("https:"):
        verify = context_of(destination.tls)
    return httpx.Client(
        verify=verify,  # not used for plain http
        timeout=httpx.Timeout(timeouts.message, connect=timeouts.connection, write=timeouts.network),
        follow_redirects=False,
        trust_env=False,
        headers={"Accept": "application/dicom+json", "User-Agent": "numbering", **_authorization(destination)},
    )


def _authorization(destination: WebDestination) -> dict[str, str]:
    file = destination.token_file or destination.basic_file
    if not file:
        return {}
    try:
        secret = Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsError(f"the credentials' file {file} cannot be read: {type(error).__name__}") from None
    if not secret or "\n" in secret or not secret.isprintable():
        raise CredentialsError(f"the credentials' file {file}: expected one line")
    if destination.token_file:
        return {"Authorization": f"Bearer {secret}"}
    return {"Authorization": f"Basic {b64encode(secret.encode()).decode()}"}
