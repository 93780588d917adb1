"""A DICOM file that goes out: what its file meta information (PS3.10 7.1) says of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydicom.filereader import read_file_meta_info

from numbering.uids import checked_uid


@dataclass(frozen=True)
class Outgoing:
    """A file, its object's class and instance, and the transfer syntax that it is stored in."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: str

    @classmethod
    def read(cls, path: Path) -> Outgoing:
        """``OSError`` when it is missing; pydicom's errors, `InvalidUID` or ``AttributeError`` when it is none."""
        meta = read_file_meta_info(path)
        return cls(
            path,
            checked_uid(meta.MediaStorageSOPClassUID, f"{path}: SOP class"),
            checked_uid(meta.MediaStorageSOPInstanceUID, f"{path}: SOP instance"),
            checked_uid(meta.TransferSyntaxUID, f"{path}: transfer syntax"),
        )
