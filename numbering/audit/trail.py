"""The trail of this process: builds the messages and hands them to the journal, which is the record, and to syslog."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

from numbering import logs
from numbering.audit import message
from numbering.audit.journal import Journal
from numbering.audit.message import Action, Alert, Direction, Peer, Source, Study
from numbering.audit.pseudonym import Pseudonyms
from numbering.audit.syslog import Syslog, syslog
from numbering.settings import Settings

log = logs.logger(__name__)

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"


class AuditTrail:
    """What one process reports. Safe in threads and beside other processes; nothing here ever raises.

    ``patient_id`` may be left out where the study is in the spool: it is then looked up there.
    """

    def __init__(self, settings: Settings) -> None:
        self._source = Source(
            ae_title=settings.ae_title,
            host=socket.gethostname(),
            process=f"{Path(sys.argv[0]).name or 'python'}[{os.getpid()}]",
            site=settings.audit_site,
        )
        self._settings = settings
        self._journal: Journal | None = None
        self._pseudonyms: Pseudonyms | None = None
        self._syslog: Syslog | None = None
        self._lock = threading.Lock()

    def begin_transfer(
        self,
        direction: Direction,
        study_instance_uid: str,
        sop_classes: Mapping[str, int],
        peer: Peer,
        *,
        patient_id: str = "",
    ) -> None:
        """Objects of a study are about to be moved. ``sop_classes`` says how many of each SOP Class UID."""
        self._tell(
            lambda: message.begin_transfer(
                self._source, direction, self._study(study_instance_uid, sop_classes, patient_id), peer
            )
        )

    def transferred(
        self,
        direction: Direction,
        study_instance_uid: str,
        sop_classes: Mapping[str, int],
        peer: Peer,
        success: bool = True,
        *,
        patient_id: str = "",
        action: Action | None = None,
    ) -> None:
        """Objects of a study were moved, or (``success`` false) were not. What failed is a record of its own.

        ``action`` is ``C`` where the receiver did not hold them, ``R`` where it did or where that is not known; by
        default ``C`` for what comes in and ``R`` for what goes out (PS3.15 A.5.3.7).
        """
        chosen: Action = action or ("C" if direction == "in" else "R")
        self._tell(
            lambda: message.transferred(
                self._source,
                direction,
                self._study(study_instance_uid, sop_classes, patient_id),
                peer,
                success=success,
                action=chosen,
            )
        )

    def accessed(
        self,
        study_instance_uid: str,
        sop_classes: Mapping[str, int],
        *,
        action: Action = "R",
        user: Peer | None = None,
        patient_id: str = "",
        success: bool = True,
    ) -> None:
        """Objects of a study were read (``R``) or made (``C``), by this process or by a user through it."""
        self._tell(
            lambda: message.accessed(
                self._source,
                self._study(study_instance_uid, sop_classes, patient_id),
                action=action,
                user=user,
                success=success,
            )
        )

    def queried(
        self,
        peer: Peer,
        keys: Mapping[str, str],
        *,
        direction: Direction = "out",
        sop_class: str = STUDY_ROOT_FIND,
        patient_id: str = "",
        success: bool = True,
    ) -> None:
        """Somebody was asked (``out``) or asked us. ``keys`` hold nothing of the patient: that is ``patient_id``."""
        self._tell(
            lambda: message.queried(
                self._source,
                direction,
                peer,
                sop_class,
                {**({"PatientID": self._patient(patient_id)} if patient_id else {}), **keys},
                success=success,
            )
        )

    def authenticated(self, user: str, address: str, success: bool = True, *, login: bool = True) -> None:
        """A person or program signed in (or out), or failed to. Never a secret: the user's name or a key's name."""
        self._tell(lambda: message.authenticated(self._source, Peer(user, address), success=success, login=login))

    def security_alert(self, kind: Alert | str, peer: Peer, text: str) -> None:
        """Something that a security officer should see; the text says what, and holds nothing of a patient."""
        try:
            chosen = Alert(kind)
        except ValueError:
            chosen, text = Alert.RESTRICTED_FUNCTION, f"{kind}: {text}"
        self._tell(lambda: message.security_alert(self._source, chosen, peer, text))

    def started(self, room: str) -> None:
        """A room of the node starts."""
        self._tell(lambda: message.application(self._source, room, starts=True))

    def stopped(self, room: str) -> None:
        """A room of the node stops; what still waits for syslog is given a moment."""
        self._tell(lambda: message.application(self._source, room, starts=False))
        with self._lock:
            sender, self._syslog = self._syslog, None
        if sender is not None:
            sender.close()

    def forget(self, days: int) -> None:
        """Remove what the journal has of days more than so many ago."""
        try:
            removed = self._kept().forget(days)
        except Exception as error:  # noqa: BLE001 - as in all of the trail; it is tried again
            log.error("old audit records could not be removed", error=error)
            return
        if removed:
            log.info("old audit records are removed", days=removed)

    def _study(self, study_instance_uid: str, sop_classes: Mapping[str, int], patient_id: str) -> Study:
        if not patient_id:
            from numbering.dicom.patient import patient_of_study

            patient_id = patient_of_study(self._settings.spool, study_instance_uid).patient_id
        return Study(study_instance_uid=study_instance_uid, sop_classes=sop_classes, patient=self._patient(patient_id))

    def _patient(self, patient_id: str) -> str:
        if not patient_id or self._settings.audit_patient_id:
            return patient_id
        if self._pseudonyms is None:
            self._pseudonyms = Pseudonyms(self._settings.audit)
        return self._pseudonyms.of(patient_id)

    def _tell(self, build: Callable[[], ET.Element]) -> None:
        try:
            line = message.serialised(build())
        except Exception as error:  # noqa: BLE001 - the node goes on numbering; the log says that a record is missing
            log.error("an audit record could not be written", error=error)
            return
        for keep in (self._write, self._copy):
            try:
                keep(line)
            except Exception as error:  # noqa: BLE001 - likewise; where the disk is full, the copy still goes out
                log.error("an audit record could not be written", to=keep.__name__.strip("_"), error=error)

    def _write(self, line: str) -> None:
        self._kept().append(line)

    def _kept(self) -> Journal:
        with self._lock:
            if self._journal is None:
                self._journal = Journal(self._settings.audit)
            return self._journal

    def _copy(self, line: str) -> None:
        with self._lock:
            if self._syslog is None:
                self._syslog = syslog(self._settings)
        if self._syslog is not None:
            self._syslog.send(line)


def trail(settings: Settings) -> AuditTrail:
    """The trail of this process for these settings."""
    place = os.getpid(), settings.audit, settings.ae_title
    with _lock:
        if place not in _trails:
            _trails[place] = AuditTrail(settings)
        return _trails[place]


_trails: dict[tuple[int, Path, str], AuditTrail] = {}
_lock = threading.Lock()
