"""What the finder of discs does on real sagittal MR: 20 volumes of volunteers with labelled bodies L1 to L5.

    python benchmarks/mr_sagittal_real.py --data /work/shared/data/mr_sagittal [--off-mm 6]

The finder is given what axial slices would give it: a line down the spine, here through the middles of the labelled
bodies, moved by chance up to ``--off-mm`` to the front or back. A true disc lies midway between two labelled bodies.
Prints for how many volumes it was sure, and how near its discs lie to the true ones, of sure and of other volumes.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from scipy.io import loadmat

from numbering.pipelines.axial_mr.reading.column import column
from numbering.pipelines.axial_mr.reading.course import Course
from numbering.stack import Stack

BODIES = range(1, 6)
AT_DISC_MM = 6.0
BEYOND_MM = 45.0
"""Above L1 and below L5, as for a numbered series."""


def volume(path: Path) -> tuple[Stack, np.ndarray]:
    """A sagittal stack of 1 mm, and the middles ``(5, 3)`` of L1 to L5, mm. Left and right are not known."""
    kept = loadmat(path)
    pixels, labels = (np.moveaxis(np.asarray(kept[name]), 2, 0) for name in ("I", "GT"))
    affine = np.array([[1.0, 0, 0, 0], [0, 0, 1.0, 0], [0, -1.0, 0, 0], [0, 0, 0, 1]])
    middles = [(affine @ [*np.argwhere(labels == body).mean(0), 1])[:3] for body in BODIES]
    return Stack.of_array(pixels, affine, modality="MR", series_uid="1.2.1"), np.array(middles)


def line(points: np.ndarray) -> Course:
    """A smooth line through these points, head to foot, that goes straight on beyond them."""
    top, bottom = points[:, 2].max(), points[:, 2].min()
    heights = np.arange(top + 2 * BEYOND_MM, bottom - 2 * BEYOND_MM, -1.0)
    within = np.clip(heights, bottom, top)
    columns = []
    for axis in (0, 1):
        curve = np.polynomial.Polynomial.fit(points[:, 2], points[:, axis], 2)
        columns.append(curve(within) + curve.deriv()(within) * (heights - within))
    return Course(np.stack([*columns, heights], 1))


def judge(path: Path, rng: np.random.Generator, off_mm: float) -> dict[str, Any]:
    """One volume."""
    stack, middles = volume(path)
    if middles[0, 2] < middles[-1, 2]:
        middles = middles[::-1]
    discs = (middles[1:] + middles[:-1]) / 2
    course = line(middles + [0, rng.uniform(-off_mm, off_mm), 0])
    first, last = course.nearest(middles[0]) - BEYOND_MM, course.nearest(middles[-1]) + BEYOND_MM
    found = column(stack, course, first, last)
    if found is None:
        return {"volume": path.stem, "found": False, "sure": False, "away_mm": []}
    places = [found.course.nearest(disc) for disc in discs]
    away = [float(np.abs(found.discs - place).min()) for place in places]
    between = [place for place in found.discs if min(places) - AT_DISC_MM < place < max(places) + AT_DISC_MM]
    return {
        "volume": path.stem, "found": True, "sure": found.sure, "away_mm": [round(one, 1) for one in away],
        "as_many": len(between) == len(discs), "clear": round(found.clear, 2), "worst": round(found.worst, 2),
    }  # fmt: skip


def main() -> None:
    """Print a line a volume, and the sums."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--off-mm", type=float, default=6.0)
    options.add_argument("--seed", type=int, default=0)
    asked = options.parse_args()
    rng = np.random.default_rng(asked.seed)
    rows = [judge(path, rng, asked.off_mm) for path in sorted(asked.data.glob("*.mat"))]
    for row in rows:
        print(row)
    summary: dict[str, Any] = {"benchmark": "mr_sagittal_real", "volumes": len(rows)}
    for name, group in (("sure", [row for row in rows if row["sure"]]), ("all", [row for row in rows if row["found"]])):
        away = np.array([one for row in group for one in row["away_mm"]])
        summary[name] = {
            "volumes": len(group),
            "discs": len(away),
            "within_6_mm": round(float((away <= AT_DISC_MM).mean()), 3) if len(away) else None,
            "median_mm": round(float(np.median(away)), 1) if len(away) else None,
            "as_many_discs": sum(row["as_many"] for row in group),
        }
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
