"""Identifiers for files that somebody emptied of theirs, so that what they show can still be looked at.

De-identified collections exist whose study, series and instance UIDs are empty. A node never receives such an object
(C-STORE and STOW-RS name it), so this is for files alone. An identifier that is there is never replaced, be it good or
not; the same file always gets the same stand-ins.
"""

from __future__ import annotations

from contextlib import suppress

from pydicom.dataset import Dataset

from numbering.dicom.broken import BROKEN_DICOM
from numbering.uids import derived_uid

WORDS = (
    "the files hold no Study or Series Instance UID: stand-ins were derived from their frame of reference, so these "
    "objects belong to no study of an archive"
)
"""What a result says of files that needed them."""


def stand_in(ds: Dataset) -> tuple[str, ...]:
    """Fill in the empty identifiers of a file's data set; the keywords of those that were filled.

    SOP class and instance are those of the file meta information, which must be the same (PS3.10 7.1). Images of one
    frame of reference, date and modality are one study, and those of one time and number of series one series; without
    a frame of reference each image stands alone. Nothing is filled where the file does not even name its instance.
    """
    meta = getattr(ds, "file_meta", Dataset())
    sop = _text(ds, "SOPInstanceUID") or _text(meta, "MediaStorageSOPInstanceUID")
    sop_class = _text(ds, "SOPClassUID") or _text(meta, "MediaStorageSOPClassUID")
    if not sop or not sop_class:
        return ()
    space = _text(ds, "FrameOfReferenceUID") or sop
    study = space, _text(ds, "StudyDate"), _text(ds, "Modality")
    series = *study, _text(ds, "SeriesTime"), _text(ds, "SeriesNumber")
    meant = {
        "SOPClassUID": sop_class,
        "SOPInstanceUID": sop,
        "StudyInstanceUID": derived_uid(study, "stand-in study"),
        "SeriesInstanceUID": derived_uid(series, "stand-in series"),
    }
    empty = tuple(keyword for keyword in meant if not _text(ds, keyword))
    for keyword in empty:
        setattr(ds, keyword, meant[keyword])
    return empty


def _text(ds: Dataset, keyword: str) -> str:
    with suppress(*BROKEN_DICOM):
        return str(ds.get(keyword) or "").strip("\0 ")
    return "broken"
