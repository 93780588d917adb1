"""Signatures of what webhooks are told, by Standard Webhooks (standardwebhooks.com).

``webhook-id`` stays the same over all attempts, so that a receiver knows what it has seen; ``webhook-timestamp`` is
signed with it, so that an old message cannot be played again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from pathlib import Path

SECRET_BYTES = 24


class WeakSecret(Exception):
    """The file of a webhook's secret is missing, or what it holds is too short."""


def secret_of(file: Path) -> bytes:
    """What the file holds: base64 behind ``whsec_``, else the bytes themselves. `WeakSecret`, never with its value."""
    try:
        text = file.read_bytes().strip()
    except OSError as error:
        raise WeakSecret(f"the secret file {file} cannot be read: {error.strerror}") from None
    if text.startswith(b"whsec_"):
        try:
            text = base64.b64decode(text.removeprefix(b"whsec_"), validate=True)
        except ValueError:
            raise WeakSecret(f"{file}: expected base64 behind whsec_") from None
    if len(text) < SECRET_BYTES:
        raise WeakSecret(f"{file}: a secret of {len(text)} bytes, expected {SECRET_BYTES} or more")
    return text


def signed(notice: str, body: bytes, secret: bytes) -> dict[str, str]:
    """The headers by which a receiver knows that this is ours, unchanged and recent."""
    moment = str(int(time.time()))
    mac = hmac.new(secret, f"{notice}.{moment}.".encode() + body, hashlib.sha256).digest()
    return {
        "content-type": "application/json",
        "user-agent": "numbering",
        "webhook-id": notice,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }
