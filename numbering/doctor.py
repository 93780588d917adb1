"""``numbering doctor``: what is wrong with this machine or installation, and what to do about it."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass

from numbering.dicom.outgoing.deliver import Destination, Outcome, WebDestination, check, echo
from numbering.errors import NumberingError
from numbering.settings import Settings
from numbering.settings.delivering import DestinationSettings
from numbering.weights import registry

LOW_DISK_GIB = 5


@dataclass(frozen=True)
class Finding:
    """One examination: what, what was found, and what to do when it is not fine."""

    what: str
    fine: bool
    found: str
    remedy: str = ""


def examine(settings: Settings) -> list[Finding]:
    """All examinations, in the order in which a person would mend things."""
    checks: tuple[Callable[[Settings], Finding], ...] = (
        data_folder, disk, weights, inference, redis, dicom_port,
    )  # fmt: skip
    return [*(examination(settings) for examination in checks), *destinations(settings)]


def data_folder(settings: Settings) -> Finding:
    """Whether the data folder can be written."""
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
        probe = settings.data / ".doctor"
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        remedy = "set NUMBERING_DATA to a folder that this user can write"
        return Finding("data folder", False, f"{settings.data}: {error.strerror}", remedy)
    return Finding("data folder", True, str(settings.data))


def disk(settings: Settings) -> Finding:
    """Whether there is room for studies."""
    free = shutil.disk_usage(settings.data if settings.data.exists() else "/").free / 2**30
    return Finding("free disk", free >= LOW_DISK_GIB, f"{free:.0f} GiB", f"keep at least {LOW_DISK_GIB} GiB free")


def weights(settings: Settings) -> Finding:
    """Whether every weights file is the one that the registry names."""
    try:
        for entry in registry().values():
            for file in entry.files:
                entry.path(file)
    except NumberingError as error:
        return Finding("weights", False, error.reason.text, "install the package again")
    return Finding("weights", True, ", ".join(f"{name} {entry.version}" for name, entry in registry().items()))


def inference(settings: Settings) -> Finding:
    """Whether every pipeline loads and runs here."""
    from numbering.pipelines import CARDS

    runtimes = []
    for card in CARDS:
        try:
            runtimes.append(card.load(settings.device, settings.inference_threads).identity.runtime)
        except (NumberingError, ImportError, RuntimeError) as error:
            return Finding(f"pipeline {card.name}", False, type(error).__name__, "install the package again")
    return Finding("pipelines", True, ", ".join(dict.fromkeys(runtimes)))


def redis(settings: Settings) -> Finding:
    """Whether a broker can be had."""
    if settings.broker_url:
        return Finding("broker", True, "from NUMBERING_BROKER_URL")
    from numbering.jobs.redis import NoRedis, redis_binary

    try:
        return Finding("broker", True, redis_binary())
    except NoRedis as error:
        return Finding("broker", False, str(error), "apt-get install redis-server")


def dicom_port(settings: Settings) -> Finding:
    """Whether the DICOM port is free, or already a DICOM node's."""
    where = f"{settings.host}:{settings.port}"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError:
            answer = echo(Destination(settings.ae_title, settings.host, settings.port), settings.ae_title)
            fine = answer.outcome is Outcome.DELIVERED
            found = f"{where} is taken, and answers {'' if fine else 'no '}C-ECHO"
            return Finding("DICOM port", fine, found, "set NUMBERING_PORT to a free port")
    return Finding("DICOM port", True, f"{where} is free")


def destinations(settings: Settings) -> list[Finding]:
    """Whether each destination's files fit and it answers."""
    if not settings.every_destination:
        return [Finding("archive", True, "none set: results stay in the data folder")]
    return [_destination(settings, each) for each in settings.every_destination]


def _destination(settings: Settings, destination: DestinationSettings) -> Finding:
    try:
        check(destination.peer)
    except ValueError as error:
        return Finding(destination.name, False, str(error), "set the files of this destination")
    answer = echo(destination.peer, settings.ae_title, timeouts=destination.timeouts)
    remedy = "check title, host, port, and that it knows our AE title"
    if isinstance(destination.peer, WebDestination):
        remedy = "check the address, its certificate and the credentials' file"
    return Finding(destination.name, answer.outcome is Outcome.DELIVERED, answer.text, remedy)
