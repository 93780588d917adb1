"""What a numbering rests on, in the order in which it is read: the report's "Qualitative Evaluations"."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from numbering.dicom.objects import codes, content
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
    if (basis := findings.basis) is not None:
        yield content.text(CONTAINS, codes.STATEMENT, basis.statement)
        yield content.text(CONTAINS, codes.COUNTED_FROM, basis.counted_from)
        yield from (content.text(CONTAINS, codes.ANCHOR, anchor) for anchor in basis.anchors_in_view)
        yield from (content.text(CONTAINS, codes.ASSUMPTION, assumption) for assumption in basis.assumptions)
    if (alternative := findings.alternative) is not None:
        names = ", ".join(alternative.levels)
        yield content.text(CONTAINS, codes.ALTERNATIVE, f"{names}, probability {alternative.probability:.2g}")
    yield from (content.text(CONTAINS, codes.ANOMALY, anomaly) for anomaly in findings.anomalies)
    yield from not_given(result)
    quality = Code("111052", "DCM", "Quality Finding")
    yield from (content.text(CONTAINS, quality, finding) for finding in findings.quality)
    yield content.text(CONTAINS, codes.AI_STATUS, notice(result))
