"""An atlas as a source of shapes."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from numbering.phantom.anatomy.patient import Vertebra
from numbering.phantom.pose import Frame, Placed, Skeleton
from numbering.phantom.scene.labels import Label, vertebra_label
from numbering.phantom.scene.structure import Structure
from numbering.phantom.shapes.atlas import fit, pelvic, template
from numbering.phantom.shapes.atlas.catalogue import ATLASES, Source
from numbering.phantom.shapes.atlas.mesh import AtlasError
from numbering.phantom.shapes.atlas.shape import Bone, Fit, Solid, apart
from numbering.phantom.shapes.atlas.template import Template
from numbering.phantom.shapes.atlas.warp import Warp
from numbering.phantom.shapes.procedural import Procedural

KEPT = 64
"""Warped vertebrae kept for the next view of the same patient."""
JOINT_MM = 1.2
PELVIS_PITCH_MM = 1.5


class Atlas:
    """A `numbering.phantom.shapes.source.ShapeSource` of warped meshes; what it lacks is procedural.

    ``folder`` holds the atlases' folders, ``name`` is one of `ATLASES` (or ``source`` describes another). Templates are
    made on first use and kept in ``cache``; bones are warped on ``device`` to lattices of ``pitch_mm``. Raises
    `AtlasError` at once where a file is missing.
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
        self._fits: OrderedDict[tuple[Vertebra, str], tuple[Fit, Callable[[], Solid]]] = OrderedDict()
        missing = sorted({file for file in self._files() if not (self._folder / file).is_file()})
        if missing:
            raise AtlasError(
                f"{self._folder}: the atlas {name!r} lacks {len(missing)} of its files, first {missing[0]}; "
                "expected the folders that docs/data.md lists; fetch them, or choose another shape source"
            )

    def _files(self) -> list[str]:
        picked = [bone.file for bone in (self._source.sacrum, self._source.pelvis) if bone is not None]
        return [f"{self._source.folder}/{file}" for file in [*self._source.vertebrae.values(), *picked]]

    def vertebra(self, skeleton: Skeleton, placed: Placed) -> list[Structure]:
        """The vertebra, its corners where the anatomy says, with a joint's width between it and its neighbours."""
        bone = self._whole(skeleton, placed)
        if bone is None:
            return self._fallback.vertebra(skeleton, placed)
        index = next(i for i, other in enumerate(skeleton.vertebrae) if other is placed)

        def make() -> Solid:
            others: list[Structure] = []
            for neighbour in skeleton.vertebrae[max(index - 1, 0) : index + 2]:
                if neighbour is not placed:
                    whole = self._whole(skeleton, neighbour)
                    others += [whole] if whole else self._fallback.vertebra(skeleton, neighbour)
            if index == len(skeleton.vertebrae) - 1:
                others += self.sacrum(skeleton)
            return apart(bone.solid, placed.frame, others, JOINT_MM)

        return [Bone(bone.label, placed.frame, bone.box, make)]

    def _whole(self, skeleton: Skeleton, placed: Placed) -> Bone | None:
        """The vertebra before it is kept apart from its neighbours; None where it is procedural."""
        level = self.template_of(skeleton, placed)
        if level is None:
            return None
        key = (placed.vertebra, level)
        if key not in self._fits:
            found = self._template(level)
            fitted = Fit(found, fit.targets(placed.vertebra, found.landmarks), fit.SLACK)
            self._fits[key] = (fitted, self._once(fitted))
            while len(self._fits) > KEPT:
                self._fits.popitem(last=False)
        self._fits.move_to_end(key)
        fitted, make = self._fits[key]
        return Bone(vertebra_label(placed.vertebra.level), placed.frame, fitted.box, make)

    def _once(self, fitted: Fit) -> Callable[[], Solid]:
        made: list[Solid] = []

        def make() -> Solid:
            if not made:
                made.append(fitted.solid(self._pitch_mm, self._device))
            return made[0]

        return make

    def _template(self, level: str) -> Template:
        if level not in self._templates:
            self._templates[level] = template.vertebra(self._source, self._folder, level, self._cache)
        return self._templates[level]

    def template_of(self, skeleton: Skeleton, placed: Placed) -> str | None:
        """The level whose template draws this vertebra; None where it is drawn procedurally.

        Lumbar-type vertebrae are matched by their place among all of them, so the lowest one looks like an L5 in a
        spine of four or six; thoracic ones are counted up from the lowest.
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

    def sacrum(self, skeleton: Skeleton) -> list[Structure]:
        """Sacrum and coccyx, with S1's endplate, the wings' width and the length of the anatomy."""
        found = self._sacrum
        if found is None:
            return self._fallback.sacrum(skeleton)
        fitted = Fit(found, pelvic.sacrum_targets(skeleton, found.landmarks), pelvic.SACRUM_SLACK)
        return [Bone(Label.SACRUM, skeleton.sacrum, fitted.box, self._once(fitted))]

    def pelvis(self, skeleton: Skeleton) -> list[Structure]:
        """Hip bones, with the anatomy's width, crests and pelvic incidence; the upper femora are procedural."""
        found, joined = self._pelvis, self._sacrum
        if found is None or joined is None:
            return self._fallback.pelvis(skeleton)
        sacral = Warp.through(joined.landmarks, pelvic.sacrum_targets(skeleton, joined.landmarks), pelvic.SACRUM_SLACK)
        goal = pelvic.pelvis_targets(skeleton, found.landmarks, sacral)
        sacrum, here = self.sacrum(skeleton), Frame(np.zeros(3), np.eye(3))
        bones: list[Structure] = []
        for sign in (-1.0, 1.0):
            fitted = Fit(found.side(sign), goal, pelvic.PELVIS_SLACK)
            bones.append(Bone(Label.HIP_BONE, here, fitted.box, self._hip(fitted, here, sacrum)))
        femora = [bone for bone in self._fallback.pelvis(skeleton) if bone.label == Label.FEMUR]
        return [*bones, *femora]

    def _hip(self, fitted: Fit, here: Frame, sacrum: list[Structure]) -> Callable[[], Solid]:
        return lambda: apart(fitted.solid(PELVIS_PITCH_MM, self._device), here, sacrum, 2 * JOINT_MM)

    @cached_property
    def _sacrum(self) -> Template | None:
        bone = self._source.sacrum
        if bone is None:
            return None
        return template.picked(self._source, self._folder, bone, pelvic.SACRUM, None, template.PITCH_MM, self._cache)

    @cached_property
    def _pelvis(self) -> Template | None:
        bone, joined = self._source.pelvis, self._source.sacrum
        if bone is None or joined is None:
            return None
        frame = pelvic.sacrum_frame(np.array([joined.landmarks[name] for name in pelvic.SACRUM]))
        return template.picked(self._source, self._folder, bone, pelvic.PELVIS, frame, PELVIS_PITCH_MM, self._cache)

    def ribs(self, skeleton: Skeleton) -> list[Structure]:
        """Every rib, right and left."""
        return self._fallback.ribs(skeleton)
