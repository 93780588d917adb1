"""What the rooms pass on about images: series described by their headers, and decoded pixels. No names, no dates.

These are plain types without pydicom: ``dicom/read.py`` fills them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from numbering.plane import Plane


class View(StrEnum):
    """The projection or plane of an image, as spelt in ``numbering/run/1``."""

    AP = "AP"
    PA = "PA"
    LATERAL = "lateral"
    AXIAL = "axial"
    SAGITTAL = "sagittal"
    CORONAL = "coronal"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the header of a CT or MR says of how the slices were made; None where it does not, or where they differ."""

    kernel: str | None = None
    kilovolt: float | None = None
    gantry_tilt_degrees: float | None = None
    echo_ms: float | None = None
    repetition_ms: float | None = None
    inversion_ms: float | None = None
    field_tesla: float | None = None
    fat_suppressed: bool | None = None
    """True where the header or the description says so; None where nothing does."""
    contrast_agent: bool | None = None
    weighting: str | None = None
    """Of a spin echo by its times: ``T1``, ``T2``, ``PD`` or ``STIR``."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """One stored instance: who it is, where it lies, and what its header says of its content.

    ``digest`` is the sha256 of the stored file's bytes. ``descriptions`` are the texts a vendor may have put the view
    or body part into (StudyDescription, SeriesDescription, ProtocolName, AcquisitionDeviceProcessingDescription,
    code meanings of ViewCodeSequence and AnatomicRegionSequence), as received. ``acquired`` is the acquisition's date
    and time, or the nearest that the header holds, in UTC (as is, when it names no time zone). The counts of series and
    acquisition are what the sender says, and None where that cannot be.

    Of CT and MR also: ``planes``, one for each frame whose place the header says; ``facts``; ``time_point``, which of
    several pictures of one place it is.

    ``stood_in``: the file holds no identifiers of its own, and these were made up.
    """

    sop_instance_uid: str
    sop_class_uid: str
    path: Path
    digest: str
    modality: str
    rows: int = 0
    columns: int = 0
    frames: int = 1
    has_pixels: bool = True
    instance_number: int | None = None
    image_type: tuple[str, ...] = ()
    body_part: str = ""
    view_position: str = ""
    patient_orientation: tuple[str, ...] = ()
    view_codes: tuple[str, ...] = ()
    descriptions: tuple[str, ...] = ()
    made_by_us: bool = False
    acquired: datetime | None = None
    series_related_instances: int | None = None
    acquisition_number: int | None = None
    images_in_acquisition: int | None = None
    frame_of_reference_uid: str | None = None
    planes: tuple[Plane, ...] = ()
    facts: Facts = Facts()
    time_point: int | None = None
    samples: int = 1
    stood_in: bool = False


@dataclass(frozen=True, kw_only=True)
class Series:
    """The images of one series that have arrived."""

    study_instance_uid: str
    series_instance_uid: str
    modality: str
    images: tuple[Image, ...]

    def only(self, images: Iterable[Image]) -> Series:
        """The same series with some of its images."""
        return replace(self, images=tuple(images))


@dataclass(frozen=True, kw_only=True)
class Radiograph:
    """A decoded projection image: ``pixels[row, column]`` float32, after modality and VOI LUT, bright means dense.

    MONOCHROME1 films are inverted. ``spacing_mm`` is (row, column) at the detector or, when ``calibrated``, at the
    patient; None when the header does not say.
    """

    sop_instance_uid: str
    frame: int | None
    pixels: NDArray[np.float32]
    spacing_mm: tuple[float, float] | None = None
    calibrated: bool = False

    @property
    def name(self) -> str:
        """``UID`` or ``UID#frame``: how messages name it."""
        return self.sop_instance_uid if self.frame is None else f"{self.sop_instance_uid}#{self.frame}"
