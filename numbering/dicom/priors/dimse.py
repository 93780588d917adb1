"""Priors by DIMSE: C-FIND in the study root, and C-MOVE to our own DICOM port or C-GET (PS3.4 Annex C)."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import Any, cast

from pydicom import uid
from pydicom.dataset import Dataset
from pynetdicom import build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from numbering.dicom.broken import BROKEN_DICOM
from numbering.dicom.incoming.accept import IMAGE_CLASSES, OUT_OF_RESOURCES, SUCCESS
from numbering.dicom.outgoing.association import NoAssociation, associate, leave
from numbering.dicom.outgoing.destination import Destination, Outcome, Timeouts
from numbering.dicom.part10 import compose
from numbering.dicom.priors.matches import SERIES_KEYS, STUDY_KEYS, identifier, series_of, study_of, text_of
from numbering.priors.source import (
    MOST_SERIES,
    MOST_STUDIES,
    Allowance,
    FoundSeries,
    FoundStudy,
    Intake,
    Patient,
    SourceMisbehaves,
    SourceRefuses,
    SourceUnavailable,
)

PENDING = frozenset({0xFF00, 0xFF01})
CANCELLED = 0xFE00
SOME_FAILED = 0xB000
BUSY = frozenset({0xA700, 0xA701, 0xA702})
"""Out of resources (PS3.4 C.4.2.1.5): the peer may well be able to later."""
WATCH_SECONDS = 0.2

GET_CLASSES = IMAGE_CLASSES
"""What may come by C-GET."""
GET_SYNTAXES = (
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.JPEGBaseline8Bit,
    uid.JPEGExtended12Bit,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEGLSNearLossless,
    uid.JPEG2000Lossless,
    uid.JPEG2000,
    uid.HTJ2KLossless,
    uid.HTJ2KLosslessRPCL,
    uid.HTJ2K,
    uid.RLELossless,
)
"""Each in a context of its own, so that an object comes as the archive holds it: 7 × 15 of the 128 that there are."""


class DimseSource:
    """An archive that answers C-FIND. With ``get`` it sends by C-GET; else by C-MOVE, for which it must know our AE
    title, host and port."""

    def __init__(self, peer: Destination, ae_title: str, *, get: bool = False) -> None:
        self._peer = peer
        self._ae_title = ae_title
        self._get = get

    @property
    def name(self) -> str:
        """See `PriorSource`."""
        return self._peer.ae_title

    @property
    def address(self) -> str:
        """See `PriorSource`."""
        return self._peer.host

    @property
    def hands_over(self) -> bool:
        """See `PriorSource`."""
        return self._get

    def studies(self, patient: Patient, allowance: Allowance) -> list[FoundStudy]:
        """See `PriorSource`."""
        keys = {"QueryRetrieveLevel": "STUDY", "PatientID": patient.patient_id}
        found = []
        for ds in self._find(keys, STUDY_KEYS, MOST_STUDIES, allowance):
            theirs = Patient(text_of(ds, "PatientID"), text_of(ds, "IssuerOfPatientID"))
            if (study := study_of(ds)) is not None and patient.is_same(theirs):
                found.append(study)
        return found

    def series(self, patient: Patient, study_instance_uid: str, allowance: Allowance) -> list[FoundSeries]:
        """See `PriorSource`."""
        keys = {"QueryRetrieveLevel": "SERIES", "StudyInstanceUID": study_instance_uid}
        answers = self._find(keys, SERIES_KEYS, MOST_SERIES, allowance)
        return [series for ds in answers if (series := series_of(ds, study_instance_uid)) is not None]

    def fetch(self, intake: Intake) -> None:
        """See `PriorSource`."""
        if self._get:
            self._fetch_by_get(intake)
        else:
            self._fetch_by_move(intake)

    def _find(self, keys: Mapping[str, str], wanted: tuple[str, ...], most: int, allowance: Allowance) -> list[Dataset]:
        model = StudyRootQueryRetrieveInformationModelFind
        found: list[Dataset] = []
        with self._association([build_context(model)], allowance) as association:
            for status, ds in association.send_c_find(identifier(keys, wanted), model):
                if self._goes_on(status, "C-FIND", allowance) and ds is not None:
                    found.append(ds)
                if len(found) > most:
                    raise SourceMisbehaves(f"{self._peer} answered a C-FIND with more than {most} matches")
        return found

    def _fetch_by_move(self, intake: Intake) -> None:
        model = StudyRootQueryRetrieveInformationModelMove
        missing = 0
        with self._association([build_context(model)], intake.allowance) as association:
            for status, _ in association.send_c_move(_whole(intake), self._ae_title, model):
                if not self._goes_on(status, "C-MOVE", intake.allowance):
                    missing = int(status.get("NumberOfFailedSuboperations") or 0)
        intake.arrived(missing)

    def _fetch_by_get(self, intake: Intake) -> None:
        model = StudyRootQueryRetrieveInformationModelGet
        offered = [build_context(sop_class, syntax) for sop_class in GET_CLASSES for syntax in GET_SYNTAXES]
        contexts = [build_context(model), *offered]
        roles = [build_role(sop_class, scp_role=True) for sop_class in GET_CLASSES]
        trouble: list[Exception] = []
        handler = (evt.EVT_C_STORE, _keep, [intake, trouble])
        with self._association(contexts, intake.allowance, handlers=[handler], negotiation=roles) as association:
            for status, _ in association.send_c_get(_whole(intake), model):
                if trouble:
                    raise trouble[0]
                self._goes_on(status, "C-GET", intake.allowance)
        if trouble:
            raise trouble[0]

    def _goes_on(self, status: Dataset, what: str, allowance: Allowance) -> bool:
        """Whether this answer is one of several to come; an error's status raises, the peer's free text is left out."""
        allowance.check()
        if "Status" not in status:
            raise SourceUnavailable(f"{self._peer} did not answer a {what}, or ended the association")
        code = int(status.Status)
        if code in PENDING:
            return True
        if code in (SUCCESS, SOME_FAILED):
            return False
        said = f"{self._peer} answered a {what} with status 0x{code:04X}"
        if code in BUSY or code == CANCELLED:
            raise SourceUnavailable(said)
        raise SourceRefuses(said)

    @contextmanager
    def _association(
        self, contexts: list[PresentationContext], allowance: Allowance, **more: Any
    ) -> Iterator[Association]:
        """An association that ends with the allowance; whatever breaks on it is the source's fault."""
        allowance.check()
        patience = allowance.seconds_left
        timeouts = Timeouts(message=patience, network=patience)
        association = associate(contexts, self._peer, self._ae_title, timeouts, **more)
        if isinstance(association, NoAssociation):
            family = SourceUnavailable if association.outcome is Outcome.UNREACHABLE else SourceRefuses
            raise family(association.why)
        done = threading.Event()
        watch = threading.Thread(target=_end_in_time, args=(association, allowance, done), daemon=True)
        watch.start()
        try:
            yield association
        except (SourceUnavailable, SourceRefuses, SourceMisbehaves):
            association.abort()
            raise
        except BROKEN_DICOM as error:  # an answer that pynetdicom cannot take, or an association that went away
            association.abort()
            allowance.check()
            raise SourceUnavailable(f"{self._peer}: the association broke ({type(error).__name__})") from None
        finally:
            done.set()
            leave(association)


def _end_in_time(association: Association, allowance: Allowance, done: threading.Event) -> None:
    """Abort the association when time is over or the node stops, so that no peer's silence holds us."""
    while not done.wait(WATCH_SECONDS):
        try:
            allowance.check()
        except Exception:  # noqa: BLE001 - whatever it is, the caller meets it too
            association.abort()
            return


def _keep(event: evt.Event, intake: Intake, trouble: list[Exception]) -> int:
    """Keep an object of a C-GET byte for byte; after the first trouble the rest is refused."""
    if trouble:
        return OUT_OF_RESOURCES
    request = cast(C_STORE, event.request)
    try:
        whole = compose(
            sop_class=str(request.AffectedSOPClassUID),
            sop_instance=str(request.AffectedSOPInstanceUID),
            transfer_syntax=str(event.context.transfer_syntax),
            source_ae_title=event.assoc.acceptor.ae_title,
            data_set=cast(BytesIO, request.DataSet).getvalue(),
        )
        intake.take(whole)
    except Exception as error:  # noqa: BLE001 - raised again by the thread that asked
        trouble.append(error)
        return OUT_OF_RESOURCES
    return SUCCESS


def _whole(intake: Intake) -> Dataset:
    keys = {
        "QueryRetrieveLevel": "SERIES",
        "StudyInstanceUID": intake.study_instance_uid,
        "SeriesInstanceUID": intake.series_instance_uid,
    }
    return identifier(keys)
