"""What a check may consult: whose an image is, and that one patient's record."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from numbering.priors.source import Patient
from numbering.record import PatientRecord

Owner = str
"""A patient, by whatever tells patients apart there: equal owners are one patient. Never shown."""


class Known(Protocol):
    """A node's record (`numbering.jobs.checks.known`), or plain files (`numbering.checking.files`)."""

    def patient(self, patient: Patient) -> Owner:
        """The owner who has this identifier, whether or not anything of theirs is known."""
        ...

    def of_image(self, sop_instance_uid: str) -> Owner | None:
        """Whose this image is; None when it is not known, or does not say."""
        ...

    def of_study(self, study_instance_uid: str) -> Owner | None:
        """Whose this study is; likewise."""
        ...

    def record(self, owner: Owner) -> PatientRecord:
        """All that is known of this patient's numbering, and of nobody else's."""
        ...

    def file(self, sop_instance_uid: str) -> Path | None:
        """The image's file; None when it is not, or no longer, here."""
        ...
