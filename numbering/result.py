"""What a pipeline found and what a job stored: frozen pydantic models that go to JSON and back unchanged.

`Findings` is all a pipeline returns. `NumberingResult` adds who, from what and with which model; it is stored once, and
every object that we write is a pure function of it.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, model_validator

from numbering.anatomy import Disc, Level
from numbering.errors import ReasonCode
from numbering.frozen import Frozen as Frozen
from numbering.packed import HeatMap, LabelVolume
from numbering.study import View

Probability = Annotated[float, Field(ge=0, le=1)]
Box = tuple[float, float, float, float]
Point = tuple[float, float]
Line = tuple[Point, Point]
"""Two image points; of an endplate on a lateral film the anterior one first."""


class Status(StrEnum):
    """The outcome for one series (CONVENTIONS, "No answer, four ways")."""

    NUMBERED = "numbered"
    ABSTAINED = "abstained"
    HELD = "held"
    UNSUITABLE = "unsuitable"
    FAILED = "failed"


class StatedReason(Frozen):
    """A reason as stored and printed."""

    code: ReasonCode
    text: str


class Candidate(Frozen):
    """One thing that looks like a vertebra, before any decision. ``score`` is the detector's own, 0…1.

    ``log_likelihood`` maps level names to log-likelihoods, up to a constant.
    """

    sop_instance_uid: str
    frame: int | None
    box: Box
    score: Probability
    log_likelihood: dict[str, float] = {}


class Vertebra(Frozen):
    """A numbered vertebra. ``probability`` is the posterior marginal of this name for this structure.

    ``corners`` are in the order of CONVENTIONS; S1 of a lateral film has instead its upper ``endplate``.
    """

    level: str
    probability: Probability
    sop_instance_uid: str
    frame: int | None = None
    box: Box
    corners: tuple[Point, Point, Point, Point] | None = None
    endplate: Line | None = None
    centre_mm: tuple[float, float, float] | None = None

    @model_validator(mode="after")
    def _level_exists(self) -> Vertebra:
        Level.parse(self.level)
        return self


class NumberedDisc(Frozen):
    """A numbered disc; of axial slices one for each slice that lies at it, with the probability of that slice.

    ``box`` is where it lies on the image, where that is known.
    """

    level: str
    probability: Probability
    sop_instance_uid: str
    frame: int | None = None
    box: Box | None = None
    centre_mm: tuple[float, float, float] | None = None

    @model_validator(mode="after")
    def _disc_exists(self) -> NumberedDisc:
        Disc.parse(self.level)
        return self


class Measurement(Frozen):
    """A measurement; ``value`` is None when it is not given, and then ``reason`` says why.

    ``lines`` are what the value was taken from, on the image that it names: the two endplates of an angle, an endplate
    and the horizontal that it is measured against, or the height of a disc. They are drawn and written as they are.
    ``volume_mm3`` is that of the region whose mean the value is.
    """

    name: str
    levels: tuple[str, ...]
    value: float | None
    unit: str
    uncertainty: float | None = None
    reason: str | None = None
    sop_instance_uid: str | None = None
    frame: int | None = None
    lines: tuple[Line, ...] = ()
    volume_mm3: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _lines_lie_on_an_image(self) -> Measurement:
        if self.lines and self.sop_instance_uid is None:
            raise ValueError(f"measurement {self.name} has lines: expected the image that they lie on")
        return self


class Lstv(StrEnum):
    """What a numbering says of a lumbosacral transitional vertebra (LSTV)."""

    NONE_SUSPECTED = "none suspected"
    SUSPECTED = "suspected"
    NOT_ASSESSED = "not assessed"


class NumberingBasis(Frozen):
    """On what a count rests. ``statement`` is the sentence a surgeon reads; the others are its parts, for codes.

    ``lumbar_type_count``: lumbar-type vertebrae in view. ``last_rib``: the lowest rib-bearing vertebra, where it was
    seen. ``lowest_disc``: the lowest well-formed disc. ``confidence``: the probability of the weakest name. None where
    nothing is said of it.
    """

    counted_from: str
    anchors_in_view: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    lumbar_type_count: Annotated[int, Field(ge=0, le=6)] | None = None
    last_rib: str | None = None
    lstv: Lstv | None = None
    lstv_evidence: tuple[str, ...] = ()
    lowest_disc: str | None = None
    confidence: Probability | None = None
    statement: str

    @model_validator(mode="after")
    def _levels_exist(self) -> NumberingBasis:
        if self.last_rib is not None:
            Level.parse(self.last_rib)
        if self.lowest_disc is not None:
            Disc.parse(self.lowest_disc)
        return self


class Alternative(Frozen):
    """The best different numbering; ``levels`` runs parallel to ``vertebrae``, or to ``discs`` where there are none."""

    probability: Probability
    levels: tuple[str, ...]


class KeyImage(Frozen):
    """An image worth looking at first: of which ``level`` (vertebra or disc), and what it ``shows`` of it, in words.

    The words do not hold the name, which may be corrected: "axial slice through the middle of the body".
    """

    level: str
    sop_instance_uid: str
    frame: int | None = None
    shows: str

    @model_validator(mode="after")
    def _level_exists(self) -> KeyImage:
        Disc.parse(self.level) if "-" in self.level else Level.parse(self.level)
        if self.level in self.shows:
            raise ValueError(f"key image of {self.level}: expected words that do not hold the name")
        return self


class Findings(Frozen):
    """What a pipeline concluded from pixels: numbered vertebrae, or an abstention with its reason.

    ``candidates`` are shown to the reader when the pipeline abstains because of them. ``segmentation`` holds voxels of
    vertebrae that are numbered, each under the name that it has here.
    """

    status: Literal[Status.NUMBERED, Status.ABSTAINED]
    reason: StatedReason | None = None
    vertebrae: tuple[Vertebra, ...] = ()
    discs: tuple[NumberedDisc, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    basis: NumberingBasis | None = None
    alternative: Alternative | None = None
    anomalies: tuple[str, ...] = ()
    quality: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    segmentation: LabelVolume | None = None
    heat_maps: tuple[HeatMap, ...] = ()
    key_images: tuple[KeyImage, ...] = ()

    @model_validator(mode="after")
    def _answers_or_says_why_not(self) -> Findings:
        if self.status is Status.ABSTAINED and (self.reason is None or self.vertebrae or self.discs):
            raise ValueError("an abstention has a reason and no numbered structure")
        if self.status is Status.NUMBERED and (self.basis is None or not (self.vertebrae or self.discs)):
            raise ValueError("a numbering has a basis and at least one numbered structure")
        return self

    @model_validator(mode="after")
    def _segments_what_it_names(self) -> Findings:
        names = {found.level for found in self.vertebrae}
        if self.segmentation is not None and (unnamed := set(self.segmentation.levels) - names):
            raise ValueError(f"segmented but not numbered: {', '.join(sorted(unnamed))}; expected vertebrae by name")
        return self


class ModelIdentity(Frozen):
    """Which model ran. ``weights_sha256`` is of the very file that was loaded, or of the list of several."""

    name: str
    version: str
    weights_file: str
    weights_sha256: str
    trained_on: str
    runtime: str


class SourceImage(Frozen):
    """An image that the result rests on. ``digest`` is the sha256 of its stored bytes."""

    sop_instance_uid: str
    sop_class_uid: str
    digest: str
    rows: int
    columns: int
    frames: int = 1


class RetiredObject(Frozen):
    """An object of ours that a later revision takes out of use."""

    sop_instance_uid: str
    sop_class_uid: str
    modality: str


class Verification(Frozen):
    """The authenticated person who verified the names of a result, for whom, and when. Never a patient."""

    person: Annotated[str, Field(min_length=1, max_length=64)]
    organisation: Annotated[str, Field(min_length=1, max_length=64)]
    at: datetime


class Origin(StrEnum):
    """Who ran the pipeline: a node (which keeps a record), or ``numbering run`` (which consults none)."""

    NODE = "node"
    RUN = "run"


class NumberingResult(Frozen):
    """One stored outcome of one pipeline on one series. ``created_at`` dates every object encoded from it.

    ``settings`` are the ones that matter to the answer (thresholds), as text. ``revision`` starts at 1; a changed
    answer names the UID of the SR it supersedes in ``predecessor_sr_uid`` and takes the objects of that revision out of
    use (``retires``). ``verified`` is None unless a person verified every name.
    """

    study_instance_uid: str
    series_instance_uid: str
    modality: str
    view: View | None
    pipeline: str
    software_version: str
    model: ModelIdentity
    sources: tuple[SourceImage, ...]
    findings: Findings
    settings: dict[str, str] = {}
    origin: Origin
    revision: Annotated[int, Field(ge=1)] = 1
    predecessor_sr_uid: str | None = None
    retires: tuple[RetiredObject, ...] = ()
    verified: Verification | None = None
    created_at: datetime

    def identity(self) -> tuple[str, ...]:
        """What makes this result this result and no other; the UIDs of its objects are hashed from it."""
        return (
            *(f"{source.sop_instance_uid}:{source.digest}" for source in self.sources),
            self.pipeline,
            self.software_version,
            self.model.version,
            self.model.weights_sha256,
            self.model.runtime,
            *(f"{key}={value}" for key, value in sorted(self.settings.items())),
            str(self.origin),
            f"revision {self.revision}",
        )
