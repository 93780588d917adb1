"""What a numbering rests on, in the order in which it is read: the report's "Qualitative Evaluations"."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from numbering.dicom.objects import codes, content
from numbering.dicom.objects.basis import alternative, statement
from numbering.dicom.objects.content import CONTAINS
from numbering.dicom.objects.header import notice
from numbering.dicom.objects.measured import not_given
from numbering.result import NumberingResult, Status


def evaluations(result: NumberingResult) -> Iterator[Dataset]:
    """What the numbering rests on, in the order in which it is read."""
    findings = result.findings
    numbered = findings.status is Status.NUMBERED
    yield content.code(CONTAINS, codes.OUTCOME, codes.NUMBERED if numbered else codes.ABSTAINED)
    if findings.reason is not None:
        yield content.code(CONTAINS, codes.REASON, codes.REASONS[findings.reason.code])
        yield content.text(CONTAINS, codes.REASON, findings.reason.text)
    if findings.basis is not None:
        yield from statement(findings.basis)
    if findings.alternative is not None:
        yield from alternative(findings.alternative)
    yield from (content.text(CONTAINS, codes.ANOMALY, anomaly) for anomaly in findings.anomalies)
    yield from not_given(result)
    quality = Code("111052", "DCM", "Quality Finding")
    yield from (content.text(CONTAINS, quality, finding) for finding in findings.quality)
    yield content.text(CONTAINS, codes.AI_STATUS, notice(result))
