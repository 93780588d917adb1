"""Asking an archive for a patient's earlier studies: one `PriorSource`, by DIMSE (C-FIND with C-MOVE or C-GET) or by
DICOMweb (QIDO-RS with WADO-RS).

What a source answers is hostile input: identifiers are validated, studies and objects of other patients are dropped,
and counts, bytes and time are bounded.
"""

from __future__ import annotations

from numbering.dicom.destination import Destination, TLSFiles, WebDestination, is_web
from numbering.dicom.priors.dicomweb import DicomwebSource
from numbering.dicom.priors.dimse import DimseSource
from numbering.priors.source import PriorSource
from numbering.settings import Settings

__all__ = ["PriorSource", "open_source"]


def open_source(settings: Settings) -> PriorSource:
    """The source that the settings name; ``ValueError`` says what is wrong with its address."""
    files = TLSFiles(
        authorities_file=settings.priors_ca_file,
        certificate_file=settings.priors_certificate_file,
        key_file=settings.priors_key_file,
        check_hostname=settings.priors_check_hostname,
    )
    address = settings.priors_source
    if is_web(address):
        place = WebDestination.parse(
            address,
            files,
            token_file=settings.priors_token_file,
            basic_file=settings.priors_basic_file,
            plain_http=settings.priors_plain_http,
        )
        return DicomwebSource(place)
    peer = Destination.parse(address, files if settings.priors_tls else None)
    return DimseSource(peer, settings.ae_title, get=settings.priors_method == "get")
