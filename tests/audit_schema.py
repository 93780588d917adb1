"""The audit message's schema (PS3.15 A.5.1), in our own words: for each element its attributes and children."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from xml.etree import ElementTree as ET

Check = Callable[[str], bool]


def one_of(*values: str) -> Check:
    return lambda value: value in values


def token(value: str) -> bool:
    """XML Schema's token: no line breaks or tabs, no spaces at the ends or in a row."""
    return value == " ".join(value.split())


def moment(value: str) -> bool:
    return datetime.fromisoformat(value).tzinfo is not None


def base_64(value: str) -> bool:
    return base64.b64encode(base64.b64decode(value, validate=True)).decode() == value


def number(value: str) -> bool:
    return re.fullmatch(r"\d+", value) is not None


def anything(value: str) -> bool:
    return True


@dataclass(frozen=True)
class Element:
    """Attributes (a name with ``?`` may be missing), children in their order with how often each comes, and text."""

    attributes: Mapping[str, Check] = field(default_factory=dict)
    children: tuple[tuple[str, str], ...] = ()
    text: Check | None = None


CODED = Element({"csd-code": token, "codeSystemName": token, "displayName?": token, "originalText": token})
BOOLEAN = one_of("true", "false", "0", "1")

SCHEMA: Mapping[str, Element] = {
    "AuditMessage": Element(
        children=(
            ("EventIdentification", "1"),
            ("ActiveParticipant", "+"),
            ("AuditSourceIdentification", "1"),
            ("ParticipantObjectIdentification", "*"),
        )
    ),
    "EventIdentification": Element(
        {
            "EventActionCode?": one_of("C", "R", "U", "D", "E"),
            "EventDateTime": moment,
            "EventOutcomeIndicator": one_of("0", "4", "8", "12"),
        },
        (("EventID", "1"), ("EventTypeCode", "*"), ("EventOutcomeDescription", "?")),
    ),
    "EventID": CODED,
    "EventTypeCode": CODED,
    "ActiveParticipant": Element(
        {
            "UserID": anything,
            "AlternativeUserID?": anything,
            "UserName?": anything,
            "UserIsRequestor": BOOLEAN,
            "NetworkAccessPointID?": token,
            "NetworkAccessPointTypeCode?": one_of("1", "2", "3", "4", "5"),
        },
        (("RoleIDCode", "*"), ("MediaIdentifier", "?")),
    ),
    "RoleIDCode": CODED,
    "AuditSourceIdentification": Element(
        {"AuditEnterpriseSiteID?": token, "AuditSourceID": token}, (("AuditSourceTypeCode", "*"),)
    ),
    "AuditSourceTypeCode": Element(
        {"csd-code": one_of(*"123456789"), "codeSystemName?": token, "displayName?": token, "originalText?": token}
    ),
    "ParticipantObjectIdentification": Element(
        {
            "ParticipantObjectID": token,
            "ParticipantObjectTypeCode?": one_of("1", "2", "3", "4"),
            "ParticipantObjectTypeCodeRole?": one_of(*map(str, range(1, 27))),
            "ParticipantObjectDataLifeCycle?": one_of(*map(str, range(1, 16))),
            "ParticipantObjectSensitivity?": token,
        },
        (
            ("ParticipantObjectIDTypeCode", "1"),
            ("ParticipantObjectName|ParticipantObjectQuery", "1"),
            ("ParticipantObjectDetail", "*"),
            ("ParticipantObjectDescription", "*"),
        ),
    ),
    "ParticipantObjectIDTypeCode": CODED,
    "ParticipantObjectName": Element(text=token),
    "ParticipantObjectQuery": Element(text=base_64),
    "ParticipantObjectDetail": Element({"type": token, "value": base_64}),
    "ParticipantObjectDescription": Element(children=(("SOPClass", "*"),)),
    "SOPClass": Element({"UID?": token, "NumberOfInstances": number}, (("Instance", "*"),)),
}

_TIMES = {"1": range(1, 2), "?": range(2), "+": range(1, 10_000), "*": range(10_000)}


def faults(element: ET.Element) -> list[str]:
    """What is wrong with a message; empty when it obeys the schema."""
    rule = SCHEMA.get(element.tag)
    if rule is None:
        return [f"no element {element.tag}"]
    found = [*_attribute_faults(element, rule), *_child_faults(element, rule)]
    text = (element.text or "").strip()
    if bool(text) != (rule.text is not None) or (rule.text is not None and not rule.text(text)):
        found.append(f"{element.tag}: text {text!r}")
    return found + [fault for child in element for fault in faults(child)]


def _attribute_faults(element: ET.Element, rule: Element) -> list[str]:
    known = {name.rstrip("?"): check for name, check in rule.attributes.items()}
    needed = {name for name in rule.attributes if not name.endswith("?")}
    wrong = [f"{element.tag}: {name}={value!r}" for name, value in element.items() if not known.get(name, bool)(value)]
    unknown = [f"{element.tag}: no attribute {name}" for name in element.keys() - known.keys()]
    return wrong + unknown + [f"{element.tag}: {name} is missing" for name in needed - set(element.keys())]


def _child_faults(element: ET.Element, rule: Element) -> list[str]:
    names = [child.tag for child in element]
    found, position = [], 0
    for choice, times in rule.children:
        begin = position
        while position < len(names) and names[position] in choice.split("|"):
            position += 1
        if position - begin not in _TIMES[times]:
            found.append(f"{element.tag}: {choice} {position - begin} times")
    return found + [f"{element.tag}: {name} is out of place" for name in names[position:]]
