"""``docs/conformance.md``: prose by hand, tables from the code's own lists.

A table stands between ``<!-- table NAME -->`` and ``<!-- end -->``; `make docs` writes it anew. What a constant means
is said here, and one without a meaning stops the generation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType

from pydicom.uid import UID

from numbering.anatomy import Level
from numbering.dicom.incoming import accept, announce, receive
from numbering.dicom.incoming.access import Refusal
from numbering.dicom.objects import codes
from numbering.dicom.objects.header import PATIENT_AND_STUDY_TYPE_2, PATIENT_AND_STUDY_TYPE_3
from numbering.dicom.outgoing import commitment
from numbering.dicom.part10 import IMPLEMENTATION_VERSION_NAME
from numbering.dicom.priors.dimse import GET_CLASSES, GET_SYNTAXES
from numbering.settings import Settings
from numbering.uids import IMPLEMENTATION_CLASS_UID
from numbering.web.app import application

PAGE = Path(__file__).parent.parent / "docs" / "conformance.md"
STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"
_TABLE = re.compile(r"(<!-- table (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_NAMES = {
    accept.LABEL_MAP_SEGMENTATION: "Label Map Segmentation Storage",
    announce.INSTANCE_AVAILABILITY: "Instance Availability Notification",
}
"""SOP classes that pydicom does not name, or names otherwise."""

_NO_STATUS = re.compile("REQUEST|ALL_COMMITTED|FAILURES_EXIST|LARGEST_.*|.*_BYTES")
_STORAGE_MEANINGS = {
    "SUCCESS": ("Success", "The object is durable on disk (file and folder synced). The sender may delete its own."),
    "OTHER_PICTURE": (
        "Warning",
        "A known SOP Instance UID with other pixels or geometry: kept in quarantine, the first stays as it was.",
    ),
    "PROCESSING_FAILURE": ("Failure", "STOW-RS: the object cannot be processed."),
    "SOP_CLASS_NOT_SUPPORTED": (
        "Failure",
        "A SOP class that is not listed above, by C-STORE in whatever presentation context.",
    ),
    "OUT_OF_RESOURCES": (
        "Failure",
        "Too little free disk, a disk that fails, or an object larger than the settings allow. Send again later.",
    ),
    "DOES_NOT_MATCH": ("Failure", "SOP class or instance UID differs between command (or file meta) and data set."),
    "CANNOT_UNDERSTAND": ("Failure", "The data set does not parse in its transfer syntax."),
    "INVALID_IDENTIFIER": ("Failure", "A Study, Series or SOP Instance UID is missing or no UID (PS3.5 9.1)."),
    "TRANSFER_SYNTAX_NOT_SUPPORTED": ("Failure", "STOW-RS: a transfer syntax that is not listed above."),
    "OTHER_STUDY": ("Failure", "STOW-RS: the object is of another study than the URL names."),
}
_ANNOUNCE_MEANINGS = {
    "SUCCESS": "The announcement is durable on disk.",
    "INVALID_VALUE": "An attribute has a value that is not allowed.",
    "PROCESSING_FAILURE": "The data set does not parse.",
    "DUPLICATE_INSTANCE": "A performed procedure step of this UID exists.",
    "NO_SUCH_INSTANCE": "N-SET of a performed procedure step that was never created here.",
    "MISSING_ATTRIBUTE": "An attribute without which nothing can be announced is missing.",
    "RESOURCE_LIMITATION": "Too little free disk, a disk that fails, or an announcement that is too large.",
    "MAY_NO_LONGER_BE_UPDATED": "Not a status: the error ID beside 0110 when the step has ended (PS3.4 table F.7.2-3).",
}
_COMMITMENT_MEANINGS = {
    "SUCCESS": "The answer is durable on disk.",
    "PROCESSING_FAILURE": "Nobody asked under this transaction UID, or the disk fails.",
    "NO_SUCH_INSTANCE": "Not the well-known SOP instance of the push model.",
    "NO_SUCH_EVENT_TYPE": "An event type other than 1 and 2.",
    "INVALID_ARGUMENT": "The answer does not parse, or names too many instances.",
}
_REFUSAL_MEANINGS = {
    Refusal.CALLED_AE_TITLE: "called AE title not recognised",
    Refusal.CALLING_AE_TITLE: "calling AE title not recognised",
    Refusal.ADDRESS: "the title is known, not from this address",
    Refusal.TOO_MANY: "as many associations are open as the settings allow",
    Refusal.TOO_MANY_OF_PEER: "as many of this address are open",
    Refusal.NO_SLOT: "the count of open associations cannot be kept",
}
_RESULTS = {1: "permanent", 2: "transient"}


def conformance_statement() -> str:
    """The page as it stands, with every table as the code has it; ``KeyError`` for a table that nobody makes."""
    return _TABLE.sub(lambda found: f"{found[1]}{TABLES[found['name']]()}{found[3]}", PAGE.read_text())


def _table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    lines = [list(heads), *(list(map(str, row)) for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _name(uid: str) -> str:
    return _NAMES.get(uid) or str(UID(uid).name)


def _named(uids: Iterable[str]) -> list[tuple[str, str]]:
    return [(_name(uid), f"`{uid}`") for uid in uids]


def _identity() -> str:
    default = {name: field.default for name, field in Settings.model_fields.items()}
    rows = [
        ("AE title", f"`{default['ae_title']}`", "`ae_title`"),
        ("Port", default["port"], "`port`, `dicom_tls_port`"),
        ("Implementation class UID", f"`{IMPLEMENTATION_CLASS_UID}`", ""),
        ("Implementation version name", f"`{IMPLEMENTATION_VERSION_NAME}`", ""),
        ("Application context name", "`1.2.840.10008.3.1.1.1`", ""),
        ("Largest PDU taken, bytes", default["maximum_pdu_bytes"], "`maximum_pdu_bytes`"),
        ("Associations at once", default["maximum_associations"], "`maximum_associations`"),
        ("Of these from one address", default["maximum_associations_per_peer"], "`maximum_associations_per_peer`"),
        ("Largest object, MiB", default["maximum_object_mib"], "`maximum_object_mib`"),
        ("ARTIM timer, s", f"{default['artim_seconds']:g}", "`artim_seconds`"),
        ("Idle association aborted after, s", f"{default['idle_seconds']:g}", "`idle_seconds`"),
        ("Asynchronous operations window", "1 invoked, 1 performed", ""),
    ]
    return _table(("what", "value by default", "setting"), rows)


def _other_contexts() -> str:
    roles = {STORAGE_COMMITMENT: "SCU, on an association that the peer requests: SCP role selected"}
    rows = [
        (_name(sop_class), f"`{sop_class}`", roles.get(sop_class, "SCP"), ", ".join(map(_name, syntaxes)))
        for sop_class, syntaxes in receive.contexts()
        if sop_class not in accept.STORAGE_CLASSES
    ]
    return _table(("SOP class", "UID", "our role", "transfer syntaxes"), rows)


def _statuses(module: ModuleType, meanings: Mapping[str, object]) -> list[tuple[str, object]]:
    """Code and meaning of each status that a module has; ``LookupError`` names those of which nothing is said."""
    numbers = {name for name, value in vars(module).items() if name.isupper() and type(value) is int}
    found = {name for name in numbers if not _NO_STATUS.fullmatch(name)}
    if found != set(meanings):
        raise LookupError(f"{module.__name__}: say in tools/conformance.py what is meant: {found ^ set(meanings)}")
    return sorted((f"{vars(module)[name]:04X}", meaning) for name, meaning in meanings.items())


def _storage_statuses() -> str:
    rows = [(code, *meaning) for code, meaning in _statuses(accept, _STORAGE_MEANINGS) if isinstance(meaning, tuple)]
    return _table(("status", "kind", "meaning"), rows)


def _refusals() -> str:
    rows = []
    for refusal in Refusal:
        result, source, reason = refusal.as_sent
        rows.append((_RESULTS[result], source, reason, _REFUSAL_MEANINGS[refusal]))
    return _table(("result", "source", "reason", "when"), rows)


def _routes() -> str:
    paths: Mapping[str, Mapping[str, Mapping[str, str]]] = application().openapi()["paths"]
    rows = [
        (f"`{method.upper()} {path}`", told.get("description", ""))
        for path, methods in paths.items()
        for method, told in methods.items()
    ]
    return _table(("request", "does"), rows)


def _codes() -> str:
    return _table(("code", "meaning"), ((f"`{code.value}`", code.meaning) for code in codes.local_codes()))


def _standard_codes() -> str:
    vertebrae = [code for code in map(codes.vertebra, Level) if code.scheme_designator != codes.SCHEME]
    return _table(("SNOMED CT", "meaning"), ((f"`{code.value}`", code.meaning) for code in vertebrae))


def _copied() -> str:
    rows = [
        ("always, empty where the source has none", ", ".join(PATIENT_AND_STUDY_TYPE_2)),
        ("where the source has them", ", ".join(PATIENT_AND_STUDY_TYPE_3)),
    ]
    return _table(("copied", "attributes"), rows)


TABLES: Mapping[str, Callable[[], str]] = {
    "identity": _identity,
    "other-contexts": _other_contexts,
    "storage-classes": lambda: _table(("SOP class", "UID"), _named(map(str, accept.STORAGE_CLASSES))),
    "transfer-syntaxes": lambda: _table(("transfer syntax", "UID"), _named(map(str, accept.TRANSFER_SYNTAXES))),
    "storage-statuses": _storage_statuses,
    "announce-statuses": lambda: _table(("status", "meaning"), _statuses(announce, _ANNOUNCE_MEANINGS)),
    "commitment-statuses": lambda: _table(("status", "meaning"), _statuses(commitment, _COMMITMENT_MEANINGS)),
    "refusals": _refusals,
    "get-classes": lambda: _table(("SOP class", "UID"), _named(map(str, GET_CLASSES))),
    "get-syntaxes": lambda: _table(("transfer syntax", "UID"), _named(map(str, GET_SYNTAXES))),
    "routes": _routes,
    "copied": _copied,
    "codes": _codes,
    "standard-codes": _standard_codes,
}
