"""What is true of one radiograph.

Corners are the projections of 3-D landmarks (`Placed.coronal_corners`, `Placed.sagittal_corners`), not the
silhouette's corners; the box is the extent of the projected body, arch and processes left out.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from numbering.phantom.truth.base import Pair, TrueAngle, TruthModel
from numbering.phantom.truth.justified import Justified


class FilmVertebra(TruthModel):
    """One vertebra on one film."""

    ordinal: Annotated[int, Field(ge=1, le=26, description="counted from C1 = 1")]
    level: str
    rib_bearing: bool
    lowest_lumbar: bool = Field(description="the lowest lumbar-type vertebra, whatever its name")
    corners: tuple[Pair, Pair, Pair, Pair] = Field(
        description="AP: upper-left, upper-right, lower-right, lower-left of the image; lateral: upper-anterior, "
        "upper-posterior, lower-posterior, lower-anterior"
    )
    box: tuple[float, float, float, float]
    in_view: bool = Field(description="the whole box lies inside the exposed field")


class TrueImage(TruthModel):
    """One film and every vertebra that was simulated, also those outside of it."""

    sop_instance_uid: str
    file: str = Field(description="path below the patient's folder")
    visit: int = Field(1, description="number of the visit, as in `studies`")
    view: Literal["AP", "lateral"]
    field_of_view: str
    rows: int
    columns: int
    spacing_mm: Pair = Field(description="row and column spacing at the detector")
    magnification: float = Field(description="at the spine; spacing at the spine is spacing_mm divided by it")
    vertebrae: tuple[FilmVertebra, ...]
    s1: tuple[Pair, Pair] | None = Field(
        None,
        description="ends of the upper endplate of S1: anterior, posterior on a lateral film; image left, image right "
        "on an AP film",
    )
    sacrum_in_view: bool = Field(True, description="both ends of S1's upper endplate lie inside the exposed field")
    angles: tuple[TrueAngle, ...] = Field((), description="of the projected endplates")
    justified: Justified | None = Field(None, description="what a reader of this film alone can say")
