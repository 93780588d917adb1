"""Audit messages read back from the journal, for people: when, what, who, about which study."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from xml.etree import ElementTree as ET

from numbering.audit.journal import Record


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One record. ``sound``: it follows from the one before it. ``patient``: a keyed hash, or what the site chose."""

    number: int
    sound: bool
    at: str = ""
    event: str = ""
    kind: str = ""
    success: bool = True
    who: tuple[str, ...] = ()
    study_instance_uid: str = ""
    patient: str = ""
    objects: int = 0
    detail: str = ""

    @property
    def time(self) -> datetime | None:
        """When it happened; None when the record does not say."""
        try:
            return datetime.fromisoformat(self.at)
        except ValueError:
            return None


def entry_of(record: Record) -> Entry:
    """What a line of the journal says; of one that cannot be read, only its place."""
    try:
        if "<!" in record.message:  # we write no declarations, so nothing is ever expanded
            raise ET.ParseError("a declaration")
        message = ET.fromstring(record.message)  # noqa: S314
    except ET.ParseError:
        return Entry(number=record.number, sound=False, detail="unreadable")
    event = message.find("EventIdentification")
    study = _object(message, "110180")
    patient = _object(message, "2")
    return Entry(
        number=record.number,
        sound=record.sound,
        at=event.get("EventDateTime", "") if event is not None else "",
        event=_meaning(message, "EventIdentification/EventID"),
        kind=_meaning(message, "EventIdentification/EventTypeCode"),
        success=event is not None and event.get("EventOutcomeIndicator") == "0",
        who=tuple(_who(participant) for participant in message.iterfind("ActiveParticipant")),
        study_instance_uid=study.get("ParticipantObjectID", "") if study is not None else "",
        patient=patient.get("ParticipantObjectID", "") if patient is not None else "",
        objects=sum(int(each.get("NumberOfInstances", "0")) for each in message.iter("SOPClass")),
        detail=_detail(message),
    )


def _meaning(message: ET.Element, path: str) -> str:
    found = message.find(path)
    return found.get("originalText", "") if found is not None else ""


def _who(participant: ET.Element) -> str:
    user, address = participant.get("UserID", ""), participant.get("NetworkAccessPointID", "")
    return f"{user} ({address})" if address and address != user else user


def _object(message: ET.Element, code: str) -> ET.Element | None:
    for about in message.iterfind("ParticipantObjectIdentification"):
        kind = about.find("ParticipantObjectIDTypeCode")
        if kind is not None and kind.get("csd-code") == code:
            return about
    return None


def _detail(message: ET.Element) -> str:
    """What an alert says, or what was asked."""
    value = next((each.get("value", "") for each in message.iter("ParticipantObjectDetail")), "")
    value = value or next((each.text or "" for each in message.iter("ParticipantObjectQuery")), "")
    try:
        return base64.b64decode(value, validate=True).decode(errors="replace").replace("\n", ", ")
    except (binascii.Error, ValueError):
        return ""
