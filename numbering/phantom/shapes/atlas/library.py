"""The templates of one atlas, made when first asked for."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from numbering.phantom.shapes.atlas import pelvic, template
from numbering.phantom.shapes.atlas.catalogue import Source
from numbering.phantom.shapes.atlas.landmarks import NAMES
from numbering.phantom.shapes.atlas.mesh import AtlasError
from numbering.phantom.shapes.atlas.template import Template
from numbering.phantom.shapes.atlas.variety import mirror


class Library:
    """Templates of a source below ``folder``, on lattices of ``pitch_mm`` (the pelvis: twice that), kept in memory and
    in ``kept``. Raises `AtlasError` at once where a file is missing."""

    def __init__(self, source: Source, folder: Path, kept: Path, pitch_mm: float) -> None:
        picked = [bone.file for bone in (source.sacrum, source.pelvis) if bone is not None]
        files = sorted({f"{source.folder}/{file}" for file in [*source.vertebrae.values(), *picked]})
        missing = [file for file in files if not (folder / file).is_file()]
        if missing:
            raise AtlasError(
                f"{folder}: {len(missing)} of the atlas's {len(files)} files are missing, first {missing[0]}; expected "
                "the folders of numbering.phantom.shapes.atlas.catalogue; fetch them, or choose another shape source"
            )
        self.vertebra = cache(lambda level, flip: self._vertebra(level, flip))
        self.sacrum = cache(lambda flip: self._sacrum(flip))
        self.pelvis = cache(lambda flip: self._pelvis(flip))
        self._source, self._folder, self._kept, self._pitch_mm = source, folder, kept, pitch_mm

    def level(self, level: str) -> str | None:
        """The level whose template draws ``level``; None where the atlas has none for it."""
        level = self._source.borrows.get(level, level)
        return level if level in self._source.vertebrae else None

    def _vertebra(self, level: str, flip: bool) -> Template:
        if flip:
            return mirror(self.vertebra(level, False), NAMES)
        return template.vertebra(self._source, self._folder, level, self._kept, self._pitch_mm)

    def _sacrum(self, flip: bool) -> Template | None:
        bone = self._source.sacrum
        if bone is None:
            return None
        found = template.picked(self._source, self._folder, bone, pelvic.SACRUM, None, self._pitch_mm, self._kept)
        return mirror(found, pelvic.SACRUM) if flip else found

    def _pelvis(self, flip: bool) -> Template | None:
        bone, joined = self._source.pelvis, self._source.sacrum
        if bone is None or joined is None:
            return None
        frame = pelvic.sacrum_frame(np.array([joined.landmarks[name] for name in pelvic.SACRUM]))
        found = template.picked(self._source, self._folder, bone, pelvic.PELVIS, frame, 2 * self._pitch_mm, self._kept)
        return mirror(found, pelvic.PELVIS) if flip else found
