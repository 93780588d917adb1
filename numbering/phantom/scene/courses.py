"""How the muscles run, head to foot: places in mm of an average patient, relative to the middle of the body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from numbering.phantom.scene.site import Site

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


def psoas(areas: tuple[float, ...]) -> Course:
    """From the side of T12 over the brim of the pelvis to the thigh; areas at L1…L5, cm²."""
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


def quadratus(areas: tuple[float, ...]) -> Course:
    """From the last rib outwards to the crest."""
    return Course(
        ordinals=(19.2, *_LUMBAR, 24.4),
        beside=(40, 44, 50, 59, 70, 64, 60),
        behind=(22, 23, 23, 21, 17, 10, 8),
        longer=(1.7, 1.8, 2.1, 2.6, 3.0, 2.2, 2),
        turn=(-8, -10, -13, -16, -20, -30, -30),
        pointed=(0,) * 7,
        area=(0.1, *areas, 0.1),
    )


def erector(areas: tuple[float, ...]) -> Course:
    """From T1 to the sacrum, lateral of the multifidus."""
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


def multifidus(areas: tuple[float, ...]) -> Course:
    """Beside the spinous processes, largest at L5."""
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


def iliacus(site: Site, side: int) -> Course:
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
