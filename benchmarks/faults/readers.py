"""The readers as targets: bytes in, silence when all is well, any exception when a promise is broken."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np

from numbering import infer
from numbering.dicom.broken import BROKEN_DICOM
from numbering.dicom.objects.encode import encode, object_bytes
from numbering.dicom.part10 import Part10, compose, parse, split
from numbering.dicom.pixels import radiographs
from numbering.dicom.read import read_header, read_series
from numbering.dicom.same import same_picture
from numbering.errors import QuarantinedInput, Reason, ReasonCode, UnsuitableStudy
from numbering.result import Origin
from numbering.route import route
from numbering.study import Series
from numbering.uids import InvalidUID, checked_uid
from tests.films import SECRETS, make_film
from tests.stub_pipeline import Stub


@cache
def _file() -> Path:
    return Path(tempfile.mkdtemp()) / "input.dcm"


def _written(data: bytes) -> Path:
    _file().write_bytes(data)
    return _file()


def _check(reason: Reason, code: ReasonCode) -> None:
    assert reason.code is code
    found = [secret for secret in SECRETS if secret in reason.text]
    assert not found, f"a message names the patient: {reason.text!r}"


def _series(data: bytes) -> Series | None:
    try:
        (series,) = read_series([_written(data)])
    except UnsuitableStudy as error:
        _check(error.reason, ReasonCode.UNREADABLE_HEADER)
        return None
    return series


def read(data: bytes) -> None:
    """`read_header` gives valid UIDs or says why not, and routing gives every image one fate."""
    series = _series(data)
    if series is None:
        return
    study_uid, series_uid, image = read_header(_file())
    for value in (study_uid, series_uid, image.sop_instance_uid):
        checked_uid(value, "UID")
    fates = [each.sop_instance_uid for fate in route(series) for each in fate.series.images]
    assert fates == [image.sop_instance_uid]


def pixels(data: bytes) -> None:
    """`radiographs` gives finite pictures of at least one pixel, or quarantines the object."""
    series = _series(data)
    if series is None:
        return
    try:
        pictures = radiographs(series)
    except QuarantinedInput as error:
        _check(error.reason, ReasonCode.PIXELS_NOT_DECODABLE)
        return
    for picture in pictures:
        assert picture.pixels.ndim == 2
        assert picture.pixels.size > 0
        assert np.isfinite(picture.pixels).all()


def part10(data: bytes) -> None:
    """`split` and `parse` break as they say they do, and what is composed is split into the same parts."""
    try:
        parts = split(data)
    except ValueError:
        parts = Part10("1.2.840.10008.1.2.1", data)
    with suppress(BROKEN_DICOM):
        parse(data)
    try:
        syntax = checked_uid(parts.transfer_syntax, "Transfer Syntax UID")
    except InvalidUID:
        syntax = "1.2.840.10008.1.2"
    whole = compose(
        sop_class="1.2.3", sop_instance="1.2.4", transfer_syntax=syntax, source_ae_title="A", data_set=parts.data_set
    )
    assert split(whole) == Part10(syntax, parts.data_set)


@cache
def _known() -> bytes:
    return make_film(_file().with_name("known.dcm"), rows=24, columns=16).read_bytes()


def same(data: bytes) -> None:
    """Two objects compare without an exception; an object is the same as itself, or cannot be compared at all."""
    first = same_picture(_known(), data)
    assert first == same_picture(data, _known())
    assert isinstance(same_picture(data, data), bool)
    if data == _known():
        assert first


def header(data: bytes) -> None:
    """What was read and numbered can be encoded, into the source's study, twice the same."""
    series = _series(data)
    if series is None:
        return
    for assignment in route(series):
        if not assignment.to_number:
            continue
        try:
            created = datetime(2026, 3, 1, tzinfo=UTC)
            result = infer.number(assignment, Stub(), origin=Origin.NODE, created_at=created, revision=1)
        except QuarantinedInput:
            continue
        sources = {image.sop_instance_uid: image.path for image in series.images}
        first = [object_bytes(ds) for ds in encode(result, sources)]
        assert first == [object_bytes(ds) for ds in encode(result, sources)]
        for written in first:
            assert parse(written).StudyInstanceUID == series.study_instance_uid


READERS: dict[str, Callable[[bytes], None]] = {
    "read": read,
    "pixels": pixels,
    "part10": part10,
    "same": same,
    "header": header,
}
