"""Measurement groups: one for each vertebra, disc and measurement, or for each candidate of an abstention.

A vertebra is TID 1410 with one 2-D region (viewers draw no other); discs and measurements are TID 1501.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from numbering.anatomy import Disc, Level
from numbering.dicom.objects import codes, content
from numbering.dicom.objects.content import CONTAINS, HAS_CONCEPT_MOD, HAS_OBS_CONTEXT, HAS_PROPERTIES
from numbering.dicom.objects.references import image_of
from numbering.geometry import Point, closed_polyline, corners_of
from numbering.result import Candidate, Measurement, NumberedDisc, NumberingResult, Status, Vertebra
from numbering.uids import derived_uid

_VERTEBRA = Code("51282000", "SCT", "Vertebra")
_DISC = Code("360499006", "SCT", "Intervertebral disc")
_FINDING = Code("121071", "DCM", "Finding")
_FINDING_SITE = Code("363698007", "SCT", "Finding Site")
_PROBABILITY = Code("122157", "DCM", "Probability")
_GROUP = Code("125007", "DCM", "Measurement Group")
_SOURCE_OF_MEASUREMENT = Code("121112", "DCM", "Source of Measurement")
_COMMENT = Code("121106", "DCM", "Comment")


def groups(result: NumberingResult) -> Iterator[Dataset]:
    """All groups of a result, numbered structures first."""
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
        image_of(CONTAINS, result, disc.sop_instance_uid, disc.frame, _SOURCE_OF_MEASUREMENT),
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
    return content.region(outline, image_of(content.SELECTED_FROM, result, sop_instance_uid, frame))
