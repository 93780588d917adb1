"""What was seen at each vertebra as likelihoods of every level: place, ribs, sacrum, dens, and the direct network's L1.

The instance network says at which *place* of the usual spine a vertebra stands (`numbering.pipelines.ct.levels`); what
stands there depends on the spine's variant. The direct network says where L1 is, and speaks once for the whole volume:
that one of the vertebrae is L1, against none of them being it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from numbering.anatomy import Level, Variant
from numbering.enumeration import LEVELS, Evidence
from numbering.pipelines.ct.levels import LAST_LUMBAR, place
from numbering.pipelines.ct.operating_point import OperatingPoint
from numbering.pipelines.ct.reading.bodies import Body
from numbering.pipelines.ct.reading.direct import Direct
from numbering.pipelines.ct.reading.found import Found

Array = NDArray[np.float64]

LEAST_SPREAD, MOST_SPREAD = 0.15, 4.0
"""No level is surer or vaguer than that, whatever the network says of itself."""
PLACES = 26
"""A piece that is no vertebra may be given any place."""
SURE = 3.5
"""Log-odds that what every walk found is a vertebra …"""
DOUBTFUL = 1.5
"""… and what only one of two found."""
SMALL_MM3 = 4000.0
"""Less than this is a piece; the atlas has more."""
PIECE = -2.0
SACRAL_PLACE, SACRAL = LAST_LUMBAR + 0.5, -4.0
"""The first piece of the sacrum is no vertebra to the network; should it take it for one, it stands about there."""


@dataclass(frozen=True, eq=False)
class _Spine:
    """The levels of a variant that may be found: their columns, places, and what is to be seen at each."""

    columns: NDArray[np.intp]
    places: Array
    thoracic: NDArray[np.bool_]
    lowest: NDArray[np.bool_]
    dens: NDArray[np.bool_]
    sacral: NDArray[np.bool_]


@cache
def _spine(variant: Variant) -> _Spine:
    every = variant.levels()
    levels = every[: every.index(Level.S1) + 1]
    return _Spine(
        columns=np.array([LEVELS.index(level) for level in levels]),
        places=np.array([*(place(level, variant) for level in levels[:-1]), SACRAL_PLACE]),
        thoracic=np.array([level.region == "T" for level in levels]),
        lowest=np.array([level is levels[-2] for level in levels]),
        dens=np.array([level is Level.C2 for level in levels]),
        sacral=np.array([level is Level.S1 for level in levels]),
    )


def evidence_of(
    found: Sequence[Found],
    bodies: Sequence[Body],
    direct: Direct,
    variant: Variant,
    shift: int,
    point: OperatingPoint,
    spacing_mm: float,
    walks: int,
) -> Evidence:
    """Log-likelihoods of every level for every vertebra, if the spine were of this variant and all places were too high
    by ``shift``. ``walks``: in how many directions the spine was gone along."""
    spine = _spine(variant)
    odds = np.array([_is_one(one, walks, spacing_mm) for one in found])[:, None]
    spread = np.array([one.spread for one in found])[:, None] * point.level_temperature
    spread = np.clip(spread, LEAST_SPREAD, MOST_SPREAD)
    away = np.abs(np.array([one.level for one in found])[:, None] - spine.places - shift)
    table = np.full((len(found), len(LEVELS)), -np.inf)
    table[:, spine.columns] = (
        -np.logaddexp(0, -odds)
        - point.level_trust * (away / spread + np.log(2 * spread))
        + _said([one.rib for one in found], spine.thoracic, point.rib_trust)
        + _said([one.sacrum for one in found], spine.lowest, point.sacrum_trust)
        + _said([one.dens for one in found], spine.dens, point.dens_trust)
        + SACRAL * spine.sacral
    )
    table[:, LEVELS.index(Level.L1)] += first_lumbar(direct, len(found), point)
    # Nothing is known of ribs, sacrum and dens of what is no vertebra.
    spurious = -np.logaddexp(0, odds[:, 0]) - point.level_trust * np.log(PLACES) + 3 * np.log(0.5)
    return Evidence(table, spurious, np.array([body.centre_mm for body in bodies]).reshape(-1, 3))


def first_lumbar(direct: Direct, count: int, point: OperatingPoint) -> Array:
    """For each vertebra ``(n,)``: log of how much likelier the direct network's word is if it is L1 than if none is."""
    if direct.volume_mm3 < point.direct_mm3:
        return np.full(count, np.log(point.direct_missed) - np.log(1 - point.direct_false))
    shares = direct.shares
    beside = np.zeros(count)
    beside[1:] += shares[:-1] / 2
    beside[:-1] += shares[1:] / 2
    anywhere = max(1e-3, 1 - point.direct_right - point.direct_beside - point.direct_missed) / max(count, 1)
    here = point.direct_right * shares + point.direct_beside * beside + anywhere
    return np.asarray(np.log(here) - np.log(point.direct_false / max(count, 1)))


def _is_one(one: Found, walks: int, spacing_mm: float) -> float:
    """Log-odds that this is a vertebra at all."""
    odds = SURE if len(one.seen) == walks else DOUBTFUL
    return odds + (PIECE if one.voxels * spacing_mm**3 < SMALL_MM3 else 0.0)


def _said(signs: Sequence[float], there: NDArray[np.bool_], trust: float) -> Array:
    """Log-likelihood ``(n, levels)`` of a sign as it was seen, if it is there (or not), trusted so far."""
    shares = np.clip(signs, 1e-9, 1 - 1e-9)
    log_odds = np.clip(np.log(shares / (1 - shares)), -trust, trust)[:, None]
    return np.asarray(-np.logaddexp(0, np.where(there, -log_odds, log_odds)))
