"""A level check as a structured report of the marked image's study: TID 1500, one group for the mark and one for what
is there. Unverified, like everything that we write; a pure function of the stored check and the image's header.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.sr.coding import Code
from pydicom.uid import ComprehensiveSRStorage

from numbering.anatomy import Disc, Level
from numbering.dicom import MANUFACTURER
from numbering.dicom.objects import codes, content
from numbering.dicom.objects.content import CONTAINS, HAS_CONCEPT_MOD, HAS_OBS_CONTEXT, SELECTED_FROM
from numbering.dicom.objects.context import PROCEDURES, RADIOGRAPHY, image_descriptors, language
from numbering.dicom.objects.header import NOTICE, copy_patient_and_study, local, series_uid, settle_character_set
from numbering.dicom.objects.references import reference, references
from numbering.geometry import Point, closed_polyline
from numbering.levelcheck import Check, Kind, Side
from numbering.levelcheck.answer import Found
from numbering.uids import derived_uid

SERIES_NUMBER = 9003
MODEL = "level check"
SIDES = {Side.LEFT: Code("7771000", "SCT", "Left"), Side.RIGHT: Code("24028007", "SCT", "Right")}

_FINDING = Code("121071", "DCM", "Finding")
_FINDING_SITE = Code("363698007", "SCT", "Finding Site")
_PROBABILITY = Code("122157", "DCM", "Probability")
_GROUP = Code("125007", "DCM", "Measurement Group")
_STRUCTURES = {False: Code("51282000", "SCT", "Vertebra"), True: Code("360499006", "SCT", "Intervertebral disc")}


@dataclass(frozen=True, kw_only=True)
class CheckDocument:
    """A stored check to be written. ``outline`` is the extent of what was found, in image coordinates, if known.

    The mark must be on the image whose header is given: the report goes into that image's study.
    """

    uid: str
    at: datetime
    check: Check
    outline: Sequence[Point] = ()

    @property
    def sop_instance_uid(self) -> str:
        """Derived from the check's own UID, so that writing it again is the same object."""
        return derived_uid((self.uid,), "SR")

    @property
    def series_instance_uid(self) -> str:
        """A series of its own."""
        return series_uid(self.sop_instance_uid, "SR")


def check_report(document: CheckDocument, source: Dataset) -> Dataset:
    """The SR of a check. ``ValueError`` when it has no mark, or the mark is on another image than this."""
    mark = document.check.mark
    if mark is None or mark.place.sop_instance_uid != source.SOPInstanceUID:
        raise ValueError("a check's report is written beside the image that was marked, and this is not it")
    ds = _begin(document, source)
    when = local(document.at, source)
    ds.ContentDate, ds.ContentTime = when.strftime("%Y%m%d"), when.strftime("%H%M%S.%f")
    ds.CompletionFlag = "COMPLETE"
    ds.CompletionFlagDescription = NOTICE
    ds.VerificationFlag = "UNVERIFIED"
    ds.PreliminaryFlag = "PRELIMINARY"
    ds.ReferencedPerformedProcedureStepSequence = Items()
    ds.PerformedProcedureCodeSequence = Items()
    image = reference(str(source.SOPClassUID), str(source.SOPInstanceUID))
    ds.CurrentRequestedProcedureEvidenceSequence = references(
        source.StudyInstanceUID, {source.SeriesInstanceUID: [image]}
    )
    ds.CodingSchemeIdentificationSequence = codes.scheme_identification()
    ds.update(_root(document, source))
    settle_character_set(ds, source)
    return ds


def _begin(document: CheckDocument, source: Dataset) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID = ComprehensiveSRStorage
    ds.SOPInstanceUID = document.sop_instance_uid
    ds.StudyInstanceUID = source.StudyInstanceUID
    ds.SeriesInstanceUID = document.series_instance_uid
    copy_patient_and_study(ds, source)
    ds.Modality = "SR"
    ds.SeriesNumber = SERIES_NUMBER
    ds.SeriesDescription = f"level check: {document.check.verdict} (AI, unverified)"
    ds.InstanceNumber = 1
    ds.ContentQualification = "RESEARCH"
    when = local(document.at, source)
    ds.TimezoneOffsetFromUTC = when.strftime("%z")
    ds.InstanceCreationDate = ds.SeriesDate = when.strftime("%Y%m%d")
    ds.InstanceCreationTime = ds.SeriesTime = when.strftime("%H%M%S.%f")
    version = document.check.software.version
    ds.Manufacturer, ds.ManufacturerModelName = MANUFACTURER, MODEL
    ds.DeviceSerialNumber, ds.SoftwareVersions = version, version
    return ds


def _root(document: CheckDocument, source: Dataset) -> Dataset:
    groups = [_mark_group(document, source), *_found_group(document, source)]
    children = [
        language(),
        *_observer(document),
        content.code(HAS_CONCEPT_MOD, Code("121058", "DCM", "Procedure reported"), _procedure(source)),
        _image_library(source),
        content.container(Code("126010", "DCM", "Imaging Measurements"), groups),
        content.container(Code("C0034375", "UMLS", "Qualitative Evaluations"), list(_evaluations(document.check))),
    ]
    root = content.container(Code("126000", "DCM", "Imaging Measurement Report"), children, template="1500")
    del root.RelationshipType
    return root


def _observer(document: CheckDocument) -> Iterator[Dataset]:
    """TID 1002 and 1004: the observer is this program."""
    device = derived_uid((MANUFACTURER, document.check.software.version, MODEL), "device observer")
    yield content.code(HAS_OBS_CONTEXT, Code("121005", "DCM", "Observer Type"), Code("121007", "DCM", "Device"))
    yield content.uidref(HAS_OBS_CONTEXT, Code("121012", "DCM", "Device Observer UID"), device)
    yield content.text(HAS_OBS_CONTEXT, Code("121013", "DCM", "Device Observer Name"), MANUFACTURER)
    yield content.text(HAS_OBS_CONTEXT, Code("121014", "DCM", "Device Observer Manufacturer"), MANUFACTURER)
    yield content.text(HAS_OBS_CONTEXT, Code("121015", "DCM", "Device Observer Model Name"), MODEL)


def _procedure(source: Dataset) -> Code:
    return PROCEDURES.get(str(source.get("Modality", "")), RADIOGRAPHY)


def _image_library(source: Dataset) -> Dataset:
    """TID 1600 with the marked image alone."""
    entry = _image(CONTAINS, source, None)
    entry.ContentSequence = Items(image_descriptors(source))
    group = content.container(Code("126200", "DCM", "Image Library Group"), [entry])
    return content.container(Code("111028", "DCM", "Image Library"), [group])


def _image(relationship: str, source: Dataset, frame: int | None) -> Dataset:
    return content.image(relationship, None, str(source.SOPClassUID), str(source.SOPInstanceUID), frame)


def _mark_group(document: CheckDocument, source: Dataset) -> Dataset:
    """TID 1410 for the marked place; in graphics the origin is the outer corner of the first pixel."""
    mark = document.check.mark
    assert mark is not None
    width, height = int(source.Columns), int(source.Rows)
    x, y = min(max(mark.place.x + 0.5, 0), width), min(max(mark.place.y + 0.5, 0), height)
    children = [
        *_tracking(document, "mark", "Marked place"),
        content.code(CONTAINS, _FINDING, codes.MARKED_PLACE),
        *_algorithm(document),
        content.point(x, y, _image(SELECTED_FROM, source, mark.place.frame)),
    ]
    if mark.side is not None:
        children.append(content.code(CONTAINS, codes.MARKED_SIDE, SIDES[mark.side]))
    return content.container(_GROUP, children, template="1410")


def _found_group(document: CheckDocument, source: Dataset) -> Iterator[Dataset]:
    """What is at the mark: TID 1410 with its outline, TID 1501 where its extent is not known."""
    found = document.check.found
    if found is None:
        return
    image = _image(SELECTED_FROM, source, found.place.frame)
    if document.outline:
        outline = closed_polyline(tuple(document.outline), int(source.Rows), int(source.Columns))
        where = content.region(outline, image)
    else:
        where = content.image(
            CONTAINS,
            Code("121112", "DCM", "Source of Measurement"),
            str(source.SOPClassUID),
            str(source.SOPInstanceUID),
            found.place.frame,
        )
    children = [
        *_tracking(document, "found", found.name),
        content.code(CONTAINS, _FINDING, _STRUCTURES["-" in found.name]),
        content.code(HAS_CONCEPT_MOD, _FINDING_SITE, _structure(found.name)),
        *_algorithm(document),
        where,
        content.num(CONTAINS, _PROBABILITY, found.probability),
    ]
    yield content.container(_GROUP, children, template="1410" if document.outline else "1501")


def _structure(name: str) -> Code:
    return codes.disc(Disc.parse(name)) if "-" in name else codes.vertebra(Level.parse(name))


def _tracking(document: CheckDocument, kind: str, identifier: str) -> Iterator[Dataset]:
    """TID 4108."""
    uid = derived_uid((document.uid,), f"tracking {kind}")
    yield content.text(HAS_OBS_CONTEXT, Code("112039", "DCM", "Tracking Identifier"), identifier)
    yield content.uidref(HAS_OBS_CONTEXT, Code("112040", "DCM", "Tracking Unique Identifier"), uid)


def _algorithm(document: CheckDocument) -> Iterator[Dataset]:
    """TID 4019."""
    yield content.text(HAS_CONCEPT_MOD, Code("111001", "DCM", "Algorithm Name"), f"{MANUFACTURER} {MODEL}")
    yield content.text(HAS_CONCEPT_MOD, Code("111003", "DCM", "Algorithm Version"), document.check.software.version)


def _evaluations(check: Check) -> Iterator[Dataset]:
    """Verdict, plan, statement, basis, policy: in the order in which they are read."""
    yield content.code(CONTAINS, codes.VERDICT, codes.VERDICTS[check.verdict])
    if check.reason is not None:
        yield content.code(CONTAINS, codes.CHECK_REASON, codes.WHYS[check.reason])
    yield content.text(CONTAINS, codes.CHECK_STATEMENT, check.statement)
    yield from _planned(check)
    if check.found is not None:
        yield from _basis(check.found)
    for one in check.known:
        yield content.text(CONTAINS, codes.KNOWN_PLACE, _known(one))
    policy = check.policy
    bases = ", ".join(policy.confirmed_bases)
    widened = f"; widened by: {', '.join(policy.widened_by)}" if policy.widened_by else ""
    text = f"Least probability {policy.probability:g}; accepted bases: {bases}{widened}"
    yield content.text(CONTAINS, codes.CHECK_POLICY, text)
    yield content.text(CONTAINS, codes.AI_STATUS, NOTICE)


def _planned(check: Check) -> Iterator[Dataset]:
    planned = check.planned
    if planned.name is None:
        yield content.text(CONTAINS, codes.PLANNED, "not understood")
        return
    yield content.text(CONTAINS, codes.PLANNED, planned.name)
    names = [planned.name] if planned.kind is not Kind.RANGE else planned.levels
    yield from (content.code(CONTAINS, codes.PLANNED, _structure(name)) for name in names)
    if planned.side is not None:
        yield content.code(CONTAINS, codes.PLANNED_SIDE, SIDES[planned.side])


def _basis(found: Found) -> Iterator[Dataset]:
    confirmed = "confirmed by the site's policy" if found.basis.confirmed else "not confirmed"
    yield content.text(CONTAINS, codes.COUNTED_FROM, f"{found.basis.counted_from} ({confirmed})")
    yield from (content.text(CONTAINS, codes.ASSUMPTION, text) for text in found.basis.assumptions)
    if found.alternative is not None:
        text = f"{found.alternative.name}, probability {found.alternative.probability:.2g}"
        yield content.text(CONTAINS, codes.ALTERNATIVE, text)


def _known(one: Found) -> str:
    place = one.place
    frame = f", frame {place.frame}" if place.frame is not None else ""
    sure = "confirmed" if one.basis.confirmed else "not confirmed"
    where = f"image {place.sop_instance_uid}{frame}, column {place.x:.1f}, row {place.y:.1f}"
    return f"{one.name}: {where}; counted from {one.basis.counted_from} ({sure}), probability {one.probability:.2f}"
