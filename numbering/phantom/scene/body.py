"""Skin, subcutaneous fat, the muscular wall of the trunk, and the fat that fills it."""

from __future__ import annotations

import numpy as np

from numbering.phantom.scene.blob import blob
from numbering.phantom.scene.grid import Array
from numbering.phantom.scene.labels import Label
from numbering.phantom.scene.outline import ANGLES, COS, SIN, reach, superellipse
from numbering.phantom.scene.site import SIDES, Site
from numbering.phantom.scene.stack import Stack, stack
from numbering.phantom.scene.structure import Structure

SKIN_MM = 2.0


def body(site: Site, inside: Stack) -> list[Structure]:
    """From outside: skin, fat, wall, and the fat in the cavity ``inside``, each laid over the one before."""
    trunk = site.trunk
    skin = trunk.skin() - _furrow(site)
    return [
        *_head(site),
        stack(Label.SKIN, trunk.z, trunk.middle, skin),
        stack(Label.FAT, trunk.z, trunk.middle, skin - SKIN_MM),
        stack(Label.MUSCLE, trunk.z, trunk.middle, trunk.muscle()),
        inside,
    ]


def _head(site: Site) -> list[Structure]:
    """Over the skull, which films of the whole spine show."""
    centre = site.skeleton.vertebrae[0].frame.centre + np.array([0.0, -2, 84]) * site.scale
    half = np.array([86.0, 114, 112]) * site.scale
    return [blob(Label.SKIN, centre, half), blob(Label.MUSCLE, centre, half - 3)]


def _furrow(site: Site) -> Array:
    """The furrow over the spinous processes, deeper in lean and muscular people."""
    trunk = site.trunk
    depth = np.minimum(0.35 * trunk.back_fat, 9.0 * site.scale)
    across = trunk.width[:, None] * COS
    shallow = depth[:, None] * np.exp(-((across / (17 * site.scale)) ** 2)) * (SIN > 0)
    return np.asarray(np.maximum(shallow, trunk.furrow(0.8)))


def cavity(site: Site) -> Stack:
    """What the wall encloses, from the pelvic floor to the upper opening of the thorax."""
    trunk = site.trunk
    low, high = -125 * site.scale, site.z(8.2)
    z = np.arange(low, high, 8.0)
    middle = np.stack([trunk.at(z, trunk.middle[:, 0]), trunk.at(z, trunk.middle[:, 1])], 1)
    rows = np.stack([trunk.at(z, row) for row in (trunk.muscle() - _wall_mm(site)).T], 1)
    wings = np.stack([_wing(site, at, height) for at, height in zip(middle, z, strict=True)])
    radius = np.minimum(rows, wings)
    radius = np.minimum(radius, _chest(site, z, middle))
    close = np.sqrt(np.clip((z - low) / 25, 0.02, 1)) * np.sqrt(np.clip((high - z) / 25, 0.02, 1))
    return stack(Label.FAT, z, middle, np.maximum(radius, 1.0) * close[:, None])


def _wall_mm(site: Site) -> Array:
    """Thickness of the wall in each direction at each of the trunk's heights: rectus beside the white line in front,
    three layers at the side, and only fascia behind, where the muscles of the back have structures of their own; in the
    chest, ribs between muscles all around; in the pelvis thick."""
    across = np.abs(COS)
    rectus = 9.0 * np.clip((across - 0.03) / 0.05, 0, 1) * np.clip((0.6 - across) / 0.08, 0, 1)
    flank = 18.0 * np.clip((across - 0.55) / 0.25, 0, 1)
    behind = np.clip((across - 0.72) / 0.2, 0, 1) * 17.0 + 2.0
    belly = np.where(SIN < 0, np.maximum(rectus, flank) + 2.0, behind) * site.scale
    chest = np.where(SIN < 0, 14.0, np.clip((across - 0.3) / 0.4, 0, 1) * 14 + 2.0) * site.scale
    pelvis = np.where(SIN < 0, 12.0 + 60 * across**3, 20 + 60 * across**2) * site.scale
    belly *= float(np.clip(np.sqrt(site.soft.psoas_cm2[2] / (8.5 * site.scale**2)), 0.6, 1.15))
    z, scale = site.trunk.z, site.scale
    upper = np.interp(z, [site.z(19), site.z(17)], [0, 1])[:, None]
    lower = np.interp(z, [-110 * scale, -70 * scale], [1, 0])[:, None]
    return belly * (1 - upper) * (1 - lower) + chest * upper + pelvis * lower


def _wing(site: Site, middle: Array, z: float) -> Array:
    """How far the cavity may reach before the iliac wings, in each direction; far where there is no wing. Behind the
    wings of the sacrum's height lie gluteal muscles, so the cavity ends with the wing there."""
    limit = np.full(len(ANGLES), 1e3)
    for side in SIDES:
        points = site.wing(side, z)
        if len(points) < 2:
            continue
        away = points - middle
        angle = np.unwrap(np.arctan2(away[:, 1], away[:, 0] * side))
        order = np.argsort(angle)
        far = np.hypot(*away.T)[order]
        own = np.where(side > 0, ANGLES, np.pi - ANGLES)
        own = (own + np.pi) % (2 * np.pi) - np.pi
        behind = far[-1] + float(np.interp(z, [-25 * site.scale, 0], [4, 1e3]))
        found = np.interp(own, angle[order], far, left=1e3, right=behind)
        limit = np.minimum(limit, np.where(np.abs(own) < np.pi / 2, found, 1e3))
    return limit


_RIB_CAGE = np.array(
    [(8, 44, 38, 8), (9.3, 68, 54, -6), (10, 84, 64, -14), (11, 98, 72, -22), (12, 107, 80, -28), (13, 112, 86, -33)]
    + [(14, 117, 89, -37), (15, 122, 90, -39), (16, 124, 90, -40), (17, 122, 88, -40), (18.5, 118, 85, -39)]
)
"""Half width and half depth inside the ribs, and its middle behind the middle of the spine, at ordinals."""


def rib_cage(site: Site) -> Stack:
    """The inside of the ribs, down to the lowest that lungs reach."""
    z = np.array([site.z(ordinal) for ordinal in (*_RIB_CAGE[:, 0], 20.6)])
    wide, deep, behind = (np.append(column, column[-1] - 6) * site.scale for column in _RIB_CAGE[:, 1:].T)
    middle = site.spine(z) * [0.6, 1] + np.stack([np.zeros(len(z)), behind], 1)
    return stack(0, z, middle, superellipse(wide, deep, 2.2))


def _chest(site: Site, z: Array, middle: Array) -> Array:
    """How far the cavity may reach before the ribs; far below them."""
    at = np.array([site.z(ordinal) for ordinal in _RIB_CAGE[:, 0]])[::-1]
    wide, deep, behind = (np.interp(z, at, column[::-1])[:, None, None] * site.scale for column in _RIB_CAGE[:, 1:].T)
    free = np.interp(z, [site.z(19.5), at[0]], [80.0, 0.0])[:, None, None]  # the ribs end, the wall takes over
    centre = site.spine(z)[:, None, None]

    def inside(x: Array, y: Array) -> Array:
        across, along = (x - 0.6 * centre[..., 0]) / (wide + free), (y - centre[..., 1] - behind) / (deep + free)
        return np.asarray((1 - (np.abs(across) ** 2.2 + np.abs(along) ** 2.2) ** (1 / 2.2)) * 80)

    return reach(middle, inside, 200.0, 4.0)
