"""On what the names of a series rest, in coded words (`numbering.record.basis`) and as the sentence a surgeon reads."""

from __future__ import annotations

from numbering.anatomy import Disc, from_to
from numbering.pipelines.axial_mr.classes import POSITIONS
from numbering.pipelines.axial_mr.reading.answer import Answer
from numbering.pipelines.axial_mr.reading.witness import Verdict
from numbering.pipelines.numerical import COUNTS
from numbering.result import Lstv, NumberingBasis
from numbering.stack import Stack

BY_LOOKS = "appearance of axial slices"
LOWEST = POSITIONS - 1
LOOKS_SURE = 1.0
"""Log-odds from which a place that looks like a disc is mentioned though it has no name."""


def basis(answer: Answer) -> NumberingBasis:
    """What was counted from and what had to be presumed.

    Where the lowest disc is among those named, the count starts from the sacrum; else each level is known by its looks
    alone. Either way the number of lumbar-type vertebrae is presumed: these slices do not show it.
    """
    sacrum = LOWEST in answer.decoded.positions
    counted = "sacrum" if sacrum else BY_LOOKS
    return NumberingBasis(
        counted_from=counted,
        anchors_in_view=("sacrum",) if sacrum else (),
        assumptions=(f"{COUNTS[answer.decoded.variant.lumbar]} lumbar-type vertebrae",),
        lstv=Lstv.NOT_ASSESSED,
        lowest_disc=str(_discs(answer)[-1]) if sacrum else None,
        confidence=answer.confidence,
        statement=_sentence(answer, counted),
    )


def _sentence(answer: Answer, counted: str) -> str:
    discs = _discs(answer)
    parts = [
        f"Numbering basis: counted from the {counted}.",
        f"Assumed: {COUNTS[answer.decoded.variant.lumbar]} lumbar-type vertebrae.",
        f"Discs {from_to(map(str, discs))} shown by {len(answer.slices)} of {len(answer.stack)} slices.",
        f"Sacrum {'' if LOWEST in answer.decoded.positions else 'not '}reached. Ribs not assessed. LSTV: not assessed.",
        _other(answer),
        f"Cross-check: {_checked(answer)}.",
        f"Confidence {answer.confidence:.2f}. AI result, not verified. Research use only.",
    ]
    return " ".join(parts)


def _discs(answer: Answer) -> list[Disc]:
    return sorted({one.disc for one in answer.slices})


def _other(answer: Answer) -> str:
    decoded = answer.decoded
    if decoded.alternative is None:
        return "No alternative numbering was found."
    pairs = zip(decoded.names, decoded.alternative, strict=True)
    changed = ", ".join(f"{two} for {one}" for one, two in pairs if one is not None and one != two)
    return f"Alternative numbering (probability {decoded.alternative_probability:.2f}): {changed}."


def _checked(answer: Answer) -> str:
    return answer.told.words if answer.told else "none, no sagittal images of the same frame of reference"


def quality(answer: Answer) -> tuple[str, ...]:
    """What the reader should know of how the series was read."""
    told = answer.told
    found = list(_geometry(answer.stack))
    if told is None:
        found.append("not cross-checked: the study holds no sagittal images of the same frame of reference")
    elif told.verdict is Verdict.UNCLEAR:
        found.append(f"cross-check not conclusive: {told.words}")
    elif told.verdict is Verdict.AGREES:
        found.append(f"cross-checked: {told.words}")
    else:
        found.append(f"cross-check contradicts: {told.words}")
    nameless = [one for one, name in zip(answer.sightings, answer.decoded.names, strict=True) if name is None]
    if sure := sum(one.log_odds >= LOOKS_SURE for one in nameless):
        found.append(f"at {sure} more place(s) along the spine slices look like a lumbar disc and are given no name")
    if answer.slices and (told is None or told.column is None):
        found.append(
            "where a disc lies within its slice is presumed from where the slices were placed, to within some 15 mm"
        )
    return tuple(found)


def _geometry(stack: Stack) -> list[str]:
    found = []
    if stack.duplicates:
        found.append(f"{len(stack.duplicates)} slices lie where another one does and were not read")
    if stack.gaps:
        widest = max(gap.mm for gap in stack.gaps)
        found.append(f"{len(stack.gaps)} gaps between slices, the widest {widest:.0f} mm")
    return found


def doubtful(answer: Answer) -> tuple[str, ...]:
    """What each place along the spine looked like, for a reader of an abstention."""
    found = []
    for number, (one, row) in enumerate(zip(answer.sightings, answer.decoded.marginals, strict=True), 1):
        place = int(row.argmax())
        if row[place] >= 0.05:
            looks = f"the {_ORDINALS[LOWEST - place]} disc above the sacrum"
            plane = answer.stack.planes[one.slices[int(one.showing.argmax())]]
            found.append(f"place {number} (image {plane.name}): looks like {looks}, probability {row[place]:.2f}")
    return tuple(found)


_ORDINALS = ("first", "second", "third", "fourth", "fifth")
