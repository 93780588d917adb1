"""An atlas as a source of shapes."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from functools import cache as once
from pathlib import Path

import numpy as np
import torch

from numbering.phantom.anatomy.patient import Sacrum, Vertebra
from numbering.phantom.pose import Frame, Placed, Skeleton
from numbering.phantom.scene.labels import Label, vertebra_label
from numbering.phantom.scene.structure import Structure
from numbering.phantom.shapes.atlas import edits, fit, pelvic, variety
from numbering.phantom.shapes.atlas.catalogue import ATLASES, Source
from numbering.phantom.shapes.atlas.library import Library
from numbering.phantom.shapes.atlas.mesh import AtlasError
from numbering.phantom.shapes.atlas.shape import Bone, Fit, apart, edited
from numbering.phantom.shapes.atlas.warp import Warp
from numbering.phantom.shapes.discs import remnant
from numbering.phantom.shapes.joints import place_of
from numbering.phantom.shapes.lattice import Solid
from numbering.phantom.shapes.procedural import Procedural
from numbering.phantom.shapes.solids import Part

KEPT = 64
"""Warped bones kept for the next view of the same patient."""
JOINT_MM = 1.2
SQUARED = 0.35
"""From here on S1 looks like a lumbar vertebra, which no atlas here has."""
PELVIC_JOINT_MM = 2.0
PELVIS = 1.6
"""The lattice of a hip bone is coarser by this."""
_HERE = Frame(np.zeros(3), np.eye(3))
Key = tuple[Vertebra, str, int, tuple[Part, ...]]


class Atlas:
    """A `numbering.phantom.shapes.source.ShapeSource` of warped meshes; what it lacks is procedural.

    ``folder`` holds the atlases' folders, ``name`` is one of `ATLASES` (or ``source`` describes another). Templates are
    made on first use, on lattices of ``template_mm``, and kept in ``cache``; bones are warped on ``device`` to lattices
    of ``pitch_mm``. With ``varied`` patients differ in shape beyond their dimensions
    (`numbering.phantom.shapes.atlas.variety`). Raises `AtlasError` at once where a file is missing.
    """

    def __init__(
        self,
        folder: Path | str,
        name: str,
        *,
        source: Source | None = None,
        cache: Path | None = None,
        pitch_mm: float = 0.9,
        template_mm: float = 0.7,
        varied: bool = True,
        device: torch.device | str = "cpu",
    ) -> None:
        if source is None and name not in ATLASES:
            raise AtlasError(f"no atlas is called {name!r}; known are {', '.join(ATLASES)}")
        kept = cache or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "numbering" / "atlas"
        self.name = name
        self._library = Library(source or ATLASES[name], Path(folder), kept, template_mm)
        self._pitch_mm, self._varied, self._device = pitch_mm, varied, device
        self._fallback = Procedural()
        self._sacra: dict[tuple[Sacrum, int], tuple[Fit, Callable[[], Solid]]] = {}
        self._solids: OrderedDict[Key, tuple[Fit, Callable[[], Solid]]] = OrderedDict()

    def vertebra(self, skeleton: Skeleton, placed: Placed) -> list[Structure]:
        """The vertebra, its corners where the anatomy says, with a joint's width between it and its neighbours."""
        bone = self._whole(skeleton, placed)
        if bone is None:
            return self._fallback.vertebra(skeleton, placed)

        def make() -> Solid:
            return apart(bone.solid, placed.frame, *self._neighbours(skeleton, placed), JOINT_MM)

        return [Bone(bone.label, placed.frame, bone.box, make)]

    def _neighbours(self, skeleton: Skeleton, placed: Placed) -> tuple[list[Structure], list[Structure]]:
        """What the vertebra has a joint with, meshes and bones that stay as they are: nothing that it is fused to."""
        index = place_of(skeleton, placed)
        mutual: list[Structure] = []
        fixed: list[Structure] = []
        for near in (index - 1, index + 1):
            if 0 <= near < len(skeleton.vertebrae) and not skeleton.vertebrae[min(index, near)].vertebra.disc.fused:
                neighbour = skeleton.vertebrae[near]
                whole = self._whole(skeleton, neighbour)
                if whole:
                    mutual.append(whole)
                else:
                    fixed += self._fallback.vertebra(skeleton, neighbour)
        if index == len(skeleton.vertebrae) - 1 and not edits.joined_to_sacrum(placed.vertebra):
            fixed += self.sacrum(skeleton)
        return mutual, fixed

    def _whole(self, skeleton: Skeleton, placed: Placed) -> Bone | None:
        """The vertebra before it is kept apart from its neighbours; None where it is procedural."""
        patient, vertebra = skeleton.patient, placed.vertebra
        level = self.template_of(skeleton, placed)
        if level is None:
            return None
        parts = (*edits.added(skeleton, placed), *edits.dents(vertebra))
        key = (vertebra, level, patient.seed, parts)
        if key not in self._solids:
            found = self._library.vertebra(level, self._flipped(skeleton))
            goal = fit.targets(vertebra, found.landmarks)
            if self._varied:
                goal = goal + variety.processes(patient, vertebra)
            fitted = Fit(found, goal, fit.SLACK)
            self._solids[key] = (fitted, self._once(fitted, parts))
            while len(self._solids) > KEPT:
                self._solids.popitem(last=False)
        self._solids.move_to_end(key)
        fitted, make = self._solids[key]
        return Bone(vertebra_label(vertebra.level), placed.frame, fitted.box_with(parts), make)

    def template_of(self, skeleton: Skeleton, placed: Placed) -> str | None:
        """The level whose template draws this vertebra; None where it is drawn procedurally, as hemivertebrae are.

        Lumbar-type vertebrae are matched by their place among all of them, so the lowest one looks like an L5 in a
        spine of four or six; thoracic ones are counted up from the lowest.
        """
        region = placed.vertebra.level.region
        if region not in ("T", "L") or placed.vertebra.missing_half != "none":
            return None
        alike = [other for other in skeleton.vertebrae if other.vertebra.level.region == region]
        index = next(i for i, other in enumerate(alike) if other.vertebra.ordinal == placed.vertebra.ordinal)
        last = len(alike) - 1
        level = f"L{1 + round(index * 4 / max(last, 1))}" if region == "L" else f"T{12 - (last - index)}"
        if self._varied:
            varied = self._library.level(variety.neighbour(level, skeleton.patient, placed.vertebra))
            return varied or self._library.level(level)
        return self._library.level(level)

    def sacrum(self, skeleton: Skeleton) -> list[Structure]:
        """Sacrum and coccyx, with S1's endplate, the wings' width and the length of the anatomy; procedural where S1
        looks like a lumbar vertebra."""
        shape = skeleton.patient.sacrum
        found = self._library.sacrum(self._flipped(skeleton))
        if found is None or shape.squared > SQUARED:
            return self._fallback.sacrum(skeleton)
        key = (shape, skeleton.patient.seed)
        if key not in self._sacra:
            fitted = Fit(found, pelvic.sacrum_targets(skeleton, found.landmarks), pelvic.SACRUM_SLACK)
            whole = self._once(fitted, ())
            self._sacra.clear()
            self._sacra[key] = (
                fitted,
                once(lambda: apart(whole(), skeleton.sacrum, [], remnant(skeleton), 0.0)),
            )
        fitted, make = self._sacra[key]
        return [Bone(Label.SACRUM, skeleton.sacrum, fitted.box, make)]

    def pelvis(self, skeleton: Skeleton) -> list[Structure]:
        """Hip bones, with the anatomy's width, crests and pelvic incidence; the upper femora are procedural."""
        flip = self._flipped(skeleton)
        found, joined = self._library.pelvis(flip), self._library.sacrum(flip)
        if found is None or joined is None:
            return self._fallback.pelvis(skeleton)
        sacral = Warp.through(joined.landmarks, pelvic.sacrum_targets(skeleton, joined.landmarks), pelvic.SACRUM_SLACK)
        goal = pelvic.pelvis_targets(skeleton, found.landmarks, sacral)
        femora = [bone for bone in self._fallback.pelvis(skeleton) if bone.label == Label.FEMUR]
        joined_to = [*self.sacrum(skeleton), *femora]
        hips = [self._hip(Fit(found.side(sign), goal, pelvic.PELVIS_SLACK), joined_to) for sign in (-1.0, 1.0)]
        return [*hips, *femora]

    def _hip(self, fitted: Fit, joined_to: list[Structure]) -> Bone:
        def make() -> Solid:
            solid = fitted.solid(PELVIS * self._pitch_mm, self._device, fitted.box)
            return apart(solid, _HERE, [], joined_to, PELVIC_JOINT_MM)

        return Bone(Label.HIP_BONE, _HERE, fitted.box, make)

    def ribs(self, skeleton: Skeleton) -> list[Structure]:
        """Every rib, right and left, and the bones of the shoulder girdle: procedural."""
        return self._fallback.ribs(skeleton)

    def skull(self, skeleton: Skeleton) -> list[Structure]:
        """Base of the skull and jaw: procedural."""
        return self._fallback.skull(skeleton)

    def _flipped(self, skeleton: Skeleton) -> bool:
        return self._varied and variety.mirrored(skeleton.patient)

    def _once(self, fitted: Fit, parts: tuple[Part, ...]) -> Callable[[], Solid]:
        return once(
            lambda: edited(fitted.solid(self._pitch_mm, self._device, fitted.box_with(parts)), parts),
        )
