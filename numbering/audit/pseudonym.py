"""What stands for a patient where the real number is not wanted: a keyed hash, so that one patient's records belong
together and nobody without the key can find out whose they are.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

from numbering.audit.key import key_of


class Pseudonyms:
    """The pseudonyms of one data folder."""

    def __init__(self, folder: Path) -> None:
        self._key = hmac.digest(key_of(folder), b"patient", "sha256")

    def of(self, patient_id: str) -> str:
        """``hmac:`` and 32 hexadecimal digits; the same patient ID always gives the same."""
        return "hmac:" + hmac.new(self._key, patient_id.strip().encode(), hashlib.sha256).hexdigest()[:32]
