"""Asking an archive for a patient's earlier studies: one `PriorSource`, by DIMSE (C-FIND with C-MOVE or C-GET) or by
DICOMweb (QIDO-RS with WADO-RS).

What a source answers is hostile input: identifiers are validated, studies and objects of other patients are dropped,
and counts, bytes and time are bounded.
"""

from __future__ import annotations

from numbering.dicom.outgoing.destination import WebDestination
from numbering.dicom.priors.dicomweb import DicomwebSource
from numbering.dicom.priors.dimse import DimseSource
from numbering.priors.source import PriorSource
from numbering.settings import Settings

__all__ = ["PriorSource", "open_source"]


def open_source(settings: Settings) -> PriorSource:
    """The source that the settings name."""
    peer = settings.priors_peer
    if isinstance(peer, WebDestination):
        return DicomwebSource(peer)
    return DimseSource(peer, settings.ae_title, get=settings.priors_method == "get")
