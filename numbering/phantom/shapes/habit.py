"""What no table measures: how one person's processes lie, drawn once for a patient and a little anew for each level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from numbering.phantom.anatomy.patient import Vertebra


@dataclass(frozen=True)
class Habit:
    """Departures from the usual shape. What is uneven follows the turn of the vertebra, so a mirrored spine has the
    mirrored shape."""

    lift: float = 0.0
    """Ends of the transverse processes: higher, mm; the left less the right is ``uneven``."""
    back: float = 0.0
    """Farther behind, mm."""
    uneven: float = 0.0
    drop: float = 0.0
    """Tip of the spinous process: lower, mm; ``aside`` towards the left."""
    aside: float = 0.0
    blade: float = 1.0
    """Height of the spinous process and the laminae against the usual."""
    waist: float = 1.0
    """Of the body, against the usual."""
    dish: float = 1.0
    """Concavity of the endplates, against the usual."""


USUAL = Habit()


def habit(seed: int, vertebra: Vertebra) -> Habit:
    """This vertebra's, in the patient of this seed."""
    person = np.random.default_rng([seed, 63]).normal(0, 1, 8)
    level = np.random.default_rng([seed, 64, vertebra.ordinal]).normal(0, 1, 8)
    draw = np.clip(0.75 * person + 0.66 * level, -2.2, 2.2)
    small = vertebra.size.height / 27
    turned = float(np.sign(vertebra.turn))
    return Habit(
        lift=2.2 * small * float(draw[0]),
        back=2.0 * small * float(draw[1]),
        uneven=1.6 * small * float(level[2]) * turned,
        drop=2.0 * small * float(draw[3]),
        aside=1.3 * small * float(level[4]) * turned,
        blade=1 + 0.1 * float(draw[5]),
        waist=1 + 0.22 * float(draw[6]),
        dish=1 + 0.22 * float(draw[7]),
    )
