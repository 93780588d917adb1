"""What of a check is kept as files: its key images, and the report as an object of the marked image's study."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from numbering.checking.ask import Answered
from numbering.checking.key_images import FileOf, key_images
from numbering.dicom.objects.check_report import CheckDocument, check_report
from numbering.dicom.objects.encode import Written, source_header, write_objects, write_whole
from numbering.geometry import Point
from numbering.levelcheck import Check, Whose
from numbering.levelcheck.regions import regions
from numbering.record import PatientRecord
from numbering.uids import random_uid


def keep_pictures(check: Check, record: PatientRecord, file: FileOf, folder: Path, stem: str) -> list[Path]:
    """Write the key images as ``<stem>-1.png`` and so on, whole or not at all."""
    pictures = key_images(check, record, file)
    if pictures:
        folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{stem}-{number}.png" for number in range(1, len(pictures) + 1)]
    for path, data in zip(paths, pictures, strict=True):
        write_whole(path, data)
    return paths


def why_no_report(answered: Answered, file: FileOf) -> str:
    """Why no report can be written of this check; empty when one can."""
    if answered.question.mark is None:
        return "nothing was marked, so there is no study that the report belongs to"
    if answered.whose is Whose.ANOTHER:
        return "plan and mark are not of one patient, so it belongs to no study"
    uid = answered.question.mark.place.sop_instance_uid
    if not any(uid in entry.images for entry in answered.record.series):
        return "the marked image is not known"
    path = file(uid)
    return "" if path is not None and path.is_file() else "the marked image's file is not here any more"


def write_report(document: CheckDocument, image: Path, folder: Path) -> Written:
    """Write the report of a check whose mark is on this image."""
    mark = document.check.mark
    assert mark is not None
    uid = mark.place.sop_instance_uid
    (written,) = write_objects([check_report(document, source_header(uid, {uid: image}))], folder)
    return written


def keep_copies(answered: Answered, file: FileOf, folder: Path, *, report: bool) -> str:
    """Answer, evidence, key images and, where wanted and possible, the report of a check that no node keeps.

    Returns what was written, in words.
    """
    uid = random_uid()
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / f"{uid}.json", *keep_pictures(answered.check, answered.record, file, folder, uid)]
    kept = {"uid": uid, "check": answered.check.model_dump(mode="json"), "evidence": answered.evidence()}
    write_whole(written[0], json.dumps(kept, indent=2).encode())
    without = why_no_report(answered, file) if report else ""
    if report and not without:
        mark = answered.check.mark
        image = file(mark.place.sop_instance_uid) if mark else None
        assert image is not None
        document = CheckDocument(uid=uid, at=datetime.now(UTC), check=answered.check, outline=outline_of(answered))
        written.append(write_report(document, image, folder).path)
    names = ", ".join(path.name for path in written)
    return f"{folder}: {names}" + (f". No report: {without}" if without else "")


def copy_out(check: Check, pictures: Iterable[Path], folder: Path, uid: str) -> None:
    """Copies of a kept check's answer and key images."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / f"{uid}.json", check.to_json().encode())
    for picture in pictures:
        write_whole(folder / picture.name, picture.read_bytes())


def outline_of(answered: Answered) -> tuple[Point, ...]:
    """The extent of what was found, where it is known."""
    found = answered.check.found
    if found is None:
        return ()
    where = found.place.sop_instance_uid, found.place.frame
    for entry in answered.record.series:
        here = [one for one in entry.structures if (one.place.sop_instance_uid, one.place.frame) == where]
        for region in regions(here):
            place = region.structure.place
            if region.structure.name == found.name and (place.x, place.y) == (found.place.x, found.place.y):
                return tuple(region.outline)
    return ()
