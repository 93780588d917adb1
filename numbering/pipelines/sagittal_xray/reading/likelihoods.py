"""What was seen at each body as likelihoods of every level: its position, its ribs, whether it is a body at all.

The networks say at which *position* a body stands (`levels.channels`): counted up from the sacrum where that is in
view, else from the last rib, else down from the dens. What that position is called depends on the spine's variant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from numbering.anatomy import Level, Variant
from numbering.enumeration import LEVELS, Evidence
from numbering.enumeration.model import SPACING_MM
from numbering.pipelines.sagittal_xray.levels import LAST_RIB, LEVELS24, LOWEST_PRESACRAL, SACRUM
from numbering.pipelines.sagittal_xray.operating_point import OperatingPoint
from numbering.pipelines.sagittal_xray.reading.bodies import Body, distances
from numbering.pipelines.sagittal_xray.reading.read import Reading

Array = NDArray[np.float64]

NEXT_TO = 0.03
"""Probability that a body is seen at the position next to its own, to either side …"""
ELSEWHERE = 1e-4
"""… and at any other one."""
REACH = 0.4
"""How far from a body step I's place of a level may lie, as a share of the body's height (a standard deviation)."""
STRAY = 0.01
"""How much of what is seen at a body belongs to no channel."""
MOST_LOG_ODDS = 6.0
"""That a body is one, at most."""
PRESENCE_WEIGHT = 0.5
"""How much step I's word that a level is in view adds to step II's that a crop shows a body."""
NOWHERE = -1
"""Instead of a channel: this level is seen in none."""


def counted_from(reading: Reading) -> str:
    """From where the positions of this film's bodies are counted."""
    presence = reading.presence >= 0.5
    if presence[SACRUM]:
        return "sacrum"
    if presence[: LAST_RIB + 1].any() and presence[LAST_RIB + 1 : SACRUM].any():
        return "last rib"
    return "dens"


def channels_of(variant: Variant, counted: str, shift: int) -> dict[Level, int]:
    """The channel that each level of this spine is seen in, when positions are counted from there; `NOWHERE` where it
    has none. ``shift`` says by how much step I is off; the sacrum is what it is."""
    levels = variant.levels()[1:]
    last = levels.index(Level.S1) - 1
    ribs = 5 + variant.thoracic
    start = {"sacrum": LOWEST_PRESACRAL - last, "last rib": LAST_RIB - ribs, "dens": 0}[counted]
    places = {level: place + start + shift for place, level in enumerate(levels[: last + 1])}
    seen = {level: place if 0 <= place <= LOWEST_PRESACRAL else NOWHERE for level, place in places.items()}
    return seen | {Level.S1: SACRUM}


def evidence_of_position(reading: Reading) -> Array:
    """Which positions what is seen at each body speaks for ``(n, 24)``, as shares."""
    bodies = reading.bodies
    if not bodies:
        return np.zeros((0, len(LEVELS24)))
    middles = np.array([body.centre for body in bodies])
    reach = REACH * np.array([body.depth if body.sacral else float(np.mean(body.heights)) for body in bodies])
    squared = ((middles[:, None] - reading.middles[None]) ** 2).sum(-1) / np.maximum(reach, 1e-6)[:, None] ** 2
    shares = reading.presence * np.exp(-squared / 2) + STRAY / len(LEVELS24)
    return np.asarray(shares / shares.sum(1, keepdims=True))


def evidence_of(
    bodies: Sequence[Body],
    position: Array,
    channels: Mapping[Level, int],
    point: OperatingPoint,
    positions_mm: Array | None,
) -> Evidence:
    """Log-likelihoods of every level for every body, if the spine were of the variant that has these channels."""
    odds = np.array([_log_odds(body) for body in bodies]).reshape(-1, 1)
    ribs = np.clip([_logit(body.rib) for body in bodies], -point.rib_trust, point.rib_trust).reshape(-1, 1)
    seen_at = position @ _confusion()  # (n, 25): how likely this was seen of a body that stands at each position
    columns = [LEVELS.index(level) for level in channels]
    thoracic = np.array([level.region == "T" for level in channels])
    table = np.full((len(bodies), len(LEVELS)), -np.inf)
    table[:, columns] = (
        -np.logaddexp(0, -odds)
        + point.channel_trust * np.log(seen_at[:, list(channels.values())])
        - np.logaddexp(0, np.where(thoracic, -ribs, ribs))
    )
    # Only what was seen as the sacrum is S1, and it is nothing else: of S1 two corners are known, of others four.
    sacral = np.array([body.sacral for body in bodies], bool)
    sacrum = np.array([level is Level.S1 for level in LEVELS])
    table[sacral[:, None] != sacrum] = -np.inf
    spurious = -np.logaddexp(0, odds[:, 0]) + point.channel_trust * np.log(1 / len(LEVELS24)) + np.log(0.5)
    return Evidence(table, spurious, positions_mm)


def _confusion() -> Array:
    """Probability ``(24, 25)`` of the position seen (row) given where a body stands (column; the last: `NOWHERE`)."""
    count = len(LEVELS24)
    table = np.full((count, count), ELSEWHERE) + np.eye(count) * (1 - 2 * NEXT_TO)
    table += NEXT_TO * (np.eye(count, k=1) + np.eye(count, k=-1))
    return np.column_stack([table, np.full(count, ELSEWHERE)])


def _log_odds(body: Body) -> float:
    """That this is a body at all, from both steps."""
    step_two, step_one = (_logit(value) for value in (body.body, body.presence))
    return float(np.clip(step_two + PRESENCE_WEIGHT * step_one, -MOST_LOG_ODDS, MOST_LOG_ODDS))


def _logit(probability: float) -> float:
    share = min(max(probability, 1e-9), 1 - 1e-9)
    return float(np.log(share / (1 - share)))


def along_the_spine(reading: Reading) -> Array | None:
    """Along the spine in mm of a patient of usual size; None where nothing says how large a mm is.

    What step I calls the bodies tells their usual distances; the film's own spacing would leave the magnification open.
    """
    bodies = reading.bodies
    along = distances(bodies)
    expected = [
        (
            float(along[i + 1] - along[i]),
            sum(SPACING_MM[str(level)][0] for level in LEVELS24[one.channel : other.channel]),
        )
        for i, (one, other) in enumerate(pairwise(bodies))
        if one.channel < other.channel
    ]
    if not expected:
        return None
    pixels = float(np.median([length / usual for length, usual in expected]))
    return along / pixels if pixels > 0 else None
