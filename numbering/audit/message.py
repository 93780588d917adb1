"""Audit messages as XML: the schema of PS3.15 A.5.1, one function for each event of A.5.3 that this node knows.

No message holds a name. A patient is a number, which `numbering.audit.trail` has replaced by a keyed hash unless the
site asked for the real one.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from ipaddress import ip_address
from typing import Literal
from xml.etree import ElementTree as ET  # only written here, never parsed

TEXT_LIMIT = 1024
"""Characters of any one value; what peers say of themselves is not ours to store without end."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Direction = Literal["in", "out"]
Action = Literal["C", "R", "U", "D", "E"]
"""Create, read, update, delete, execute."""


class Alert(StrEnum):
    """Kinds of security alert (PS3.16 CID 403), as our code names them."""

    NODE_AUTHENTICATION = "node-authentication"
    """A peer is not the one it should be: its certificate, title or address is not on the list."""
    RESTRICTED_FUNCTION = "restricted-function"
    """Somebody tried what they may not."""
    NETWORK_CONFIGURATION = "network-configuration"
    SECURITY_CONFIGURATION = "security-configuration"
    SOFTWARE_CONFIGURATION = "software-configuration"
    """Weights or code are not those of the registry."""
    RECORDING_STOPPED = "recording-stopped"
    RECORDING_STARTED = "recording-started"


Code = tuple[str, str, str]
"""Value, scheme, meaning."""

_ALERTS: Mapping[Alert, Code] = {
    Alert.NODE_AUTHENTICATION: ("110126", "DCM", "Node Authentication"),
    Alert.RESTRICTED_FUNCTION: ("110132", "DCM", "Use of Restricted Function"),
    Alert.NETWORK_CONFIGURATION: ("110128", "DCM", "Network Configuration"),
    Alert.SECURITY_CONFIGURATION: ("110129", "DCM", "Security Configuration"),
    Alert.SOFTWARE_CONFIGURATION: ("110131", "DCM", "Software Configuration"),
    Alert.RECORDING_STOPPED: ("110133", "DCM", "Audit Recording Stopped"),
    Alert.RECORDING_STARTED: ("110134", "DCM", "Audit Recording Started"),
}
_SOURCE: Code = ("110153", "DCM", "Source Role ID")
_DESTINATION: Code = ("110152", "DCM", "Destination Role ID")
_APPLICATION: Code = ("110150", "DCM", "Application")
_STUDY: Code = ("110180", "DCM", "Study Instance UID")
_SOP_CLASS: Code = ("110181", "DCM", "SOP Class UID")
_NODE: Code = ("110182", "DCM", "Node ID")
_PATIENT: Code = ("2", "RFC-3881", "Patient Number")


@dataclass(frozen=True)
class Peer:
    """Who is at the other end: an AE title, a URL's origin or a user, and the address that it speaks from."""

    ae_title: str = ""
    address: str = ""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Who reports: this node (``ae_title``), this machine (``host``), this process, and the site it stands in."""

    ae_title: str
    host: str
    process: str
    site: str = ""


@dataclass(frozen=True, kw_only=True)
class Study:
    """What was moved or read: a study, how many objects of which SOP classes, and whose it is (a number or a hash)."""

    study_instance_uid: str
    sop_classes: Mapping[str, int]
    patient: str


def application(source: Source, room: str, *, starts: bool) -> ET.Element:
    """Application Activity (A.5.3.1): a room of the node starts or stops."""
    kind = ("110120", "DCM", "Application Start") if starts else ("110121", "DCM", "Application Stop")
    message = _message(("110100", "DCM", "Application Activity"), "E", success=True, kind=kind)
    _participant(message, Peer(f"{source.ae_title} {room}", source.host), _APPLICATION, process=source.process)
    return _reported(message, source)


def begin_transfer(source: Source, direction: Direction, study: Study, peer: Peer) -> ET.Element:
    """Begin Transferring DICOM Instances (A.5.3.3)."""
    message = _message(("110102", "DCM", "Begin Transferring DICOM Instances"), "E", success=True)
    _ends(message, source, direction, peer)
    return _about(_reported(message, source), study)


def transferred(
    source: Source, direction: Direction, study: Study, peer: Peer, *, success: bool, action: Action
) -> ET.Element:
    """DICOM Instances Transferred (A.5.3.7)."""
    message = _message(("110104", "DCM", "DICOM Instances Transferred"), action, success=success)
    _ends(message, source, direction, peer)
    return _about(_reported(message, source), study)


def accessed(source: Source, study: Study, *, action: Action, user: Peer | None, success: bool) -> ET.Element:
    """DICOM Instances Accessed (A.5.3.6): by this process, or by a person through it."""
    message = _message(("110103", "DCM", "DICOM Instances Accessed"), action, success=success)
    if user is not None:
        _participant(message, user, requestor=True)
    _participant(message, Peer(source.ae_title, source.host), process=source.process, requestor=user is None)
    return _about(_reported(message, source), study)


def queried(
    source: Source, direction: Direction, peer: Peer, sop_class: str, keys: Mapping[str, str], *, success: bool
) -> ET.Element:
    """Query (A.5.3.10); ``out`` is one that we asked. The keys are written as lines of ``keyword=value``."""
    message = _message(("110112", "DCM", "Query"), "E", success=success)
    _ends(message, source, direction, peer)
    _reported(message, source)
    about = _object(message, sop_class, _SOP_CLASS, kind="2", role="3")
    query = "\n".join(f"{keyword}={value}" for keyword, value in keys.items())
    ET.SubElement(about, "ParticipantObjectQuery").text = _base64(query)
    return message


def authenticated(source: Source, user: Peer, *, success: bool, login: bool) -> ET.Element:
    """User Authentication (A.5.3.15)."""
    kind = ("110122", "DCM", "Login") if login else ("110123", "DCM", "Logout")
    message = _message(("110114", "DCM", "User Authentication"), "E", success=success, kind=kind)
    _participant(message, user, requestor=True)
    _participant(message, Peer(source.ae_title, source.host), process=source.process)
    return _reported(message, source)


def security_alert(source: Source, kind: Alert, peer: Peer, text: str) -> ET.Element:
    """Security Alert (A.5.3.14): serious failure, reported by us, caused by the peer; the text says what happened."""
    message = _message(("110113", "DCM", "Security Alert"), "E", success=False, kind=_ALERTS[kind])
    _participant(message, Peer(source.ae_title, source.host), process=source.process)
    if peer.ae_title or peer.address:
        _participant(message, peer, requestor=True)
    _reported(message, source)
    about = _object(message, source.ae_title, _NODE, kind="2", role="13")
    ET.SubElement(about, "ParticipantObjectName").text = _told(source.host)
    ET.SubElement(about, "ParticipantObjectDetail", type="Alert Description", value=_base64(text[:TEXT_LIMIT]))
    return message


def serialised(message: ET.Element) -> str:
    """The message as one line of XML."""
    return ET.tostring(message, encoding="unicode").replace("\n", "&#10;")


def _message(event: Code, action: Action, *, success: bool, kind: Code | None = None) -> ET.Element:
    message = ET.Element("AuditMessage")
    when = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    # "Serious failure: action terminated", A.5.2; we know of no partial ones
    outcome = "0" if success else "8"
    identification = ET.SubElement(
        message,
        "EventIdentification",
        EventActionCode=action,
        EventDateTime=when,
        EventOutcomeIndicator=outcome,
    )
    _coded(identification, "EventID", event)
    if kind is not None:
        _coded(identification, "EventTypeCode", kind)
    return message


def _ends(message: ET.Element, source: Source, direction: Direction, peer: Peer) -> None:
    """The process that sends and the process that receives. Whoever opened the association asked for it."""
    us = Peer(source.ae_title, source.host)
    sender, receiver = (us, peer) if direction == "out" else (peer, us)
    for end, role in ((sender, _SOURCE), (receiver, _DESTINATION)):
        _participant(message, end, role, process=source.process if end is us else "", requestor=end is sender)


def _participant(
    message: ET.Element, peer: Peer, role: Code | None = None, *, process: str = "", requestor: bool = False
) -> None:
    participant = ET.SubElement(
        message,
        "ActiveParticipant",
        UserID=_told(peer.ae_title) or _told(peer.address) or "unknown",
        UserIsRequestor="true" if requestor else "false",
    )
    if process:
        participant.set("AlternativeUserID", process)
    if peer.address:
        participant.set("NetworkAccessPointID", _told(peer.address))
        participant.set("NetworkAccessPointTypeCode", "2" if _is_ip(peer.address) else "1")
    if role is not None:
        _coded(participant, "RoleIDCode", role)


def _reported(message: ET.Element, source: Source) -> ET.Element:
    """Add the audit source; participants come before it and objects behind it."""
    told = ET.SubElement(message, "AuditSourceIdentification", AuditSourceID=f"{source.ae_title}@{source.host}")
    if source.site:
        told.set("AuditEnterpriseSiteID", _told(source.site))
    ET.SubElement(told, "AuditSourceTypeCode", {"csd-code": "4"})  # application server process
    return message


def _about(message: ET.Element, study: Study) -> ET.Element:
    """Add the study with its SOP classes, and its patient."""
    about = _object(message, study.study_instance_uid, _STUDY, kind="2", role="3")
    ET.SubElement(about, "ParticipantObjectName").text = "study"
    if study.sop_classes:
        described = ET.SubElement(about, "ParticipantObjectDescription")
        for uid, number in sorted(study.sop_classes.items()):
            ET.SubElement(described, "SOPClass", UID=_told(uid), NumberOfInstances=str(number))
    patient = _object(message, study.patient, _PATIENT, kind="1", role="1")
    ET.SubElement(patient, "ParticipantObjectName").text = "withheld"
    return message


def _object(message: ET.Element, identifier: str, type_code: Code, *, kind: str, role: str) -> ET.Element:
    about = ET.SubElement(
        message,
        "ParticipantObjectIdentification",
        ParticipantObjectID=_told(identifier) or "unknown",
        ParticipantObjectTypeCode=kind,
        ParticipantObjectTypeCodeRole=role,
    )
    _coded(about, "ParticipantObjectIDTypeCode", type_code)
    return about


def _coded(parent: ET.Element, name: str, code: Code) -> None:
    value, scheme, meaning = code
    ET.SubElement(parent, name, {"csd-code": value, "codeSystemName": scheme, "originalText": meaning})


def _told(text: str) -> str:
    """What a peer says of itself, without characters that XML cannot hold."""
    return " ".join(_NOT_XML.sub("?", str(text))[:TEXT_LIMIT].split())


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "backslashreplace")).decode()


def _is_ip(address: str) -> bool:
    try:
        ip_address(address)
    except ValueError:
        return False
    return True
