"""How slices of CT and MR were made, as far as their headers say: kernels, times, suppression of fat."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from pydicom.dataset import Dataset

from numbering.dicom.broken import BROKEN_DICOM
from numbering.dicom.planes import macros
from numbering.study import Facts
from numbering.views import plain

_MACROS = (
    "CTReconstructionSequence",
    "CTXRayDetailsSequence",
    "CTAcquisitionDetailsSequence",
    "MREchoSequence",
    "MRTimingAndRelatedParametersSequence",
    "MRModifierSequence",
    "FrameContentSequence",
)
"""Functional groups of Enhanced CT and MR that hold them (PS3.3 C.8.15.3, C.8.13.5)."""
_FAT_OPTIONS = frozenset({"FS", "SFS", "FSL", "FATSAT", "FAT_SAT", "FATSAT_GEMS", "FSS_GEMS", "SPIR", "SPAIR"})
_FAT_WORDS = (
    r"\bfs\b|\bfat ?sat\w*|\bfatsuppr\w*|\bfat suppr\w*|\bstir\b|\btirm\b|\bspair\b|\bspir\b|\bfett?sat\w*|脂肪抑制"
)
SHORT_INVERSION_MS = 350.0
"""Below this an inversion nulls fat (STIR; 150 to 250 ms at 1.5 to 3 T); T1 FLAIR inverts for longer."""
LONG_ECHO_MS, SHORT_ECHO_MS = 60.0, 35.0
LONG_REPETITION_MS = 1400.0
"""Echoes and repetitions of spin echoes: T2 has a long echo, T1 both short, PD a long repetition and a short echo."""


MOST_TESLA = 100.0


def facts(ds: Dataset, descriptions: Iterable[str]) -> Facts:
    """Of one object; of a multi-frame object what is shared, else what its first frame says."""
    places = _places(ds)
    echo = _number(places, "EchoTime", "EffectiveEchoTime")
    repetition = _number(places, "RepetitionTime")
    inversion = _number(places, "InversionTime", "InversionTimes")
    spin = "GR" not in _words(places, "ScanningSequence") and "GRADIENT" not in _words(places, "EchoPulseSequence")
    return Facts(
        kernel=next(iter(_words(places, "ConvolutionKernel")), None),
        kilovolt=_number(places, "KVP"),
        gantry_tilt_degrees=_number(places, "GantryDetectorTilt"),
        echo_ms=echo,
        repetition_ms=repetition,
        inversion_ms=inversion,
        field_tesla=_tesla(_number(places, "MagneticFieldStrength")),
        fat_suppressed=_fat_suppressed(places, descriptions, inversion),
        contrast_agent=_contrast(ds),
        weighting=weighting(echo, repetition, inversion) if spin else None,
    )


def weighting(echo_ms: float | None, repetition_ms: float | None, inversion_ms: float | None) -> str | None:
    """What a spin echo of these times shows; None where they leave it open.

    >>> weighting(12, 550, None), weighting(105, 3500, None), weighting(15, 2400, None), weighting(40, 3000, 160)
    ('T1', 'T2', 'PD', 'STIR')
    """
    if inversion_ms and inversion_ms < SHORT_INVERSION_MS:
        return "STIR"
    if echo_ms is None or repetition_ms is None:
        return None
    if echo_ms >= LONG_ECHO_MS:
        return "T2"
    if echo_ms > SHORT_ECHO_MS:
        return None
    return "T1" if repetition_ms < LONG_REPETITION_MS or inversion_ms else "PD"


def _places(ds: Dataset) -> list[Dataset]:
    try:
        shared = macros(ds.get("SharedFunctionalGroupsSequence") or [], _MACROS)
        first = macros((ds.get("PerFrameFunctionalGroupsSequence") or [])[:1], _MACROS)
    except BROKEN_DICOM:
        return [ds]
    return [ds, *shared, *first]


def _values(places: Iterable[Dataset], keyword: str) -> list[object]:
    for place in places:
        try:
            value = place.get(keyword)
        except BROKEN_DICOM:
            continue
        if value is not None and value != "":
            return [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)
    return []


def _number(places: Iterable[Dataset], *keywords: str) -> float | None:
    for keyword in keywords:
        for value in _values(places, keyword)[:1]:
            try:
                number = float(str(value))
            except ValueError:
                continue
            if math.isfinite(number):
                return number
    return None


def _words(places: Iterable[Dataset], keyword: str) -> list[str]:
    words = (str(value).strip() for value in _values(places, keyword))
    return [word for word in words if word]


def _tesla(field: float | None) -> float | None:
    """Some write gauss."""
    return field / 10_000 if field and field > MOST_TESLA else field


def _fat_suppressed(places: list[Dataset], descriptions: Iterable[str], inversion_ms: float | None) -> bool | None:
    suppression = _words(places, "SpectrallySelectedSuppression")
    if {"FAT", "FAT_AND_WATER"} & set(suppression) or _FAT_OPTIONS & {
        word.upper() for word in _words(places, "ScanOptions")
    }:
        return True
    if inversion_ms and inversion_ms < SHORT_INVERSION_MS:
        return True
    if any(re.search(_FAT_WORDS, plain(text)) for text in descriptions):
        return True
    return False if suppression else None


def _contrast(ds: Dataset) -> bool | None:
    try:
        return True if ds.get("ContrastBolusAgent") or ds.get("ContrastBolusAgentSequence") else None
    except BROKEN_DICOM:
        return None
