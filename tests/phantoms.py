"""Simulated patients that tests share: made once for the whole session, for a film takes seconds."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from numbering.phantom.generate import generate

SEED = 7
"""A usual spine whose lumbar film the shipped AP model numbers. It does not number every one: docs/phantom.md."""
FILM_PIXELS = 1024
"""Of the longer side: as fine as the detector looks, and quicker than a full film."""


@cache
def lumbar_patient(seed: int = SEED, anomaly: str = "none") -> Path:
    """The folder of a patient with a lumbar AP film (``ap/lumbar.dcm``). Copy what you change."""
    folder = Path(tempfile.mkdtemp(prefix="phantom-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return generate(folder, seed=seed, count=1, anomaly=anomaly, film_pixels=FILM_PIXELS)[0]


def lumbar_film(seed: int = SEED, anomaly: str = "none") -> Path:
    """Its film."""
    return lumbar_patient(seed, anomaly) / "ap" / "lumbar.dcm"
