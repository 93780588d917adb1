"""The vertebral canal: fat, dural sac, cord down to the conus, roots of the cauda equina, ligaments."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from numbering.phantom.scene.grid import Array
from numbering.phantom.scene.labels import Label
from numbering.phantom.scene.outline import SIN, superellipse
from numbering.phantom.scene.site import SIDES, Site
from numbering.phantom.scene.stack import Stack, stack
from numbering.phantom.scene.structure import Structure
from numbering.phantom.scene.tube import Tube, pieces, tube

_ROW_MM = 4.0
_SACRAL = np.array([[0, 0], [-25, 2], [-50, 6], [-72, 12]])
"""Below S1's endplate along the sacrum, and how far behind the straight line the canal runs."""


class Canal:
    """The middle of the canal and its half width and depth, head to foot."""

    def __init__(self, site: Site) -> None:
        skeleton, scale = site.skeleton, site.scale
        rows = []
        for placed in skeleton.vertebrae:
            size = placed.vertebra.size
            back = (size.upper_depth + size.lower_depth) / 4
            own = np.array([[0, back + size.canal_depth / 2, size.height * up] for up in (0.35, -0.4)])
            rows += [(*at, size.canal_width / 2, size.canal_depth / 2) for at in placed.frame.place(own)]
        endplate = skeleton.patient.sacrum.endplate_depth / 2
        for (below, behind), narrow in zip(_SACRAL * scale, (1.0, 0.8, 0.6, 0.45), strict=True):
            at = skeleton.sacrum.place(np.array([[0, endplate * (0.95 - 0.006 * abs(below)) + 8 + behind, below - 4]]))[
                0
            ]
            rows.append((*at, 14.5 * narrow * scale, 9.0 * narrow * scale))
        table = np.array(rows)
        table = table[np.argsort(table[:, 2])]
        self.z = np.arange(table[0, 2], table[-1, 2], _ROW_MM)
        found = np.stack([np.interp(self.z, table[:, 2], column) for column in table.T], 1)
        found = gaussian_filter1d(found, 1.5, axis=0, mode="nearest")
        self.centre, self.half = found[:, :2], found[:, 3:]
        lean = np.gradient(self.centre[:, 1], self.z)
        self.slant = np.sqrt(1 + lean**2)
        """An oblique canal is cut longer by an axial plane."""

    def at(self, z: Array | float, values: Array) -> Array:
        """A row of the table at other heights."""
        return np.stack([np.interp(z, self.z, column) for column in values.T], -1)

    def stack(self, label: int, share: float, shift_mm: float = 0.0, low: float = -1e4, high: float = 1e4) -> Stack:
        """A column that takes a share of the canal's size, moved back, between two heights."""
        rows = (self.z >= low) & (self.z <= high)
        half = self.half[rows] * share
        outline = superellipse(half[:, 0], half[:, 1] * self.slant[rows], 2.3)
        return stack(label, self.z[rows], self.centre[rows] + [0, shift_mm], outline)


def canal(site: Site) -> list[Structure]:
    """Ligaments, then fat, sac, roots and cord."""
    run = Canal(site)
    sac_end = -26 * site.scale
    found: list[Structure] = [
        _interspinous(run, site),
        _flavum(run, site),
        run.stack(Label.EPIDURAL_FAT, 0.96),
        _sac(run, site, sac_end),
        *_roots(run, site, sac_end),
        _cord(run, site),
    ]
    return found


def _flavum(run: Canal, site: Site) -> Stack:
    """The yellow ligament: 3–4 mm behind the canal, from T10 down; bone is laid over it."""
    low, high = -8 * site.scale, site.z(16.5)
    rows = (run.z >= low) & (run.z <= high)
    half = run.half[rows]
    thick = np.where(SIN > 0, 3.6 * SIN, 0.0) * site.scale
    outline = superellipse(half[:, 0], half[:, 1] * run.slant[rows], 2.3) + thick
    return stack(Label.LIGAMENT, run.z[rows], run.centre[rows], outline)


def _interspinous(run: Canal, site: Site) -> Stack:
    """Between the spinous processes."""
    sizes = [placed.vertebra.size for placed in site.skeleton.vertebrae[::-1]]
    at = np.array([placed.frame.centre[2] for placed in site.skeleton.vertebrae[::-1]])
    tip = [size.spinous_length - size.upper_depth / 2 for size in sizes]
    z = np.arange(5 * site.scale, site.z(17), _ROW_MM)
    start = run.at(z, run.centre)[:, 1] + run.at(z, run.half)[:, 1] + 4
    end = np.maximum(site.spine(z)[:, 1] + np.interp(z, at, tip) - 3, start + 4)
    x = run.at(z, run.centre)[:, 0]
    return stack(Label.LIGAMENT, z, np.stack([x, (start + end) / 2], 1), superellipse(2.4, (end - start) / 2, 3))


def _sac(run: Canal, site: Site, low: float) -> Stack:
    """Fills most of the canal, less so at L5–S1, and ends at S2."""
    rows = run.z >= low
    z = run.z[rows]
    share = np.interp(z, [low, low + 8, 0, site.z(23.5), site.z(22)], [0.1, 0.45, 0.62, 0.74, 0.84])
    half = run.half[rows] * share[:, None]
    outline = superellipse(half[:, 0], half[:, 1] * run.slant[rows], 2.1)
    shift = np.stack([np.zeros(len(z)), -0.08 * run.half[rows][:, 1] * (1 - share)], 1)
    return stack(Label.THECAL_SAC, z, run.centre[rows] + shift, outline)


def _cord(run: Canal, site: Site) -> Stack:
    """Oval, thicker in the lumbar enlargement, tapering to the conus."""
    end = site.z(site.soft.conus_ordinal)
    z = np.append(end, run.z[run.z > end + 1])
    up = z - end
    size = np.interp(up, [0, 3, 12, 30, 60, 120], [0.1, 0.45, 0.75, 1.0, 1.1, 0.92]) * site.scale
    neck = np.interp(z, [site.z(9), site.z(6)], [0, 1])
    outline = superellipse(size * (4.6 + 1.6 * neck), size * (3.8 - 0.2 * neck), 2.0)
    return stack(Label.CORD, z, run.at(z, run.centre), outline)


def _roots(run: Canal, site: Site, low: float) -> list[Structure]:
    """Cauda equina: strands behind in the sac, that leave it one after the other; and the roots in the foramina."""
    found: list[Structure] = []
    start = site.z(site.soft.conus_ordinal) + 8
    lumbar = [placed for placed in site.skeleton.vertebrae if placed.vertebra.level.region == "L"]
    for side in SIDES:
        for number, placed in enumerate(lumbar):
            size = placed.vertebra.size
            exit_own = np.array([[side * (size.canal_width / 2 + 4), size.lower_depth / 2 + 4, -0.28 * size.height]])
            out_own = np.array([[side * (size.canal_width / 2 + 15), size.lower_depth / 2 + 2, -0.62 * size.height]])
            exit_at, out = placed.frame.place(exit_own)[0], placed.frame.place(out_own)[0]
            found.append(
                Tube(Label.NERVE, np.stack([exit_at, (exit_at + out) / 2, out]), np.array([2.0, 3.0, 2.2]) * site.scale)
            )
            found += _strand(run, site, side, number, start, exit_at)
        for number in (5, 6, 7):
            found += _strand(run, site, side, number, start, np.array([0, 0, low + 2]))
    return found


def _strand(run: Canal, site: Site, side: int, number: int, start: float, end: Array) -> list[Structure]:
    if end[2] > start - 12:
        return []
    inner = min(number, 6) / 6  # those that leave last lie innermost
    z = np.linspace(start, end[2], max(4, round((start - end[2]) / 10)))
    centre, half = run.at(z, run.centre), run.at(z, run.half)
    spread = np.interp(
        z, [end[2], end[2] + 25, start - 25, start], [0.62, 0.55 - 0.42 * inner, 0.45 - 0.3 * inner, 0.12]
    )
    deep = np.interp(z, [end[2], end[2] + 20, start - 20, start], [-0.15 + 0.3 * inner, 0.38, 0.3, 0.15])
    path = np.stack([centre[:, 0] + side * spread * half[:, 0], centre[:, 1] + deep * half[:, 1], z], 1)
    return [*pieces(tube(Label.NERVE, path, 0.9 * site.scale, step_mm=10))]
