"""What is true of a simulated patient, schema ``numbering/truth/1``.

Image coordinates: x right, y down, pixel centres at integers; boxes continuous ``[x0, y0, x1, y1]``. Corners are the
projections of 3-D landmarks (the ends of the endplates in the coronal mid-plane), not the silhouette's corners; the box
is the extent of the projected body, arch and processes left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from numbering.phantom.old.pose import Skeleton
from numbering.phantom.old.radiograph import Exposure, outlines

FILE_NAME = "truth.json"
Pair = tuple[float, float]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TrueVariant(_Model):
    """How many thoracic and lumbar-type vertebrae the spine has."""

    thoracic: Annotated[int, Field(ge=11, le=13)]
    lumbar: Annotated[int, Field(ge=4, le=6)]


class TrueVertebra(_Model):
    """One vertebra on one image."""

    ordinal: Annotated[int, Field(ge=1, le=26, description="counted from C1 = 1")]
    level: str
    rib_bearing: bool
    lowest_lumbar: bool = Field(description="the lowest lumbar-type vertebra, whatever its name")
    corners: tuple[Pair, Pair, Pair, Pair] = Field(description="upper-left, upper-right, lower-right, lower-left")
    box: tuple[float, float, float, float]
    in_view: bool = Field(description="the whole box lies inside the image")


class TrueImage(_Model):
    """One image and every vertebra that was simulated, also those outside of it."""

    sop_instance_uid: str
    file: str = Field(description="path below the patient's folder")
    view: Literal["AP"]
    field_of_view: Literal["whole-spine", "lumbar"]
    rows: int
    columns: int
    spacing_mm: Pair = Field(description="row and column spacing at the detector")
    magnification: float = Field(description="at the spine; spacing at the spine is spacing_mm divided by it")
    vertebrae: tuple[TrueVertebra, ...]


class Truth(_Model):
    """Everything that is true of one patient."""

    schema_: Literal["numbering/truth/1"] = Field("numbering/truth/1", alias="schema")
    seed: int
    variant: TrueVariant
    anomalies: tuple[str, ...]
    images: tuple[TrueImage, ...]


def describe(skeleton: Skeleton, exposure: Exposure, *, sop_instance_uid: str, file: str) -> TrueImage:
    """The truth of one film."""
    beam = exposure.beam
    last = skeleton.vertebrae[-1]
    found = []
    for placed, outline in zip(skeleton.vertebrae, outlines(skeleton, beam), strict=True):
        (x0, y0), (x1, y1) = outline.min(0), outline.max(0)
        inside = x0 >= -0.5 and y0 >= -0.5 and x1 <= beam.columns - 0.5 and y1 <= beam.rows - 0.5
        first, second, third, fourth = (_pair(point) for point in beam.project(placed.corners()))
        found.append(
            TrueVertebra(
                ordinal=placed.vertebra.ordinal,
                level=str(placed.vertebra.level),
                rib_bearing=placed.vertebra.rib_bearing,
                lowest_lumbar=placed is last,
                corners=(first, second, third, fourth),
                box=(*_pair((x0, y0)), *_pair((x1, y1))),
                in_view=bool(inside),
            )
        )
    return TrueImage(
        sop_instance_uid=sop_instance_uid,
        file=file,
        view="AP",
        field_of_view=exposure.field_of_view,
        rows=beam.rows,
        columns=beam.columns,
        spacing_mm=(beam.pitch, beam.pitch),
        magnification=round(exposure.magnification, 4),
        vertebrae=tuple(found),
    )


def _pair(point: np.ndarray | tuple[float, float]) -> Pair:
    return round(float(point[0]), 3), round(float(point[1]), 3)


def write(truth: Truth, folder: Path) -> Path:
    """``truth.json`` in the patient's folder, complete or not at all."""
    path = folder / FILE_NAME
    part = folder / f".{FILE_NAME}.part"
    part.write_text(truth.model_dump_json(by_alias=True, indent=1) + "\n")
    return part.replace(path)


def read(folder: Path) -> Truth:
    """The truth of a patient's folder; ``pydantic.ValidationError`` names what does not fit the schema."""
    return Truth.model_validate_json((folder / FILE_NAME).read_bytes())
