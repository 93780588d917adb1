"""Small seeds for fuzzing: simulated films shrunk, in every transfer syntax, our own objects, and odd ones if given."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from numbering.dicom.objects.encode import encode, object_bytes
from numbering.phantom.generate import generate
from tests.films import make_ct, make_film, uneven
from tests.results import numbered, result_of
from tests.tools import run

LARGEST = 2**16
"""Bytes: coverage-guided fuzzing is blind in large inputs, so larger files are no seeds."""
ENCAPSULATED = (RLELossless, JPEGLSLossless, JPEG2000Lossless)
REWRITTEN = {"+ti": "implicit", "+tb": "big-endian", "+td": "deflated"}
"""dcmconv's options."""


def seeds(odd: Path | None = None) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each seed; ``odd`` is a folder of further files, of which the small ones are taken."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        film = make_film(folder / "film.dcm", rows=48, columns=36)  # JPEG 2000 wants 32 of each
        yield "film", film.read_bytes()
        yield "negative", make_film(folder / "negative.dcm", rows=9, columns=7, photometric="MONOCHROME1").read_bytes()
        yield "cr", make_film(folder / "cr.dcm", rows=9, columns=7, modality="CR", view_position=None).read_bytes()
        yield "capture", make_film(folder / "capture.dcm", rows=9, columns=7, modality="OT").read_bytes()
        frames = np.stack([uneven(9, 7), uneven(9, 7)[::-1]])
        yield "frames", make_film(folder / "frames.dcm", modality="OT", pixels=frames).read_bytes()
        yield "slice", make_ct(folder / "slice.dcm", rows=8, columns=6).read_bytes()
        yield "simulated", _simulated(folder).read_bytes()
        yield from _syntaxes(film, folder)
        for written in encode(result_of([film], numbered(str(dcmread(film).SOPInstanceUID))), _sources(film)):
            yield f"ours-{written.Modality}", object_bytes(written)
    for path in sorted(odd.rglob("*")) if odd else ():
        if path.is_file() and path.stat().st_size <= LARGEST:
            yield f"odd-{path.name}", path.read_bytes()


def _sources(film: Path) -> dict[str, Path]:
    return {str(dcmread(film).SOPInstanceUID): film}


def _simulated(folder: Path) -> Path:
    """A simulated film with its whole header and every fortieth row and column of its pixels."""
    (patient,) = generate(folder / "patients", seed=7, count=1, anomaly="none", film_pixels=1024)
    ds = dcmread(next(patient.rglob("*.dcm")))
    pixels = np.ascontiguousarray(ds.pixel_array[::40, ::40])
    ds.Rows, ds.Columns = pixels.shape
    ds.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    ds.save_as(folder / "simulated.dcm")
    return folder / "simulated.dcm"


def _syntaxes(film: Path, folder: Path) -> Iterator[tuple[str, bytes]]:
    path = folder / "syntax.dcm"
    for option, name in REWRITTEN.items():
        told = run("dcmconv", option, film, path)
        assert told.returncode == 0, told.stderr
        yield name, path.read_bytes()
    for syntax in ENCAPSULATED:
        ds = dcmread(film)
        ds.compress(syntax, encoding_plugin="pydicom" if syntax == RLELossless else "")
        ds.save_as(path)
        yield syntax.keyword, path.read_bytes()
