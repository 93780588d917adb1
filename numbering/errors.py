"""Why there is no answer: three families of errors and the closed list of reasons.

Every reason is a sentence that names what it is about (a UID, a file), what was found, what was expected and what to
do. None of them ever holds a patient's name or birth date.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ReasonCode(StrEnum):
    """Closed list of reasons, grouped by the status that they belong to (see ``docs/conventions.md``)."""

    # unsuitable: refused from the header, or no pipeline is installed for it
    NO_PIPELINE_INSTALLED = "no-pipeline-installed"
    UNSUPPORTED_MODALITY = "unsupported-modality"
    NO_PIXEL_DATA = "no-pixel-data"
    NOT_A_SPINE_EXAMINATION = "not-a-spine-examination"
    DERIVED_IMAGE = "derived-image"
    LOCALIZER = "localizer"
    OWN_RESULT = "own-result"
    NOT_AN_IMAGE = "not-an-image"
    UNREADABLE_HEADER = "unreadable-header"
    NOT_ASKED_FOR = "not-asked-for"
    CONFLICTING_OBJECT = "conflicting-object"
    CORRECTION_REFUSED = "correction-refused"
    NOT_A_VOLUME = "not-a-volume"
    ANOTHER_SERIES_CHOSEN = "another-series-chosen"
    # held: waits for information until its time-out
    VIEW_UNKNOWN = "view-unknown"
    SERIES_INCOMPLETE = "series-incomplete"
    # abstained: pixels were read, and no numbering is justified
    TARGET_NOT_IN_VIEW = "target-not-in-view"
    AMBIGUOUS = "ambiguous"
    LOW_CONFIDENCE = "low-confidence"
    CONTRADICTORY = "contradictory"
    # failed: our fault
    PIXELS_NOT_DECODABLE = "pixels-not-decodable"
    MODEL_UNAVAILABLE = "model-unavailable"
    INTERNAL_ERROR = "internal-error"
    ATTEMPTS_EXHAUSTED = "attempts-exhausted"


@dataclass(frozen=True)
class Reason:
    """A coded reason and its sentence."""

    code: ReasonCode
    text: str


class NumberingError(Exception):
    """An error that carries a `Reason`."""

    def __init__(self, code: ReasonCode, text: str) -> None:
        super().__init__(text)
        self.reason = Reason(code, text)


class UnsuitableStudy(NumberingError):
    """This input cannot be numbered and never will be: say so, do not retry."""


class TryAgainLater(NumberingError):
    """Something outside is not ready (a model file, a disk, a peer): retry."""


class QuarantinedInput(NumberingError):
    """The header promised pixels that cannot be read: keep the object aside and do not retry."""
