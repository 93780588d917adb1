"""The structured report: TID 1500 "Imaging Measurement Report" for a numbering or an abstention.

Its groups are in `groups`; basis, alternative, anomalies and quality stand under "Qualitative Evaluations".
"""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.coding import Code
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage

from numbering.dicom.objects import codes, content
from numbering.dicom.objects.content import HAS_CONCEPT_MOD
from numbering.dicom.objects.context import image_library, language, observer, procedure
from numbering.dicom.objects.evaluations import evaluations
from numbering.dicom.objects.groups import groups
from numbering.dicom.objects.header import begin, local, local_time, notice, settle_character_set
from numbering.dicom.objects.references import Sources, evidence, predecessor
from numbering.result import NumberingResult


def report(result: NumberingResult, sources: Sources) -> Dataset:
    """The SR of a result that is `numbered` or `abstained`.

    Comprehensive 3D SR where the source has a frame of reference, Comprehensive SR for projections.
    """
    first = sources[result.sources[0].sop_instance_uid]
    spatial = first.get("Modality") in {"CT", "MR"} and "FrameOfReferenceUID" in first
    sop_class = Comprehensive3DSRStorage if spatial else ComprehensiveSRStorage
    ds = begin(result, first, modality="SR", sop_class_uid=sop_class, kind="SR", instance_number=1)
    when = local_time(result, first)
    ds.ContentDate, ds.ContentTime = when.strftime("%Y%m%d"), when.strftime("%H%M%S.%f")
    ds.CompletionFlag = "COMPLETE"
    ds.CompletionFlagDescription = notice(result)
    _verify(ds, result, first)
    ds.ReferencedPerformedProcedureStepSequence = Sequence()
    ds.PerformedProcedureCodeSequence = Sequence()
    ds.CurrentRequestedProcedureEvidenceSequence = evidence(result, sources)
    if result.predecessor_sr_uid is not None:
        ds.PredecessorDocumentsSequence = predecessor(result.predecessor_sr_uid, sop_class, first)
    ds.CodingSchemeIdentificationSequence = codes.scheme_identification()
    ds.update(_root(result, sources, str(first.FrameOfReferenceUID) if spatial else None))
    settle_character_set(ds, first)
    return ds


def _verify(ds: Dataset, result: NumberingResult, source: Dataset) -> None:
    """Verified by a named person of a named organisation, or not at all (PS3.3 C.17.2)."""
    verified = result.verified
    ds.VerificationFlag = "VERIFIED" if verified else "UNVERIFIED"
    ds.PreliminaryFlag = "FINAL" if verified else "PRELIMINARY"
    if verified:
        observer = Dataset()
        observer.VerifyingOrganization = verified.organisation
        observer.VerificationDateTime = local(verified.at, source).strftime("%Y%m%d%H%M%S.%f%z")
        observer.VerifyingObserverName = verified.person
        observer.VerifyingObserverIdentificationCodeSequence = Sequence()
        ds.VerifyingObserverSequence = Sequence([observer])


def _root(result: NumberingResult, sources: Sources, space: str | None) -> Dataset:
    children = [
        language(),
        *observer(result),
        content.code(HAS_CONCEPT_MOD, Code("121058", "DCM", "Procedure reported"), procedure(result)),
        image_library(result, sources),
    ]
    if measured := list(groups(result, space)):
        children.append(content.container(Code("126010", "DCM", "Imaging Measurements"), measured))
    evaluated = list(evaluations(result))
    children.append(content.container(Code("C0034375", "UMLS", "Qualitative Evaluations"), evaluated))
    root = content.container(Code("126000", "DCM", "Imaging Measurement Report"), children, template="1500")
    del root.RelationshipType
    return root
