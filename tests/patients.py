"""Results of one simulated patient for the record: what each pipeline would say of its own field of view.

The spine is the patient's; each result names what it sees as its anchor lets it. Positions are uneven, so that no two
vertebrae and no two series lie alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from numbering.anatomy import USUAL, Level, Variant
from numbering.record import Correction, Filed, FiledImage, Plane
from numbering.record.model import PatientRecord, Place, SeriesEntry
from numbering.result import (
    Alternative,
    Findings,
    ModelIdentity,
    NumberedDisc,
    NumberingBasis,
    NumberingResult,
    Origin,
    SourceImage,
    Status,
    Vertebra,
)
from numbering.study import View
from numbering.uids import derived_uid

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MODEL = ModelIdentity(
    name="simulated",
    version="1",
    weights_file="none",
    weights_sha256=hashlib.sha256(b"none").hexdigest(),
    trained_on="nothing",
    runtime="none",
)
C2, LAST_RIB, SACRUM = "C2", "last rib", "sacrum"
APPEARANCE = "L5 by appearance"
PRESUMED = {C2: (), LAST_RIB: ("the last rib-bearing vertebra is T12",)}
FIVE = ("five lumbar-type vertebrae", "the lowest lumbar-type vertebra is L5")
WHOLE = (2, 40)


def heights(spine: Variant) -> dict[int, float]:
    """mm from the head of the centre of each vertebra by its ordinal: larger steps towards the foot."""
    below = 0.0
    placed = {}
    for ordinal in range(1, len(spine.levels()) + 1):
        placed[ordinal] = below
        below += 15 + 0.9 * ordinal
    return placed


def names(spine: Variant, seen: Sequence[int], anchor: str) -> list[str]:
    """What vertebrae ``seen`` (ordinals) are called by a count from this anchor in the usual spine."""
    sacrum = spine.ordinal(Level.S1)
    if anchor == C2:
        return [str(spine.name(one)) for one in seen]
    if anchor == LAST_RIB:
        moved = 19 - (7 + spine.thoracic)
        between = {one: f"L{one - 7 - spine.thoracic}" for one in seen if 7 + spine.thoracic < one < sacrum}
        below = {one: f"S{one - sacrum + 1}" for one in seen if one >= sacrum}
        return [{**between, **below}.get(one) or str(USUAL.name(one + moved)) for one in seen]
    return [str(USUAL.name(one + 25 - sacrum)) for one in seen]


def film(
    uid: str,
    spine: Variant = USUAL,
    seen: tuple[int, int] = WHOLE,
    anchor: str = C2,
    *,
    called: Sequence[str] | None = None,
    missed: Sequence[int] = (),
    assumptions: tuple[str, ...] | None = None,
    probability: float = 0.97,
    modality: str = "DX",
    view: View | None = View.AP,
    study: str = "1.2.1",
    space: str | None = None,
    revision: int = 1,
    **more: Any,
) -> Filed:
    """One series with one image. ``seen`` are ordinals from and to; with a ``space`` it has centres in mm as well."""
    sacrum = spine.ordinal(Level.S1)
    ordinals = [one for one in range(seen[0], min(seen[1], sacrum) + 1) if one not in missed]
    given = list(called or names(spine, ordinals, anchor))
    image = f"{uid}.1"
    at = heights(spine)
    vertebrae = tuple(
        Vertebra(
            level=name,
            probability=probability,
            sop_instance_uid=image,
            box=_box(at[one], seen[0]),
            centre_mm=(0.1 * one, 5.0 - 0.2 * one, -at[one]) if space else None,
        )
        for one, name in zip(ordinals, given, strict=True)
    )
    presumed = PRESUMED.get(anchor, FIVE) if assumptions is None else assumptions
    others = tuple(_one_lower(name) for name in given)
    findings: dict[str, Any] = {
        "status": Status.NUMBERED,
        "vertebrae": vertebrae,
        "basis": NumberingBasis(counted_from=anchor, assumptions=presumed, statement=f"Counted from {anchor}."),
        "alternative": Alternative(probability=0.02, levels=others),
    }
    return Filed.of(
        NumberingResult(
            study_instance_uid=study,
            series_instance_uid=uid,
            modality=modality,
            view=view,
            pipeline="simulated",
            software_version="1",
            model=MODEL,
            sources=(_source(image),),
            findings=Findings(**(findings | more)),
            origin=Origin.NODE,
            revision=revision,
            created_at=NOON,
        ),
        frame_of_reference_uid=space,
        images=(sagittal(uid=image) if space else FiledImage(sop_instance_uid=image),),
    )


def ap_lumbar(uid: str, spine: Variant = USUAL, **more: Any) -> Filed:
    """What the AP pipeline says: the lowest lumbar-type vertebra is presumed L5."""
    lowest = spine.ordinal(Level.S1) - 1
    return film(uid, spine, (lowest, lowest), APPEARANCE, called=["L5"], probability=0.94, **more)


def lumbar(uid: str, spine: Variant = USUAL, anchor: str = SACRUM, above: int = 5, **more: Any) -> Filed:
    """The sacrum and some vertebrae above it."""
    sacrum = spine.ordinal(Level.S1)
    return film(uid, spine, (sacrum - above, sacrum), anchor, **more)


def bare(uid: str, space: str, planes: Sequence[Plane], study: str = "1.2.1") -> Filed:
    """A series that no pipeline numbers, with images in space."""
    return Filed(
        study_instance_uid=study,
        series_instance_uid=uid,
        modality="MR",
        view=None,
        images=tuple(plane.model_copy(update={"sop_instance_uid": f"{uid}.{n}"}) for n, plane in enumerate(planes, 1)),
        frame_of_reference_uid=space,
        status=Status.UNSUITABLE,
        reason="no pipeline is installed for it",
    )


def disc_slices(uid: str, spine: Variant, above: Sequence[int], called: Sequence[str], space: str) -> Filed:
    """Axial MR: one slice through the disc below each of ``above``, named by its own pipeline."""
    at = heights(spine)
    centres = [(0.5, 4.0, -(at[one] + at[one + 1]) / 2) for one in above]
    images = tuple(axial(centre[2], uid=f"{uid}.{n}") for n, centre in enumerate(centres, 1))
    discs = tuple(
        NumberedDisc(level=name, probability=0.9, sop_instance_uid=image.sop_instance_uid, centre_mm=centre)
        for name, image, centre in zip(called, images, centres, strict=True)
    )
    basis = NumberingBasis(counted_from=APPEARANCE, assumptions=FIVE, statement="By appearance.")
    result = film(uid, spine, space=space, modality="MR", view=View.AXIAL).result
    assert result is not None
    findings = Findings(status=Status.NUMBERED, discs=discs, basis=basis)
    sources = tuple(_source(image.sop_instance_uid) for image in images)
    result = result.model_copy(update={"findings": findings, "sources": sources})
    return Filed.of(result, frame_of_reference_uid=space, images=images)


def sagittal(x: float = 0.0, uid: str = "1.2") -> Plane:
    """A sagittal slice: x of the image runs to the back, y to the feet."""
    return Plane(
        sop_instance_uid=uid,
        position_mm=(x, -100.0, 50.0),
        row_direction=(0, 1, 0),
        column_direction=(0, 0, -1),
        spacing_mm=(1.25, 0.5),
        thickness_mm=4,
        rows=1000,
        columns=512,
    )


def axial(z: float, uid: str = "1.2") -> Plane:
    """An axial slice at this height."""
    return Plane(
        sop_instance_uid=uid,
        position_mm=(-90.0, -80.0, z),
        row_direction=(1, 0, 0),
        column_direction=(0, 1, 0),
        spacing_mm=(0.75, 0.75),
        thickness_mm=4,
        rows=256,
        columns=256,
    )


def correction(of: Filed, was: str, name: str, *, verified: bool = True, hours: float = 0, uid: str = "") -> Correction:
    """A person says that what this series calls ``was`` is ``name``: a place somewhere inside its box."""
    assert of.result is not None
    found = next(one for one in of.result.findings.vertebrae if one.level == was)
    x0, y0, x1, y1 = found.box
    place = Place(sop_instance_uid=found.sop_instance_uid, x=x0 + 0.4 * (x1 - x0), y=y0 + 0.6 * (y1 - y0))
    return Correction(
        uid=uid or derived_uid((of.series_instance_uid, was, name, str(hours), str(verified)), "correction"),
        series_instance_uid=of.series_instance_uid,
        place=place,
        name=name,
        verified=verified,
        at=NOON + timedelta(hours=hours),
    )


def entry(record: PatientRecord, uid: str) -> SeriesEntry:
    """The entry of this series."""
    (found,) = (one for one in record.series if one.series_instance_uid == uid)
    return found


def called(record: PatientRecord, uid: str) -> list[str]:
    """The names in this series, head to foot by place."""
    structures = entry(record, uid).structures
    return [one.name for one in sorted(structures, key=lambda one: (one.place.sop_instance_uid, one.place.y))]


def _box(height: float, first: int) -> tuple[float, float, float, float]:
    middle = 40 + 1.3 * height + 0.5 * first
    return 100.0 + first, middle - 14, 148.0 + first, middle + 15


def _one_lower(name: str) -> str:
    levels = list(Level)
    return str(levels[min(levels.index(Level(name)) + 1, len(levels) - 1)])


def _source(image: str) -> SourceImage:
    return SourceImage(
        sop_instance_uid=image, sop_class_uid="1.2.840.10008.5.1.4.1.1.1.1", digest="0" * 64, rows=1500, columns=400
    )
