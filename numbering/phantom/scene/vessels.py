"""Aorta, cava, iliac and renal vessels, and the lime in their walls."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from numbering.phantom.scene.grid import Array, Bounds
from numbering.phantom.scene.kidneys import hilum
from numbering.phantom.scene.labels import Label
from numbering.phantom.scene.site import SIDES, Site
from numbering.phantom.scene.structure import Structure
from numbering.phantom.scene.tube import Tube, pieces, tube

_PART = 40


def vessels(site: Site) -> list[Structure]:
    """Veins, then arteries, then plaques."""
    rng = site.draw(_PART)
    arteries = [*_aorta(site), *_iliac(site, rng), *_renal_arteries(site)]
    return [*_cava(site), *_renal_veins(site), *arteries, *_plaques(site, arteries, rng)]


def _before_spine(site: Site, ordinal: float, across: float, gap: float) -> Array:
    """A place in front of the spine: mm to the left of its middle, mm before the body."""
    z = site.z(ordinal) if ordinal < 24.5 else -(ordinal - 24.9) * 31 * site.scale
    x, y = site.spine(z)
    return np.array([x + across * site.scale, y - site.body_half(z)[1] - gap * site.scale, z])


def fork(site: Site) -> Array:
    """Where the aorta divides."""
    return _before_spine(site, site.soft.bifurcation_ordinal, 2, 9)


def _aorta(site: Site) -> list[Tube]:
    """Arch at T4, down on the left, to the midline at the diaphragm, to its fork."""
    scale, end = site.scale, site.soft.bifurcation_ordinal
    rising = [_before_spine(site, 13.6, 4, 62), _before_spine(site, 12.4, -14, 58), _before_spine(site, 11.2, -8, 42)]
    arch = [_before_spine(site, 10.9, 8, 20), _before_spine(site, 11.6, 21, 2)]
    down = [_before_spine(site, at, x, gap) for at, x, gap in ((13, 21, 0), (15, 18, 3), (17, 13, 6), (18.5, 7, 10))]
    belly = [_before_spine(site, at, x, 12) for at, x in ((20, 8), (21, 9), (22, 8)) if at < end - 0.5]
    path = [*rising, *arch, *down, *belly, fork(site)]
    radius = np.concatenate(
        [[15, 15, 14, 13, 12.5], np.linspace(12.5, 10.5, 4), np.linspace(10, 8.5, len(belly)), [8.2]]
    )
    age = 1 + 0.003 * (site.skeleton.patient.age - 50)
    return pieces(tube(Label.AORTA, path, radius * scale * age, step_mm=10), 5)


def _iliac(site: Site, rng: np.random.Generator) -> list[Tube]:
    """Common, internal and external iliac arteries and veins."""
    scale, found = site.scale, []
    for label_start, radius, shift in ((fork(site), 5.2, 0.0), (confluence(site), 6.5, 9.0)):
        for side in SIDES:
            split = np.array([side * 38, -26 + shift, -12 + rng.normal(0, 4)]) * scale
            inner = np.array([side * 52, 8 + shift, -62]) * scale
            outer = [
                np.array(at) * scale
                for at in ((side * 52, -48 + shift, -48), (side * 72, -82, -95), (side * 84, -98, -128))
            ]
            for at in outer:
                at[1] = max(at[1], float(site.trunk.front(at[0], at[2])) + 16 * scale)
            common = tube(
                Label.ILIAC_VESSELS, [label_start, (label_start + split) / 2 + [0, -4, 2], split], radius * scale
            )
            found += [
                common,
                tube(Label.ILIAC_VESSELS, [split, *outer], 0.85 * radius * scale, step_mm=12),
                tube(Label.ILIAC_VESSELS, [split, (split + inner) / 2 + [side * 3, 0, 0], inner], 0.6 * radius * scale),
            ]
    return found


def confluence(site: Site) -> Array:
    """Where the cava is formed, half a level below the fork of the aorta, on the right."""
    return _before_spine(site, site.soft.bifurcation_ordinal + 0.5, -15, 7)


def _cava(site: Site) -> list[Structure]:
    end = site.soft.bifurcation_ordinal + 0.5
    places = [
        (at, x, gap)
        for at, x, gap in ((15.8, -16, 34), (17, -24, 30), (18.5, -24, 22), (20, -21, 11), (21, -19, 9), (22, -18, 9))
        if at < end - 0.6
    ]
    path = [*(_before_spine(site, *place) for place in places), confluence(site)]
    return [*pieces(tube(Label.CAVA, path, np.linspace(12.5, 10, len(path)) * site.scale, step_mm=10), 5)]


def _renal_arteries(site: Site) -> list[Tube]:
    found = []
    for side, at in zip(
        SIDES, (site.soft.right_renal_artery_ordinal, site.soft.right_renal_artery_ordinal - 0.1), strict=True
    ):
        start, end = _before_spine(site, at, 8 + side * 6, 12), hilum(site, side)
        bend = start * 0.45 + end * 0.55 + np.array([0, 4 if side < 0 else -2, -2])
        found.append(tube(Label.AORTA, [start, bend, end], np.array([3.2, 2.8, 2.2]) * site.scale))
    return found


def _renal_veins(site: Site) -> list[Structure]:
    """The left one crosses in front of the aorta."""
    at = site.soft.right_renal_artery_ordinal
    cava = _before_spine(site, at + 0.1, -20, 12)
    right = tube(Label.CAVA, [cava, hilum(site, -1) + [3, -4, -2]], np.array([5.5, 4.5]) * site.scale)
    front = _before_spine(site, at + 0.1, 8, 27)
    left = tube(
        Label.CAVA, [cava + [4, -4, 0], front, hilum(site, 1) + [-3, -4, -2]], np.array([5, 3.8, 4.5]) * site.scale
    )
    return [right, left]


class Plaque:
    """Lime: where the wall of a vessel and a ball overlap."""

    label = int(Label.CALCIFICATION)

    def __init__(self, vessel: Tube, centre: Array, radius: float, thick_mm: float) -> None:
        self.vessel, self.centre, self.radius, self.thick_mm = vessel, centre, radius, thick_mm
        self.bounds: Bounds = np.stack([centre - radius - 3, centre + radius + 3])

    def signed_distance(self, points: Tensor) -> Tensor:
        """See `Structure`."""
        wall = (self.vessel.signed_distance(points) + self.thick_mm / 2).abs() - self.thick_mm / 2
        away = torch.linalg.vector_norm(
            points - torch.as_tensor(self.centre, dtype=torch.float32, device=points.device), dim=-1
        )
        return torch.maximum(wall, away - self.radius)


def _plaques(site: Site, arteries: list[Tube], rng: np.random.Generator) -> list[Structure]:
    """More and larger ones with more calcification, densest around the fork."""
    share = site.soft.aortic_calcification
    found: list[Structure] = []
    lower = [
        vessel for vessel in arteries if vessel.path[:, 2].max() < site.z(17) and vessel.radius.mean() > 4 * site.scale
    ]
    if not lower:
        return found
    for _ in range(rng.poisson(70 * share)):
        vessel = lower[rng.integers(len(lower))]
        index = int(rng.integers(len(vessel.path)))
        direction = rng.normal(0, 1, 3)
        along = vessel.path[min(index + 1, len(vessel.path) - 1)] - vessel.path[max(index - 1, 0)]
        direction -= along * (direction @ along) / max(float(along @ along), 1e-9)
        at = vessel.path[index] + direction / np.linalg.norm(direction) * vessel.radius[index]
        size = float(rng.gamma(3, 1.2) * (0.7 + share))
        found.append(Plaque(vessel, at, min(size + 1.0, 12.0), float(rng.uniform(0.8, 1.6 + share))))
    return found
