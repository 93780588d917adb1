"""The whole truth of a patient: who it is, its vertebrae, its studies, and its series view by view."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from numbering.anatomy import Disc
from numbering.phantom.anatomy.patient import Castellvi, Patient
from numbering.phantom.truth.base import TruthModel
from numbering.phantom.truth.ct import TrueCt
from numbering.phantom.truth.film import TrueImage
from numbering.phantom.truth.mr import TrueMr

FILE_NAME = "truth.json"


class TrueVariant(TruthModel):
    """How many thoracic and lumbar-type vertebrae the spine has."""

    thoracic: Annotated[int, Field(ge=11, le=13)]
    lumbar: Annotated[int, Field(ge=4, le=6)]


class TrueVertebra(TruthModel):
    """One vertebra, whatever the view."""

    ordinal: Annotated[int, Field(ge=1, le=26, description="counted from C1 = 1")]
    level: str
    rib_bearing: bool
    rib_mm: tuple[float, float] = Field(description="lengths of its ribs, right and left; 0: none")
    lowest_lumbar: bool = Field(description="the lowest lumbar-type vertebra, whatever its name")
    castellvi: tuple[Castellvi, Castellvi] = Field(description="LSTV class, right and left")
    disc_below: str = Field(description="name of the disc under it")


class TrueStudy(TruthModel):
    """One study: a modality on a day. Studies of one visit share its number."""

    visit: int
    kind: Literal["films", "ct", "mr"]
    study_instance_uid: str
    day: str = Field(description="YYYYMMDD, as in the header")
    age: int
    style: str = Field(description="the fictional equipment, as in `numbering/phantom/styles.py`")


class Truth(TruthModel):
    """Everything that is true of one patient."""

    schema_: Literal["numbering/truth/1"] = Field("numbering/truth/1", alias="schema")
    seed: int
    sex: Literal["F", "M"]
    variant: TrueVariant
    anomalies: tuple[str, ...]
    shapes: str = Field("procedural", description="source of the bones' shapes: procedural, or an atlas's name")
    flaws: tuple[str, ...] = Field((), description="what is missing or wrong in the headers, on request")
    visits: int = Field(1, description="how many visits the record has; not every one holds every kind of study")
    squared_s1: float = Field(description="0…1: how far S1 looks like a lumbar body")
    vertebrae: tuple[TrueVertebra, ...] = Field(description="head to foot, from C2 to the lowest lumbar-type one")
    studies: tuple[TrueStudy, ...] = Field(description="in the order of time")
    images: tuple[TrueImage, ...] = Field((), description="radiographs")
    ct: tuple[TrueCt, ...] = ()
    mr: tuple[TrueMr, ...] = ()


def vertebrae(patient: Patient) -> tuple[TrueVertebra, ...]:
    """What is true of the vertebrae in every view."""
    names = [*(one.level for one in patient.vertebrae), patient.variant.levels()[-5]]
    return tuple(
        TrueVertebra(
            ordinal=one.ordinal,
            level=str(one.level),
            rib_bearing=one.rib_bearing,
            rib_mm=(round(one.rib_mm[0], 1), round(one.rib_mm[1], 1)),
            lowest_lumbar=one is patient.lowest_lumbar,
            castellvi=one.castellvi,
            disc_below=str(Disc(one.level, below)),
        )
        for one, below in zip(patient.vertebrae, names[1:], strict=True)
    )


def write(truth: Truth, folder: Path) -> Path:
    """``truth.json`` in the patient's folder, complete or not at all."""
    path = folder / FILE_NAME
    part = folder / f".{FILE_NAME}.part"
    part.write_text(truth.model_dump_json(by_alias=True, indent=1) + "\n")
    return part.replace(path)


def read(folder: Path) -> Truth:
    """The truth of a patient's folder; ``pydantic.ValidationError`` names what does not fit the schema."""
    return Truth.model_validate_json((folder / FILE_NAME).read_bytes())
