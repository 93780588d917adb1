"""TLS by the profile of BCP 195 (PS3.15 B.12, B.13; RFC 8996, RFC 9325), for DICOM associations and for HTTP.

TLS 1.2 with forward secrecy and authenticated encryption, or TLS 1.3; nothing older, no compression and no
renegotiation. There is no switch that weakens this: a peer that knows less is refused.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Literal

CLIENT_CERTIFICATES = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
ClientCertificates = Literal["none", "optional", "required"]

SUITES = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:!aNULL:!eNULL:!DSS:!PSK:!SRP"
"""Of TLS 1.2 (RFC 9325 4.2); those of TLS 1.3 are all allowed."""


class TLSFileError(ValueError):
    """A file that TLS needs is missing, unreadable or does not match; names the file, never what it holds."""


def server_context(
    certificate_file: str | Path,
    key_file: str | Path,
    authorities_file: str | Path = "",
    client_certificates: ClientCertificates = "none",
) -> ssl.SSLContext:
    """The side that is called: with its certificate (chain) and key, as PEM files.

    ``client_certificates``: never asked for; verified when there is one; or required. The two latter need
    ``authorities_file``, the PEM file of the authorities that may have signed them. `TLSFileError` when a file is
    missing or does not fit.
    """
    context = _profile(ssl.PROTOCOL_TLS_SERVER)
    _load_certificate(context, certificate_file, key_file)
    if client_certificates != "none":
        if not authorities_file:
            raise TLSFileError(
                f"client certificates are {client_certificates}, and no file of authorities is given: name the PEM "
                "file of those who sign them"
            )
        _load_authorities(context, authorities_file)
    context.verify_mode = CLIENT_CERTIFICATES[client_certificates]
    return context


def client_context(
    authorities_file: str | Path = "",
    certificate_file: str | Path = "",
    key_file: str | Path = "",
    *,
    check_hostname: bool = True,
) -> ssl.SSLContext:
    """The side that calls: verifies the peer's certificate against the authorities, or this machine's when none given.

    A certificate with its key is presented when asked for one. ``check_hostname``: the certificate must name the host
    that was called; to be switched off only for equipment whose certificates name no host, where the authorities are
    the site's own. `TLSFileError` when a file is missing or does not fit.
    """
    context = _profile(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = check_hostname
    if authorities_file:
        _load_authorities(context, authorities_file)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if certificate_file or key_file:
        _load_certificate(context, certificate_file, key_file)
    return context


def _profile(protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
    context.set_ciphers(SUITES)
    context.options |= (
        ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_SINGLE_ECDH_USE
    )
    return context


def _load_certificate(context: ssl.SSLContext, certificate_file: str | Path, key_file: str | Path) -> None:
    if not certificate_file or not key_file:
        raise TLSFileError("a certificate needs its key and a key its certificate: name both PEM files")
    for file, what in ((certificate_file, "certificate"), (key_file, "key")):
        _readable(file, what)
    try:
        context.load_cert_chain(certificate_file, key_file, password=_no_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TLSFileError(f"the key {key_file} is not that of the certificate {certificate_file}") from None
        raise TLSFileError(
            f"{certificate_file} and {key_file}: expected a certificate and a private key without password, both as "
            f"PEM (found: {error.reason or 'no PEM'})"
        ) from None
    except _PasswordNeeded:
        raise TLSFileError(
            f"the key {key_file} has a password: give it without one, readable to the node alone"
        ) from None


def _load_authorities(context: ssl.SSLContext, authorities_file: str | Path) -> None:
    _readable(authorities_file, "authorities")
    try:
        context.load_verify_locations(authorities_file)
    except ssl.SSLError as error:
        raise TLSFileError(
            f"the file of authorities {authorities_file}: expected PEM certificates (found: {error.reason or 'no PEM'})"
        ) from None


def _readable(file: str | Path, what: str) -> None:
    try:
        with Path(file).open("rb"):
            pass
    except OSError as error:
        raise TLSFileError(f"the {what} file {file} cannot be read: {error.strerror}") from None


class _PasswordNeeded(Exception):
    pass


def _no_password() -> str:
    raise _PasswordNeeded  # else OpenSSL would ask at the terminal
