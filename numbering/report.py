"""``numbering/run/1``: the JSON that ``numbering run --json`` prints, as frozen models.

Absent parts are null or empty, never missing, and every series handed in has an entry with a status. The JSON Schema in
``docs/schemas/run-1.json`` is generated from these models (``make docs``).
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from pathlib import PurePath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from numbering.errors import Reason
from numbering.result import (
    Alternative,
    Frozen,
    KeyImage,
    Measurement,
    NumberedDisc,
    NumberingBasis,
    NumberingResult,
    StatedReason,
    Status,
    Vertebra,
)
from numbering.study import Series, View

SCHEMA: Literal["numbering/run/1"] = "numbering/run/1"


def _relative(path: str) -> str:
    if PurePath(path).is_absolute():
        raise ValueError(f"{path!r} is absolute: expected a path relative to the output folder")
    return path


class Software(Frozen):
    """Who wrote the report."""

    name: str = "numbering"
    version: str = Field(default_factory=lambda: version("numbering"))


class Model(Frozen):
    """Which model ran; ``weights_sha256`` is of the very file that was loaded, or of the list of several."""

    name: str
    version: str
    weights_sha256: str
    trained_on: str


class WrittenObject(Frozen):
    """A DICOM object that was written; ``path`` is relative to the output folder."""

    sop_class: str
    sop_instance_uid: str
    path: Annotated[str, AfterValidator(_relative)]


class SeriesEntry(Frozen):
    """The outcome for one series, or for one view of it when a series holds films of several views."""

    series_instance_uid: str
    modality: str
    view: View | None = None
    pipeline: str | None = None
    status: Status
    reason: StatedReason | None = None
    model: Model | None = None
    vertebrae: tuple[Vertebra, ...] = ()
    discs: tuple[NumberedDisc, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    basis: NumberingBasis | None = None
    alternative: Alternative | None = None
    anomalies: tuple[str, ...] = ()
    quality: tuple[str, ...] = ()
    key_images: tuple[KeyImage, ...] = ()
    objects: tuple[WrittenObject, ...] = ()

    @model_validator(mode="after")
    def _numbered_or_says_why_not(self) -> Self:
        if (self.status is Status.NUMBERED) == (self.reason is not None):
            raise ValueError(
                f"series {self.series_instance_uid} is {self.status}: a reason stands where no numbering does"
            )
        if self.alternative and len(self.alternative.levels) != len(self.vertebrae or self.discs):
            raise ValueError(
                f"series {self.series_instance_uid}: alternative.levels runs parallel to vertebrae, or to discs where "
                "there are none"
            )
        return self


class StudyEntry(Frozen):
    """The series of one study."""

    study_instance_uid: str
    series: tuple[SeriesEntry, ...]


class RunReport(Frozen):
    """What one run says of everything that it was given."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    schema_name: Literal["numbering/run/1"] = Field(SCHEMA, alias="schema")
    software: Software = Field(default_factory=Software)
    studies: tuple[StudyEntry, ...]

    @classmethod
    def of(cls, entries: Iterable[tuple[str, SeriesEntry]]) -> RunReport:
        """A report of ``(StudyInstanceUID, entry)`` pairs, in the order in which the studies first appear."""
        studies: dict[str, list[SeriesEntry]] = {}
        for study_instance_uid, entry in entries:
            studies.setdefault(study_instance_uid, []).append(entry)
        return cls(
            studies=tuple(StudyEntry(study_instance_uid=uid, series=tuple(series)) for uid, series in studies.items())
        )

    def to_json(self) -> str:
        """The JSON text, indented."""
        return self.model_dump_json(indent=2)


def series_entry(result: NumberingResult, objects: Iterable[WrittenObject] = ()) -> SeriesEntry:
    """The entry of a series whose pixels were read: numbered or abstained."""
    findings = result.findings
    return SeriesEntry(
        series_instance_uid=result.series_instance_uid,
        modality=result.modality,
        view=result.view,
        pipeline=result.pipeline,
        status=findings.status,
        reason=findings.reason,
        model=Model(
            name=result.model.name,
            version=result.model.version,
            weights_sha256=result.model.weights_sha256,
            trained_on=result.model.trained_on,
        ),
        vertebrae=findings.vertebrae,
        discs=findings.discs,
        measurements=findings.measurements,
        basis=findings.basis,
        alternative=findings.alternative,
        anomalies=findings.anomalies,
        quality=findings.quality,
        key_images=findings.key_images,
        objects=tuple(objects),
    )


def unanswered_entry(
    series: Series,
    status: Status,
    reason: Reason,
    *,
    view: View | None = None,
    pipeline: str | None = None,
) -> SeriesEntry:
    """The entry of a series that no pipeline answered: held, refused from its header, or failed."""
    return SeriesEntry(
        series_instance_uid=series.series_instance_uid,
        modality=series.modality,
        view=view,
        pipeline=pipeline,
        status=status,
        reason=StatedReason(code=reason.code, text=reason.text),
    )
