"""Lungs with their vessels, heart, mediastinum, airway and diaphragm."""

from __future__ import annotations

import numpy as np

from numbering.phantom.scene.blob import blob
from numbering.phantom.scene.body import rib_cage
from numbering.phantom.scene.combine import Both, Either, Outside, Shifted, Without, kept_within
from numbering.phantom.scene.diaphragm import Dome
from numbering.phantom.scene.grid import Array
from numbering.phantom.scene.labels import Label
from numbering.phantom.scene.outline import superellipse
from numbering.phantom.scene.site import SIDES, Site
from numbering.phantom.scene.stack import Stack, stack
from numbering.phantom.scene.structure import Structure
from numbering.phantom.scene.tube import Tube, pieces, tube

_PART = 20
DIAPHRAGM_MM = 3.5


def thorax(site: Site, dome: Dome, inside: Structure) -> list[Structure]:
    """Neck, lungs around the mediastinum, what lies in it."""
    rng = site.draw(_PART)
    heart = _heart(site, rng)
    chest = Shifted(0, inside, -1.0)
    above = Outside(Shifted(0, dome, DIAPHRAGM_MM / 2))
    cage = rib_cage(site)
    lung = Without(
        Label.LUNG,
        Both(Label.LUNG, [chest, above, cage]),
        Either(0, [_mediastinum(site), _column(site), Shifted(0, heart, 3.0)]),
    )
    vessels: list[Structure] = []
    for branch in _branches(site, rng):
        vessels.append(kept_within(branch, lung))
    return [
        *_diaphragm(dome, inside, cage),
        _neck(site),
        lung,
        *vessels,
        Both(Label.HEART, [heart, Shifted(0, inside, -2.0), above]),
        *_great_vessels(site),
        *_oesophagus(site),
        *_airway(site),
    ]


def _diaphragm(dome: Dome, inside: Structure, cage: Structure) -> list[Structure]:
    """A sheet of muscle; the belly's fat is laid over what is below it."""
    within = Shifted(0, inside, -1.0)
    return [
        Both(Label.MUSCLE, [within, Shifted(0, dome, DIAPHRAGM_MM / 2), Shifted(0, cage, DIAPHRAGM_MM)]),
        Both(Label.FAT, [inside, Shifted(0, dome, -DIAPHRAGM_MM / 2)]),
    ]


def _mediastinum(site: Site) -> Stack:
    """Between the lungs: narrow behind the heart, wider at the hila."""
    scale = site.scale
    at = np.array([7.5, 9, 10.5, 12, 13, 14, 15.5, 17, 20.5])
    wide = np.array([34, 30, 29, 32, 33, 29, 26, 24, 24]) * scale
    z = np.array([site.z(a) for a in at])
    middle = site.spine(z) + np.array([3, -62]) * scale
    return stack(0, z, middle, superellipse(wide, np.full(len(at), 76 * scale), 3.2))


def _column(site: Site) -> Stack:
    """The spine and what lies behind it, into which no lung reaches."""
    z = np.array([site.z(at) for at in (7, 10, 13, 16, 18, 20.5)])
    wide = np.array([22, 22, 21, 23, 27, 32]) * site.scale
    return stack(
        0, z, site.spine(z) + np.array([0, 40]) * site.scale, superellipse(wide, np.full(len(z), 52 * site.scale), 3)
    )


def _heart(site: Site, rng: np.random.Generator) -> Structure:
    scale = site.scale * float(rng.uniform(0.92, 1.1))
    z = site.z(15.8)
    x, y = site.spine(z)
    centre = np.array([x + 24 * scale, y - 74 * scale, z])
    long = np.array([0.72, -0.42, -0.55])
    long /= np.linalg.norm(long)
    side = np.cross([0.0, 0, 1], long)
    side /= np.linalg.norm(side)
    turned = np.stack([side, np.cross(long, side), long], 1)
    return blob(Label.HEART, centre, np.array([42, 40, 62]) * scale, turned, bumps=0.05, rng=rng)


def _great_vessels(site: Site) -> list[Structure]:
    scale = site.scale

    def place(at: float, across: float, before: float) -> Array:
        z = site.z(at)
        x, y = site.spine(z)
        return np.array([x + across * scale, y - before * scale, z])

    trunk = tube(
        Label.PULMONARY_VESSELS,
        [place(14.3, 24, 86), place(13.2, 20, 70), place(12.6, 14, 52)],
        np.array([14, 13, 12]) * scale,
    )
    sides = [
        tube(
            Label.PULMONARY_VESSELS,
            [place(12.8, 8, 55), place(12.9, side * 25, 42), place(13.6, side * 46, 30)],
            np.array([11, 9.5, 7]) * scale,
        )
        for side in SIDES
    ]
    hollow = tube(
        Label.CAVA, [place(14.8, -22, 62), place(12.5, -26, 56), place(10.4, -22, 54), place(9, -24, 44)], 9 * scale
    )
    return [trunk, *sides, hollow]


def _oesophagus(site: Site) -> list[Structure]:
    path = []
    for at, across, gap in ((7, 2, 6), (10, 3, 6), (13, 0, 9), (15.5, 4, 16), (17, 10, 24), (18, 18, 34)):
        z = site.z(at)
        x, y = site.spine(z)
        path.append([x + across * site.scale, y - site.body_half(z)[1] - gap * site.scale, z])
    return [*pieces(tube(Label.VISCERA, path, 6.5 * site.scale, step_mm=12))]


def _airway(site: Site) -> list[Structure]:
    scale = site.scale

    def place(at: float, across: float, gap: float) -> Array:
        z = site.z(at)
        x, y = site.spine(z)
        return np.array([x + across * scale, y - site.body_half(z)[1] - gap * scale, z])

    fork = place(12.3, -1, 16)
    top = [place(5.5, 0, 22), place(8, 0, 18), place(10, -1, 16)]
    found = [
        tube(Label.VISCERA, [*top, fork], 10.5 * scale, step_mm=16),
        tube(Label.AIRWAY, [*top, fork], 8.5 * scale, step_mm=16),
    ]
    for side, drop, wide in zip(SIDES, (12.9, 13.1), (7.0, 6.0), strict=True):
        end = place(drop, side * 40, 12)
        found.append(tube(Label.AIRWAY, [fork, end], np.array([wide, 4.5]) * scale))
    return [*found]


def _branches(site: Site, rng: np.random.Generator) -> list[Tube]:
    """Vessels of the lungs, from both hila outwards."""
    found: list[Tube] = []
    z = site.z(13.3)
    x, y = site.spine(z)
    for side in SIDES:
        for _ in range(30):
            start = np.array([x + side * rng.uniform(34, 44), y - rng.uniform(20, 45), z + rng.normal(0, 12)])
            aim = np.array([side * rng.uniform(0.2, 1), rng.uniform(-0.8, 0.7), rng.uniform(-1.1, 1)])
            end = start + aim / np.linalg.norm(aim) * rng.uniform(45, 100) * site.scale
            bend = (start + end) / 2 + rng.normal(0, 7, 3)
            thick = rng.uniform(1.6, 3.6) * site.scale
            found.append(
                tube(Label.PULMONARY_VESSELS, [start, bend, end], np.array([1, 0.6, 0.15]) * thick, step_mm=20)
            )
    return found


def _neck(site: Site) -> Stack:
    """Muscles all around the neck."""
    scale = site.scale
    at = np.array([3, 5, 7, 8.4])
    z = np.array([site.z(a) for a in at])
    middle = site.spine(z) + np.array([0, -8]) * scale
    return stack(
        Label.MUSCLE, z, middle, superellipse(np.array([50, 50, 54, 62]) * scale, np.array([48, 48, 50, 42]) * scale)
    )
