"""What is known of one patient's spine: every result with its names, their bases, and who contradicts whom.

A `PatientRecord` holds no identity of the patient, only UIDs. It is what the level check reads; `conclude` makes it.
Names are those after conclusion: a result whose names were shifted or carried over stands here with the new ones.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Annotated

from pydantic import Field, model_validator

from numbering.anatomy import Disc, Level, Variant
from numbering.result import Box, Frozen, Line, Point, Probability, Status
from numbering.study import View


class BasisKind(StrEnum):
    """On what a name rests. Only the first two can be confirmed (CONVENTIONS, "The level check")."""

    COUNTED_FROM_C2 = "counted from C2"
    """Uninterrupted, in one image or one frame of reference."""
    HUMAN_CORRECTION = "human correction"
    """By an authenticated person of a named organisation, verified."""
    INTERRUPTED_COUNT = "counted from C2 with a gap"
    UNVERIFIED_CORRECTION = "unverified correction"
    LAST_RIB = "counted from the last rib"
    SACRUM = "counted from the sacrum"
    APPEARANCE = "by appearance"
    PRIOR = "carried over from another examination"
    UNKNOWN = "not stated"


CONFIRMABLE = (BasisKind.COUNTED_FROM_C2, BasisKind.HUMAN_CORRECTION)


class Place(Frozen):
    """A point on an image: x right, y down, pixel centres at integers; ``frame`` is 1-based, None for single frames."""

    sop_instance_uid: str
    frame: Annotated[int, Field(ge=1)] | None = None
    x: float
    y: float


class Basis(Frozen):
    """On what one name rests. ``counted_from`` is the anchor in words; ``confirmed`` never holds for a presumption."""

    kind: BasisKind
    counted_from: str
    confirmed: bool = False
    assumptions: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _a_presumption_is_not_confirmed(self) -> Basis:
        if self.confirmed and (self.kind not in CONFIRMABLE or self.assumptions):
            raise ValueError(f"basis {self.kind!r} with assumptions {self.assumptions} cannot be confirmed")
        return self


class OtherName(Frozen):
    """What a structure is called in the best different numbering."""

    name: str
    probability: Probability


@cache
def levels_of(name: str) -> tuple[Level, ...]:
    """The vertebra of this name, or the two that the disc of this name lies between, head to foot."""
    if "-" not in name:
        return (Level.parse(name),)
    disc = Disc.parse(name)
    return (disc.upper, disc.lower)


class Structure(Frozen):
    """A named vertebra or disc on one image. ``place`` is its centre there.

    ``box`` and ``corners`` are its extent on that image where known (corners as in CONVENTIONS, "Coordinates"); of the
    sacrum on a lateral film only S1's upper ``endplate`` is, which says nothing of how far S1 reaches.
    ``carried_from`` is the series that the name came from, by geometry or by its count; None for the result's own name.
    """

    name: str
    probability: Probability
    place: Place
    basis: Basis
    alternative: OtherName | None = None
    box: Box | None = None
    corners: tuple[Point, Point, Point, Point] | None = None
    endplate: Line | None = None
    centre_mm: tuple[float, float, float] | None = None
    carried_from: str | None = None

    @model_validator(mode="after")
    def _the_name_exists(self) -> Structure:
        _ = self.levels
        return self

    @property
    def is_disc(self) -> bool:
        """Whether the name is a disc's."""
        return "-" in self.name

    @property
    def levels(self) -> tuple[Level, ...]:
        """The vertebra, or the two that the disc lies between, head to foot."""
        return levels_of(self.name)


class SeriesEntry(Frozen):
    """One current result in the record: a superseded one is not here.

    ``images`` are all SOP Instance UIDs of the result. ``reason`` is why there are no names. ``anomalies`` as the
    pipeline told them. An entry without structures is silent, never a contradiction by itself.
    """

    study_instance_uid: str
    series_instance_uid: str
    modality: str
    view: View | None = None
    pipeline: str | None = None
    status: Status
    reason: str | None = None
    images: tuple[str, ...]
    frame_of_reference_uid: str | None = None
    structures: tuple[Structure, ...] = ()
    anomalies: tuple[str, ...] = ()
    revision: Annotated[int, Field(ge=1)] = 1


class ContradictionKind(StrEnum):
    """Which comparison failed."""

    LUMBAR_COUNT = "number of lumbar-type vertebrae"
    THORACIC_COUNT = "number of thoracic vertebrae"
    ORDER = "order from head to foot"
    PLANES = "axial against sagittal"
    SAME_PLACE = "two names for one place"
    CORRECTION = "a result against a human correction"


class Contradiction(Frozen):
    """Two or more series that cannot both be right. ``levels`` are the names in doubt; empty means all of them.

    ``text`` says what each of them says. Only contradictions that nothing has settled are in a record.
    """

    kind: ContradictionKind
    series: Annotated[tuple[str, ...], Field(min_length=1)]
    levels: tuple[str, ...] = ()
    text: str


class VariantShare(Frozen):
    """How probable one variant of the spine is for this patient."""

    thoracic: Annotated[int, Field(ge=11, le=13)]
    lumbar: Annotated[int, Field(ge=4, le=6)]
    probability: Probability

    @property
    def variant(self) -> Variant:
        """As the type that knows order and names."""
        return Variant(self.thoracic, self.lumbar)


class Transition(Frozen):
    """Suspicion of a lumbosacral transitional vertebra, with its evidence in words. No evidence: not suspected.

    ``unassessed`` are the criteria that no image of this patient was measured for.
    """

    evidence: tuple[str, ...] = ()
    unassessed: tuple[str, ...] = ()

    @property
    def suspected(self) -> bool:
        """Whether anything speaks for one."""
        return bool(self.evidence)


class Anchor(Frozen):
    """The strongest thing that any count of this patient starts from, and in which series."""

    kind: BasisKind
    series_instance_uid: str


class PatientRecord(Frozen):
    """Everything that is known of one patient's numbering. ``variants`` most probable first, empty when unknown."""

    series: tuple[SeriesEntry, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()
    variants: tuple[VariantShare, ...] = ()
    transition: Transition = Transition()
    anchor: Anchor | None = None
