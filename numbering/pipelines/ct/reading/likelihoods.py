"""What was seen at each vertebra as likelihoods of every level: place, ribs, sacrum, dens, and the direct network's L1.

The instance network says at which *place* of the usual spine a vertebra stands (`numbering.pipelines.ct.levels`); what
stands there depends on the spine's variant. The direct network says where L1 is, and speaks once for the whole volume:
that one of the vertebrae is L1, against none of them being it.
"""

from __future__ import annotations

from collections.abc import Sequence

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
    table = np.full((len(found), len(LEVELS)), -np.inf)
    spurious = np.zeros(len(found))
    for row, one in enumerate(found):
        odds = _is_one(one, walks, spacing_mm)
        spread = float(np.clip(one.spread * point.level_temperature, LEAST_SPREAD, MOST_SPREAD))
        signs = _signs(one, variant, point)
        for level in variant.levels()[: 7 + variant.thoracic + variant.lumbar + 1]:
            at = SACRAL_PLACE if level is Level.S1 else place(level, variant)
            away = abs(one.level - at - shift)
            table[row, LEVELS.index(level)] = (
                -np.logaddexp(0, -odds)
                - point.level_trust * (away / spread + np.log(2 * spread))
                + signs[level]
                + (SACRAL if level is Level.S1 else 0.0)
            )
        spurious[row] = -np.logaddexp(0, odds) - point.level_trust * np.log(PLACES) + 3 * np.log(0.5)
    table[:, LEVELS.index(Level.L1)] += first_lumbar(direct, len(found), point)
    centres = np.array([body.centre_mm for body in bodies]).reshape(-1, 3)
    return Evidence(table, spurious, centres)


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


def _signs(one: Found, variant: Variant, point: OperatingPoint) -> dict[Level, float]:
    """Log-likelihood of ribs, sacrum and dens as they were seen, for each level of this spine."""
    levels = variant.levels()
    lowest = levels[levels.index(Level.S1) - 1]
    rib, sacrum, dens = (
        float(np.clip(_logit(sign), -trust, trust))
        for sign, trust in (
            (one.rib, point.rib_trust),
            (one.sacrum, point.sacrum_trust),
            (one.dens, point.dens_trust),
        )
    )
    return {
        level: _said(rib, level.region == "T") + _said(sacrum, level is lowest) + _said(dens, level is Level.C2)
        for level in levels
    }


def _said(log_odds: float, there: bool) -> float:
    return float(-np.logaddexp(0, -log_odds if there else log_odds))


def _logit(probability: float) -> float:
    share = min(max(probability, 1e-9), 1 - 1e-9)
    return float(np.log(share / (1 - share)))
