"""The UIDs in the head of a data set, and the commands of C-STORE: read by hand, so held against pydicom."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pynetdicom.dimse_messages import C_STORE_RSP
from pynetdicom.dsutils import decode, encode

from numbering.dicom.incoming import head
from numbering.dicom.incoming.accept import CANNOT_UNDERSTAND, RefusedError, identifiers
from numbering.dicom.incoming.command import StoreRequest, store_request, store_response

IMPLICIT, EXPLICIT, BIG, DEFLATED = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
)
UIDS = {head.SOP_CLASS: "1.2.3", head.SOP_INSTANCE: "1.2.3.4", head.STUDY: "1.5", head.SERIES: "1.5.6.77"}


def data_set(syntax: str, *, undefined: bool = False, before: int = 0) -> bytes:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID, ds.StudyInstanceUID, ds.SeriesInstanceUID = UIDS.values()
    inner, item = Dataset(), Dataset()
    inner.SOPInstanceUID = "9.9.9"  # not ours: it is of another object
    item.ReferencedSOPSequence = [inner]
    item.SOPClassUID = "9.9"
    ds.ReferencedStudySequence = [item, Dataset()]
    ds.add_new(0x00091001, "OB", bytes(before))
    ds.PatientName, ds.PatientComments, ds.PixelData = "A^B", "x" * 300, b"\0" * 64
    ds["PixelData"].VR = "OW"
    for sequence in (ds["ReferencedStudySequence"], item["ReferencedSOPSequence"]):
        sequence.is_undefined_length = undefined
        for each in sequence.value:
            each.is_undefined_length_sequence_item = undefined
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = syntax != BIG, syntax == IMPLICIT
    write_dataset(out, ds)
    return out.getvalue()


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG])
def test_the_uids_of_the_outermost_level_are_found(syntax: str, undefined: bool) -> None:
    assert head.uids(data_set(syntax, undefined=undefined), syntax, whole=True) == UIDS


def test_the_other_representation_than_was_said_is_read_too() -> None:
    assert head.uids(data_set(EXPLICIT), IMPLICIT, whole=True) == UIDS
    assert head.uids(data_set(IMPLICIT), EXPLICIT, whole=True) == UIDS


def test_more_is_asked_for_until_the_uids_are_there() -> None:
    data = data_set(EXPLICIT, before=100_000)
    with pytest.raises(head.CutShort):
        head.uids(data[:65536], EXPLICIT, whole=False)
    found = identifiers(data, EXPLICIT, sop_class="1.2.3", sop_instance="1.2.3.4")
    assert (found.study, found.series) == ("1.5", "1.5.6.77")


def test_a_deflated_head_is_inflated_no_further_than_needed() -> None:
    bomb = data_set(EXPLICIT) + bytes(2**28)
    packer = zlib.compressobj(9, wbits=-15)
    deflated = packer.compress(bomb) + packer.flush()
    del bomb
    tracemalloc.start()
    found = identifiers(deflated, DEFLATED, sop_class="1.2.3", sop_instance="1.2.3.4")
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()
    assert found.series == "1.5.6.77"


def test_a_bomb_before_the_uids_is_refused_within_bounds() -> None:
    packer = zlib.compressobj(9, wbits=-15)
    unit = struct.pack("<HH2sHL", 0x0008, 0x0005, b"UN", 0, 2**28)
    deflated = packer.compress(unit + bytes(2**28)) + packer.flush()
    tracemalloc.start()
    with pytest.raises(RefusedError) as refused:
        identifiers(deflated, DEFLATED, sop_class="1.2.3", sop_instance="1.2.3.4")
    assert tracemalloc.get_traced_memory()[1] < 2**27
    tracemalloc.stop()
    assert refused.value.status == CANNOT_UNDERSTAND


def test_items_within_items_without_end_are_refused() -> None:
    deep = struct.pack("<HHL", 0x0008, 0x1110, 0xFFFFFFFF)
    nested = deep + (struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF) + deep) * 100_000
    with pytest.raises(RefusedError):
        identifiers(nested, IMPLICIT, sop_class="1.2.3", sop_instance="1.2.3.4")


@given(st.binary(max_size=400), st.sampled_from([IMPLICIT, EXPLICIT, BIG, DEFLATED]), st.integers(0, 400))
def test_whatever_comes_it_is_found_or_refused(noise: bytes, syntax: str, cut: int) -> None:
    for data in (noise, data_set(EXPLICIT)[:cut] + noise, data_set(IMPLICIT)[:cut] + noise):
        statuses = []
        try:
            identifiers(data, syntax, sop_class="1.2.3", sop_instance="1.2.3.4")
        except RefusedError as refused:
            statuses.append(refused.status)
        assert set(statuses) <= {CANNOT_UNDERSTAND, 0xA900, 0xC001}


def test_a_store_request_is_read_as_pynetdicom_reads_it() -> None:
    command = Dataset()
    command.AffectedSOPClassUID, command.CommandField, command.MessageID = "1.2.3", 1, 77
    command.Priority, command.CommandDataSetType, command.AffectedSOPInstanceUID = 0, 1, "1.2.3.45"
    encoded = encode(command, True, True)
    assert encoded is not None
    assert store_request(encoded) == StoreRequest(77, "1.2.3", "1.2.3.45", True)
    command.CommandField = 0x30
    assert store_request(encode(command, True, True) or b"") is None


@given(st.binary(max_size=200))
def test_what_is_no_store_request_is_none(noise: bytes) -> None:
    assert store_request(noise) is None


@pytest.mark.parametrize("comment", ["", "Why it is so", "odd"])
def test_a_response_says_to_pynetdicom_what_it_should(comment: str) -> None:
    response = decode(BytesIO(store_response(StoreRequest(77, "1.2.3", "1.2.3.45", True), 0xA700, comment)), True, True)
    assert (response.CommandField, response.MessageIDBeingRespondedTo) == (0x8001, 77)
    assert (response.Status, response.CommandDataSetType) == (0xA700, 0x0101)
    assert (response.AffectedSOPClassUID, response.AffectedSOPInstanceUID) == ("1.2.3", "1.2.3.45")
    assert response.get("ErrorComment", "") == comment
    message = C_STORE_RSP()
    message.command_set = response
    assert message.message_to_primitive().Status == 0xA700


def test_the_data_sets_here_are_as_pydicom_writes_them(tmp_path: Path) -> None:
    assert decode(BytesIO(data_set(IMPLICIT, undefined=True)), True, True).SeriesInstanceUID == "1.5.6.77"
