"""Peers that tests deliver to: a storage SCP that answers as it is told, with TLS where wanted."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pydicom.uid import (
    ComprehensiveSRStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    ImplicitVRLittleEndian,
)
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification

from numbering.dicom.outgoing.deliver import Destination, Timeouts
from numbering.dicom.outgoing.destination import TLSFiles

CLASSES = (ComprehensiveSRStorage, GrayscaleSoftcopyPresentationStateStorage, DigitalXRayImageStorageForPresentation)
QUICK = Timeouts(connection=2, association=2, message=1, network=5)
Answer = Callable[[evt.Event], Any]


@contextmanager
def peer(
    answer: Answer = lambda event: 0x0000,
    *,
    syntaxes: tuple[str, ...] = (ExplicitVRLittleEndian, ImplicitVRLittleEndian),
    classes: tuple[str, ...] = CLASSES,
    handlers: tuple[Any, ...] = (),
    require: bool = False,
    port: int = 0,
    context: ssl.SSLContext | None = None,
    tls: TLSFiles | None = None,
) -> Iterator[Destination]:
    """A storage SCP that answers each C-STORE as `answer` says."""
    ae = AE("ARCHIVE")
    ae.require_called_aet = require
    ae.add_supported_context(StorageCommitmentPushModel)
    ae.add_supported_context(Verification)
    for sop_class in classes:
        ae.add_supported_context(sop_class, list(syntaxes))
    server = ae.start_server(
        ("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, answer), *handlers], ssl_context=context
    )
    try:
        yield Destination("ARCHIVE", "127.0.0.1", server.server_address[1], tls)
    finally:
        server.shutdown()
