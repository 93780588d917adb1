"""DICOM files (PS3.10) as bytes: put together around a data set that is not touched, and taken apart again."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from io import BytesIO
from typing import BinaryIO

from pydicom import config
from pydicom.dataset import Dataset
from pydicom.filereader import _read_file_meta_info, dcmread, read_preamble
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from numbering.dicom.broken import BROKEN_DICOM
from numbering.uids import IMPLEMENTATION_CLASS_UID

# pydicom's warnings about odd values quote the values, a patient's name among them: reading says nothing.
config.settings.reading_validation_mode = config.IGNORE

IMPLEMENTATION_VERSION_NAME = "NUMBERING"
PREAMBLE = b"\0" * 128 + b"DICM"
DEFLATED = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})
"""Transfer syntaxes whose data set is deflated as a whole (PS3.5 A.5, A.7, A.11)."""
INFLATED_LIMIT = 2**30
"""Bytes that a deflated data set may grow to; more is taken for an attack. A whole-spine film has 10⁸."""
PIECE = 2**20
"""Bytes that are looked at together."""


@dataclass(frozen=True)
class Part10:
    """A file taken apart: its transfer syntax and the data set's bytes as encoded.

    What the file meta information calls the object (empty when it does not) has no part in comparisons.
    """

    transfer_syntax: str
    data_set: bytes
    sop_class: str = field(default="", compare=False)
    sop_instance: str = field(default="", compare=False)


def compose(*, sop_class: str, sop_instance: str, transfer_syntax: str, source_ae_title: str, data_set: bytes) -> bytes:
    """The bytes of a whole file: preamble, file meta information (PS3.10 7.1) and the data set exactly as given."""
    return preface(sop_class, sop_instance, transfer_syntax, source_ae_title) + data_set


def preface(sop_class: str, sop_instance: str, transfer_syntax: str, source_ae_title: str) -> bytes:
    """What a file has before its data set: preamble and file meta information (PS3.10 7.1).

    Put together by hand, because every object that comes in gets one.
    """
    title = source_ae_title.strip()
    elements = (
        b"\x02\x00\x01\x00OB\x00\x00\x02\x00\x00\x00\x00\x01",
        _meta_element(0x0002, b"UI", sop_class, b"\0"),
        _meta_element(0x0003, b"UI", sop_instance, b"\0"),
        _meta_element(0x0010, b"UI", transfer_syntax, b"\0"),
        _meta_element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID, b"\0"),
        _meta_element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME, b" "),
        _meta_element(0x0016, b"AE", title, b" ") if title else b"",
    )
    body = b"".join(elements)
    return PREAMBLE + b"\x02\x00\x00\x00UL\x04\x00" + len(body).to_bytes(4, "little") + body


def _meta_element(element: int, vr: bytes, value: str, padding: bytes) -> bytes:
    encoded = value.encode("ascii", "replace")
    encoded += padding * (len(encoded) % 2)
    return b"\x02\x00" + element.to_bytes(2, "little") + vr + len(encoded).to_bytes(2, "little") + encoded


def split(data: bytes) -> Part10:
    """Take a whole file apart; ``ValueError`` when it does not begin as a DICOM file does."""
    if data[128:132] != b"DICM" or data[132:140] != b"\x02\x00\x00\x00UL\x04\x00":
        raise ValueError("expected a preamble, DICM and the file meta information's group length (PS3.10 7.1)")
    end = 144 + int.from_bytes(data[140:144], "little")
    try:
        meta = dcmread(BytesIO(data[:end]), force=True).file_meta
        return Part10(
            str(meta.TransferSyntaxUID),
            data[end:],
            str(meta.get("MediaStorageSOPClassUID") or ""),
            str(meta.get("MediaStorageSOPInstanceUID") or ""),
        )
    except BROKEN_DICOM:  # pydicom's messages quote what they dislike
        raise ValueError("the file meta information cannot be parsed (PS3.10 7.1)") from None


def refuse_bomb(file: BinaryIO) -> None:
    """``ValueError`` when a file is deflated and broken, or grows beyond `INFLATED_LIMIT`.

    pydicom does not look at that. Counts without keeping what comes out; reads from the beginning and returns there.
    """
    read_preamble(file, force=True)
    syntax = _read_file_meta_info(file).get("TransferSyntaxUID")
    if syntax in DEFLATED:
        _count_inflated(file)
    file.seek(0)


def _count_inflated(file: BinaryIO) -> None:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    size = 0
    while data := inflater.unconsumed_tail or file.read(PIECE):
        try:
            size += len(inflater.decompress(data, PIECE))
        except zlib.error:
            raise ValueError("the deflated data set is broken") from None
        if size > INFLATED_LIMIT:
            raise ValueError(f"the deflated data set grows beyond {INFLATED_LIMIT} bytes")


def parse(data: bytes) -> Dataset:
    """The data set of a file with its pixel data, values converted only when they are asked for.

    The preamble and the meta information may be missing (PS3.10 7 demands them) where there is a SOP Class UID.
    Raises one of ``BROKEN_DICOM``.
    """
    file = BytesIO(data)
    refuse_bomb(file)
    ds = dcmread(file, force=True)
    if "SOPClassUID" not in ds:
        raise ValueError("no SOP Class UID (0008,0016)")
    return _with_transfer_syntax(ds)


def _with_transfer_syntax(ds: Dataset) -> Dataset:
    """Fill in the transfer syntax that a file without meta information was read in."""
    if "TransferSyntaxUID" not in ds.file_meta:
        implicit, little = ds.original_encoding
        plain = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else plain
    return ds
