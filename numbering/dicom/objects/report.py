"""The structured report: TID 1500 "Imaging Measurement Report" for a numbering or an abstention.

One measurement group for each vertebra (TID 1410, one 2-D region each: viewers draw no other), disc and measurement
(TID 1501); basis, alternative, anomalies and quality stand under "Qualitative Evaluations"; the image library is
always there, because viewers need it, and holds what the source's header says and no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.coding import Code
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage

from numbering.anatomy import Disc, Level
from numbering.dicom import MANUFACTURER
from numbering.dicom.objects import codes, content
from numbering.dicom.objects.content import CONTAINS, HAS_ACQ_CONTEXT, HAS_CONCEPT_MOD, HAS_OBS_CONTEXT, HAS_PROPERTIES
from numbering.dicom.objects.header import NOTICE, begin, local_time, series_uid, settle_character_set
from numbering.geometry import Point, closed_polyline, corners_of
from numbering.result import Candidate, Measurement, NumberedDisc, NumberingResult, Status, Vertebra
from numbering.uids import derived_uid

Sources = Mapping[str, Dataset]
"""Headers of the source images by SOP Instance UID."""

PROCEDURES = {
    "CT": Code("25045-6", "LN", "CT unspecified body region"),
    "MR": Code("25056-3", "LN", "MRI unspecified body region"),
}
"""CID 100, by modality; all else is a radiograph."""

MODALITIES = {
    "CT": Code("CT", "DCM", "Computed Tomography"),
    "MR": Code("MR", "DCM", "Magnetic Resonance"),
    "CR": Code("CR", "DCM", "Computed Radiography"),
    "DX": Code("DX", "DCM", "Digital Radiography"),
    "RF": Code("RF", "DCM", "Radiofluoroscopy"),
    "XA": Code("XA", "DCM", "X-Ray Angiography"),
    "RG": Code("RG", "DCM", "Radiographic imaging"),
}
"""CID 29; an image of another modality is described without it."""

_VERTEBRA = Code("51282000", "SCT", "Vertebra")
_DISC = Code("360499006", "SCT", "Intervertebral disc")
_FINDING = Code("121071", "DCM", "Finding")
_FINDING_SITE = Code("363698007", "SCT", "Finding Site")
_PROBABILITY = Code("122157", "DCM", "Probability")


def report(result: NumberingResult, sources: Sources) -> Dataset:
    """The SR of a result that is `numbered` or `abstained`.

    Comprehensive 3D SR where the source has a frame of reference, Comprehensive SR for projections.
    """
    first = sources[result.sources[0].sop_instance_uid]
    spatial = first.get("Modality") in {"CT", "MR"} and "FrameOfReferenceUID" in first
    sop_class = Comprehensive3DSRStorage if spatial else ComprehensiveSRStorage
    ds = begin(result, first, modality="SR", sop_class_uid=sop_class, kind="SR", instance_number=1)
    when = local_time(result, first)
    ds.ContentDate, ds.ContentTime = when.strftime("%Y%m%d"), when.strftime("%H%M%S.%f")
    ds.CompletionFlag = "COMPLETE"
    ds.CompletionFlagDescription = NOTICE
    ds.VerificationFlag = "UNVERIFIED"
    ds.PreliminaryFlag = "PRELIMINARY"
    ds.ReferencedPerformedProcedureStepSequence = Sequence()
    ds.PerformedProcedureCodeSequence = Sequence()
    ds.CurrentRequestedProcedureEvidenceSequence = _evidence(result, sources)
    if result.predecessor_sr_uid is not None:
        ds.PredecessorDocumentsSequence = _predecessor(result.predecessor_sr_uid, sop_class, first)
    ds.CodingSchemeIdentificationSequence = codes.scheme_identification()
    ds.update(_root(result, sources))
    settle_character_set(ds, first)
    return ds


def _root(result: NumberingResult, sources: Sources) -> Dataset:
    children = [
        _language(),
        *_observer(result),
        content.code(HAS_CONCEPT_MOD, Code("121058", "DCM", "Procedure reported"), _procedure(result)),
        _image_library(result, sources),
    ]
    if groups := list(_groups(result)):
        children.append(content.container(Code("126010", "DCM", "Imaging Measurements"), groups))
    evaluations = list(_evaluations(result))
    children.append(content.container(Code("C0034375", "UMLS", "Qualitative Evaluations"), evaluations))
    root = content.container(Code("126000", "DCM", "Imaging Measurement Report"), children, template="1500")
    del root.RelationshipType
    return root


def _language() -> Dataset:
    """TID 1204."""
    name = Code("121049", "DCM", "Language of Content Item and Descendants")
    return content.code(HAS_CONCEPT_MOD, name, Code("en", "RFC5646", "English"))


def _observer(result: NumberingResult) -> Iterator[Dataset]:
    """TID 1002 and 1004: the observer is a device, this program with these weights."""
    device = derived_uid((MANUFACTURER, result.software_version, result.model.weights_sha256), "device observer")
    yield content.code(HAS_OBS_CONTEXT, Code("121005", "DCM", "Observer Type"), Code("121007", "DCM", "Device"))
    yield content.uidref(HAS_OBS_CONTEXT, Code("121012", "DCM", "Device Observer UID"), device)
    yield content.text(HAS_OBS_CONTEXT, Code("121013", "DCM", "Device Observer Name"), MANUFACTURER)
    yield content.text(HAS_OBS_CONTEXT, Code("121014", "DCM", "Device Observer Manufacturer"), MANUFACTURER)
    yield content.text(HAS_OBS_CONTEXT, Code("121015", "DCM", "Device Observer Model Name"), result.pipeline)


def _procedure(result: NumberingResult) -> Code:
    return PROCEDURES.get(result.modality, Code("43468-8", "LN", "XR unspecified body region"))


def _image_library(result: NumberingResult, sources: Sources) -> Dataset:
    """TID 1600."""
    entries = [_image_library_entry(result, sources[source.sop_instance_uid]) for source in result.sources]
    group = content.container(Code("126200", "DCM", "Image Library Group"), entries)
    return content.container(Code("111028", "DCM", "Image Library"), [group])


def _image_library_entry(result: NumberingResult, source: Dataset) -> Dataset:
    """TID 1601 with the descriptors of TID 1602 that the header holds; none is invented."""
    item = _image(CONTAINS, result, source.SOPInstanceUID, None)
    descriptors = list(_descriptors(source))
    if descriptors:
        item.ContentSequence = Sequence(descriptors)
    return item


def _descriptors(source: Dataset) -> Iterator[Dataset]:
    if source.get("Modality") in MODALITIES:
        yield content.code(HAS_ACQ_CONTEXT, Code("121139", "DCM", "Modality"), MODALITIES[source.Modality])
    if source.get("FrameOfReferenceUID"):
        yield content.uidref(
            HAS_ACQ_CONTEXT, Code("112227", "DCM", "Frame of Reference UID"), source.FrameOfReferenceUID
        )
    for value, keyword, meaning in (("110910", "Rows", "Pixel Data Rows"), ("110911", "Columns", "Pixel Data Columns")):
        yield content.num(HAS_ACQ_CONTEXT, Code(value, "DCM", meaning), source[keyword].value, content.PIXELS)
    orientation = source.get("PatientOrientation") or []
    if len(orientation) == 2 and all(orientation):
        row, column = map(str, orientation)
        yield content.text(HAS_ACQ_CONTEXT, Code("111044", "DCM", "Patient Orientation Row"), row)
        yield content.text(HAS_ACQ_CONTEXT, Code("111043", "DCM", "Patient Orientation Column"), column)
    spacing = source.get("PixelSpacing") or source.get("ImagerPixelSpacing") or []
    if len(spacing) == 2:
        vertical, horizontal = map(float, spacing)
        mm = content.MILLIMETRE
        yield content.num(HAS_ACQ_CONTEXT, Code("111026", "DCM", "Horizontal Pixel Spacing"), horizontal, mm)
        yield content.num(HAS_ACQ_CONTEXT, Code("111066", "DCM", "Vertical Pixel Spacing"), vertical, mm)


def _groups(result: NumberingResult) -> Iterator[Dataset]:
    findings = result.findings
    for index, vertebra in enumerate(findings.vertebrae):
        yield _vertebra_group(result, index, vertebra)
    for index, disc in enumerate(findings.discs):
        yield _disc_group(result, index, disc)
    for index, measured in enumerate(findings.measurements):
        yield _measurement_group(result, index, measured)
    if findings.status is Status.ABSTAINED:
        for index, candidate in enumerate(findings.candidates):
            yield _candidate_group(result, index, candidate)


def _vertebra_group(result: NumberingResult, index: int, vertebra: Vertebra) -> Dataset:
    """TID 1410 "Planar ROI Measurements and Qualitative Evaluations"."""
    measured = [content.num(CONTAINS, _PROBABILITY, vertebra.probability)]
    score = _score_of(result, vertebra)
    if score is not None:
        measured.append(content.num(CONTAINS, codes.DETECTOR_SCORE, score))
    children = [
        *_tracking(result, f"vertebra {index}", vertebra.level),
        content.code(CONTAINS, _FINDING, _VERTEBRA),
        content.code(HAS_CONCEPT_MOD, _FINDING_SITE, codes.vertebra(Level.parse(vertebra.level))),
        *_algorithm(result),
        _region(result, vertebra.sop_instance_uid, vertebra.frame, vertebra.corners or corners_of(vertebra.box)),
        *measured,
        *_alternative(result, index),
    ]
    return content.container(_GROUP, children, template="1410")


def _candidate_group(result: NumberingResult, index: int, candidate: Candidate) -> Dataset:
    """TID 1410 without a finding site: it looks like a vertebra, and nothing is claimed of its level."""
    children = [
        *_tracking(result, f"candidate {index}", f"Candidate {index + 1}, not numbered"),
        content.code(CONTAINS, _FINDING, codes.CANDIDATE),
        *_algorithm(result),
        _region(result, candidate.sop_instance_uid, candidate.frame, corners_of(candidate.box)),
        content.num(CONTAINS, codes.DETECTOR_SCORE, candidate.score),
    ]
    return content.container(_GROUP, children, template="1410")


def _disc_group(result: NumberingResult, index: int, disc: NumberedDisc) -> Dataset:
    """TID 1501: a disc is named on its image, without a region."""
    children = [
        *_tracking(result, f"disc {index}", disc.level),
        content.code(CONTAINS, _FINDING, _DISC),
        content.code(HAS_CONCEPT_MOD, _FINDING_SITE, codes.disc(Disc.parse(disc.level))),
        *_algorithm(result),
        _image(CONTAINS, result, disc.sop_instance_uid, disc.frame, _SOURCE_OF_MEASUREMENT),
        content.num(CONTAINS, _PROBABILITY, disc.probability),
    ]
    return content.container(_GROUP, children, template="1501")


def _measurement_group(result: NumberingResult, index: int, measured: Measurement) -> Dataset:
    """TID 1501 with one measurement (TID 1419) between the levels that are its finding sites."""
    children = [
        *_tracking(result, f"measurement {index}", measured.name),
        *(content.code(HAS_CONCEPT_MOD, _FINDING_SITE, _structure(level)) for level in measured.levels),
        *_algorithm(result),
        _value(measured),
    ]
    if measured.reason is not None:
        children.append(content.text(CONTAINS, _COMMENT, measured.reason))
    return content.container(_GROUP, children, template="1501")


def _value(measured: Measurement) -> Dataset:
    """The number with its uncertainty; a failure to measure as a code, for readers stumble over a NUM without value."""
    name, unit = codes.measurement(measured.name), content.UNITS[measured.unit]
    if measured.value is None:
        return content.code(CONTAINS, name, Code("114006", "DCM", "Measurement failure"))
    properties = []
    if measured.uncertainty is not None:
        plus_minus = Code("371884006", "SCT", "+/-, range of measurement uncertainty")
        properties.append(content.num(HAS_PROPERTIES, plus_minus, measured.uncertainty, unit))
    return content.num(CONTAINS, name, measured.value, unit, children=properties)


_GROUP = Code("125007", "DCM", "Measurement Group")
_SOURCE_OF_MEASUREMENT = Code("121112", "DCM", "Source of Measurement")
_COMMENT = Code("121106", "DCM", "Comment")


def _structure(name: str) -> Code:
    return codes.disc(Disc.parse(name)) if "-" in name else codes.vertebra(Level.parse(name))


def _tracking(result: NumberingResult, kind: str, identifier: str) -> Iterator[Dataset]:
    """TID 4108."""
    uid = derived_uid(result.identity(), f"tracking {kind}")
    yield content.text(HAS_OBS_CONTEXT, Code("112039", "DCM", "Tracking Identifier"), identifier)
    yield content.uidref(HAS_OBS_CONTEXT, Code("112040", "DCM", "Tracking Unique Identifier"), uid)


def _algorithm(result: NumberingResult) -> Iterator[Dataset]:
    """TID 4019, with everything that decides the answer."""
    model = result.model
    parameters = [
        f"weights_sha256={model.weights_sha256}",
        f"runtime={model.runtime}",
        f"trained_on={model.trained_on}",
    ]
    parameters += [f"{key}={value}" for key, value in sorted(result.settings.items())]
    family = Code("123110", "DCM", "Artificial Intelligence")
    yield content.text(HAS_CONCEPT_MOD, Code("111001", "DCM", "Algorithm Name"), model.name)
    yield content.text(HAS_CONCEPT_MOD, Code("111003", "DCM", "Algorithm Version"), model.version)
    for parameter in parameters:
        yield content.text(HAS_CONCEPT_MOD, Code("111002", "DCM", "Algorithm Parameters"), parameter)
    yield content.code(HAS_CONCEPT_MOD, Code("111000", "DCM", "Algorithm Family"), family)


def _alternative(result: NumberingResult, index: int) -> Iterator[Dataset]:
    alternative = result.findings.alternative
    if alternative is not None and index < len(alternative.levels):
        yield content.num(CONTAINS, codes.ALTERNATIVE_PROBABILITY, alternative.probability)
        yield content.code(CONTAINS, codes.ALTERNATIVE_LEVEL, codes.vertebra(Level.parse(alternative.levels[index])))


def _score_of(result: NumberingResult, vertebra: Vertebra) -> float | None:
    """The detector's score of the candidate that became this vertebra."""
    place = (vertebra.sop_instance_uid, vertebra.frame, vertebra.box)
    candidates = result.findings.candidates
    return next(
        (found.score for found in candidates if (found.sop_instance_uid, found.frame, found.box) == place), None
    )


def _region(result: NumberingResult, sop_instance_uid: str, frame: int | None, points: tuple[Point, ...]) -> Dataset:
    source = next(source for source in result.sources if source.sop_instance_uid == sop_instance_uid)
    outline: NDArray[np.float64] = closed_polyline(points, source.rows, source.columns)
    return content.region(outline, _image(content.SELECTED_FROM, result, sop_instance_uid, frame))


def _image(
    relationship: str, result: NumberingResult, sop_instance_uid: str, frame: int | None, name: Code | None = None
) -> Dataset:
    source = next(source for source in result.sources if source.sop_instance_uid == sop_instance_uid)
    return content.image(relationship, name, source.sop_class_uid, sop_instance_uid, frame)


def _evaluations(result: NumberingResult) -> Iterator[Dataset]:
    """What the numbering rests on, in the order in which it is read."""
    findings = result.findings
    numbered = findings.status is Status.NUMBERED
    yield content.code(CONTAINS, codes.OUTCOME, codes.NUMBERED if numbered else codes.ABSTAINED)
    if findings.reason is not None:
        yield content.code(CONTAINS, codes.REASON, codes.REASONS[findings.reason.code])
        yield content.text(CONTAINS, codes.REASON, findings.reason.text)
    if (basis := findings.basis) is not None:
        yield content.text(CONTAINS, codes.STATEMENT, basis.statement)
        yield content.text(CONTAINS, codes.COUNTED_FROM, basis.counted_from)
        yield from (content.text(CONTAINS, codes.ANCHOR, anchor) for anchor in basis.anchors_in_view)
        yield from (content.text(CONTAINS, codes.ASSUMPTION, assumption) for assumption in basis.assumptions)
    if (alternative := findings.alternative) is not None:
        names = ", ".join(alternative.levels)
        yield content.text(CONTAINS, codes.ALTERNATIVE, f"{names}, probability {alternative.probability:.2g}")
    yield from (content.text(CONTAINS, codes.ANOMALY, anomaly) for anomaly in findings.anomalies)
    quality = Code("111052", "DCM", "Quality Finding")
    yield from (content.text(CONTAINS, quality, finding) for finding in findings.quality)
    yield content.text(CONTAINS, codes.AI_STATUS, NOTICE)


def _evidence(result: NumberingResult, sources: Sources) -> Sequence:
    """Current Requested Procedure Evidence Sequence (PS3.3 C.17.2): every source image, by series."""
    by_series: dict[str, list[Dataset]] = {}
    for source in result.sources:
        series = str(sources[source.sop_instance_uid].SeriesInstanceUID)
        reference = _reference(source.sop_class_uid, source.sop_instance_uid)
        by_series.setdefault(series, []).append(reference)
    return _references(sources[result.sources[0].sop_instance_uid].StudyInstanceUID, by_series)


def _predecessor(sr_uid: str, sop_class_uid: str, source: Dataset) -> Sequence:
    """Predecessor Documents Sequence: the superseded SR, in the same study and a series of its own."""
    return _references(source.StudyInstanceUID, {series_uid(sr_uid, "SR"): [_reference(sop_class_uid, sr_uid)]})


def _references(study_uid: str, by_series: Mapping[str, list[Dataset]]) -> Sequence:
    """Hierarchical SOP Instance Reference Macro (PS3.3 C.17.2.1)."""
    study = Dataset()
    study.StudyInstanceUID = study_uid
    study.ReferencedSeriesSequence = Sequence()
    for uid, references in by_series.items():
        series = Dataset()
        series.SeriesInstanceUID = uid
        series.ReferencedSOPSequence = Sequence(references)
        study.ReferencedSeriesSequence.append(series)
    return Sequence([study])


def _reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class_uid
    item.ReferencedSOPInstanceUID = sop_instance_uid
    return item
