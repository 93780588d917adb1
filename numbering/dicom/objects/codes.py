"""The codes that we write: standard ones where PS3.16 has them, and our own scheme ``99NUMBERING`` for what it lacks.

Vertebrae are CID 7603, discs CID 7604, "level of" CID 1003. Each table is keyed by `Level` or `Disc`: never by a
number, because a disc taken for a vertebra is an error of one level.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.coding import Code

from numbering.anatomy import VARIANTS, Disc, Level
from numbering.errors import ReasonCode
from numbering.levelcheck.answer import Verdict, Why
from numbering.record.model import BasisKind
from numbering.result import Lstv
from numbering.snomed import DISCS, VERTEBRAE
from numbering.uids import derived_uid

SCHEME = "99NUMBERING"
SCHEME_UID = derived_uid(("numbering",), "coding scheme 99NUMBERING")
SCHEME_VERSION = "1"
SCHEME_NAME = "numbering: vertebral levels and numbering evidence without a standard code"
SCHEME_ORGANIZATION = "numbering (open-source project)"

_LEVELS_OF = {
    "C2-C3": "243902007",
    "C3-C4": "243903002",
    "C4-C5": "243904008",
    "C5-C6": "243905009",
    "C6-C7": "243906005",
    "C7-T1": "243925008",
    "T1-T2": "243908006",
    "T2-T3": "243909003",
    "T3-T4": "243910008",
    "T4-T5": "243911007",
    "T5-T6": "243912000",
    "T6-T7": "243913005",
    "T7-T8": "243914004",
    "T8-T9": "243915003",
    "T9-T10": "243916002",
    "T10-T11": "243917006",
    "T11-T12": "243918001",
    "T12-L1": "243926009",
    "L1-L2": "243920003",
    "L2-L3": "243921004",
    "L3-L4": "243922006",
    "L4-L5": "243923001",
    "L5-S1": "243927000",
}


def local(value: str, meaning: str) -> Code:
    """A code of our own scheme; `value` is an SH, so at most 16 characters (PS3.5 6.2)."""
    return Code(value, SCHEME, meaning)


def vertebra(level: Level) -> Code:
    """The concept of a vertebra: SCT, or ours for T13, L6 and S2…S5, which CID 7603 lacks."""
    if level in VERTEBRAE:
        return Code(VERTEBRAE[level], "SCT", f"{level} vertebra")
    return local(str(level), f"{level} vertebra")


def disc(between: Disc) -> Code:
    """The concept of a disc: SCT, or ours (``DISC-L5-L6``) for those of rarer spines."""
    meaning = f"{between.upper}/{between.lower} disc"
    if str(between) in DISCS:
        return Code(DISCS[str(between)], "SCT", meaning)
    return local(f"DISC-{between}", meaning)


def level_of(between: Disc) -> Code:
    """The concept of the level of a disc, for an axial slice: SCT, or ours (``LEVEL-L5-L6``) for rarer spines."""
    meaning = f"Level of {between.upper}/{between.lower} intervertebral disc"
    if str(between) in _LEVELS_OF:
        return Code(_LEVELS_OF[str(between)], "SCT", meaning)
    return local(f"LEVEL-{between}", meaning)


def structure(name: str) -> Code:
    """The concept of what is spelt ``L4`` or ``L4-L5``; ``ValueError`` for another name."""
    return disc(Disc.parse(name)) if "-" in name else vertebra(Level.parse(name))


def all_discs() -> tuple[Disc, ...]:
    """Every disc of every spine variant, head to foot."""
    return tuple(sorted({between for variant in VARIANTS for between in variant.discs()}))


REASONS = {
    ReasonCode.NO_PIPELINE_INSTALLED: local("R-NO-PIPELINE", "No pipeline installed"),
    ReasonCode.UNSUPPORTED_MODALITY: local("R-MODALITY", "Unsupported modality"),
    ReasonCode.NO_PIXEL_DATA: local("R-NO-PIXELS", "No pixel data"),
    ReasonCode.NOT_A_SPINE_EXAMINATION: local("R-NOT-SPINE", "Not a spine examination"),
    ReasonCode.DERIVED_IMAGE: local("R-DERIVED", "Derived image"),
    ReasonCode.LOCALIZER: local("R-LOCALIZER", "Localizer, not numbered"),
    ReasonCode.OWN_RESULT: local("R-OWN-RESULT", "Our own result"),
    ReasonCode.NOT_AN_IMAGE: local("R-NOT-IMAGE", "Not an image"),
    ReasonCode.NOT_ASKED_FOR: local("R-NOT-ASKED", "Not asked for"),
    ReasonCode.UNREADABLE_HEADER: local("R-BAD-HEADER", "Unreadable header"),
    ReasonCode.VIEW_UNKNOWN: local("R-VIEW-UNKNOWN", "View unknown"),
    ReasonCode.SERIES_INCOMPLETE: local("R-INCOMPLETE", "Series incomplete"),
    ReasonCode.CONFLICTING_OBJECT: local("R-CONFLICT", "Conflicting object"),
    ReasonCode.CORRECTION_REFUSED: local("R-CORRECTION", "Corrected report not taken over"),
    ReasonCode.NOT_A_VOLUME: local("R-NO-VOLUME", "Not a volume of slices"),
    ReasonCode.ANOTHER_SERIES_CHOSEN: local("R-OTHER-SERIES", "Another series was chosen"),
    ReasonCode.TARGET_NOT_IN_VIEW: local("R-NOT-IN-VIEW", "Target not in view"),
    ReasonCode.AMBIGUOUS: local("R-AMBIGUOUS", "Ambiguous: more than one candidate"),
    ReasonCode.LOW_CONFIDENCE: local("R-UNCERTAIN", "Confidence too low"),
    ReasonCode.CONTRADICTORY: local("R-CONTRADICT", "Contradictory evidence"),
    ReasonCode.PIXELS_NOT_DECODABLE: local("R-UNDECODABLE", "Pixels not decodable"),
    ReasonCode.MODEL_UNAVAILABLE: local("R-NO-MODEL", "Model unavailable"),
    ReasonCode.INTERNAL_ERROR: local("R-INTERNAL", "Internal error"),
    ReasonCode.ATTEMPTS_EXHAUSTED: local("R-GIVEN-UP", "Attempts exhausted"),
}
"""Why there is no numbering: one code for each `ReasonCode`."""

OUTCOME = local("OUTCOME", "Numbering outcome")
NUMBERED = local("NUMBERED", "Numbered")
ABSTAINED = local("ABSTAINED", "Abstained: no numbering is given")
REASON = local("REASON", "Reason for giving no numbering")
AI_STATUS = local("AI-STATUS", "Status of this result")
STATEMENT = local("BASIS-STATEMENT", "Numbering basis")
COUNTED_FROM = local("COUNTED-FROM", "Counted from")
ANCHOR = local("ANCHOR-IN-VIEW", "Anchor in view")
ASSUMPTION = local("ASSUMPTION", "Assumption of the numbering")
ANOMALY = local("ANOMALY", "Suspected numerical or transitional anomaly")
ALTERNATIVE = local("ALTERNATIVE", "Alternative numbering")
ALTERNATIVE_LEVEL = local("ALT-LEVEL", "Level in the alternative numbering")
ALTERNATIVE_PROBABILITY = local("ALT-PROBABILITY", "Probability of the alternative numbering")
CANDIDATE = local("CANDIDATE", "Candidate, not numbered")
DETECTOR_SCORE = local("DETECTOR-SCORE", "Detector's score for this region")
COUNTS = {
    BasisKind.COUNTED_FROM_C2: local("COUNT-C2", "Counted from C2"),
    BasisKind.HUMAN_CORRECTION: local("COUNT-VERIFIED", "Named by a person, verified"),
    BasisKind.INTERRUPTED_COUNT: local("COUNT-GAP", "Counted from C2 with a gap"),
    BasisKind.UNVERIFIED_CORRECTION: local("COUNT-PERSON", "Named by a person, not verified"),
    BasisKind.LAST_RIB: local("COUNT-RIB", "Counted from the lowest rib-bearing vertebra"),
    BasisKind.SACRUM: local("COUNT-SACRUM", "Counted from the sacrum"),
    BasisKind.APPEARANCE: local("COUNT-LOOKS", "Lowest lumbar-type vertebra by appearance, presumed L5"),
    BasisKind.PRIOR: local("COUNT-PRIOR", "Carried over from another examination"),
}
"""What a numbering was counted from."""
SACRUM = Code("54735007", "SCT", "Sacrum")
ANCHORS = {
    "C2": vertebra(Level.C2),
    "T1": vertebra(Level.T1),
    "last rib": local("ANCHOR-RIB", "Lowest rib-bearing vertebra as an anchor"),
    "sacrum": SACRUM,
}
"""By the words of `NumberingBasis.anchors_in_view`."""
LUMBAR_COUNT = local("LUMBAR-COUNT", "Number of lumbar-type vertebrae in view")
LAST_RIB = local("LAST-RIB", "Lowest rib-bearing vertebra")
LSTV = local("LSTV", "Lumbosacral transitional vertebra")
LSTV_EVIDENCE = local("LSTV-EVIDENCE", "Evidence for a lumbosacral transitional vertebra")
LSTVS = {
    Lstv.NONE_SUSPECTED: local("LSTV-NONE", "No lumbosacral transitional vertebra suspected"),
    Lstv.SUSPECTED: local("LSTV-SUSPECTED", "Lumbosacral transitional vertebra suspected"),
    Lstv.NOT_ASSESSED: local("LSTV-UNASSESSED", "Lumbosacral transitional vertebra not assessed"),
}
LOWEST_DISC = local("LOWEST-DISC", "Lowest well-formed intervertebral disc")
CONFIDENCE = local("CONFIDENCE", "Confidence of the numbering: its weakest name's probability")

VERDICT = local("LEVEL-CHECK", "Verdict of the level check")
VERDICTS = {
    Verdict.AGREES: local("AGREES", "Agrees: the mark is on what the plan names"),
    Verdict.DISAGREES: local("DISAGREES", "Disagrees: the mark is on another level or side"),
    Verdict.CANNOT_CONFIRM: local("CANNOT-CONFIRM", "Cannot confirm"),
}
CHECK_REASON = local("CHECK-REASON", "Why the level check does not agree")
WHYS = {
    Why.ANOTHER_LEVEL: local("C-LEVEL", "The mark is on another level"),
    Why.OTHER_SIDE: local("C-SIDE", "The mark is for the other side"),
    Why.ANOTHER_PATIENT: local("C-PATIENT", "Plan and mark are not of one patient"),
    Why.PLAN_NOT_UNDERSTOOD: local("C-PLAN", "Plan not understood"),
    Why.NO_MARK: local("C-NO-MARK", "No place marked"),
    Why.IMAGE_NOT_KNOWN: local("C-IMAGE", "Marked image not known"),
    Why.NOTHING_NUMBERED: local("C-UNNUMBERED", "Nothing numbered on the marked image"),
    Why.OUTSIDE: local("C-OUTSIDE", "Mark on no numbered structure"),
    Why.BETWEEN: local("C-BETWEEN", "Mark on an edge"),
    Why.TWO_NAMES: local("C-TWO-NAMES", "Two names for the marked place"),
    Why.OUT_OF_ORDER: local("C-ORDER", "Names do not follow one another"),
    Why.CONTRADICTED: local("C-CONTRADICTED", "Images contradict each other"),
    Why.BASIS_NOT_CONFIRMED: local("C-BASIS", "Basis of the name not confirmed"),
    Why.PROBABILITY_TOO_LOW: local("C-PROBABILITY", "Probability too low"),
    Why.TRANSITION_SUSPECTED: local("C-TRANSITION", "Transitional vertebra suspected"),
    Why.BORDERS_THE_PLAN: local("C-BORDERS", "Mark beside the planned level"),
    Why.RANGE_MEANS_OTHER: local("C-RANGE", "Range means other vertebrae in this spine"),
    Why.SIDE_NOT_GIVEN: local("C-NO-SIDE", "Side of the mark not given"),
    Why.PLAN_STUDY_NOT_CONFIRMED: local("C-PLAN-STUDY", "Count on the plan's own images not confirmed"),
}
"""Why a level check does not agree: one code for each `Why`."""
MARKED_PLACE = local("MARKED-PLACE", "Marked place")
PLANNED = local("PLANNED-LEVEL", "Planned level")
PLANNED_SIDE = local("PLANNED-SIDE", "Planned side")
MARKED_SIDE = local("MARKED-SIDE", "Side that the mark stands for")
CHECK_STATEMENT = local("CHECK-STATEMENT", "Statement of the level check")
CHECK_POLICY = local("CHECK-POLICY", "Policy of the site for level checks")
KNOWN_PLACE = local("KNOWN-PLACE", "Where the planned level is known to be")

MEASUREMENTS = {
    "lumbar-lordosis": local("LUMBAR-LORDOSIS", "Lumbar lordosis"),
    "sacral-slope": local("SACRAL-SLOPE", "Sacral slope"),
    "segmental-angle": local("SEGMENTAL-ANGLE", "Segmental angle"),
    "disc-height": local("DISC-HEIGHT", "Height of intervertebral disc"),
    "relative-disc-height": local("REL-DISC-HEIGHT", "Height of intervertebral disc by the endplate above it"),
    "anterolisthesis": local("ANTEROLISTHESIS", "Slip forward by the depth of the endplate below"),
    "wedge-ratio": local("WEDGE-RATIO", "Anterior to posterior height of vertebral body"),
    "trabecular-attenuation": local("TRABECULAR-HU", "Mean attenuation of trabecular bone of vertebral body"),
    "vertebral-volume": local("VERTEBRA-VOLUME", "Volume of the segmented vertebra"),
    "craniocaudal-position": local("CRANIOCAUDAL", "Craniocaudal position of the vertebral body's middle"),
}
"""By the beginning of `Measurement.name`; the levels it is measured between are its finding sites."""

MEASURED_VOLUME = local("MEASURED-VOLUME", "Volume of the region that was measured")


def measurement(name: str) -> Code:
    """The concept of a measurement by its name (``lumbar-lordosis-l1-l5``); ``ValueError`` when it has none."""
    for beginning in sorted(MEASUREMENTS, key=len, reverse=True):
        if name == beginning or name.startswith(f"{beginning}-"):
            return MEASUREMENTS[beginning]
    raise ValueError(f"measurement {name!r} has no code: expected one of {', '.join(MEASUREMENTS)}; add it to codes.py")


def local_codes() -> Iterator[Code]:
    """Every code of ``99NUMBERING``: what the conformance statement has to list."""
    yield from (code for code in map(vertebra, Level) if code.scheme_designator == SCHEME)
    for concept in (disc, level_of):
        yield from (code for code in map(concept, all_discs()) if code.scheme_designator == SCHEME)
    yield from REASONS.values()
    yield from (OUTCOME, NUMBERED, ABSTAINED, REASON, AI_STATUS, STATEMENT, COUNTED_FROM, ANCHOR, ASSUMPTION, ANOMALY)
    yield from (ALTERNATIVE, ALTERNATIVE_LEVEL, ALTERNATIVE_PROBABILITY, CANDIDATE, DETECTOR_SCORE)
    yield from COUNTS.values()
    yield from (code for code in ANCHORS.values() if code.scheme_designator == SCHEME)
    yield from (LUMBAR_COUNT, LAST_RIB, LSTV, *LSTVS.values(), LSTV_EVIDENCE, LOWEST_DISC, CONFIDENCE)
    yield from (*MEASUREMENTS.values(), MEASURED_VOLUME)
    yield from (VERDICT, *VERDICTS.values(), CHECK_REASON, *WHYS.values(), MARKED_PLACE, PLANNED, PLANNED_SIDE)
    yield from (MARKED_SIDE, CHECK_STATEMENT, CHECK_POLICY, KNOWN_PLACE)


def coded(code: Code) -> Sequence:
    """The code as the one item of a Code Sequence (PS3.3 8)."""
    item = Dataset()
    item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme_designator
    item.CodeMeaning = code.meaning
    return Sequence([item])


def scheme_identification() -> Sequence:
    """Coding Scheme Identification Sequence (PS3.3 C.12.1.1) that says what ``99NUMBERING`` is."""
    item = Dataset()
    item.CodingSchemeDesignator = SCHEME
    item.CodingSchemeUID = SCHEME_UID
    item.CodingSchemeName = SCHEME_NAME
    item.CodingSchemeVersion = SCHEME_VERSION
    item.CodingSchemeResponsibleOrganization = SCHEME_ORGANIZATION
    return Sequence([item])
