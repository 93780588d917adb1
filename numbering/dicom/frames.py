"""Single frames of multi-frame objects, read from the file without the others.

An Enhanced CT of 2,000 slices is a gigabyte: what is kept of it is a small header and where its frames begin.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID

from numbering.dicom.part10 import DEFLATED, parse, refuse_bomb

PIXEL_DATA = Tag("PixelData")
UNDEFINED_LENGTH = 0xFFFFFFFF
_PIXEL_MODULE = (
    "SOPClassUID",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "RescaleSlope",
    "RescaleIntercept",
    "ModalityLUTSequence",
)


@dataclass(frozen=True)
class _Layout:
    """Where the pixel data of a file begins (after tag, VR and length), and how it is encoded."""

    position: int
    length: int
    transfer_syntax: UID


class FrameFile:
    """A multi-frame object on disk. Raises one of ``BROKEN_DICOM`` where it is damaged.

    A deflated object is inflated as a whole for each frame: there is no way into its middle.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as file:
            refuse_bomb(file)
            header = read_partial(file, stop_when=_at_pixels, force=True)
            self._layout = _layout(file, header)
        self._frames = int(header.get("NumberOfFrames") or 1)
        self._head = _pixel_module(header)
        self._rescale = [_rescale(header, number) for number in range(self._frames)]

    def dataset(self, frame: int) -> Dataset:
        """One frame (from 1) as an object of its own that has only what decoding needs."""
        if not 1 <= frame <= self._frames:
            raise ValueError(f"frame {frame} of {self._frames}")
        ds = Dataset(self._head)
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = self._layout.transfer_syntax
        ds.NumberOfFrames = 1
        if rescale := self._rescale[frame - 1]:
            ds.RescaleSlope, ds.RescaleIntercept = rescale
        encapsulated = self._layout.length == UNDEFINED_LENGTH
        data = self._encapsulated(frame - 1) if encapsulated else self._native(frame - 1)
        ds.add_new(PIXEL_DATA, "OB" if encapsulated or ds.BitsAllocated <= 8 else "OW", data)
        ds["PixelData"].is_undefined_length = encapsulated
        return ds

    def _native(self, index: int) -> bytes:
        head = self._head
        size, odd = divmod(head.Rows * head.Columns * head.SamplesPerPixel * head.BitsAllocated, 8)
        if odd or head.BitsAllocated % 8:
            raise ValueError(f"{head.BitsAllocated} bits allocated: expected whole bytes")
        if self._layout.transfer_syntax in DEFLATED:
            return bytes(parse(self._path.read_bytes()).PixelData[index * size : (index + 1) * size])
        if (index + 1) * size > self._layout.length:
            raise ValueError("the pixel data is shorter than the frames that it should hold")
        with self._path.open("rb") as file:
            file.seek(self._layout.position + index * size)
            return file.read(size)

    def _encapsulated(self, index: int) -> bytes:
        with self._path.open("rb") as file:
            file.seek(self._layout.position)
            frame = get_frame(file, index, number_of_frames=self._frames)
        return encapsulate([frame])


def _at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag == PIXEL_DATA


def _layout(file: BinaryIO, header: Dataset) -> _Layout:
    """The file stands at the pixel data's tag; a deflated one was read through, and has no place in the file."""
    implicit, little = header.original_encoding
    syntax = UID(str(header.file_meta.TransferSyntaxUID))
    if syntax in DEFLATED:
        return _Layout(0, 0, syntax)
    order = "<" if little else ">"
    group, element = struct.unpack(f"{order}HH", file.read(4))
    if (group, element) != (PIXEL_DATA.group, PIXEL_DATA.element):
        raise ValueError("no pixel data")
    if not implicit:
        file.read(4)  # VR (OB or OW) and two reserved bytes (PS3.5 7.1.2)
    (length,) = struct.unpack(f"{order}L", file.read(4))
    return _Layout(file.tell(), length, syntax)


def _pixel_module(header: Dataset) -> Dataset:
    head = Dataset()
    for keyword in _PIXEL_MODULE:
        if keyword in header:
            head[keyword] = header[keyword]
    head.SamplesPerPixel = head.get("SamplesPerPixel") or 1
    return head


def _rescale(header: Dataset, index: int) -> tuple[str, str] | None:
    """Slope and intercept of this frame, or those that all share (PS3.3 C.7.6.16.2.9)."""
    frames = header.get("PerFrameFunctionalGroupsSequence") or []
    for group in (*frames[index : index + 1], *(header.get("SharedFunctionalGroupsSequence") or [])):
        for item in group.get("PixelValueTransformationSequence") or []:
            return str(item.RescaleSlope), str(item.RescaleIntercept)
    return None
