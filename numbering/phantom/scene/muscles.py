"""The muscles that tell axial levels apart, each fitted to its sampled cross-section at every height.

Psoas: small and triangular beside L1–2, round and large by L4–5. Quadratus lumborum: its lateral edge moves from medial
of the erector's (L1–2) to far lateral (L4). Erector spinae gives way to multifidus below L3. Iliacus: from the crest
down. Places in mm of an average patient, relative to the middle of the vertebral body.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from numbering.phantom.scene.grid import Array
from numbering.phantom.scene.labels import Label
from numbering.phantom.scene.outline import ANGLES, fit, reach, smoothed, superellipse
from numbering.phantom.scene.site import SIDES, Site
from numbering.phantom.scene.stack import DIRECTIONS, Stack, stack
from numbering.phantom.scene.structure import Structure

ROW_MM = 7.0
_LUMBAR = (20, 21, 22, 23, 24)


@dataclass(frozen=True)
class Course:
    """How a muscle runs: at ``ordinals`` (25 and more: S1, S2 …), its place beside and behind the middle of the body,
    the shape of its section (length against width, turn in degrees, how triangular) and its area, cm²."""

    ordinals: tuple[float, ...]
    beside: tuple[float, ...]
    behind: tuple[float, ...]
    longer: tuple[float, ...]
    turn: tuple[float, ...]
    pointed: tuple[float, ...]
    area: tuple[float, ...]
    heights: bool = False
    """Whether ``ordinals`` are z in mm instead."""


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
        multifidus = fitted(site, side, _multifidus(soft.multifidus_cm2), _behind_lamina(site))
        erector = fitted(site, side, _erector(soft.erector_cm2), _behind_processes(site, multifidus))
        quadratus = fitted(site, side, _quadratus(soft.quadratus_cm2), _before_processes(site))
        psoas = fitted(site, side, _psoas(soft.psoas_cm2), _beside_body(site, quadratus))
        iliacus = fitted(site, side, _iliacus(site, side), lambda x, y, z: np.full_like(x, 1.0))
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


def fitted(site: Site, side: int, course: Course, free: Free) -> Fitted:
    """The course of a muscle, its sections grown within the free space to the wanted areas."""
    ends = course.ordinals if course.heights else [_height(site, ordinal) for ordinal in course.ordinals]
    z = np.linspace(min(ends), max(ends), max(4, round((max(ends) - min(ends)) / ROW_MM) + 1))
    order = np.argsort(ends)

    def along(values: tuple[float, ...]) -> Array:
        return np.asarray(PchipInterpolator(np.array(ends)[order], np.array(values, float)[order])(z))

    beside, behind = along(course.beside) * site.scale, along(course.behind) * site.scale
    centre = site.beside(z, side * beside, behind)
    centre[:, 1] = np.maximum(centre[:, 1], site.trunk.front(centre[:, 0], z) + 24 * site.scale)
    turn = along(course.turn) * side
    shape = superellipse(np.sqrt(along(course.longer)), 1 / np.sqrt(along(course.longer)), 2.2, turn)
    point = ANGLES - np.radians(90 + side * (turn * side + 30))[:, None]
    shape = shape * (1 + along(course.pointed)[:, None] * np.cos(3 * point))
    shape = shape * _uneven(site, side, course, len(z))
    limit = reach(centre, lambda x, y: free(x, y, z[:, None, None]), 60 * site.scale, 2.0)
    area = along(course.area) * 100
    return Fitted(z, centre, fit(smoothed(fit(shape, limit, area)), limit, area))


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


def _psoas(areas: tuple[float, ...]) -> Course:
    last = areas[-1]
    return Course(
        ordinals=(19.3, *_LUMBAR, 25, 26.5, 28, 30),
        beside=(25, 29, 35, 41, 46, 51, 56, 67, 86, 100),
        behind=(9, 10, 8, 4, -1, -10, -24, -62, -92, -92),
        longer=(0.9, 0.85, 0.8, 0.8, 0.9, 0.95, 1, 1, 1.1, 1.1),
        turn=(0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        pointed=(0.2, 0.2, 0.15, 0.07, 0.02, 0, 0, 0, 0, 0),
        area=(0.1, *areas, 0.95 * last, 0.75 * last, 0.5 * last, 0.1),
    )


def _quadratus(areas: tuple[float, ...]) -> Course:
    return Course(
        ordinals=(19.2, *_LUMBAR, 24.4),
        beside=(40, 44, 50, 59, 70, 64, 60),
        behind=(22, 23, 23, 21, 17, 10, 8),
        longer=(1.7, 1.8, 2.1, 2.6, 3.0, 2.2, 2),
        turn=(-8, -10, -13, -16, -20, -30, -30),
        pointed=(0,) * 7,
        area=(0.1, *areas, 0.1),
    )


def _erector(areas: tuple[float, ...]) -> Course:
    first, last = areas[0] / 16, areas[-1]
    return Course(
        ordinals=(8, 11, 14, 17, 19, *_LUMBAR, 25, 26, 27.5),
        beside=(24, 27, 30, 34, 38, 41, 43, 45, 47, 45, 40, 36, 30),
        behind=(34, 36, 38, 42, 44, 45, 45, 45, 44, 42, 44, 44, 42),
        longer=(1.6, 1.7, 1.8, 1.9, 1.8, 1.7, 1.7, 1.7, 1.7, 1.8, 2, 2, 2),
        turn=(0,) * 13,
        pointed=(0,) * 13,
        area=(4 * first, 5 * first, 7 * first, 10 * first, 14 * first, *areas, 0.6 * last, 0.3 * last, 0.1),
    )


def _multifidus(areas: tuple[float, ...]) -> Course:
    first, last = areas[0] / 2, areas[-1]
    return Course(
        ordinals=(8, 14, 18, *_LUMBAR, 25, 26, 27.5),
        beside=(11, 10, 10, 11, 12, 14, 17, 20, 20, 18, 14),
        behind=(38, 40, 44, 48, 48, 47, 45, 43, 42, 42, 40),
        longer=(0.8, 0.8, 0.8, 0.7, 0.75, 0.85, 0.95, 1.1, 1.3, 1.5, 1.5),
        turn=(0,) * 11,
        pointed=(0,) * 11,
        area=(2.5 * first, 1.8 * first, 1.8 * first, *areas, 0.8 * last, 0.5 * last, 0.1),
    )


def _iliacus(site: Site, side: int) -> Course:
    """On the inner surface of the wing, then beside the psoas."""
    size = site.soft.psoas_cm2[-1] / 11.5
    rows = []
    top = float(site.skeleton.height(site.skeleton.patient.sacrum.crest_ordinal))
    for share, area in ((0.0, 0.1), (0.25, 4), (0.5, 8), (0.75, 10), (1.0, 11)):
        z = top - 6 + share * (-45 * site.scale - top)
        line = site.wing(side, z)
        line = line[len(line) // 3 :]
        along = line[-1] - line[0]
        along /= np.linalg.norm(along)
        thick = 2.2 * np.sqrt(area * size * 100 / np.pi / 4.5)
        inwards = np.array([along[1], -along[0]]) * side
        x, y = line[len(line) // 2] + inwards * (0.5 * thick + 4) * np.sign(inwards[0] * -side) - site.spine(z)
        turn = np.degrees(np.arctan2(along[1], along[0] * side))
        rows.append((z, side * x / site.scale, y / site.scale, 4.5, turn, area * size))
    rows += [(-80 * site.scale, 86, -70, 2.0, -50, 8 * size), (-115 * site.scale, 97, -86, 1.3, -40, 3 * size)]
    heights, beside, behind, longer, turns, areas = (
        tuple(float(value) for value in column) for column in zip(*rows, strict=True)
    )
    return Course(heights, beside, behind, longer, turns, (0.0,) * len(rows), areas, heights=True)


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
