"""The conformance statement says what the code does: tables, codes in real objects, and what a peer is answered."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from numbering.dicom.incoming import accept, announce, receive
from numbering.dicom.incoming.receive import start_receiver
from numbering.dicom.incoming.spool import Spool
from numbering.dicom.objects import codes
from numbering.dicom.objects.encode import encode
from numbering.dicom.outgoing import commitment
from numbering.result import Findings
from numbering.settings import Settings
from tests.films import make_film
from tests.results import abstained, numbered, result_of, source_of
from tools import conformance

PAGE = conformance.PAGE.read_text()


def test_every_table_stands_in_the_page_and_is_current() -> None:
    assert set(re.findall(r"<!-- table ([\w-]+) -->", PAGE)) == set(conformance.TABLES)
    assert conformance.conformance_statement() == PAGE, "run `make docs`"


def test_a_table_that_differs_from_the_code_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = tmp_path / "conformance.md"
    page.write_text(PAGE.replace("| A700 |", "| A701 |", 1))
    monkeypatch.setattr(conformance, "PAGE", page)
    assert conformance.conformance_statement() == PAGE


@pytest.mark.parametrize("module", [accept, announce, commitment], ids=lambda module: module.__name__)
def test_a_status_of_which_nothing_is_said_stops_the_generation(
    module: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "A_NEW_STATUS", 0x0199, raising=False)
    with pytest.raises(LookupError, match="A_NEW_STATUS"):
        conformance.conformance_statement()


def test_every_service_of_the_port_stands_in_the_page() -> None:
    for sop_class, syntaxes in receive.contexts():
        assert f"`{sop_class}`" in PAGE
        assert set(syntaxes) == set(accept.TRANSFER_SYNTAXES) or sop_class not in accept.STORAGE_CLASSES


def codes_in(ds: Dataset) -> Iterator[tuple[str, str]]:
    for element in ds:
        if element.VR == "SQ":
            for item in element.value:
                yield from codes_in(item)
    if "CodingSchemeDesignator" in ds and "CodeValue" in ds:
        yield str(ds.CodingSchemeDesignator), str(ds.CodeValue)


@pytest.mark.parametrize("findings", [numbered, abstained])
def test_every_code_and_class_of_a_real_report_stands_in_the_page(
    findings: Callable[[str], Findings], tmp_path: Path
) -> None:
    film = make_film(tmp_path / "film.dcm")
    uid = source_of(film).sop_instance_uid
    written = encode(result_of([film], findings(uid)), {uid: film})
    own = {value for ds in written for scheme, value in codes_in(ds) if scheme == codes.SCHEME}
    assert own
    for value in own:
        assert f"| `{value}` |" in PAGE
    for ds in written:
        assert f"`{ds.SOPClassUID}` | Explicit VR Little Endian" in PAGE


def test_a_peer_finds_what_the_page_says(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, port=0)
    receiver = start_receiver(settings, Spool(settings.spool))
    try:
        ae = AE("PEER")
        for sop_class in accept.STORAGE_CLASSES:
            ae.add_requested_context(sop_class, "1.2.840.10008.1.2.1")
        ae.add_requested_context(Verification)
        ae.add_requested_context("1.2.840.10008.5.1.4.1.2.2.1")  # C-FIND, which the page says is not served
        assoc = ae.associate("127.0.0.1", receiver.port, ae_title="NUMBERING")
        taken = {str(context.abstract_syntax) for context in assoc.accepted_contexts}
        told = assoc.acceptor
        assert taken == {*map(str, accept.STORAGE_CLASSES), str(Verification)}
        assert f"`{told.implementation_class_uid}`" in PAGE
        assert f"| Largest PDU taken, bytes | {told.maximum_length} |" in PAGE
        assoc.release()
        wrong = ae.associate("127.0.0.1", receiver.port, ae_title="OTHER")
        answer = wrong.acceptor.primitive
        assert answer is not None
        row = f"| permanent | {answer.result_source} | {answer.diagnostic} | called AE title not recognised |"
        assert (answer.result, row in PAGE) == (1, True)
    finally:
        receiver.stop()
