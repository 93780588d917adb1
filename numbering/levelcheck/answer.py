"""``numbering/check/1``: the answer of a level check, as frozen models.

The JSON Schema in ``docs/schemas/check-1.json`` is generated from these models (``make docs``). A `Check` that exists
keeps the contract: AGREES and DISAGREES have a mark and a structure found there on an accepted basis.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from numbering.levelcheck.vocabulary import Kind, Side
from numbering.report import Software
from numbering.result import Frozen, Probability

SCHEMA: Literal["numbering/check/1"] = "numbering/check/1"

Uid = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)+$", max_length=64)]
VertebraName = Annotated[str, Field(pattern=r"^(C[1-7]|T([1-9]|1[0-3])|L[1-6]|S[1-5])$")]


class Verdict(StrEnum):
    """The three answers."""

    AGREES = "AGREES"
    DISAGREES = "DISAGREES"
    CANNOT_CONFIRM = "CANNOT CONFIRM"


EXIT_CODES = {Verdict.AGREES: 0, Verdict.DISAGREES: 3, Verdict.CANNOT_CONFIRM: 4}
"""Of the command; 1 is a failure and 2 misuse, as everywhere."""


class Why(StrEnum):
    """Why a check does not agree; a closed list. The first two disagree, all others cannot confirm."""

    ANOTHER_LEVEL = "another-level"
    OTHER_SIDE = "other-side"
    ANOTHER_PATIENT = "another-patient"
    PLAN_NOT_UNDERSTOOD = "plan-not-understood"
    NO_MARK = "no-mark"
    IMAGE_NOT_KNOWN = "image-not-known"
    NOTHING_NUMBERED = "nothing-numbered"
    OUTSIDE = "outside"
    BETWEEN = "between"
    TWO_NAMES = "two-names"
    OUT_OF_ORDER = "out-of-order"
    CONTRADICTED = "contradicted"
    BASIS_NOT_CONFIRMED = "basis-not-confirmed"
    PROBABILITY_TOO_LOW = "probability-too-low"
    TRANSITION_SUSPECTED = "transition-suspected"
    BORDERS_THE_PLAN = "borders-the-plan"
    RANGE_MEANS_OTHER = "range-means-other"
    SIDE_NOT_GIVEN = "side-not-given"
    PLAN_STUDY_NOT_CONFIRMED = "plan-study-not-confirmed"


class MarkSource(StrEnum):
    """Where a mark came from."""

    GIVEN = "given"
    SR = "sr"
    GSPS = "gsps"
    CARRIED_OVER = "carried-over"


class Place(Frozen):
    """Image coordinates: x right, y down, pixel centres at integers; frame 1-based, null for single-frame objects."""

    sop_instance_uid: Uid
    frame: Annotated[int, Field(ge=1)] | None
    x: Annotated[float, Field(allow_inf_nan=False)]
    y: Annotated[float, Field(allow_inf_nan=False)]


class Planned(Frozen):
    """What the plan names. A plan that is not understood has neither name nor kind; its text is not repeated."""

    name: Annotated[str | None, Field(examples=["L4", "L4-L5", "L4-S1"])]
    kind: Kind | None
    levels: Annotated[tuple[VertebraName, ...], Field(description="The vertebrae that the name means, head to foot.")]
    side: Side | None


class Mark(Frozen):
    """A marked place. ``side`` is the patient's side that the mark stands for, null when it stands for none."""

    place: Place
    source: MarkSource = MarkSource.GIVEN
    side: Side | None = None


class FoundBasis(Frozen):
    """On what a name rests. ``confirmed``: by the policy printed below, its widenings included."""

    counted_from: str
    confirmed: bool
    assumptions: tuple[str, ...]


class OtherName(Frozen):
    """Its name in the best different numbering."""

    name: str
    probability: Probability


class Found(Frozen):
    """A numbered vertebra or disc, and on what its name rests."""

    name: str
    probability: Probability
    place: Place
    basis: FoundBasis
    alternative: OtherName | None


class Says(StrEnum):
    """What a series says of the plan at the mark."""

    AGREES = "agrees"
    DISAGREES = "disagrees"
    SILENT = "silent"


class SeriesSays(Frozen):
    """One series that was consulted."""

    series_instance_uid: Uid
    says: Says
    reason: str | None


class AppliedPolicy(Frozen):
    """What had to hold for AGREES or DISAGREES."""

    probability: Annotated[Probability, Field(description="Least probability for AGREES or DISAGREES.")]
    confirmed_bases: Annotated[tuple[str, ...], Field(min_length=1)]
    widened_by: Annotated[
        tuple[str, ...], Field(description="Every basis that the site added to the two confirmed ones.")
    ]


def _verdict_needs(schema: dict[str, Any]) -> None:
    """What the fields' types do not say: see `Check._keeps_the_contract`."""

    def when(*verdicts: Verdict, then: dict[str, Any]) -> dict[str, Any]:
        return {"if": {"properties": {"verdict": {"enum": [*map(str, verdicts)]}}}, "then": {"properties": then}}

    confirmed = {"basis": {"properties": {"confirmed": {"const": True}}}}
    schema["allOf"] = [
        when(
            Verdict.AGREES,
            Verdict.DISAGREES,
            then={"mark": {"type": "object"}, "found": {"type": "object", "properties": confirmed}},
        ),
        when(Verdict.AGREES, then={"reason": {"type": "null"}}),
        when(Verdict.DISAGREES, Verdict.CANNOT_CONFIRM, then={"reason": {"type": "string"}}),
    ]


class Check(Frozen):
    """The answer of a level check (docs/conventions.md, "The level check")."""

    model_config = ConfigDict(
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        title="LevelCheck",
        json_schema_extra=_verdict_needs,
    )

    schema_name: Literal["numbering/check/1"] = Field(SCHEMA, alias="schema")
    software: Software = Field(default_factory=Software)
    verdict: Verdict
    reason: Annotated[Why | None, Field(description="Why it does not agree; null with AGREES.")]
    planned: Planned
    mark: Annotated[Mark | None, Field(description="Null when none was given: then the verdict is CANNOT CONFIRM.")]
    found: Annotated[Found | None, Field(description="The structure at the mark; null when none is known there.")]
    statement: Annotated[str, Field(min_length=1, description="The sentences that a surgeon reads.")]
    known: Annotated[
        tuple[Found, ...],
        Field(description="Unless it agrees: where the planned name is known to be, on which image, on what basis."),
    ]
    series: Annotated[tuple[SeriesSays, ...], Field(description="Every series that was consulted, and what it says.")]
    policy: AppliedPolicy

    @model_validator(mode="after")
    def _keeps_the_contract(self) -> Self:
        if (self.verdict is Verdict.AGREES) != (self.reason is None):
            raise ValueError("a check that does not agree says why, one that agrees needs no reason")
        if self.verdict is Verdict.CANNOT_CONFIRM:
            return self
        if self.mark is None or self.found is None or not self.found.basis.confirmed:
            raise ValueError(f"{self.verdict} needs a mark and a structure there on a confirmed basis")
        if self.found.probability < self.policy.probability:
            raise ValueError(f"{self.verdict} with probability {self.found.probability}, below the policy's")
        if self.verdict is Verdict.AGREES and any(one.says is Says.DISAGREES for one in self.series):
            raise ValueError("AGREES although a series disagrees")
        return self

    @property
    def exit_code(self) -> int:
        """Of the command that prints this."""
        return EXIT_CODES[self.verdict]

    def to_json(self) -> str:
        """The published form."""
        return self.model_dump_json(indent=2)
