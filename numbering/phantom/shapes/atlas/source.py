"""An atlas as a source of shapes."""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path

import torch

from numbering.phantom.anatomy.patient import Vertebra
from numbering.phantom.pose import Placed, Skeleton
from numbering.phantom.scene.labels import vertebra_label
from numbering.phantom.scene.structure import Structure
from numbering.phantom.shapes.atlas import template
from numbering.phantom.shapes.atlas.catalogue import ATLASES, Source
from numbering.phantom.shapes.atlas.fit import targets
from numbering.phantom.shapes.atlas.mesh import AtlasError
from numbering.phantom.shapes.atlas.shape import Bone, Solid, warped
from numbering.phantom.shapes.atlas.template import Template
from numbering.phantom.shapes.procedural import Procedural

KEPT = 64
"""Warped bones kept for the next view of the same patient."""


class Atlas:
    """A `numbering.phantom.shapes.source.ShapeSource` of warped meshes; what it lacks is procedural.

    ``folder`` holds the atlases' folders, ``name`` is one of `ATLASES` (or ``source`` describes another). Templates are
    made on first use and kept in ``cache``. Raises `AtlasError` at once where a file is missing.
    """

    def __init__(
        self,
        folder: Path | str,
        name: str,
        *,
        source: Source | None = None,
        cache: Path | None = None,
        pitch_mm: float = 0.9,
        device: torch.device | str = "cpu",
    ) -> None:
        if source is None and name not in ATLASES:
            raise AtlasError(f"no atlas is called {name!r}; known are {', '.join(ATLASES)}")
        self.name = name
        self._source = source or ATLASES[name]
        self._folder = Path(folder)
        self._cache = cache or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "numbering" / "atlas"
        self._pitch_mm = pitch_mm
        self._device = device
        self._fallback = Procedural()
        self._templates: dict[str, Template] = {}
        self._warped: OrderedDict[tuple[Vertebra, str], Solid] = OrderedDict()
        missing = sorted({file for file in self._files() if not (self._folder / file).is_file()})
        if missing:
            raise AtlasError(
                f"{self._folder}: the atlas {name!r} lacks {len(missing)} of its files, first {missing[0]}; "
                "expected the folders that docs/data.md lists; fetch them, or choose another shape source"
            )

    def _files(self) -> list[str]:
        return [f"{self._source.folder}/{file}" for file in self._source.vertebrae.values()]

    def vertebra(self, skeleton: Skeleton, placed: Placed) -> list[Structure]:
        """The vertebra, its corners where the anatomy says."""
        level = self.template_of(skeleton, placed)
        if level is None:
            return self._fallback.vertebra(skeleton, placed)
        solid = self._solid(placed.vertebra, level)
        return [Bone(vertebra_label(placed.vertebra.level), solid, placed.frame)]

    def sacrum(self, skeleton: Skeleton) -> list[Structure]:
        """Sacrum and coccyx."""
        return self._fallback.sacrum(skeleton)

    def pelvis(self, skeleton: Skeleton) -> list[Structure]:
        """Hip bones and the upper femora."""
        return self._fallback.pelvis(skeleton)

    def ribs(self, skeleton: Skeleton) -> list[Structure]:
        """Every rib, right and left."""
        return self._fallback.ribs(skeleton)

    def template_of(self, skeleton: Skeleton, placed: Placed) -> str | None:
        """The level whose template draws this vertebra; None where it is drawn procedurally.

        Lumbar-type vertebrae are matched by their place among all of them, so the lowest one looks like an L5 in a
        spine of four or six; so are the thoracic ones, counted up from the lowest.
        """
        region = placed.vertebra.level.region
        alike = [other.vertebra for other in skeleton.vertebrae if other.vertebra.level.region == region]
        index = next(i for i, vertebra in enumerate(alike) if vertebra is placed.vertebra)
        if region == "L":
            level = f"L{1 + round(index * 4 / max(len(alike) - 1, 1))}"
        elif region == "T":
            level = f"T{12 - (len(alike) - 1 - index)}"
        else:
            return None
        level = self._source.borrows.get(level, level)
        return level if level in self._source.vertebrae else None

    def _solid(self, vertebra: Vertebra, level: str) -> Solid:
        key = (vertebra, level)
        if key not in self._warped:
            if level not in self._templates:
                self._templates[level] = template.vertebra(self._source, self._folder, level, self._cache)
            found = self._templates[level]
            self._warped[key] = warped(found, targets(vertebra, found.landmarks), self._pitch_mm, self._device)
            while len(self._warped) > KEPT:
                self._warped.popitem(last=False)
        self._warped.move_to_end(key)
        return self._warped[key]
