"""Fields of view: which part of a spine an image shows, on what its names rest, and the record that follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.level_checks.errors import (
    Errors,
    Named,
    blurred,
    by_appearance,
    corrected,
    counted,
    likely_variant,
    transition_evidence,
)
from benchmarks.level_checks.layout import Spine
from numbering.anatomy import Level
from numbering.record.model import (
    CONFIRMABLE,
    Basis,
    BasisKind,
    Contradiction,
    ContradictionKind,
    PatientRecord,
    Place,
    SeriesEntry,
    Structure,
    Transition,
    VariantShare,
)
from numbering.result import Status

IMAGE, SERIES, COUNTED_SERIES, STUDY = "1.2.3.1", "1.2.3", "1.2.4", "1.2"


@dataclass(frozen=True)
class FieldOfView:
    """What is seen, from the name to the name in the true spine, and the basis of the names there."""

    title: str
    upper: Level
    basis: BasisKind
    assumptions: tuple[str, ...] = ()
    carried: bool = False

    @property
    def confirmed(self) -> bool:
        """Whether a right count here is on a confirmed basis."""
        return self.basis in CONFIRMABLE

    def first(self, spine: Spine) -> int:
        """Index of the uppermost vertebra in view."""
        return next(index for index, level in enumerate(spine.levels) if level >= self.upper)


RIB, FIVE = ("the last rib is that of T12",), ("five lumbar-type vertebrae",)
COUNTED, CARRIED = "whole spine, counted from C2", "lumbar, carried over from a count in the same frame"
FIELDS = (
    FieldOfView(COUNTED, Level.C2, BasisKind.COUNTED_FROM_C2),
    FieldOfView(CARRIED, Level.T11, BasisKind.COUNTED_FROM_C2, carried=True),
    FieldOfView("lumbar, corrected by a person, verified", Level.T12, BasisKind.HUMAN_CORRECTION),
    FieldOfView("whole spine, two films with a gap", Level.C2, BasisKind.INTERRUPTED_COUNT),
    FieldOfView("thoracolumbar, counted from the last rib", Level.T9, BasisKind.LAST_RIB, RIB),
    FieldOfView("lumbar film, L5 by appearance", Level.L1, BasisKind.APPEARANCE, FIVE),
)


def record_of(rng: np.random.Generator, spine: Spine, view: FieldOfView, errors: Errors) -> PatientRecord:
    """One run of the pipelines over this image, concluded."""
    named = _named(rng, spine, view, errors)
    kind = BasisKind.INTERRUPTED_COUNT if named.interrupted else view.basis
    confirmed = kind in CONFIRMABLE
    basis = Basis(kind=kind, counted_from=str(kind), confirmed=confirmed, assumptions=view.assumptions)
    structures = _structures(rng, spine, view, named, basis, errors)
    entry = SeriesEntry(
        study_instance_uid=STUDY,
        series_instance_uid=SERIES,
        modality="DX",
        status=Status.NUMBERED if structures else Status.ABSTAINED,
        images=(IMAGE,),
        structures=structures,
    )
    variant = likely_variant(named.names)
    contradiction = Contradiction(
        kind=ContradictionKind.LUMBAR_COUNT, series=(SERIES, COUNTED_SERIES), text="Two counts differ."
    )
    return PatientRecord(
        series=(entry,),
        contradictions=(contradiction,) if named.contradicted else (),
        variants=(VariantShare(thoracic=variant.thoracic, lumbar=variant.lumbar, probability=named.probability),),
        transition=Transition(evidence=transition_evidence(rng, spine, errors)),
    )


def _named(rng: np.random.Generator, spine: Spine, view: FieldOfView, errors: Errors) -> Named:
    if view.basis is BasisKind.APPEARANCE:
        return by_appearance(rng, spine)
    if view.basis is BasisKind.HUMAN_CORRECTION:
        return corrected(rng, spine, errors)
    return counted(rng, spine, errors)


def _structures(
    rng: np.random.Generator, spine: Spine, view: FieldOfView, named: Named, basis: Basis, errors: Errors
) -> tuple[Structure, ...]:
    corners = blurred(rng, spine, errors)
    structures = []
    for index in range(view.first(spine), len(spine.levels)):
        name = named.names[index]
        if name is None or name > Level.S5:
            continue
        xs, ys = zip(*corners[index], strict=True)
        structures.append(
            Structure(
                name=str(name),
                probability=named.probability,
                place=Place(sop_instance_uid=IMAGE, x=sum(xs) / 4, y=sum(ys) / 4),
                basis=basis,
                corners=corners[index],  # type: ignore[arg-type]
                carried_from=COUNTED_SERIES if view.carried else None,
            )
        )
    return tuple(structures)
