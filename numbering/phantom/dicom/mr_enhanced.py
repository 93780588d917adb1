"""Functional groups and modules of an Enhanced MR image (PS3.3 A.36, C.8.13)."""

from __future__ import annotations

import numpy as np
from pydicom import Dataset
from pydicom.uid import UID

from numbering.phantom.dicom.header import code
from numbering.phantom.dicom.mr_geometry import affine_in_scanner, position_and_orientation
from numbering.phantom.imaging.mr.acquire import MrSeries, MrSlice
from numbering.phantom.imaging.mr.protocol import Protocol
from numbering.phantom.imaging.mr.signal import GRADIENT
from numbering.phantom.visits import Visit
from numbering.uids import derived_uid

_STACK_ID, _IN_STACK, _FRAME_CONTENT = 0x00209056, 0x00209057, 0x00209111
_CONTRAST = {"T1": "T1", "T2": "T2", "T2 FS": "T2", "STIR": "STIR", "water GRE": "PROTON_DENSITY", "localizer": "T1"}


def describe_frames(
    ds: Dataset, visit: Visit, series: MrSeries, window: tuple[float, float], frame_of_reference: str
) -> None:
    """Everything but pixels that makes ``ds`` (patient, study, series, equipment set) an Enhanced MR image."""
    protocol = series.protocol
    when = f"{ds.AcquisitionDate}{ds.AcquisitionTime}"
    for keyword in ("AcquisitionDate", "AcquisitionTime", "QualityControlImage"):
        if keyword in ds:
            del ds[keyword]
    weighted = _CONTRAST[protocol.weighting]
    ds.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER" if protocol.weighting == "localizer" else weighted, "NONE"]
    ds.AcquisitionDateTime, ds.AcquisitionDuration = when, 180.0
    ds.AcquisitionNumber = 1
    ds.PixelPresentation, ds.VolumetricProperties = "MONOCHROME", "VOLUME"
    ds.VolumeBasedCalculationTechnique = "NONE"
    ds.ComplexImageComponent, ds.AcquisitionContrast = "MAGNITUDE", weighted
    ds.ResonantNucleus, ds.KSpaceFiltering = "1H", "TUKEY"
    ds.MagneticFieldStrength = float(protocol.field_tesla)
    ds.ApplicableSafetyStandardAgency = "IEC"
    ds.ContentQualification, ds.BurnedInAnnotation, ds.LossyImageCompression = "RESEARCH", "NO", "00"
    ds.PresentationLUTShape = "IDENTITY"
    ds.AcquisitionContextSequence = []
    _describe_pulses(ds, protocol)
    _describe_dimensions(ds, frame_of_reference)
    ds.SharedFunctionalGroupsSequence = [_shared(ds, protocol, window)]
    ds.PerFrameFunctionalGroupsSequence = [
        _frame(visit, one, index, when, series) for index, one in enumerate(series.slices)
    ]


def _describe_pulses(ds: Dataset, protocol: Protocol) -> None:
    gradient = protocol.weighting in GRADIENT
    ds.PulseSequenceName = "GRE" if gradient else "TIR" if protocol.inversion_ms else "TSE"
    ds.MRAcquisitionType = "2D"
    ds.EchoPulseSequence = "GRADIENT" if gradient else "SPIN"
    if not gradient:
        ds.MultipleSpinEcho = "YES"
    ds.MultiPlanarExcitation = "YES" if protocol.layout == "parallel" else "NO"
    ds.PhaseContrast, ds.TimeOfFlightContrast, ds.EchoPlanarPulseSequence = "NO", "NO", "NO"
    ds.SteadyStatePulseSequence, ds.SaturationRecovery = "NONE", "NO"
    ds.SpectrallySelectedSuppression = "FAT" if protocol.weighting in ("T2 FS", "water GRE") else "NONE"
    ds.GeometryOfKSpaceTraversal, ds.RectilinearPhaseEncodeReordering = "RECTILINEAR", "LINEAR"
    ds.SegmentedKSpaceTraversal = "SINGLE" if gradient else "PARTIAL"
    ds.NumberOfKSpaceTrajectories = 1
    ds.OversamplingPhase = "2D"


def _describe_dimensions(ds: Dataset, frame_of_reference: str) -> None:
    organisation = UID(derived_uid([frame_of_reference, ds.SOPInstanceUID], "dimensions"))
    item = Dataset()
    item.DimensionOrganizationUID = organisation
    ds.DimensionOrganizationSequence = [item]
    pointers = []
    for tag, label in ((_STACK_ID, "Stack"), (_IN_STACK, "Position in stack")):
        index = Dataset()
        index.DimensionOrganizationUID = organisation
        index.DimensionIndexPointer, index.FunctionalGroupPointer = tag, _FRAME_CONTENT
        index.DimensionDescriptionLabel = label
        pointers.append(index)
    ds.DimensionIndexSequence = pointers


def _shared(ds: Dataset, protocol: Protocol, window: tuple[float, float]) -> Dataset:
    shared = Dataset()
    shared.PixelMeasuresSequence = [
        _item(
            PixelSpacing=[f"{protocol.pixel_mm:.8f}"[:16]] * 2,
            SliceThickness=f"{protocol.thickness_mm:g}",
            SpacingBetweenSlices=f"{protocol.thickness_mm + protocol.gap_mm:g}",
        )
    ]
    shared.MRImageFrameTypeSequence = [
        _item(
            FrameType=list(ds.ImageType),
            PixelPresentation="MONOCHROME",
            VolumetricProperties="VOLUME",
            VolumeBasedCalculationTechnique="NONE",
            ComplexImageComponent="MAGNITUDE",
            AcquisitionContrast=ds.AcquisitionContrast,
        )
    ]
    anatomy = Dataset()
    anatomy.AnatomicRegionSequence = [code("122496007", "SCT", "Lumbar spine")]
    anatomy.FrameLaterality = "U"
    shared.FrameAnatomySequence = [anatomy]
    shared.PixelValueTransformationSequence = [_item(RescaleIntercept="0", RescaleSlope="1", RescaleType="US")]
    centre, width = (f"{value:.0f}" for value in window)
    shared.FrameVOILUTSequence = [_item(WindowCenter=centre, WindowWidth=width)]
    _share_sequence(shared, protocol)
    return shared


def _share_sequence(shared: Dataset, protocol: Protocol) -> None:
    gradient = protocol.weighting in GRADIENT
    train = 1 if gradient else protocol.echo_train
    shared.MRTimingAndRelatedParametersSequence = [
        _item(
            RepetitionTime=f"{protocol.repetition_ms:g}",
            FlipAngle=f"{protocol.flip_angle:g}",
            EchoTrainLength=train,
            RFEchoTrainLength=0 if gradient else train,
            GradientEchoTrainLength=1 if gradient else 0,
            SpecificAbsorptionRateSequence=[
                _item(SpecificAbsorptionRateDefinition="IEC_WHOLE_BODY", SpecificAbsorptionRateValue=0.8)
            ],
            GradientOutputType="DB_DT",
            GradientOutput=20.0,
            OperatingModeSequence=[_item(OperatingModeType=kind, OperatingMode="IEC_NORMAL") for kind in _MODES],
        )
    ]
    samples, lines = protocol.matrix
    rows, columns = protocol.size
    shared.MRFOVGeometrySequence = [
        _item(
            InPlanePhaseEncodingDirection="COLUMN" if protocol.readout == "row" else "ROW",
            MRAcquisitionFrequencyEncodingSteps=samples,
            MRAcquisitionPhaseEncodingStepsInPlane=round(lines * (1 + protocol.oversampling)),
            PercentSampling=round(100.0 * lines / samples, 1),
            PercentPhaseFieldOfView=round(100.0 * min(rows, columns) / max(rows, columns), 1),
        )
    ]
    shared.MREchoSequence = [_item(EffectiveEchoTime=float(protocol.echo_ms))]
    shared.MRModifierSequence = [_modifier(protocol)]
    shared.MRImagingModifierSequence = [
        _item(
            MagnetizationTransfer="NONE",
            BloodSignalNulling="NO",
            Tagging="NONE",
            TransmitterFrequency=protocol.field_tesla * 42.577,
            PixelBandwidth=float(protocol.bandwidth_hz),
        )
    ]
    element = _item(MultiCoilElementName="SP1", MultiCoilElementUsed="YES")
    shared.MRReceiveCoilSequence = [
        _item(
            ReceiveCoilName="Spine",
            ReceiveCoilManufacturerName="",
            ReceiveCoilType="MULTICOIL",
            QuadratureReceiveCoil="NO",
            MultiCoilDefinitionSequence=[element],
        )
    ]
    shared.MRTransmitCoilSequence = [
        _item(TransmitCoilName="Body", TransmitCoilManufacturerName="", TransmitCoilType="BODY")
    ]
    shared.MRAveragesSequence = [_item(NumberOfAverages=float(protocol.averages))]


_MODES = ("STATIC FIELD", "RF", "GRADIENT")


def _modifier(protocol: Protocol) -> Dataset:
    inverted = protocol.inversion_ms is not None
    item = _item(
        InversionRecovery="YES" if inverted else "NO",
        FlowCompensation="NONE",
        Spoiling="RF",
        T2Preparation="NO",
        SpectrallySelectedExcitation="WATER" if protocol.weighting == "water GRE" else "NONE",
        SpatialPresaturation="SLAB" if protocol.saturation else "NONE",
        PartialFourier="NO",
        ParallelAcquisition="NO",
    )
    if inverted:
        item.InversionTimes = [float(protocol.inversion_ms or 0)]
    return item


def _frame(visit: Visit, one: MrSlice, index: int, when: str, series: MrSeries) -> Dataset:
    stack = one.planned.stack
    in_stack = sum(other.planned.stack == stack for other in series.slices[:index]) + 1
    position, orientation = position_and_orientation(affine_in_scanner(visit, one))
    frame = Dataset()
    frame.FrameContentSequence = [
        _item(
            FrameAcquisitionNumber=1,
            FrameReferenceDateTime=when,
            FrameAcquisitionDateTime=when,
            FrameAcquisitionDuration=180000.0,
            StackID=f"{stack + 1}",
            InStackPositionNumber=in_stack,
            DimensionIndexValues=[stack + 1, in_stack],
        )
    ]
    frame.PlanePositionSequence = [_item(ImagePositionPatient=position)]
    frame.PlaneOrientationSequence = [_item(ImageOrientationPatient=orientation)]
    return frame


def _item(**values: object) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value.tolist() if isinstance(value, np.ndarray) else value)
    return item
