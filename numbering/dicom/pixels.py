"""From stored pixel data to what a radiologist sees: decode, modality LUT, VOI LUT, inversion (PS3.4 N.2)."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.uid import RLELossless

from numbering.dicom.broken import BROKEN_DICOM
from numbering.dicom.codestream import FrameSize, frame_size
from numbering.dicom.part10 import parse
from numbering.dicom.spacing import two_lengths
from numbering.errors import QuarantinedInput, ReasonCode
from numbering.study import Image, Radiograph, Series

PLUGINS = ("pyjpegls", "pylibjpeg", "gdcm")
"""The first that knows the transfer syntax decodes it, and no other tries after it has failed: gdcm gives back some
damaged frames without complaint and ends the process on others (JPEG 2000)."""

RLE_PLUGIN = "pydicom"
"""For RLE the plain Python decoder: pylibjpeg-rle 2.2 panics on damaged frames, past any ``except Exception``."""

SAMPLES_LIMIT = 2**29
"""Samples of all frames of an object; a whole-spine film has 4 × 10⁷."""

BLANK = 0.99
"""A VOI transformation that makes more than this share of a picture plain black or plain white is ignored."""

FOR_PROCESSING = "1.2.840.10008.5.1.4.1.1.1.1.1"
GREY = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in luminance (ITU-R BT.601)."""


def radiographs(series: Series) -> list[Radiograph]:
    """Decode every frame of every image of the series, in its order.

    ``QuarantinedInput`` (``pixels-not-decodable``) at the first image whose pixels are damaged, missing or absurd.
    """
    return [radiograph for image in series.images for radiograph in _frames(image)]


def stored_values(ds: Dataset) -> NDArray[Any]:
    """Decoded values as stored, ``[row, column]`` with a first axis of frames and a last axis of samples if several.

    Raises one of ``BROKEN_DICOM`` when the decoder cannot, there is none, or the header's numbers are absurd.
    """
    _check_size(ds)
    decoder = get_decoder(ds.file_meta.TransferSyntaxUID)
    if not decoder.is_encapsulated:
        return decoder.as_array(ds)[0]
    if RLELossless == decoder.UID:
        return decoder.as_array(ds, decoding_plugin=RLE_PLUGIN)[0]
    _check_frames(ds)
    plugin = next((plugin for plugin in PLUGINS if plugin in decoder.available_plugins), None)
    if plugin is None:
        raise ValueError("no decoder is installed for this transfer syntax")
    return decoder.as_array(ds, decoding_plugin=plugin)[0]


def _frames(image: Image) -> list[Radiograph]:
    uid = image.sop_instance_uid
    try:
        ds = parse(image.path.read_bytes())
    except BROKEN_DICOM as error:
        raise not_decodable(uid, f"the file could not be read again ({type(error).__name__})") from None
    try:
        values = stored_values(ds)
        frames = _split_frames(values, ds)
        pictures = [_picture(frame, ds) for frame in frames]
    except BROKEN_DICOM as error:
        raise not_decodable(uid, f"{_found(ds)} ({type(error).__name__})") from None
    spacing, calibrated = _spacing(ds)
    several = len(pictures) > 1 or image.frames > 1
    return [
        Radiograph(
            sop_instance_uid=uid,
            frame=number if several else None,
            pixels=picture,
            spacing_mm=spacing,
            calibrated=calibrated,
        )
        for number, picture in enumerate(pictures, start=1)
    ]


def not_decodable(uid: str, found: str) -> QuarantinedInput:
    """The error that names the object, what was ``found``, and what to do."""
    return QuarantinedInput(
        ReasonCode.PIXELS_NOT_DECODABLE,
        f"SOP instance {uid}: the pixel data cannot be decoded: found {found}; expected complete pixel data that fits "
        "the header's rows, columns and frames. Send the object again from its source, uncompressed if it is "
        "compressed.",
    )


def _found(ds: Dataset) -> str:
    """Sizes and encoding, in words; only numbers and the names of transfer syntaxes are quoted."""
    sizes = (_value(ds, keyword) for keyword in ("Rows", "Columns", "NumberOfFrames", "BitsAllocated"))
    numbers = " × ".join(str(size) for size in sizes if isinstance(size, int))
    data = _value(ds, "PixelData")
    length = f"{len(data)} bytes" if isinstance(data, bytes) else "no pixel data"
    syntax = getattr(_value(ds.file_meta, "TransferSyntaxUID"), "name", "unknown")
    known = syntax if re.fullmatch(r"[\w ().,:\[\]/&+*#-]{1,120}", syntax) else "unknown"
    return f"{length} for {numbers or 'unknown'} (rows, columns, frames, bits), transfer syntax {known}"


def _value(ds: Dataset, keyword: str) -> object:
    try:
        return ds.get(keyword)
    except BROKEN_DICOM:
        return None


def _check_size(ds: Dataset) -> None:
    sizes = [int(ds.get(word) or 0) for word in ("Rows", "Columns")]
    sizes += [int(ds.get(word) or 1) for word in ("NumberOfFrames", "SamplesPerPixel")]
    if min(sizes) < 1 or math.prod(sizes) > SAMPLES_LIMIT:
        raise ValueError(f"{' × '.join(map(str, sizes))} samples: expected 1…{SAMPLES_LIMIT}")


def _check_frames(ds: Dataset) -> None:
    """No decoder gets a frame that claims another size than the header does."""
    expected = FrameSize(int(ds.Rows), int(ds.Columns), int(ds.get("SamplesPerPixel") or 1))
    for frame in generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames") or 1)):
        found = frame_size(frame)
        if found != expected:
            raise ValueError(f"a frame claims {found}: expected {expected}")


def _split_frames(values: NDArray[Any], ds: Dataset) -> list[NDArray[Any]]:
    plane = 3 if int(ds.get("SamplesPerPixel") or 1) > 1 else 2
    return [values] if values.ndim == plane else list(values)


def _picture(values: NDArray[Any], ds: Dataset) -> NDArray[np.float32]:
    """One frame of stored values to a picture in which bright means dense."""
    if str(ds.get("PhotometricInterpretation", "")).startswith("PALETTE"):
        values = apply_color_lut(values, ds)
    if values.ndim == 3:
        return _finite(values[..., :3] @ GREY)
    modality = apply_modality_lut(values, ds).astype(np.float64)
    if ds.get("SOPClassUID") == FOR_PROCESSING:
        return _finite(_from_detector(modality, ds))
    picture = _voi(values, modality, ds)
    if ds.get("PhotometricInterpretation") == "MONOCHROME1":
        picture = picture.max() + picture.min() - picture
    return _finite(picture)


def _from_detector(values: NDArray[np.float64], ds: Dataset) -> NDArray[np.float64]:
    """For-processing values: the sign of the intensity relationship tells which way is dense (PS3.3 C.8.11.3.1.2)."""
    sign = ds.get("PixelIntensityRelationshipSign")
    negative = ds.get("PhotometricInterpretation") == "MONOCHROME1"
    dense_is_dark = negative if sign is None else int(sign) > 0
    if ds.get("PixelIntensityRelationship") == "LIN":
        values = np.log1p(values - values.min())
    return values.max() + values.min() - values if dense_is_dark else values


def _voi(values: NDArray[Any], modality: NDArray[np.float64], ds: Dataset) -> NDArray[np.float64]:
    """The first VOI LUT or window applied, unless it is broken or leaves nothing to see."""
    exact = (
        modality.astype(values.dtype)
        if np.array_equal(modality, np.round(modality)) and _fits(modality, values)
        else modality
    )
    try:
        shown = np.asarray(apply_voi_lut(exact, ds, index=0), np.float64)
    except BROKEN_DICOM:
        return modality
    if not np.isfinite(shown).all():
        return modality
    darkest, brightest = (np.count_nonzero(shown == extreme) for extreme in (shown.min(), shown.max()))
    had_content = modality.min() < modality.max()
    blank = max(darkest, brightest) > BLANK * shown.size
    return modality if blank and had_content else shown


def _fits(modality: NDArray[np.float64], values: NDArray[Any]) -> bool:
    if values.dtype.kind not in "iu":
        return False
    limits = np.iinfo(values.dtype)
    return bool(modality.min() >= limits.min and modality.max() <= limits.max)


def _finite(picture: NDArray[Any]) -> NDArray[np.float32]:
    picture = np.asarray(picture, np.float32)
    finite = np.isfinite(picture)
    if not finite.any():
        raise ValueError("no pixel has a finite value")
    if not finite.all():
        picture = np.where(finite, picture, picture[finite].min())
    return np.ascontiguousarray(picture)


def _spacing(ds: Dataset) -> tuple[tuple[float, float] | None, bool]:
    """Spacing (row, column) in mm and whether it holds at the patient (PS3.3 10.7.1.3)."""
    pixel, imager = two_lengths(ds, "PixelSpacing"), two_lengths(ds, "ImagerPixelSpacing")
    if pixel is not None:
        calibrated = bool(_value(ds, "PixelSpacingCalibrationType")) or (imager is not None and imager != pixel)
        return pixel, calibrated
    return imager or two_lengths(ds, "NominalScannedPixelSpacing"), False
