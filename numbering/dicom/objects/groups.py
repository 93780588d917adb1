"""Measurement groups: one for each vertebra, disc and measurement, or for each candidate of an abstention.

A vertebra is TID 1410 with one 2-D region (viewers draw no other), and what was measured of it alone; a disc is TID
1501 on its image.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from numbering.anatomy import Level
from numbering.dicom.objects import codes, content
from numbering.dicom.objects.content import CONTAINS
from numbering.dicom.objects.group_parts import GROUP, algorithm, finding_site, region, tracking
from numbering.dicom.objects.measured import measurement_groups, measurements_of
from numbering.dicom.objects.references import image_of
from numbering.geometry import corners_of
from numbering.result import Candidate, NumberedDisc, NumberingResult, Status, Vertebra

_VERTEBRA = Code("51282000", "SCT", "Vertebra")
_DISC = Code("360499006", "SCT", "Intervertebral disc")
_FINDING = Code("121071", "DCM", "Finding")
_PROBABILITY = Code("122157", "DCM", "Probability")
_SOURCE_OF_MEASUREMENT = Code("121112", "DCM", "Source of Measurement")


def groups(result: NumberingResult) -> Iterator[Dataset]:
    """All groups of a result, numbered structures first."""
    findings = result.findings
    for index, vertebra in enumerate(findings.vertebrae):
        yield _vertebra_group(result, index, vertebra)
    for index, disc in enumerate(findings.discs):
        yield _disc_group(result, index, disc)
    yield from measurement_groups(result)
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
        *tracking(result, f"vertebra {index}", vertebra.level),
        content.code(CONTAINS, _FINDING, _VERTEBRA),
        finding_site(vertebra.level),
        *algorithm(result),
        _outline(result, vertebra),
        *measured,
        *measurements_of(result, vertebra),
        *_alternative(result, index),
    ]
    return content.container(GROUP, children, template="1410")


def _outline(result: NumberingResult, vertebra: Vertebra) -> Dataset:
    """Its body; of S1 on a lateral film the endplate."""
    image, frame = vertebra.sop_instance_uid, vertebra.frame
    if vertebra.endplate is not None:
        return region(result, image, frame, vertebra.endplate, closed=False)
    return region(result, image, frame, vertebra.corners or corners_of(vertebra.box))


def _candidate_group(result: NumberingResult, index: int, candidate: Candidate) -> Dataset:
    """TID 1410 without a finding site: it looks like a vertebra, and nothing is claimed of its level."""
    children = [
        *tracking(result, f"candidate {index}", f"Candidate {index + 1}, not numbered"),
        content.code(CONTAINS, _FINDING, codes.CANDIDATE),
        *algorithm(result),
        region(result, candidate.sop_instance_uid, candidate.frame, corners_of(candidate.box)),
        content.num(CONTAINS, codes.DETECTOR_SCORE, candidate.score),
    ]
    return content.container(GROUP, children, template="1410")


def _disc_group(result: NumberingResult, index: int, disc: NumberedDisc) -> Dataset:
    """TID 1501: a disc is named on its image, without a region."""
    children = [
        *tracking(result, f"disc {index}", disc.level),
        content.code(CONTAINS, _FINDING, _DISC),
        finding_site(disc.level),
        *algorithm(result),
        image_of(CONTAINS, result, disc.sop_instance_uid, disc.frame, _SOURCE_OF_MEASUREMENT),
        # OHIF reads beneath a group's number where the group has no region, and draws nothing when it finds nothing
        content.num(CONTAINS, _PROBABILITY, disc.probability, children=[finding_site(disc.level)]),
    ]
    return content.container(GROUP, children, template="1501")


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
