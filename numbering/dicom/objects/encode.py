"""A stored result as DICOM objects: pure, so that the same result is the same objects, byte for byte, at any time."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID, ExplicitVRLittleEndian

from numbering.dicom.broken import BROKEN_DICOM
from numbering.dicom.objects.key_images import key_images
from numbering.dicom.objects.label_segmentation import label_segmentation
from numbering.dicom.objects.parametric_map import parametric_maps
from numbering.dicom.objects.presentation import presentations
from numbering.dicom.objects.report import report
from numbering.dicom.objects.retirement import retirement
from numbering.dicom.objects.segmentation import segmentations
from numbering.dicom.stand_ins import stand_in
from numbering.durable import sync_folder
from numbering.result import NumberingResult
from numbering.uids import IMPLEMENTATION_CLASS_UID, checked_uid

IMPLEMENTATION_VERSION_NAME = "NUMBERING"


@dataclass(frozen=True)
class Written:
    """An object of ours on disk; `kind` is its modality: ``SR``, ``PR``, ``SEG``, ``KO``, or ``OT`` of a heat map."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    kind: str


class DifferentBytesError(RuntimeError):
    """A file of this UID exists and holds other bytes: the encoding was not pure, or the file was changed."""


def encode(
    result: NumberingResult, sources: Mapping[str, Path], *, segmented: bool = False, mapped: bool = False
) -> list[Dataset]:
    """The SR and the presentation states of a numbered or abstained result, the SR first; the segmentation of a volume,
    and of the bodies on films where that is asked for (``segmented``); heat maps where they are (``mapped``); key
    images; at the end the key object selection that takes an earlier revision out of use.

    `sources` gives the file of each of the result's source images by SOP Instance UID; ``LookupError`` names one that
    is missing, ``ValueError`` a file that holds another image.
    """
    headers = {source.sop_instance_uid: source_header(source.sop_instance_uid, sources) for source in result.sources}
    return [
        report(result, headers),
        *presentations(result, headers),
        *label_segmentation(result, headers),
        *(segmentations(result, headers) if segmented else ()),
        *(parametric_maps(result, headers) if mapped else ()),
        *key_images(result, headers),
        *retirement(result, headers),
    ]


def object_bytes(dataset: Dataset) -> bytes:
    """The object as a DICOM file (PS3.10 7) in Explicit VR Little Endian, always the same for the same content."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    whole = Dataset(dataset)
    whole.file_meta = meta
    buffer = BytesIO()
    dcmwrite(buffer, whole, enforce_file_format=True)
    return buffer.getvalue()


def write_objects(datasets: Iterable[Dataset], folder: Path) -> list[Written]:
    """Write each object as ``UID.dcm``, whole or not at all; one that is there already is left as it is.

    `DifferentBytesError` when a file of that UID holds something else.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return [_write(dataset, folder) for dataset in datasets]


def source_header(sop_instance_uid: str, sources: Mapping[str, Path]) -> Dataset:
    """The header of a source image, without what cannot be read. Raises as `encode` does."""
    if sop_instance_uid not in sources:
        raise LookupError(f"{sop_instance_uid}: no file given for this source image; encoding needs its header")
    path = sources[sop_instance_uid]
    header = dcmread(path, stop_before_pixels=True)
    stand_in(header)
    if header.SOPInstanceUID != sop_instance_uid:
        raise ValueError(f"{path} holds {header.SOPInstanceUID}: expected the source image {sop_instance_uid}")
    _forget_unreadable(header)
    return header


def _forget_unreadable(ds: Dataset) -> None:
    """Take away elements whose value cannot be read: a damaged description must not withhold a result."""
    for tag in list(ds.keys()):
        try:
            element = ds[tag]
        except BROKEN_DICOM:
            del ds[tag]
            continue
        if element.VR == "SQ":
            for item in element.value:
                _forget_unreadable(item)


def _write(dataset: Dataset, folder: Path) -> Written:
    uid = checked_uid(dataset.SOPInstanceUID, "SOP Instance UID")
    path, data = folder / f"{uid}.dcm", object_bytes(dataset)
    if path.exists():
        if path.read_bytes() != data:
            raise DifferentBytesError(f"{path} exists and differs from what is encoded now: keep both and report this")
    else:
        write_whole(path, data)
    return Written(path, str(dataset.SOPClassUID), uid, str(dataset.Modality))


def write_whole(path: Path, data: bytes) -> None:
    """Temporary file, fsync, rename, fsync of the folder: a power cut leaves the whole file or none."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)
