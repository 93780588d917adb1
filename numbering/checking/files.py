"""Plain DICOM files as what is known: the pipelines run on those of one patient, and nothing is kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from numbering.checking.known import Owner
from numbering.checking.question import Misused
from numbering.dicom.patient import patient_of
from numbering.dicom.planes import planes
from numbering.dicom.read import read_folder
from numbering.errors import NumberingError
from numbering.infer import number
from numbering.pipelines.loaded import Pipelines
from numbering.plane import Plane
from numbering.priors.source import Patient
from numbering.record import Filed, FiledImage, PatientRecord, conclude
from numbering.result import Origin, Status
from numbering.route import Assignment, route_studies
from numbering.run import acquired
from numbering.study import Series


class KnownFiles:
    """See `numbering.checking.Known`. A series whose files name several patients, or none, is nobody's."""

    def __init__(self, paths: Iterable[Path], pipelines: Pipelines) -> None:
        self._series, self.unreadable = read_folder(paths)
        self._pipelines = pipelines

    def patient(self, patient: Patient) -> Owner:
        """See `numbering.checking.Known`; `Misused` when several patients have this ID and no issuer is named."""
        issuers = self._issuers[patient.patient_id]
        if len(issuers) > 1 and not patient.issuer:
            raise Misused("these files are of several patients with this ID: name its issuer")
        return self._owner(patient) or ""

    def of_image(self, sop_instance_uid: str) -> Owner | None:
        """See `numbering.checking.Known`."""
        found = [one for one in self._series if any(image.sop_instance_uid == sop_instance_uid for image in one.images)]
        return self._of(found[0]) if found else None

    def of_study(self, study_instance_uid: str) -> Owner | None:
        """See `numbering.checking.Known`."""
        owners = {self._of(one) for one in self._series if one.study_instance_uid == study_instance_uid}
        return owners.pop() if len(owners) == 1 else None

    def record(self, owner: Owner) -> PatientRecord:
        """See `numbering.checking.Known`: concluded from what the pipelines say now. No corrections are known."""
        mine = [one for one in self._series if self._of(one) == owner]
        return conclude([self._filed(assignment) for assignment in route_studies(mine)])

    def file(self, sop_instance_uid: str) -> Path | None:
        """See `numbering.checking.Known`."""
        images = (image for one in self._series for image in one.images)
        return next((image.path for image in images if image.sop_instance_uid == sop_instance_uid), None)

    @cached_property
    def _patients(self) -> dict[Path, Patient]:
        return {image.path: patient_of(image.path) for one in self._series for image in one.images}

    @cached_property
    def _issuers(self) -> dict[str, set[str]]:
        """The issuers that files name, by patient ID."""
        found: dict[str, set[str]] = defaultdict(set)
        for patient in self._patients.values():
            found[patient.patient_id] |= {patient.issuer} - {""}
        return found

    def _owner(self, patient: Patient) -> Owner | None:
        """ID and issuer. Where one side names no issuer, the ID decides, if only one issuer has it."""
        issuers = self._issuers[patient.patient_id]
        if not patient.patient_id or (len(issuers) > 1 and not patient.issuer):
            return None
        issuer = patient.issuer if issuers else ""
        return f"{patient.patient_id}\n{issuer or next(iter(issuers), '')}"

    def _of(self, series: Series) -> Owner | None:
        owners = {self._owner(self._patients[image.path]) for image in series.images}
        return owners.pop() if len(owners) == 1 else None

    def _filed(self, assignment: Assignment) -> Filed:
        space, images = planes(image.path for image in assignment.series.images)
        if assignment.card is None:
            why = assignment.reason.text if assignment.reason else ""
            return _unanswered(assignment, assignment.status, why, space, images)
        try:
            result = number(
                assignment,
                self._pipelines.named(assignment.card.name),
                origin=Origin.RUN,
                created_at=acquired(assignment.series),
            )
        except NumberingError as error:
            return _unanswered(assignment, Status.FAILED, error.reason.text, space, images)
        return Filed.of(result, frame_of_reference_uid=space, images=images)


def _unanswered(
    assignment: Assignment, status: Status, why: str, space: str | None, images: tuple[Plane | FiledImage, ...]
) -> Filed:
    series = assignment.series
    return Filed(
        study_instance_uid=series.study_instance_uid,
        series_instance_uid=series.series_instance_uid,
        modality=series.modality,
        view=assignment.view,
        images=images or tuple(FiledImage(sop_instance_uid=image.sop_instance_uid) for image in series.images),
        frame_of_reference_uid=space,
        status=status,
        reason=why,
    )
