"""Measurement groups: one for each vertebra, disc and measurement, or for each candidate of an abstention.

A vertebra is TID 1410 with one 2-D region (viewers draw no other), its centre in space where that is known, and what
was measured of it alone. A disc is TID 1410 where its place on the image is known, else TID 1501 on its image; on an
axial slice it is the level that the slice lies at.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from numbering.anatomy import Disc
from numbering.dicom.objects import codes, content
from numbering.dicom.objects.content import CONTAINS
from numbering.dicom.objects.group_parts import FINDING_SITE, GROUP, algorithm, finding_site, region, tracking
from numbering.dicom.objects.measured import measurement_groups, measurements_of
from numbering.dicom.objects.references import image_of
from numbering.geometry import corners_of
from numbering.result import Candidate, NumberedDisc, NumberingResult, Status, Vertebra
from numbering.study import View

_VERTEBRA = Code("51282000", "SCT", "Vertebra")
_DISC = Code("360499006", "SCT", "Intervertebral disc")
_FINDING = Code("121071", "DCM", "Finding")
_PROBABILITY = Code("122157", "DCM", "Probability")
_SOURCE_OF_MEASUREMENT = Code("121112", "DCM", "Source of Measurement")


def groups(result: NumberingResult, space: str | None = None) -> Iterator[Dataset]:
    """All groups of a result, numbered structures first. ``space``: the frame of reference of the sources."""
    findings = result.findings
    for index, vertebra in enumerate(findings.vertebrae):
        yield _vertebra_group(result, index, vertebra, space)
    for index, disc in enumerate(findings.discs):
        yield _disc_group(result, index, disc, space)
    yield from measurement_groups(result)
    if findings.status is Status.ABSTAINED:
        for index, candidate in enumerate(findings.candidates):
            yield _candidate_group(result, index, candidate)


def _vertebra_group(result: NumberingResult, index: int, vertebra: Vertebra, space: str | None) -> Dataset:
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
        *_centre(vertebra, space),
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


def _disc_group(result: NumberingResult, index: int, disc: NumberedDisc, space: str | None) -> Dataset:
    """TID 1410 with its region, or TID 1501 on its image."""
    place = disc.sop_instance_uid, disc.frame
    site = finding_site(disc.level)
    if result.view is View.AXIAL:
        site = content.code(content.HAS_CONCEPT_MOD, FINDING_SITE, codes.level_of(Disc.parse(disc.level)))
    if disc.box is not None:
        where = region(result, *place, corners_of(disc.box))
    else:
        where = image_of(CONTAINS, result, *place, _SOURCE_OF_MEASUREMENT)
    children = [
        *tracking(result, f"disc {index}", disc.level),
        content.code(CONTAINS, _FINDING, _DISC),
        site,
        *algorithm(result),
        where,
        *_centre(disc, space),
        # OHIF reads beneath numbers where a group has no region, and draws nothing when it finds nothing there
        content.num(CONTAINS, _PROBABILITY, disc.probability, children=[finding_site(disc.level)]),
        *(_alternative(result, index) if not result.findings.vertebrae else ()),
    ]
    return content.container(GROUP, children, template="1410" if disc.box is not None else "1501")


def _centre(found: Vertebra | NumberedDisc, space: str | None) -> Iterator[Dataset]:
    if found.centre_mm is not None and space is not None:
        yield content.centre(found.centre_mm, space)


def _alternative(result: NumberingResult, index: int) -> Iterator[Dataset]:
    alternative = result.findings.alternative
    if alternative is not None and index < len(alternative.levels):
        level = alternative.levels[index]
        beneath = [finding_site(level)] if "-" in level else None
        yield content.num(CONTAINS, codes.ALTERNATIVE_PROBABILITY, alternative.probability, children=beneath)
        yield content.code(CONTAINS, codes.ALTERNATIVE_LEVEL, codes.structure(level))


def _score_of(result: NumberingResult, vertebra: Vertebra) -> float | None:
    """The detector's score of the candidate that became this vertebra."""
    place = (vertebra.sop_instance_uid, vertebra.frame, vertebra.box)
    candidates = result.findings.candidates
    return next(
        (found.score for found in candidates if (found.sop_instance_uid, found.frame, found.box) == place), None
    )
