"""Colon in its frame with haustra, stool and gas; loops of small bowel; rectum."""

from __future__ import annotations

import numpy as np

from numbering.phantom.scene.abdomen import gas_above
from numbering.phantom.scene.combine import Both, Shifted, kept_within
from numbering.phantom.scene.grid import Array
from numbering.phantom.scene.labels import Label
from numbering.phantom.scene.site import Site
from numbering.phantom.scene.structure import Structure
from numbering.phantom.scene.tube import Tube, pieces, tube

_PART = 60
_COLON_WALL_MM, _LOOP_WALL_MM = 2.5, 2.0


def bowel(site: Site, cavity: Structure) -> list[Structure]:
    """Small bowel first, colon over it."""
    rng = site.draw_today(_PART)
    inside = Shifted(0, cavity, -2.0)
    return [*_loops(site, inside, rng), *_colon(site, inside, rng)]


def _colon(site: Site, inside: Structure, rng: np.random.Generator) -> list[Structure]:
    scale, trunk = site.scale, site.trunk
    wide = float(np.clip(rng.normal(1, 0.14), 0.75, 1.4))

    def place(side: float, inset: float, before: float, at: float) -> Array:
        z = site.z(at) if at < 24.5 else -(at - 24.9) * 31 * scale
        x, y = site.spine(z)
        flank = float(trunk.at(z, trunk.width)) - 20 * scale
        flank = flank if at < 23.8 else min(flank, (104 - 9 * (at - 24)) * scale)
        return np.array([x * 0.5 + side * flank * inset, y - before * scale, z])

    def front(side: float, at: float, sag: float) -> Array:
        z = site.z(at) - sag * scale
        x = side * 62 * scale
        return np.array([x, float(trunk.front(x, z)) + 36 * scale, z])

    sag = float(rng.uniform(0, 55))
    low = float(rng.uniform(-0.6, 0.6))
    rectum = [
        np.array([x * scale, y * scale, z * scale])
        for x, y, z in ((10, 10, -48), (0, 26, -72), (0, 20, -98), (0, 4, -122))
    ]
    path = [
        place(-1, 0.72, 42, 25.3), place(-1, 0.8, 32, 24), place(-1, 0.8, 22, 22.5), place(-1, 0.78, 28, 21.4),
        front(-1, 21.2, sag * 0.3), front(-0.1, 21.4, sag), front(0.8, 20.8, sag * 0.5),
        place(1, 0.8, 18, 19.6), place(1, 0.84, 10, 20.6), place(1, 0.85, 14, 22), place(1, 0.84, 22, 23.4),
        place(1, 0.8, 44, 24.8), place(1, 0.5, 62, 25.7), place(0.2, 0.4, 55, 25.2 + low), *rectum,
    ]  # fmt: skip
    knots = np.array([27, 25, 22, 20, 18, 18, 17, 17, 14, 13, 13, 14, 13, 13, 13, 17, 19, 12]) * scale * wide
    whole = tube(Label.BOWEL, path, knots, step_mm=7)
    folds = 1 + 0.13 * np.sin(np.arange(len(whole.path)) * 7 * 2 * np.pi / (30 * scale) + rng.uniform(0, 6))
    whole = Tube(Label.BOWEL, whole.path, whole.radius * folds)
    parts = pieces(whole, 5)
    walls = [kept_within(part, inside) for part in parts]
    contents = [_inner(part, _COLON_WALL_MM) for part in parts]
    stool = [kept_within(content, inside) for content in contents]
    gas: list[Structure] = []
    while contents:
        together = int(rng.integers(1, 5))
        gas += _gas(site, contents[:together], inside, rng)
        contents = contents[together:]
    return [*walls, *stool, *gas]


def _inner(part: Tube, wall_mm: float) -> Tube:
    return Tube(Label.STOOL, part.path, np.maximum(part.radius - wall_mm, 1.0))


def _gas(site: Site, run: list[Tube], inside: Structure, rng: np.random.Generator) -> list[Structure]:
    """Gas over one level in the upper part of a run of bowel, if any."""
    share = float(np.clip(rng.beta(0.8, 1.6) * (0.4 + 0.6 * site.soft.bowel_gas), 0, 0.95))
    if share <= 0.12:
        return []
    path = np.concatenate([part.path for part in run])
    radius = float(np.mean([part.radius.mean() for part in run]))
    axis = 2 if site.skeleton.posture == "standing" else 1
    above = gas_above(site, path.mean(0), radius + 0.35 * float(np.ptp(path[:, axis])), share)
    return [Both(Label.BOWEL_GAS, [kept_within(part, inside), above]) for part in run]


def _loops(site: Site, inside: Structure, rng: np.random.Generator) -> list[Structure]:
    """Loops that wander through the front of the belly."""
    scale, trunk, found = site.scale, site.trunk, list[Structure]()
    z_high, z_low = site.z(21.6), -95 * scale
    for _ in range(24):
        z = float(rng.uniform(z_low, z_high))
        at, path = np.array([float(rng.uniform(-70, 70)) * scale, 0.0, z]), []
        at[1] = float(rng.uniform(0, 1)) * (_behind(site, at) - _front(site, at)) + _front(site, at)
        heading = float(rng.uniform(0, 2 * np.pi))
        for _ in range(8):
            path.append(at.copy())
            heading += float(rng.normal(0, 1.0))
            step = 24 * scale * np.array([np.cos(heading), float(rng.normal(0, 0.6)), 0.75 * np.sin(heading)])
            at = at + step
            at[2] = np.clip(at[2], z_low, z_high)
            half = float(trunk.at(at[2], trunk.width)) * np.interp(at[2], [-90 * scale, 0], [0.3, 0.62])
            at[0] = np.clip(at[0], -half, half)
            at[1] = np.clip(at[1], _front(site, at) + 18 * scale, max(_behind(site, at), _front(site, at) + 19 * scale))
        radius = float(rng.uniform(9.5, 14)) * scale
        whole = tube(Label.BOWEL, path, radius, step_mm=12)
        content = rng.random()
        for part in pieces(whole, 6):
            found.append(kept_within(part, inside))
            if content < 0.22 * site.soft.bowel_gas:
                found += _gas(site, [_inner(part, _LOOP_WALL_MM)], inside, rng)
    return found


def _front(site: Site, at: Array) -> float:
    return float(site.trunk.front(at[0], at[2])) + 12 * site.scale


def _behind(site: Site, at: Array) -> float:
    """The furthest back that small bowel lies: in front of the great vessels, or of the psoas beside them."""
    y = float(site.spine(min(at[2], site.z(21)))[1])
    before = 52 if abs(at[0]) < 32 * site.scale else 34
    return float(y if at[2] > 0 else 0.0) - before * site.scale
