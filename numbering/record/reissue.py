"""Which results have to be issued again, under which names, and why: after an anchor, a correction or a revocation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from numbering.anatomy import Level
from numbering.errors import ReasonCode
from numbering.record.conclude import Concluded, concluded
from numbering.record.corrections import Correction
from numbering.record.draft import Draft, Named
from numbering.record.filed import Filed
from numbering.record.remeasured import remeasured, retold
from numbering.record.renamed import renamed_heat_maps, renamed_key_images, renamed_segmentation
from numbering.record.statement import ENGLISH, Catalogue, coded_parts, statement
from numbering.result import (
    Alternative,
    Findings,
    Frozen,
    NumberedDisc,
    NumberingBasis,
    NumberingResult,
    StatedReason,
    Status,
    Vertebra,
)
from numbering.uids import derived_uid


class Reissue(Frozen):
    """A new revision. ``result`` is complete: encode it as it is.

    Its predecessor is the SR that it supersedes, which is then retired; None when nothing had been issued. ``renamed``:
    old and new name of each structure whose name changed.
    """

    result: NumberingResult
    why: str
    renamed: tuple[tuple[str, str], ...] = ()


def reissues(
    filed: Sequence[Filed], corrections: Sequence[Correction] = (), *, at: datetime, words: Catalogue = ENGLISH
) -> tuple[Reissue, ...]:
    """All results whose last issued revision no longer says what the record says. ``at`` dates the new ones.

    Once these are filed as ``issued``, there are none: asking again changes nothing.
    """
    whole = concluded(filed, corrections)
    found = (_reissue(whole, index, at, words) for index in range(len(whole.drafts)))
    return tuple(one for one in found if one is not None)


def _reissue(whole: Concluded, index: int, at: datetime, words: Catalogue) -> Reissue | None:
    draft = whole.drafts[index]
    result, issued = draft.filed.result, draft.filed.issued
    if result is None:
        return None
    findings = _findings(whole, index, words)
    last = issued or result
    if findings == last.findings and (issued is None or _same_run(issued, result)):
        return None
    new = result.model_copy(
        update={
            "findings": findings,
            "revision": max(result.revision, last.revision) + 1,
            "predecessor_sr_uid": derived_uid(issued.identity(), "SR") if issued else None,
            "created_at": at,
        }
    )
    return Reissue(result=new, why=_why(draft), renamed=_changed(last.findings, findings))


def _same_run(issued: NumberingResult, result: NumberingResult) -> bool:
    """Whether what was issued rests on the same images and model as the latest run."""
    return issued.model_copy(update={"revision": 1}).identity() == result.model_copy(update={"revision": 1}).identity()


def _why(draft: Draft) -> str:
    return "; ".join(sorted(draft.why)) if draft.why else "what had changed its names is no longer there"


def _findings(whole: Concluded, index: int, words: Catalogue) -> Findings:
    """The pipeline's own findings when nothing changed them, else those under the names of the record."""
    draft, entry = whole.drafts[index], whole.record.series[index]
    assert draft.filed.result is not None
    own = draft.filed.result.findings
    contradicted = any(draft.series in one.series for one in whole.record.contradictions)
    if not draft.why and not contradicted:
        return own
    named = [one for chain in draft.chains for one in chain.members]
    ordered = sorted(named, key=_place_in_findings)
    vertebrae = [(one, vertebra) for one in ordered if (vertebra := _vertebra(one, own))]
    discs = [disc for one in ordered if (disc := _disc(one, own))]
    if not vertebrae and not discs:
        return _none_left(own) if own.vertebrae or own.discs else own
    bases = tuple(dict.fromkeys(one.basis for one in named))
    names = {one.own: one.name for one in named if one.own is not None and not one.is_disc}
    of_discs = {one.own: one.name for one in named if one.own is not None and one.is_disc}
    return own.model_copy(
        update={
            "status": Status.NUMBERED,
            "reason": None,
            "vertebrae": tuple(found for _, found in vertebrae),
            "discs": tuple(discs),
            "measurements": remeasured(own, names),
            "anomalies": retold(own, names, own.anomalies),
            "quality": retold(own, names, own.quality),
            "basis": NumberingBasis(
                counted_from="; ".join(dict.fromkeys(basis.counted_from for basis in bases)),
                anchors_in_view=own.basis.anchors_in_view if own.basis else (),
                assumptions=tuple(dict.fromkeys(text for basis in bases for text in basis.assumptions)),
                statement=statement(entry, whole.record, words),
                **coded_parts(entry, whole.record, words),
            ),
            "alternative": _alternative([one for one, _ in vertebrae] or [one for one in ordered if one.is_disc]),
            "segmentation": renamed_segmentation(own, names),
            "heat_maps": renamed_heat_maps(own, of_discs),
            "key_images": renamed_key_images(own, names, of_discs),
        }
    )


def _place_in_findings(one: Named) -> tuple[bool, int, tuple[Level, ...]]:
    return one.own is None, one.own or 0, one.levels


def _vertebra(one: Named, own: Findings) -> Vertebra | None:
    if one.is_disc:
        return None
    if one.own is not None:
        return own.vertebrae[one.own].model_copy(update={"level": one.name, "probability": one.probability})
    if one.box is None:
        return None
    return Vertebra(
        level=one.name,
        probability=one.probability,
        sop_instance_uid=one.sop_instance_uid,
        frame=one.frame,
        box=one.box,
    )


def _disc(one: Named, own: Findings) -> NumberedDisc | None:
    if not one.is_disc:
        return None
    if one.own is not None:
        return own.discs[one.own].model_copy(update={"level": one.name, "probability": one.probability})
    return NumberedDisc(
        level=one.name, probability=one.probability, sop_instance_uid=one.sop_instance_uid, frame=one.frame
    )


def _alternative(structures: Sequence[Named]) -> Alternative | None:
    """The other names of all vertebrae, or of all discs where there are none; those without another one keep theirs.

    As probable as that of the lowest.
    """
    others = [one for one in structures if one.alternative]
    if not others:
        return None
    lowest = max(others, key=lambda one: one.levels).alternative
    return Alternative(
        probability=lowest.probability if lowest else 0.0,
        levels=tuple(one.alternative.name if one.alternative else one.name for one in structures),
    )


def _none_left(own: Findings) -> Findings:
    text = "the names of this run contradict a person's, who named a place at which it found nothing"
    return Findings(
        status=Status.ABSTAINED,
        reason=StatedReason(code=ReasonCode.CONTRADICTORY, text=text),
        anomalies=retold(own, {}, own.anomalies),
        quality=retold(own, {}, own.quality),
        candidates=own.candidates,
    )


def _changed(before: Findings, after: Findings) -> tuple[tuple[str, str], ...]:
    """By place: two structures are the same when everything but name and probability is."""
    old = {_where(one): one.level for one in _all(before)}
    new = ((old.get(_where(one)), one.level) for one in _all(after))
    return tuple((was, now) for was, now in new if was is not None and was != now)


def _all(findings: Findings) -> list[Vertebra | NumberedDisc]:
    return [*findings.vertebrae, *findings.discs]


def _where(one: Vertebra | NumberedDisc) -> tuple[object, ...]:
    box = one.box if isinstance(one, Vertebra) else None
    return isinstance(one, Vertebra), one.sop_instance_uid, one.frame, box, one.centre_mm
