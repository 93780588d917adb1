"""The muscles that tell axial levels apart, each fitted to its sampled cross-section at every height.

Psoas: small and triangular beside L1–2, round and large by L4–5. Quadratus lumborum: its lateral edge moves from medial
of the erector's (L1–2) to far lateral (L4). Erector spinae gives way to multifidus below L3. Iliacus: from the crest
down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d

from numbering.phantom.scene import courses
from numbering.phantom.scene.courses import Course
from numbering.phantom.scene.grid import Array
from numbering.phantom.scene.labels import Label
from numbering.phantom.scene.outline import ANGLES, fit, reach, smoothed, superellipse
from numbering.phantom.scene.site import SIDES, Site
from numbering.phantom.scene.stack import DIRECTIONS, Stack, stack
from numbering.phantom.scene.structure import Structure

ROW_MM = 7.0


@dataclass(frozen=True)
class Fitted:
    """A muscle's sections: heights, centres ``(n, 2)``, radii ``(n, DIRECTIONS)``."""

    z: Array
    centre: Array
    radius: Array

    def stack(self, label: int) -> Stack:
        """As a structure."""
        return stack(label, self.z, self.centre, self.radius)

    def distance(self, x: Array, y: Array) -> Array:
        """Radial distance from the section of the same row, of points ``(n, ...)``; positive outside."""
        shape = (-1, *(1,) * (x.ndim - 1))
        dx, dy = x - self.centre[:, 0].reshape(shape), y - self.centre[:, 1].reshape(shape)
        direction = np.round(np.arctan2(dy, dx) * DIRECTIONS / (2 * np.pi)).astype(int) % DIRECTIONS
        rows = np.arange(len(self.z)).reshape(shape)
        return np.asarray(np.hypot(dx, dy) - self.radius[rows, direction])


def muscles(site: Site) -> list[Structure]:
    """Erector spinae, multifidus, quadratus, psoas and iliacus, right before left."""
    found: list[Structure] = []
    soft = site.soft
    for side, right in zip(SIDES, (True, False), strict=True):
        multifidus = fitted(site, side, courses.multifidus(soft.multifidus_cm2), _behind_lamina(site), settle=True)
        erector = fitted(
            site, side, courses.erector(soft.erector_cm2), _behind_processes(site, multifidus), settle=True
        )
        quadratus = fitted(site, side, courses.quadratus(soft.quadratus_cm2), _before_processes(site))
        psoas = fitted(site, side, courses.psoas(soft.psoas_cm2), _beside_body(site, quadratus))
        iliacus = fitted(site, side, courses.iliacus(site, side), lambda x, y, z: np.full_like(x, 1.0))
        found += [
            erector.stack(Label.ERECTOR_RIGHT if right else Label.ERECTOR_LEFT),
            multifidus.stack(Label.MULTIFIDUS_RIGHT if right else Label.MULTIFIDUS_LEFT),
            iliacus.stack(Label.ILIACUS_RIGHT if right else Label.ILIACUS_LEFT),
            quadratus.stack(Label.QUADRATUS_RIGHT if right else Label.QUADRATUS_LEFT),
            psoas.stack(Label.PSOAS_RIGHT if right else Label.PSOAS_LEFT),
        ]
    return found


Free = Callable[[Array, Array, Array], Array]
"""``free(x, y, z)``: positive where a muscle may lie; mm patient frame, z ``(n, 1, 1)``."""


def fitted(site: Site, side: int, course: Course, free: Free, settle: bool = False) -> Fitted:
    """The course of a muscle, its sections grown within the free space to the wanted areas. One that is to ``settle``
    first moves to the middle between what lies before and behind it."""
    ends = course.ordinals if course.heights else [_height(site, ordinal) for ordinal in course.ordinals]
    z = np.linspace(min(ends), max(ends), max(4, round((max(ends) - min(ends)) / ROW_MM) + 1))
    order = np.argsort(ends)

    def along(values: tuple[float, ...]) -> Array:
        return np.asarray(PchipInterpolator(np.array(ends)[order], np.array(values, float)[order])(z))

    beside, behind = along(course.beside) * site.scale, along(course.behind) * site.scale
    centre = site.beside(z, side * beside, behind)
    centre[:, 1] = np.maximum(centre[:, 1], site.trunk.front(centre[:, 0], z) + 24 * site.scale)
    if settle:
        centre[:, 1] += _settled(centre, z, free)
    turn = along(course.turn) * side
    shape = superellipse(np.sqrt(along(course.longer)), 1 / np.sqrt(along(course.longer)), 2.2, turn)
    point = ANGLES - np.radians(90 + side * (turn * side + 30))[:, None]
    shape = shape * (1 + along(course.pointed)[:, None] * np.cos(3 * point))
    shape = shape * _uneven(site, side, course, len(z))
    limit = reach(centre, lambda x, y: free(x, y, z[:, None, None]), 60 * site.scale, 2.0)
    area = along(course.area) * 100
    return Fitted(z, centre, fit(smoothed(fit(shape, limit, area)), limit, area))


def _settled(centre: Array, z: Array, free: Free) -> Array:
    """How far each section is to move to the back, mm."""
    offsets = np.linspace(-18, 18, 19)
    room = free(centre[:, 0, None, None], centre[:, 1, None, None] + offsets, z[:, None, None])
    return np.asarray(gaussian_filter1d(offsets[room[:, 0].argmax(-1)], 1.0, mode="nearest"))


def _uneven(site: Site, side: int, course: Course, rows: int) -> Array:
    """Every muscle of every person has an outline of its own, which changes slowly along it."""
    rng = site.draw(1000 + 10 * int(course.beside[0]) + side)
    along = np.arange(rows)[:, None] * ROW_MM
    found = np.zeros((rows, DIRECTIONS))
    for waves in (2, 3, 3, 4, 5):
        bend, phase = rng.normal(0, 0.02), rng.uniform(0, 2 * np.pi)
        found += np.cos(waves * ANGLES + phase + bend * along) * rng.normal(0, 0.06 / np.sqrt(waves))
    return np.exp(found)


def _height(site: Site, ordinal: float) -> float:
    return site.z(ordinal) if ordinal <= 24.5 else -(ordinal - 24.9) * 31 * site.scale


def _own(site: Site, x: Array, y: Array, z: Array) -> tuple[Array, Array]:
    """Points relative to the middle of the body, turned with it."""
    middle, turn = site.spine(z), site.turn(z)
    dx, dy = x - middle[..., 0], y - middle[..., 1]
    return dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)


def _beside_body(site: Site, quadratus: Fitted) -> Free:
    scale = site.scale

    def free(x: Array, y: Array, z: Array) -> Array:
        across, behind = _own(site, x, y, z)
        half = site.body_half(z) + 2
        body = (np.hypot(across / half[..., 0], behind / half[..., 1]) - 1) * 15
        process = half[..., 1] + 6 * scale - behind
        return np.minimum(np.minimum(body, process), _outside(quadratus, x, y, z))

    return free


def _outside(other: Fitted, x: Array, y: Array, z: Array) -> Array:
    """Distance from another muscle's section at the same height, 1 mm of fat between."""
    rows = np.clip(np.searchsorted(other.z, z.ravel()), 0, len(other.z) - 1)
    same = Fitted(z.ravel(), other.centre[rows], other.radius[rows])
    here = (z >= other.z[0]) & (z <= other.z[-1])
    return np.asarray(np.where(here, same.distance(x, y) - 1.0, 50.0))


def _before_processes(site: Site) -> Free:
    def free(x: Array, y: Array, z: Array) -> Array:
        across, behind = _own(site, x, y, z)
        return np.minimum(site.body_half(z)[..., 1] + 11.5 * site.scale - behind, np.abs(across) - 30 * site.scale)

    return free


def _processes(site: Site, z: Array) -> Array:
    """How far behind the middle of the body the muscles of the back begin."""
    thoracic = np.interp(z, [site.z(20.0), site.z(17.0)], [0, 6])
    sacral = np.interp(z, [-60 * site.scale, -10 * site.scale], [14, 0])
    return np.asarray(site.body_half(z)[..., 1] + (13 + thoracic + sacral) * site.scale)


def _behind_processes(site: Site, multifidus: Fitted) -> Free:
    def free(x: Array, y: Array, z: Array) -> Array:
        across, behind = _own(site, x, y, z)
        room = np.minimum(behind - _processes(site, z), site.trunk.fascia(x, z) - 2 - y)
        return np.minimum(np.minimum(room, np.abs(across) - 4), _outside(multifidus, x, y, z))

    return free


def _behind_lamina(site: Site) -> Free:
    scale = site.scale

    def free(x: Array, y: Array, z: Array) -> Array:
        across, behind = _own(site, x, y, z)
        side = np.abs(across)
        lamina = _processes(site, z) + np.clip(12 * scale - 0.5 * side, 0, None)
        return np.minimum(np.minimum(behind - lamina, side - 3.5), site.trunk.fascia(x, z) - 2 - y)

    return free
