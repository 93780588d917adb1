"""Where fetched objects go: into the spool, if they are what was asked for, of the patient who was asked for.

An object is dropped when its patient, study or series is another one, whatever the source said of it.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from pydicom.filereader import read_file_meta_info

from numbering import metrics
from numbering.dicom.broken import BROKEN_DICOM
from numbering.dicom.incoming.accept import RefusedError, announced, identified
from numbering.dicom.incoming.spool import Kept, Spool
from numbering.dicom.patient import patient_in, patient_of
from numbering.priors.source import Allowance, Patient, Received, SourceUnavailable

WAY = "prior"


class SpoolIntake:
    """One series' way into the spool; ``received`` counts."""

    def __init__(
        self, spool: Spool, patient: Patient, study_instance_uid: str, series_instance_uid: str, allowance: Allowance
    ) -> None:
        self.study_instance_uid = study_instance_uid
        self.series_instance_uid = series_instance_uid
        self.allowance = allowance
        self.received = Received()
        self._spool = spool
        self._patient = patient

    def take(self, whole: bytes) -> None:
        """Keep a file that came, or drop it. `SourceMisbehaves` when there were too many, `SourceUnavailable` when
        the disk does not take it."""
        self.allowance.check()
        self.allowance.spend(len(whole))
        try:
            found = identified(announced(whole))
        except RefusedError as error:
            self.received.refused += 1
            metrics.OBJECTS_REFUSED.labels(WAY, f"{error.status:04X}").inc()
            return
        ours = (found.study, found.series) == (self.study_instance_uid, self.series_instance_uid)
        if not ours or not self._patient.is_same(patient_in(BytesIO(whole))):
            self.received.foreign += 1
            return
        try:
            kept = self._spool.keep(found.study, found.series, found.sop_instance, whole)
        except OSError as error:
            raise SourceUnavailable(f"the spool takes no objects: {error.strerror or type(error).__name__}") from None
        metrics.OBJECTS_RECEIVED.labels(WAY, kept.value).inc()
        metrics.BYTES_RECEIVED.labels(WAY).inc(len(whole))
        self._count(found.sop_class, kept, len(whole))

    def arrived(self, missing: int) -> None:
        """Look at what came to our DICOM port: whose it is, and whether all of it is there."""
        self.received.missing += missing
        for path in self._spool.files(self.study_instance_uid, self.series_instance_uid):
            self.allowance.spend(path.stat().st_size)
            if self._patient.is_same(patient_of(path)):
                self._count(_sop_class(path), Kept.STORED, path.stat().st_size)
            else:
                self.received.foreign += 1

    def _count(self, sop_class: str, kept: Kept, size: int) -> None:
        self.received.sop_classes[sop_class] += 1
        self.received.kept[kept.value] += 1
        self.received.size += size


def _sop_class(path: Path) -> str:
    try:
        return str(read_file_meta_info(path).MediaStorageSOPClassUID)
    except BROKEN_DICOM:
        return ""
