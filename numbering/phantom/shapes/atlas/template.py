"""A mesh made once into a template: signed distances and landmarks in its bone's own frame, kept in a cache."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from numbering.phantom.pose import Frame
from numbering.phantom.shapes.atlas import landmarks, mesh
from numbering.phantom.shapes.atlas.catalogue import Picked, Source
from numbering.phantom.shapes.atlas.pelvic import sacrum_frame
from numbering.phantom.shapes.atlas.voxels import Lattice, signed_distance

Array = NDArray[np.float64]

METHOD = 1
"""Part of the cache's key: raised when the making of templates changes."""


@dataclass(frozen=True)
class Template:
    """``distance`` in mm and ``landmarks`` ``(n, 3)`` in the bone's own frame."""

    distance: Lattice
    landmarks: Array

    def side(self, sign: float) -> Template:
        """The left (1) or the right (-1) half alone, with the midline as its edge."""
        lattice = self.distance
        x = lattice.origin[0] + lattice.pitch * np.arange(lattice.values.shape[2])
        kept = sign * x > -2 * lattice.pitch
        values = np.maximum(lattice.values, 2.0 - sign * x.astype(np.float32))[:, :, kept]
        origin = np.array([x[kept][0], *lattice.origin[1:]])
        return Template(Lattice(np.ascontiguousarray(values), origin, lattice.pitch), self.landmarks)

    def outline(self) -> Array:
        """Some points ``(n, 3)`` within a few mm of the surface and inside, enough to bound it."""
        step = max(1, int(2.5 / self.distance.pitch))
        reach = 1.5 * step * self.distance.pitch
        z, y, x = np.nonzero(self.distance.values[::step, ::step, ::step] < reach)
        return self.distance.origin + step * self.distance.pitch * np.stack([x, y, z], 1)


def vertebra(source: Source, folder: Path, level: str, cache: Path, pitch: float) -> Template:
    """The template of a level that the source has. Raises `AtlasError`."""
    path = folder / source.folder / source.vertebrae[level]
    shared = [other for other, file in source.vertebrae.items() if file == source.vertebrae[level]]
    part = shared.index(level)

    def make() -> Template:
        whole = mesh.read(path, source.axes, source.scale)
        bone = whole.largest_parts(len(shared))[part] if len(shared) > 1 else whole
        framed = landmarks.find(bone, f"{path} ({level})")
        distance = signed_distance(bone.moved(framed.centre, framed.rotation), pitch, smooth_mm=source.smooth_mm)
        exact = framed.landmarks.copy()
        exact[:8] = distance.onto_surface(exact[:8])
        return Template(distance, exact)

    return cached(cache, path, f"{source.axes} {source.scale} {part} of {len(shared)} {pitch} {source.smooth_mm}", make)


def picked(
    source: Source, folder: Path, bone: Picked, names: tuple[str, ...], frame: Frame | None, pitch: float, cache: Path
) -> Template:
    """The template of a bone with landmarks picked by eye, in ``frame``, or in that of its own sacral endplate."""
    path = folder / source.folder / bone.file
    points = np.array([bone.landmarks[name] for name in names])
    frame = frame or sacrum_frame(points)

    def make() -> Template:
        whole = mesh.read(path, source.axes, source.scale).moved(frame.centre, frame.rotation)
        return Template(signed_distance(whole, pitch), frame.own(points))

    settings = f"{source.axes} {source.scale} {points.tolist()} {frame.centre} {frame.rotation} {pitch}"
    return cached(cache, path, settings, make)


def cached(cache: Path, path: Path, settings: str, make: Callable[[], Template]) -> Template:
    """The template of a file, from the cache where the same bytes were read with the same settings before."""
    if not path.is_file():
        raise mesh.AtlasError(f"{path}: no such file; expected a mesh of the atlas, as its catalogue names it")
    key = hashlib.sha256(path.read_bytes())
    key.update(f" {METHOD} {settings}".encode())
    kept = cache / f"{key.hexdigest()[:32]}.npz"
    if kept.is_file():
        with np.load(kept) as found:
            lattice = Lattice(found["distance"].astype(np.float32), found["origin"], float(found["pitch"]))
            return Template(lattice, found["landmarks"])
    template = make()
    cache.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=cache, suffix=".npz")
    with os.fdopen(handle, "wb") as file:
        lattice = template.distance
        np.savez_compressed(
            file,
            distance=lattice.values.astype(np.float16),
            origin=lattice.origin,
            pitch=lattice.pitch,
            landmarks=template.landmarks,
        )
    Path(name).replace(kept)
    with np.load(kept) as found:
        return Template(
            Lattice(found["distance"].astype(np.float32), lattice.origin, lattice.pitch), template.landmarks
        )
