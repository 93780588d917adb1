#!/usr/bin/env python3
"""Whether a room of this container answers: ``alive dicom`` or ``alive web``. Exit code 0 or 1, for HEALTHCHECK.

It asks this container alone. A node that takes only listed peers rejects it, which is an answer too; list its own
title (``NUMBERING@127.0.0.0/8``) so that the audit trail is not filled with that. A port that speaks TLS alone is
connected to and no more.
"""

from __future__ import annotations

import socket
import ssl
import sys
import urllib.request

from numbering.settings import Settings

SECONDS = 5.0


def dicom(settings: Settings) -> bool:
    """Whether the DICOM port answers a C-ECHO."""
    from numbering.dicom.outgoing.deliver import Destination, Outcome, echo

    if settings.dicom_tls_certificate_file and not settings.dicom_tls_port:
        with socket.create_connection(("127.0.0.1", settings.port), SECONDS):
            return True
    answer = echo(Destination(settings.ae_title, "127.0.0.1", settings.port), settings.ae_title)
    return answer.outcome is not Outcome.UNREACHABLE or "rejected" in answer.text


def web(settings: Settings) -> bool:
    """Whether the HTTP port answers; its certificate names another host than this one."""
    scheme = "https" if settings.web_certificate_file else "http"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    url = f"{scheme}://127.0.0.1:{settings.web_port}/health"
    with urllib.request.urlopen(url, timeout=SECONDS, context=context) as answer:  # noqa: S310 - the scheme is ours
        return bool(answer.status == 200)


def main() -> int:
    """Ask, and say why not."""
    try:
        return 0 if {"dicom": dicom, "web": web}[sys.argv[1]](Settings()) else 1
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
