"""Angles of projected endplates: lordosis and sacral slope on lateral films, Cobb angles on AP films.

An endplate is a pair of image points. Degrees; lordosis is positive when the two lines diverge towards the front, and
every angle is taken on the image as it is hung.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from numbering.phantom.imaging.film.geometry import Array


def lordosis(upper: Array, lower: Array) -> float:
    """Between two endplate lines ``(2, 2)``, anterior point first, however the film is hung."""
    feet = lower.mean(0) - upper.mean(0)
    above, below = upper[0] - upper[1], lower[0] - lower[1]
    across = np.array([-above[1], above[0]])
    if across @ feet < 0:
        across = -across
    return float(np.degrees(np.arctan2(below @ across, below @ above)))


def sacral_slope(plate: Array) -> float:
    """Of S1's upper endplate ``(2, 2)``, anterior point first, against the image's horizontal: front down positive."""
    across, down = plate[0] - plate[1]
    return float(np.degrees(np.arctan2(down, abs(across))))


def tilts(plates: Sequence[Array]) -> list[float]:
    """Degrees of lines ``(2, 2)`` against the first of them."""
    if not plates:
        return []
    vectors = [plate[1] - plate[0] for plate in plates]
    x, y = vectors[0]
    return [float(np.degrees(np.arctan2(x * v[1] - y * v[0], x * v[0] + y * v[1]))) for v in vectors]


def lateral_angles(corners: Mapping[str, Array], s1: Array | None, lowest: str) -> list[tuple[str, float]]:
    """Names and values: ``lumbar-lordosis-l1-l5`` (upper line of L1, lower line of L5; Cina 2021, Methods: Evaluation),
    to S1 as well, and ``sacral-slope``. ``corners`` by level, upper-anterior, upper-posterior, lower-posterior,
    lower-anterior; ``lowest`` is the lowest lumbar-type vertebra."""
    found = []
    if "L1" in corners and lowest in corners:
        plate = corners[lowest][[3, 2]]
        found.append((f"lumbar-lordosis-l1-{lowest.lower()}", lordosis(corners["L1"][:2], plate)))
    if s1 is not None:
        if "L1" in corners:
            found.append(("lumbar-lordosis-l1-s1", lordosis(corners["L1"][:2], s1)))
        found.append(("sacral-slope", sacral_slope(s1)))
    return found


def cobb(tilts: Sequence[float]) -> list[tuple[int, int, float]]:
    """The largest angle between an upper and a lower endplate, and the largest of the rest above and below it.

    ``tilts`` are degrees of all endplates head to foot, upper and lower by turns. Indices of vertebrae, and degrees.
    """
    found: list[tuple[int, int, float]] = []
    spans = [(0, len(tilts) // 2)]
    for _ in range(3):
        best = max((one for span in spans if (one := _largest(tilts, *span))), key=lambda one: one[2], default=None)
        if best is None:
            break
        found.append(best)
        spans = [(0, found[0][0] + 1), (found[0][1], len(tilts) // 2)]
        spans = [span for span in spans if all(not (span[0] <= one[0] and one[1] < span[1]) for one in found)]
    return sorted(found)


def _largest(tilts: Sequence[float], first: int, last: int) -> tuple[int, int, float] | None:
    pairs = [(a, b, abs(tilts[2 * a] - tilts[2 * b + 1])) for a in range(first, last) for b in range(a + 1, last)]
    return max(pairs, key=lambda pair: pair[2], default=None)
