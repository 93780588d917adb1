"""What each atlas has: its files, their axes and units, and whose template a level borrows.

Folders are those of the public sources, named with their licences at `ATLASES`. A level without
a template of its own, or of a neighbour named in ``borrows``, is drawn procedurally.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Picked:
    """A mesh whose landmarks were picked by eye: mm in the phantom's axes, before any posing (x left, y back, z up)."""

    file: str
    landmarks: Mapping[str, Point]


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
    smooth_mm: float = 0.0
    """Standard deviation of the Gaussian that takes the steps of thick slices off the distances."""
    sacrum: Picked | None = None
    """With the landmarks `numbering.phantom.shapes.atlas.pelvic.SACRUM`."""
    pelvis: Picked | None = None
    """Both hip bones in the space of the sacrum, with the landmarks `numbering.phantom.shapes.atlas.pelvic.PELVIS`."""


def _both(name: str, x: float, y: float, z: float) -> dict[str, Point]:
    """A landmark on the left, mirrored to the right."""
    return {f"{name}_right": (-x, y, z), f"{name}_left": (x, y, z)}


ATLASES: dict[str, Source] = {
    "artisynth": Source(
        folder="artisynth_lss/RB",
        axes=("front", "left", "up"),
        scale=(867.0, 867.0, 867.0),
        vertebrae={f"L{number}": f"L{number}_Schrumpfverpacken.obj" for number in range(1, 6)},
        borrows={"T12": "L1"},
        sacrum=Picked(
            "S1_Schrumpfverpacken.obj",
            {
                "endplate_front": (0.0, -9.0, -6.3),
                "endplate_back": (0.0, 12.5, 6.8),
                **_both("endplate", 24.0, 1.8, 0.3),
                **_both("wing", 53.0, 14.0, -10.0),
                "apex": (0.0, 79.0, -85.0),
                "canal_back": (0.0, 35.0, -1.0),
                **_both("facet", 22.0, 24.0, 19.0),
            },
        ),
        pelvis=Picked(
            "Pelvis.obj",
            {
                **_both("crest", 85.0, 25.0, 42.0),
                **_both("iliac", 125.5, -12.0, 14.0),
                **_both("front", 112.0, -46.0, -18.0),
                **_both("hip", 77.0, -12.0, -81.0),
                **_both("ischium", 40.0, 18.0, -146.0),
                "symphysis": (0.0, -45.0, -108.0),
                **_both("auricle", 48.0, 22.0, -12.0),
                **_both("back", 34.0, 62.0, -12.0),
            },
        ),
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
        smooth_mm=0.9,
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
"""``artisynth``: Visible Human male (github.com/RemusR9/artisynth_lumbosacralSpineModel, BSD-3). ``morphable``: mean of
87 patients (github.com/aclouthier/morphable-lumbar-model, MIT). ``spl``: one abdominal CT (github.com/stity/
spl-abdominal-atlas; it states no licence). ``myo``: a coarse musculoskeletal model (github.com/MyoHub/myo_sim,
Apache-2.0)."""
