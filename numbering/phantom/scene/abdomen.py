"""Liver, spleen, stomach and bladder."""

from __future__ import annotations

import numpy as np

from numbering.phantom.scene.blob import Blob, blob, dented
from numbering.phantom.scene.combine import Both, HalfSpace, Outside, Shifted
from numbering.phantom.scene.diaphragm import Dome
from numbering.phantom.scene.grid import Array
from numbering.phantom.scene.labels import Label
from numbering.phantom.scene.site import Site
from numbering.phantom.scene.structure import Structure
from numbering.phantom.scene.thorax import DIAPHRAGM_MM
from numbering.phantom.scene.tube import pieces, tube

_PART = 50


def abdomen(site: Site, dome: Dome, inside: Structure) -> list[Structure]:
    """From behind the dome downwards."""
    rng, today = site.draw(_PART), site.draw_today(_PART)
    under: list[Structure] = [Shifted(0, inside, -1.5), Shifted(0, dome, -DIAPHRAGM_MM / 2)]
    return [
        Both(Label.LIVER, [_liver(site, dome, rng), Outside(_below_liver(site, dome, rng)), *under]),
        Both(Label.SPLEEN, [_spleen(site, dome, rng), *under]),
        *_stomach(site, dome, under, today),
        *_pancreas(site),
        Both(Label.BLADDER, [_bladder(site, today), Shifted(0, inside, -1.5)]),
    ]


def _leaning(tilt_y: float) -> Array:
    """Axes turned by degrees about y: the top leans to the patient's left where positive."""
    a = np.radians(tilt_y)
    return np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])


def _liver(site: Site, dome: Dome, rng: np.random.Generator) -> Blob:
    scale = site.scale
    long = float(rng.normal(1, 0.08))
    y = site.trunk.at(dome.top, site.trunk.middle[:, 1])
    centre = np.array([-52 * scale, y - 2, dome.top - 62 * scale])
    half = np.array([112, 96, 92 * long]) * scale
    return blob(
        Label.LIVER,
        centre,
        half,
        _leaning(-8),
        power=2.4,
        bumps=0.03,
        rng=rng,
        dent=dented([0.5, 0.75, -0.4], 0.3, 0.5),
    )


def _below_liver(site: Site, dome: Dome, rng: np.random.Generator) -> Blob:
    """The hollow of its lower surface, which rises from the right flank to the left dome."""
    scale = site.scale
    edge = site.z(21.7 + float(rng.normal(0, 0.45)))
    y = site.trunk.at(edge, site.trunk.middle[:, 1])
    radius = 165 * scale
    towards = np.array([0.64, -0.04, -0.77])
    through = np.array([-112 * scale, y, edge]) * 0.45 + np.array([30 * scale, y, dome.top - 38 * scale]) * 0.55
    centre = through + towards / np.linalg.norm(towards) * (radius - 14 * scale)
    return blob(0, centre, [radius] * 3, bumps=0.02, rng=rng)


def _spleen(site: Site, dome: Dome, rng: np.random.Generator) -> Blob:
    scale, trunk = site.scale, site.trunk
    z = dome.top - 62 * scale
    x = trunk.at(z, trunk.width) - 40 * scale
    y = site.spine(z)[1] + 8 * scale
    half = np.array([30, 52, 58]) * scale * float(rng.normal(1, 0.09))
    turn = np.radians(-38)
    axes = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    return blob(Label.SPLEEN, [x, y, z], half, axes, bumps=0.04, rng=rng, dent=dented([-1, 0, 0], 0.25, 0.6))


def _stomach(site: Site, dome: Dome, under: list[Structure], rng: np.random.Generator) -> list[Structure]:
    """Fundus under the left dome, body in front of the spleen, antrum crossing the midline."""
    scale = site.scale
    top = dome.top - dome.left_lower
    full = float(rng.uniform(0.75, 1.15))
    front = float(site.trunk.front(40 * scale, site.z(20))) + 42 * scale
    path = np.array(
        [
            [62 * scale, site.spine(top)[1] - 40 * scale, top - 38 * scale],
            [64 * scale, (front + site.spine(top)[1] - 40 * scale) / 2, top - 75 * scale],
            [48 * scale, front, site.z(20.3)],
            [12 * scale, front + 4, site.z(21.0)],
            [-22 * scale, front + 18, site.z(20.8)],
        ]
    )
    radius = np.array([34, 33, 27, 20, 13]) * scale * full
    wall = tube(Label.STOMACH, path, radius, step_mm=14)
    inner = tube(Label.BOWEL_GAS, path, radius - 4, step_mm=14)
    share = float(np.clip(rng.normal(0.3, 0.15) * site.soft.bowel_gas, 0.05, 0.7))
    gas = gas_above(
        site,
        path[0] if site.skeleton.posture == "standing" else path[2],
        float(radius[0] if site.skeleton.posture == "standing" else radius[2]),
        share,
    )
    return [Both(Label.STOMACH, [wall, *under]), Both(Label.BOWEL_GAS, [inner, gas, *under])]


def gas_above(site: Site, middle: Array, radius: float, share: float) -> HalfSpace:
    """The part of a loop that gas fills: its top in this posture (front when lying, upper end when standing)."""
    if site.skeleton.posture == "standing":
        return HalfSpace((0.0, 0.0, -1.0), -(float(middle[2]) + radius * (1 - 2 * share)))
    return HalfSpace((0.0, 1.0, 0.0), float(middle[1]) - radius * (1 - 2 * share))


def _pancreas(site: Site) -> list[Structure]:
    scale, found = site.scale, []
    for label, rows, radius in (
        (Label.VISCERA, ((21.3, -36, 32), (20.8, -14, 46), (20.3, 22, 42), (20.0, 62, 12)), (12, 10, 9, 8)),
        (
            Label.BOWEL,
            ((20.7, -40, 50), (21.3, -48, 22), (22.4, -36, 26), (22.6, 0, 30), (21.6, 26, 28)),
            (12, 13, 12, 11, 11),
        ),
    ):
        path = []
        for at, across, gap in rows:
            z = site.z(at)
            x, y = site.spine(z)
            path.append([x + across * scale, y - site.body_half(z)[1] - gap * scale, z])
        found += pieces(tube(label, path, np.array(radius) * scale, step_mm=10))
    return [*found]


def _bladder(site: Site, rng: np.random.Generator) -> Blob:
    scale = site.scale
    full = float(rng.uniform(0.75, 1.35))
    centre = np.array([0, -62 * scale, -108 * scale + 18 * full])
    return blob(Label.BLADDER, centre, np.array([42, 32, 30]) * scale * full, bumps=0.04, rng=rng)
