"""The acceptor: takes objects in, keeps them byte for byte, and answers success only once they are durable.

Nothing here reads a database or decodes pixels, so a sender never waits for more than the disk. PS3.4 Annex B.

Who is let in: `access`; how much one sender may use: `limits`; the port and its processes: `acceptors`; the way of the
bytes: `upper`, `storing`, `spool`.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Sequence

from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.events import EventHandlerType

from numbering.audit import trail
from numbering.dicom.incoming.accept import STORAGE_CLASSES, SUCCESS, TRANSFER_SYNTAXES
from numbering.dicom.incoming.acceptor import AcceptedAssociation, Rules
from numbering.dicom.incoming.acceptors import Listening, Server, listening
from numbering.dicom.incoming.access import Door
from numbering.dicom.incoming.announce import announcement_contexts, announcement_handlers
from numbering.dicom.incoming.limits import Pace, Slots, Watermark
from numbering.dicom.incoming.lobby import Lobby, Visit
from numbering.dicom.incoming.spool import Spool
from numbering.dicom.outgoing.commitment import commitment_contexts, commitment_handlers
from numbering.dicom.part10 import IMPLEMENTATION_VERSION_NAME
from numbering.dicom.tls import server_context
from numbering.logs import logger
from numbering.settings import Settings
from numbering.settings.kinds import AllowedPeer
from numbering.uids import IMPLEMENTATION_CLASS_UID

log = logger(__name__)

VERIFICATION = "1.2.840.10008.1.1"
MIB = 2**20
POLL_SECONDS = 0.2
"""How soon a server that is told to end does so."""
FEWEST_WAITING = 16
"""One address may have so many connections without an association, however few associations it may have."""

Context = tuple[str, Sequence[str]]
"""A SOP class and its transfer syntaxes."""


def contexts() -> list[Context]:
    """All that is accepted. A further service adds its own here and its handlers in `handlers`."""
    storage: list[Context] = [(storage, TRANSFER_SYNTAXES) for storage in STORAGE_CLASSES]
    answers: list[Context] = [(str(one.abstract_syntax), one.transfer_syntax) for one in commitment_contexts()]
    return [*storage, (VERIFICATION, _PLAIN), *announcement_contexts(), *answers]


def handlers(settings: Settings, spool: Spool) -> list[EventHandlerType]:
    """What answers each request but C-STORE."""
    return [
        (evt.EVT_C_ECHO, lambda event: SUCCESS),
        *announcement_handlers(spool, _watermark(settings, spool)),
        *commitment_handlers(settings.commitments),
    ]


_PLAIN = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")


class Receiver:
    """A running acceptor. ``port`` is the one it listens on (the plain one, where there are two)."""

    def __init__(self, settings: Settings, spool: Spool, sockets: Listening | None = None) -> None:
        self._ae = _application_entity(settings)
        self._rules = _rules(settings, spool)
        sockets = sockets or listening(settings)
        self.ports = sockets.ports
        self.port = self.ports.get("plain") or self.ports["tls"]
        context = None
        if sockets.tls is not None:
            context = server_context(
                settings.dicom_tls_certificate_file,
                settings.dicom_tls_key_file,
                settings.dicom_tls_authorities_file,
                settings.dicom_tls_client_certificates,
            )
        bound = handlers(settings, spool)
        lobby = Lobby(_most_waiting(settings))
        self._servers = [
            Server(self._ae, one, tls, bound, self._associate, lobby, settings)
            for one, tls in ((sockets.plain, None), (sockets.tls, context))
            if one is not None
        ]
        for server in self._servers:
            self._ae._servers.append(server)
            threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), daemon=True).start()
        self._rules.trail.started("receive")
        log.info("receiver started", ae_title=settings.ae_title, host=settings.host, **self.ports)

    def _associate(self, peer: str, visit: Visit) -> Association:
        return AcceptedAssociation(self._ae, self._rules, peer, visit)

    @property
    def associations(self) -> list[Association]:
        """The associations that are open now."""
        return list(self._ae.active_associations)

    def stop(self, grace_seconds: float = 10.0) -> None:
        """Take no new associations, give the running ones this long to end, then abort them.

        A connection that never asked for an association (a port scan, a load balancer's probe) is not waited for.
        """
        for server in self._servers:
            server.shutdown()
        running = self.associations
        deadline = time.monotonic() + grace_seconds
        for assoc in running:
            if assoc.is_established:
                assoc.join(max(0.0, deadline - time.monotonic()))
        for assoc in running:
            if assoc.is_alive():
                assoc.abort()
        self._rules.trail.stopped("receive")
        log.info("receiver stopped", port=self.port)


def start_receiver(settings: Settings, spool: Spool) -> Receiver:
    """Listen on the settings' host and port (0: any free one) and keep what arrives in the spool."""
    return Receiver(settings, spool)


def run_receiver(settings: Settings, ready: Callable[[], None] = lambda: None) -> None:
    """Receive until SIGTERM or SIGINT, then stop gracefully. To be called in the main thread.

    ``ready`` is called once associations are taken.
    """
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    receiver = start_receiver(settings, Spool(settings.spool))
    ready()
    stopping.wait()
    receiver.stop()


def _application_entity(settings: Settings) -> AE:
    _config.LOG_REQUEST_IDENTIFIERS = _config.LOG_RESPONSE_IDENTIFIERS = False
    _config.LOG_HANDLER_LEVEL = "none"  # its handlers write out every PDU, for a log that is switched off
    logging.getLogger("pynetdicom").setLevel(logging.WARNING)
    ae = AE(ae_title=settings.ae_title)
    ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.maximum_pdu_size = settings.maximum_pdu_bytes
    ae.maximum_associations = 10 * settings.maximum_associations  # ours counts over all processes
    ae.acse_timeout, ae.network_timeout = settings.artim_seconds, settings.idle_seconds
    roles = {str(one.abstract_syntax): (one.scu_role, one.scp_role) for one in commitment_contexts()}
    for sop_class, syntaxes in contexts():
        ae.add_supported_context(sop_class, list(syntaxes), *roles.get(sop_class, (None, None)))
    return ae


def _rules(settings: Settings, spool: Spool) -> Rules:
    limits = settings.data / "associations"
    return Rules(
        spool=spool,
        door=Door(
            ae_title=settings.ae_title,
            require_called=settings.require_called_ae_title,
            peers=[AllowedPeer.parse(peer) for peer in settings.peers],
        ),
        slots=Slots(limits, settings.maximum_associations, settings.maximum_associations_per_peer),
        pace=Pace(limits / "pace", settings.objects_per_second),
        watermark=_watermark(settings, spool),
        maximum_object_bytes=settings.maximum_object_mib * MIB,
        maximum_pdu_bytes=settings.maximum_pdu_bytes,
        trail=trail(settings),
    )


def _most_waiting(settings: Settings) -> int:
    return max(FEWEST_WAITING, min(settings.maximum_associations_per_peer, settings.maximum_associations))


def _watermark(settings: Settings, spool: Spool) -> Watermark:
    return Watermark(spool.root, settings.disk_minimum_mib * MIB, settings.disk_minimum_percent)
