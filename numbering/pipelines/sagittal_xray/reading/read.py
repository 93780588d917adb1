"""One film read: how it lies, which bodies are on it, and how well each corner is known (both steps, both mirrored)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numbering.pipelines.sagittal_xray.levels import SACRUM
from numbering.pipelines.sagittal_xray.model.preprocess import crop, whole
from numbering.pipelines.sagittal_xray.operating_point import OperatingPoint
from numbering.pipelines.sagittal_xray.reading import orientation
from numbering.pipelines.sagittal_xray.reading.bodies import Body, head_to_foot
from numbering.pipelines.sagittal_xray.reading.eyes import Canvas, CloserLook, Eyes, WholeLook
from numbering.pipelines.sagittal_xray.reading.orientation import ORIENTATIONS, Orientation
from numbering.study import Radiograph

Array = NDArray[np.float64]

SAME_BODY = 0.45
"""Bodies whose middles are nearer than this share of their height are one."""
LOST = 0.6
"""Corners of step II that lie on average further than this share of the body's depth from step I's are another's."""


@dataclass(frozen=True, eq=False)
class Reading:
    """What was seen on one film, in pixels of the film set upright; ``bodies`` head to foot.

    ``presence`` ``(24,)`` are step I's probabilities of levels in view; ``middles`` ``(24, 2)`` where it saw them;
    ``region`` is left, top, right, bottom of what lies inside the shutters, from outer pixel corners.
    """

    film: Radiograph
    orientation: Orientation
    region: tuple[float, float, float, float]
    presence: Array
    middles: Array
    bodies: tuple[Body, ...]
    closer: bool = True

    @property
    def spacing_mm(self) -> tuple[float, float]:
        """Row and column spacing of the upright film; (1, 1) where it is not known."""
        rows, columns = self.film.spacing_mm or (1.0, 1.0)
        return (columns, rows) if self.orientation.quarter_turns % 2 else (rows, columns)

    def to_stored(self, points: Array) -> Array:
        """Points ``(…, 2)`` of the upright film, on the stored one."""
        return self.orientation.to_stored(points, self.film.pixels.shape)


def read(film: Radiograph, eyes: Eyes, point: OperatingPoint, *, closer: bool = True) -> Reading:
    """Look at a film: all four ways for its orientation, then at each body. ``closer`` False leaves step II out."""
    as_stored = Canvas(*whole(film.pixels, eyes.size))
    rows, columns = film.pixels.shape
    first = [as_stored.turned(one.quarter_turns, rows, columns) for one in ORIENTATIONS]
    looks = eyes.whole(first)
    lies = orientation.lies(
        {one: orientation.plausibility(look) for one, look in zip(ORIENTATIONS, looks, strict=True)}
    )
    chosen = ORIENTATIONS.index(lies)
    canvas = first[chosen]
    both = [looks[chosen], *eyes.whole([canvas.mirror()])]
    presence = _presence(both, point)
    corners, covariance = _agreed([look.corners for look in both], [look.covariance for look in both], point.spread)
    seen = np.flatnonzero(presence >= point.seek)
    found = [_first(int(k), corners[k], covariance[k], float(presence[k])) for k in seen]
    if closer:
        found = look_closer(lies.upright(film.pixels), found, eyes, point, lies.quarter_turns)
    return Reading(
        film=film,
        orientation=lies,
        region=_region(canvas),
        presence=presence,
        middles=_middles(corners),
        bodies=tuple(head_to_foot(_apart(found))),
        closer=closer,
    )


def look_closer(
    upright: NDArray[np.float32], found: Sequence[Body], eyes: Eyes, point: OperatingPoint, turns: int = 0
) -> list[Body]:
    """The same bodies after step II, looked at as they are and mirrored."""
    canvases = [Canvas(*crop(upright, body.points, eyes.size), turns=turns) for body in found]
    looks = eyes.closer([*canvases, *(canvas.mirror() for canvas in canvases)])
    pairs = zip(looks[: len(found)], looks[len(found) :], strict=True)
    return [_refined(body, pair, point) for body, pair in zip(found, pairs, strict=True)]


def _region(canvas: Canvas) -> tuple[float, float, float, float]:
    placed = canvas.placement
    right, bottom = placed.left + placed.columns / placed.scale_x, placed.top + placed.rows / placed.scale_y
    return placed.left, placed.top, right, bottom


def _presence(looks: Sequence[WholeLook], point: OperatingPoint) -> Array:
    """Mean of the passes' logits, tempered, as probabilities."""
    shares = np.clip([look.presence for look in looks], 1e-6, 1 - 1e-6)
    logits = np.log(shares / (1 - shares)).mean(0) / point.presence_temperature
    return np.asarray(1 / (1 + np.exp(-logits)))


def _agreed(corners: Sequence[Array], covariances: Sequence[Array], spread: float) -> tuple[Array, Array]:
    """Mean of several looks, and the covariance of its error: the heat maps' and the looks' disagreement."""
    places = np.stack(corners)
    mean = places.mean(0)
    off = places - mean
    scatter = np.einsum("l...i,l...j->...ij", off, off) / len(places)
    return mean, spread**2 * np.stack(covariances).mean(0) + scatter


def _first(channel: int, corners: Array, covariance: Array, presence: float) -> Body:
    return Body(channel, corners, covariance, first=corners, rib=0.5, body=presence, presence=presence)


def _middles(corners: Array) -> Array:
    """Where step I saw each level ``(24, 2)``."""
    nothing = np.zeros((4, 2, 2))
    return np.array([_first(k, corners[k], nothing, 0.0).centre for k in range(len(corners))])


def _refined(body: Body, looks: tuple[CloserLook, CloserLook], point: OperatingPoint) -> Body:
    corners, covariance = _agreed([look.corners for look in looks], [look.covariance for look in looks], point.spread)
    rib = _probability(float(np.mean([look.rib for look in looks])) / point.rib_temperature)
    is_body = _probability(float(np.mean([look.body for look in looks])) / point.body_temperature)
    plates = 2 if body.channel == SACRUM else 4
    first = body.first
    off = np.zeros((4, 2)) if first is None else corners - first
    disagreement = float(np.linalg.norm(off[:plates], axis=1).mean())
    if first is not None and disagreement > LOST * body.depth:  # it found another body: what step I saw is all there is
        return Body(body.channel, first, body.covariance, first, rib, is_body, body.presence, disagreement=disagreement)
    covariance = covariance + point.steps**2 * off[:, :, None] * off[:, None, :]
    return Body(body.channel, corners, covariance, first, rib, is_body, body.presence, disagreement=disagreement)


def _probability(logit: float) -> float:
    return float(1 / (1 + np.exp(-logit)))


def _apart(found: Sequence[Body]) -> list[Body]:
    """Without those that lie on a likelier one."""
    kept: list[Body] = []
    for body in sorted(found, key=lambda one: -one.body * one.presence):
        if all(not same(body, other) for other in kept):
            kept.append(body)
    return kept


def same(one: Body, other: Body) -> bool:
    """Whether two bodies are one."""
    height = max(min(min(body.heights) if not body.sacral else body.depth for body in (one, other)), 1e-6)
    return float(np.linalg.norm(one.centre - other.centre)) < SAME_BODY * height
