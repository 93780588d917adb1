"""From all results of one patient and all corrections to one record. A pure function of what is known.

Neither the order of arrival nor a repetition matters, and what is taken away leaves no trace: a conclusion is always
made anew, from what the pipelines themselves said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from numbering.record.agreement import contradictions
from numbering.record.basis import weakness
from numbering.record.carry import carry
from numbering.record.corrections import Correction, corrected
from numbering.record.counts import belief, claims, counted
from numbering.record.draft import Draft, draft_of
from numbering.record.filed import Filed, standing
from numbering.record.follow import follow
from numbering.record.inherit import align
from numbering.record.lstv import transition
from numbering.record.model import Anchor, Contradiction, PatientRecord, SeriesEntry
from numbering.result import Status


def conclude(filed: Sequence[Filed], corrections: Sequence[Correction] = ()) -> PatientRecord:
    """The record of one patient: of each series and pipeline the latest result, under the names that now hold."""
    return concluded(filed, corrections).record


@dataclass(frozen=True)
class Concluded:
    """A record and the drafts it was made of, one for each of its entries."""

    record: PatientRecord
    drafts: tuple[Draft, ...]


def concluded(filed: Sequence[Filed], corrections: Sequence[Correction] = ()) -> Concluded:
    """Corrections first, then names within each frame of reference, then what is known of the patient's numbers.

    Bare images get names last, so they get those that hold.
    """
    under = [corrected(draft_of(one), corrections) for one in standing(filed)]
    aligned = align([one.draft for one in under])
    before = claims(aligned.drafts)
    known = counted(before)
    drafts = [follow(draft, known) for draft in aligned.drafts]
    against = [found for one in under for found in one.contradictions]
    against += [*aligned.contradictions, *contradictions(drafts)]
    full = carry(drafts)
    record = PatientRecord(
        series=tuple(map(_entry, full)),
        contradictions=tuple(sorted(set(against), key=_order)),
        variants=belief(before),
        transition=transition(drafts, before),
        anchor=_anchor(full),
    )
    return Concluded(record, tuple(drafts))


def _order(one: Contradiction) -> tuple[str, tuple[str, ...], str]:
    return one.kind, one.series, one.text


def _entry(draft: Draft) -> SeriesEntry:
    filed, result = draft.filed, draft.filed.result
    structures = tuple(
        structure for chain in draft.chains for one in chain.members if (structure := one.structure()) is not None
    )
    return SeriesEntry(
        study_instance_uid=filed.study_instance_uid,
        series_instance_uid=filed.series_instance_uid,
        modality=filed.modality,
        view=filed.view,
        pipeline=filed.pipeline,
        status=Status.NUMBERED if structures else filed.status,
        reason=None if structures else filed.reason,
        images=tuple(dict.fromkeys(image.sop_instance_uid for image in filed.images)),
        frame_of_reference_uid=filed.frame_of_reference_uid,
        structures=structures,
        anomalies=result.findings.anomalies if result else (),
        revision=(filed.issued or result).revision if result else 1,
    )


def _anchor(drafts: Sequence[Draft]) -> Anchor | None:
    found = [(one, draft.series) for draft in drafts for chain in draft.chains for one in chain.members]
    if not found:
        return None
    strongest, series = min(found, key=lambda pair: (weakness(pair[0].basis), pair[1]))
    return Anchor(kind=strongest.basis.kind, series_instance_uid=series)
