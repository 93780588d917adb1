"""How vertebrae drawn from one template come to differ: by template, by side, and by how their processes point.

Drawn from the patient's seed, so the same patient has the same bones in every view.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from numbering.phantom.anatomy.patient import Patient, Vertebra
from numbering.phantom.shapes.atlas.landmarks import NAMES
from numbering.phantom.shapes.atlas.template import Template
from numbering.phantom.shapes.atlas.voxels import Lattice

Array = NDArray[np.float64]

NEIGHBOUR_SHARE = 0.3
"""How often a vertebra between L1 and L4 is drawn with the template of the level above or below it."""
_SPREAD_MM = {"transverse": (0.0, 2.0, 2.0), "spinous": (0.7, 0.0, 2.0), "superior_facet": (0.5, 0.5, 0.8)} | {
    "inferior_facet": (0.5, 0.5, 0.8)
}


def neighbour(level: str, patient: Patient, vertebra: Vertebra) -> str:
    """The level itself, or now and then the next one; never to or from L5, which has a shape of its own."""
    if level not in ("L1", "L2", "L3", "L4"):
        return level
    rng = np.random.default_rng([patient.seed, vertebra.ordinal, 1])
    if rng.random() > NEIGHBOUR_SHARE:
        return level
    return f"L{int(np.clip(int(level[1:]) + rng.choice([-1, 1]), 1, 4))}"


def mirrored(patient: Patient) -> bool:
    """Whether this patient's bones are the mirror images of the templates."""
    return bool(np.random.default_rng([patient.seed, 2]).random() < 0.5)


def mirror(template: Template, names: tuple[str, ...]) -> Template:
    """The template with right and left exchanged."""
    lattice = template.distance
    end = lattice.origin[0] + lattice.pitch * (lattice.values.shape[2] - 1)
    values = np.ascontiguousarray(lattice.values[:, :, ::-1])
    swapped = [names.index(_other_side(name)) for name in names]
    return Template(
        Lattice(values, np.array([-end, *lattice.origin[1:]]), lattice.pitch), template.landmarks[swapped] * [-1, 1, 1]
    )


def _other_side(name: str) -> str:
    return name.replace("right", "*").replace("left", "right").replace("*", "left")


def processes(patient: Patient, vertebra: Vertebra) -> Array:
    """Shifts ``(len(NAMES), 3)`` mm of the landmarks: processes point differently, partly alike in one patient; body,
    canal and pedicles stay."""
    shared, single = (np.random.default_rng([patient.seed, part, 3]) for part in (0, vertebra.ordinal))
    shifts = np.zeros((len(NAMES), 3))
    for index, name in enumerate(NAMES):
        for kind, spread in _SPREAD_MM.items():
            if name.startswith(kind):
                shifts[index] = np.array(spread) * (0.6 * shared.normal(size=3) + 0.8 * single.normal(size=3))
    return shifts
