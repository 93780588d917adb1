"""Functional groups and modules of an Enhanced CT image (PS3.3 A.38, C.8.15)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydicom import Dataset
from pydicom.uid import UID

from numbering.phantom.dicom.ct_geometry import position_and_orientation, spacing
from numbering.phantom.dicom.ct_words import HABITS
from numbering.phantom.dicom.header import code, frame_of_reference_uid
from numbering.phantom.imaging.ct.protocol import Protocol
from numbering.phantom.imaging.ct.volume import CtVolume
from numbering.phantom.pose import Array
from numbering.phantom.visits import Visit
from numbering.uids import derived_uid

_STACK_ID, _IN_STACK, _FRAME_CONTENT = 0x00209056, 0x00209057, 0x00209111
_REGION = {
    "chest": ("43799004", "Chest"), "abdomen": ("416949008", "Abdomen and Pelvis"),
    "upper-abdomen": ("113345001", "Abdomen"), "cervical": ("122494005", "Cervical spine"),
    "whole-spine": ("421060004", "Spine"), "thoracolumbar": ("421060004", "Spine"),
}  # fmt: skip
EXPOSURE_MS = 500.0


def describe_frames(
    ds: Dataset, visit: Visit, volume: CtVolume, frames: Sequence[int], kernel: str, window: tuple[int, int]
) -> None:
    """Everything but pixels that makes ``ds`` (patient, study, series, equipment set) an Enhanced CT image."""
    protocol = volume.protocol
    when = f"{ds.AcquisitionDate}{ds.AcquisitionTime}"
    for keyword in ("AcquisitionDate", "AcquisitionTime", "QualityControlImage"):
        if keyword in ds:
            del ds[keyword]
    derived = protocol.oblique != (0.0, 0.0)
    ds.ImageType = ["DERIVED" if derived else "ORIGINAL", "PRIMARY", "VOLUME", "RESAMPLED" if derived else "NONE"]
    ds.AcquisitionDateTime, ds.AcquisitionDuration, ds.AcquisitionNumber = when, 12.0, 1
    ds.PixelPresentation, ds.VolumetricProperties = "MONOCHROME", "VOLUME"
    ds.VolumeBasedCalculationTechnique = "MPR" if derived else "NONE"
    ds.ContentQualification, ds.BurnedInAnnotation, ds.LossyImageCompression = "RESEARCH", "NO", "00"
    ds.PresentationLUTShape = "IDENTITY"
    ds.AcquisitionContextSequence = []
    ds.IsocenterPosition = [float(value) for value in volume.origin_mm]
    _describe_dimensions(ds, frame_of_reference_uid(visit))
    if protocol.phase != "native":
        _describe_contrast(ds)
    ds.SharedFunctionalGroupsSequence = [_shared(ds, visit, volume, kernel, window)]
    ds.PerFrameFunctionalGroupsSequence = [
        _frame(volume, index, place, when, protocol) for place, index in enumerate(frames, 1)
    ]


def _describe_contrast(ds: Dataset) -> None:
    agent = code("109219008", "SCT", "Iohexol")
    agent.ContrastBolusAgentNumber = 1
    agent.ContrastBolusAdministrationRouteSequence = [code("47625008", "SCT", "Intravenous route")]
    agent.ContrastBolusIngredientCodeSequence = [code("44588005", "SCT", "Iodine")]
    agent.ContrastBolusVolume, agent.ContrastBolusIngredientConcentration = 100.0, 350.0
    agent.ContrastBolusIngredientOpaque = "YES"
    agent.ContrastAdministrationProfileSequence = [_item(ContrastBolusVolume=100.0)]
    ds.ContrastBolusAgentSequence = [agent]


def _describe_dimensions(ds: Dataset, frame_of_reference: str) -> None:
    organisation = UID(derived_uid([frame_of_reference, ds.SOPInstanceUID], "dimensions"))
    ds.DimensionOrganizationSequence = [_item(DimensionOrganizationUID=organisation)]
    ds.DimensionIndexSequence = [
        _item(
            DimensionOrganizationUID=organisation,
            DimensionIndexPointer=tag,
            FunctionalGroupPointer=_FRAME_CONTENT,
            DimensionDescriptionLabel=label,
        )
        for tag, label in ((_STACK_ID, "Stack"), (_IN_STACK, "Position in stack"))
    ]


def _shared(ds: Dataset, visit: Visit, volume: CtVolume, kernel: str, window: tuple[int, int]) -> Dataset:
    protocol = volume.protocol
    shared = Dataset()
    shared.PixelMeasuresSequence = [_item(PixelSpacing=spacing(volume.affine), SliceThickness=f"{protocol.slice_mm:g}")]
    value, meaning = _REGION.get(protocol.region, ("122496007", "Lumbar spine"))
    shared.FrameAnatomySequence = [_item(AnatomicRegionSequence=[code(value, "SCT", meaning)], FrameLaterality="U")]
    shared.PixelValueTransformationSequence = [
        _item(RescaleIntercept=f"{HABITS[visit.style].intercept}", RescaleSlope="1", RescaleType="HU")
    ]
    centre, width = window
    shared.FrameVOILUTSequence = [_item(WindowCenter=f"{centre}", WindowWidth=f"{width}")]
    shared.CTImageFrameTypeSequence = [
        _item(
            FrameType=list(ds.ImageType),
            PixelPresentation="MONOCHROME",
            VolumetricProperties="VOLUME",
            VolumeBasedCalculationTechnique=ds.VolumeBasedCalculationTechnique,
        )
    ]
    shared.IrradiationEventIdentificationSequence = [
        _item(IrradiationEventUID=UID(derived_uid([str(ds.SeriesInstanceUID)], "irradiation event")))
    ]
    _share_acquisition(shared, protocol, kernel)
    return shared


def _share_acquisition(shared: Dataset, protocol: Protocol, kernel: str) -> None:
    spiral = protocol.tilt == 0
    shared.CTAcquisitionTypeSequence = [
        _item(AcquisitionType="SPIRAL" if spiral else "SEQUENCED", ConstantVolumeFlag="NO", FluoroscopyFlag="NO")
    ]
    details = _item(
        RotationDirection="CW",
        RevolutionTime=0.5,
        SingleCollimationWidth=0.625,
        TotalCollimationWidth=20.0,
        TableHeight=f"{150 + protocol.table_offset_mm[1]:.1f}",
        GantryDetectorTilt=f"{protocol.tilt:.1f}",
        DataCollectionDiameter=f"{protocol.scan_field_mm:g}",
    )
    shared.CTAcquisitionDetailsSequence = [details]
    dynamics = _item(TableSpeed=40.0, TableFeedPerRotation=20.0)
    if spiral:
        dynamics.SpiralPitchFactor = 1.0
    shared.CTTableDynamicsSequence = [dynamics]
    shared.CTGeometrySequence = [_item(DistanceSourceToDetector="1085.6", DistanceSourceToDataCollectionCenter=595.0)]
    shared.CTReconstructionSequence = [
        _item(
            ReconstructionAlgorithm="FILTER_BACK_PROJ" if protocol.noise_grain == 0 else "ITERATIVE",
            ConvolutionKernel=kernel,
            ConvolutionKernelGroup="BONE" if protocol.kernel.name == "bone" else "SOFT_TISSUE",
            ReconstructionDiameter=f"{protocol.field_mm:g}",
            ReconstructionPixelSpacing=[protocol.field_mm / protocol.matrix] * 2,
            ReconstructionAngle=360.0,
            ImageFilter="NONE",
        )
    ]
    current = 200 * (11 / protocol.noise_hu) ** 0.7
    shared.CTExposureSequence = [
        _item(
            ExposureTimeInms=EXPOSURE_MS,
            XRayTubeCurrentInmA=current,
            ExposureInmAs=current * EXPOSURE_MS / 1000,
            ExposureModulationType="XYZ" if protocol.modulation > 0.5 else "NONE",
            CTDIvol=round(9.0 * 11 / protocol.noise_hu, 2),
            CTDIPhantomTypeCodeSequence=[code("113691", "DCM", "IEC Body Dosimetry Phantom")],
        )
    ]
    shared.CTXRayDetailsSequence = [
        _item(
            KVP=f"{protocol.kilovolt}",
            FocalSpots=[0.9],
            FilterType="WEDGE",
            FilterMaterial="TEFLON",
            CalciumScoringMassFactorPatient=None,
        )
    ]


def _frame(volume: CtVolume, index: int, place: int, when: str, protocol: Protocol) -> Dataset:
    plane: Array = volume.affine.copy()
    plane[:3, 3] += index * plane[:3, 0]
    position, orientation = position_and_orientation(plane)
    middle = plane @ np.array([0, (volume.hu.shape[1] - 1) / 2, (volume.hu.shape[2] - 1) / 2, 1.0])
    frame = Dataset()
    frame.FrameContentSequence = [
        _item(
            FrameAcquisitionNumber=1,
            FrameReferenceDateTime=when,
            FrameAcquisitionDateTime=when,
            FrameAcquisitionDuration=EXPOSURE_MS,
            StackID="1",
            InStackPositionNumber=place,
            DimensionIndexValues=[1, place],
        )
    ]
    frame.PlanePositionSequence = [_item(ImagePositionPatient=position)]
    frame.PlaneOrientationSequence = [_item(ImageOrientationPatient=orientation)]
    frame.CTPositionSequence = [
        _item(
            TablePosition=float(middle[2]),
            DataCollectionCenterPatient=[float(v) for v in middle[:3]],
            ReconstructionTargetCenterPatient=[float(v) for v in middle[:3]],
        )
    ]
    if protocol.phase != "native":
        frame.ContrastBolusUsageSequence = [
            _item(
                ContrastBolusAgentNumber=1,
                ContrastBolusAgentAdministered="YES",
                ContrastBolusAgentDetected="YES",
                ContrastBolusAgentPhase="PORTAL_VENOUS" if protocol.phase == "portal" else "LATE_ARTERIAL",
            )
        ]
    return frame


def _item(**values: object) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item
