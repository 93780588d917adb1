"""What each atlas has: its files, their axes and units, and whose template a level borrows.

Folders are those of the public sources (see docs/data.md for where they come from and their licences). A level without
a template of its own, or of a neighbour named in ``borrows``, is drawn procedurally.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Source:
    """One atlas below the folder of atlases. Files are paths below ``folder``."""

    folder: str
    axes: tuple[str, str, str]
    """Where x, y and z of the files point."""
    scale: tuple[float, float, float]
    """Their units in mm, axis by axis of the files."""
    vertebrae: Mapping[str, str] = field(default_factory=dict)
    """Level → file; several levels that name one file are its connected parts, head to foot."""
    borrows: Mapping[str, str] = field(default_factory=dict)
    """Level that the atlas lacks → level whose template it is drawn with."""


ATLASES: dict[str, Source] = {
    "artisynth": Source(
        folder="artisynth_lss/RB",
        axes=("front", "left", "up"),
        scale=(867.0, 867.0, 867.0),
        vertebrae={f"L{number}": f"L{number}_Schrumpfverpacken.obj" for number in range(1, 6)},
        borrows={"T12": "L1"},
    ),
    "morphable": Source(
        folder="morphable-lumbar/SSM",
        axes=("front", "left", "up"),
        scale=(1.0, 1.0, 1.0),
        vertebrae={f"L{number}": "meanMesh_vertices.csv" for number in range(2, 6)},
        borrows={"L1": "L2"},
    ),
    "spl": Source(
        folder="spl-abdominal-atlas/Data",
        axes=("right", "front", "up"),
        scale=(1.33, 1.33, 1.9),
        vertebrae={
            "T11": "Model_411_Thoracic11.vtk",
            "T12": "Model_412_Thoracic12.vtk",
            **{f"L{number}": f"Model_50{number}_Lumbar{number}.vtk" for number in range(1, 6)},
        },
        borrows={"T10": "T11", "T9": "T11"},
    ),
    "myo": Source(
        folder="myo_sim/meshes",
        axes=("front", "up", "right"),
        scale=(1000.0, 1000.0, 1000.0),
        vertebrae={
            **{f"T{number}": f"thoracic{number}_s.stl" for number in range(9, 13)},
            **{f"L{number}": f"lumbar{number}.stl" for number in range(1, 6)},
        },
        borrows={"T8": "T9", "T7": "T9"},
    ),
}
"""``artisynth``: Visible Human male, BSD-3. ``morphable``: mean of 87 patients, MIT. ``spl``: one abdominal CT.
``myo``: coarse musculoskeletal model, Apache-2.0."""
