"""A finished series, on its way to the patient's folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from PIL.Image import Image

from numbering.phantom.truth.ct import TrueCt
from numbering.phantom.truth.film import TrueImage
from numbering.phantom.truth.mr import TrueMr

View = TrueImage | TrueCt | TrueMr


@dataclass(frozen=True, kw_only=True)
class Made:
    """``files`` are paths below the patient's folder with their bytes, made as they are asked for: a CT is large."""

    files: Iterator[tuple[str, bytes]]
    truth: View
    preview: Image
    preview_name: str
