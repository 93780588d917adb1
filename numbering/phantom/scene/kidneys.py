"""Kidneys at their level, beside the psoas, with sinus, pelvis and ureter."""

from __future__ import annotations

import numpy as np

from numbering.phantom.scene.blob import blob, dented
from numbering.phantom.scene.grid import Array
from numbering.phantom.scene.labels import Label
from numbering.phantom.scene.site import Site
from numbering.phantom.scene.structure import Structure
from numbering.phantom.scene.tube import pieces, tube

_PART = 30


def middle(site: Site, side: int) -> Array:
    """Of a kidney; the lower pole lies further out and forward than the upper one."""
    z = site.z(site.soft.kidney_ordinal[0 if side < 0 else 1])
    size = np.sqrt(site.soft.psoas_cm2[1] / 5.5)
    x, y = site.spine(z)
    return np.array([x + side * (49 * site.scale + 14 * size), y - 5 * site.scale, z])


def axes(side: int) -> Array:
    """Rotation of a kidney's own axes: x towards its hilum, z along it to the upper pole."""
    upper = np.array([-side * 0.24, 0.22, 1.0])
    upper /= np.linalg.norm(upper)
    inwards = np.array([-side * 0.82, -0.57, 0.0])
    inwards -= upper * (inwards @ upper)
    inwards /= np.linalg.norm(inwards)
    return np.stack([inwards, np.cross(upper, inwards), upper], 1)


def hilum(site: Site, side: int) -> Array:
    """Where vessels and pelvis pass."""
    return np.asarray(middle(site, side) + axes(side) @ [20 * site.soft.kidney_length / 110, 0, 0])


def kidneys(site: Site) -> list[Structure]:
    """Right before left: kidney, fat of its sinus, pelvis with calices, ureter."""
    found: list[Structure] = []
    rng = site.draw(_PART)
    length = site.soft.kidney_length
    small = length / 110
    for side, kidney, pelvis in (
        (-1, Label.KIDNEY_RIGHT, Label.RENAL_PELVIS_RIGHT),
        (1, Label.KIDNEY_LEFT, Label.RENAL_PELVIS_LEFT),
    ):
        centre, turned = middle(site, side), axes(side)
        half = np.array([29 * small, 24 * small, length / 2]) * rng.normal(1, [0.05, 0.05, 0])
        sinus = centre + turned @ np.array([13.0, 0, 0]) * small
        found.append(
            blob(kidney, centre, half, turned, power=2.2, bumps=0.035, rng=rng, dent=dented([1, 0, 0], 0.38, 0.42))
        )
        found.append(blob(Label.FAT, sinus, np.array([13, 8.5, 25]) * small, turned, bumps=0.1, rng=rng))
        out = centre + turned @ np.array([30.0, 1, -8]) * small
        found += [
            tube(
                pelvis,
                [sinus + turned @ [2, 0, up * small], sinus + turned @ [-7 * small, 0, 1.25 * up * small]],
                [3, 2.2],
            )
            for up in (-15, 2, 16)
        ]
        found.append(blob(pelvis, sinus + turned @ [3, 0, -2], np.array([7, 5, 14]) * small, turned))
        found.append(tube(pelvis, [sinus, out], np.array([6.0, 2.5]) * small))
        found += _ureter(site, side, pelvis, out)
    return found


def _ureter(site: Site, side: int, label: int, start: Array) -> list[Structure]:
    """Down on the psoas, over the iliac vessels, to the bladder."""
    path = [start]
    for at, across, before in ((22, 40, 10), (23, 42, 18), (24, 42, 22)):
        z = site.z(at)
        if z < path[-1][2] - 12:
            path.append(np.array([*(site.spine(z) + np.array([side * across, -before - 6]) * site.scale), z]))
    path += [np.array([side * 40, -28, -18]) * site.scale, np.array([side * 52, -12, -62]) * site.scale]
    path.append(np.array([side * 20, -30, -98]) * site.scale)
    return [*pieces(tube(label, path, 1.8 * site.scale, step_mm=12))]
