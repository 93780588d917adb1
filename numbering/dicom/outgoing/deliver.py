"""Sending objects to a destination of either kind, C-STORE or STOW-RS, and asking whether it is there."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from pathlib import Path

from numbering.dicom.outgoing.association import context_of as check_tls
from numbering.dicom.outgoing.destination import (
    DEFAULT_TIMEOUTS,
    Destination,
    Echoed,
    Outcome,
    Peer,
    Sent,
    Timeouts,
    WebDestination,
)
from numbering.dicom.outgoing.store_scu import echo_ae, store
from numbering.dicom.outgoing.stow import check_web, echo_web, stow

__all__ = [
    "DEFAULT_TIMEOUTS", "Destination", "Echoed", "Outcome", "Peer", "Sent", "Timeouts", "WebDestination",
    "check", "echo", "send", "sending",
]  # fmt: skip


def sending(
    paths: Iterable[Path], peer: Peer, calling_ae_title: str, *, timeouts: Timeouts = DEFAULT_TIMEOUTS
) -> Generator[Sent]:
    """Send these DICOM files; one `Sent` each as soon as it is known. Closing the iterator leaves the rest unsent.

    ``OSError`` and pydicom's errors are raised for a file that is missing or no DICOM file, before anything is sent.
    """
    if isinstance(peer, WebDestination):
        return stow(paths, peer, timeouts)
    return store(paths, peer, calling_ae_title, timeouts)


def send(
    paths: Iterable[Path], peer: Peer, calling_ae_title: str, *, timeouts: Timeouts = DEFAULT_TIMEOUTS
) -> list[Sent]:
    """Send these DICOM files; one `Sent` each, in the order of the files. See `sending`."""
    files = list(paths)
    outcomes = {sent.path: sent for sent in sending(files, peer, calling_ae_title, timeouts=timeouts)}
    return [outcomes[path] for path in files]


def echo(peer: Peer, calling_ae_title: str, *, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> Echoed:
    """Ask the peer whether it is there and would talk to us: by C-ECHO, or an HTTP request that changes nothing."""
    if isinstance(peer, WebDestination):
        return echo_web(peer, timeouts)
    return echo_ae(peer, calling_ae_title, timeouts)


def check(peer: Peer) -> None:
    """``ValueError`` names a file of certificates, keys or credentials that is missing or does not fit."""
    if isinstance(peer, WebDestination):
        check_web(peer)
    elif peer.tls is not None:
        check_tls(peer.tls)
