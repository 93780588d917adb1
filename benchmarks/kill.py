"""``kill -9`` of every kind of process under load: nothing is lost, and nothing arrives twice.

    python benchmarks/kill.py [--backend embedded|apart|both] [--kills 20] [--kinds acceptor,worker,…] [--seed N]

Films, each a study of its own, arrive at a steady rate over several associations from a sender that tries again until
it is answered success, and now and then sends again what was. Meanwhile processes are killed in a seeded random order:
of the embedded node acceptors, assembler, worker, deliverer and Redis; of the node whose processes run apart these and
PostgreSQL (postmaster or a connection's process). The network is a stub that takes its time; the archive is an Orthanc.

At the end, by UID: sent = stored, byte for byte; each film has one report and one presentation state, and the archive
holds exactly those. Prints the reckoning and one line of JSON; exit code 1 when a UID is not as it must be.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pydicom import dcmread

from benchmarks.faults.backends import BACKENDS, Backend, strike
from benchmarks.faults.count import Reckoning, finished, reckon
from benchmarks.faults.modality import Modality, as_new_study
from numbering.jobs.store import connect
from numbering.settings import Settings
from tests.archive import free_port, running_archive
from tests.films import SECRETS, make_film

AGAIN = 0.1
"""Share of films that are sent once more although they were answered success."""
STILL_SECONDS = 120.0
"""When no further film was delivered for this long, the run is over, whatever is missing."""
FILM_SECONDS = 0.15
"""What the stub takes for a film, so that workers are killed in the middle of one."""


class Attack:
    """One run on one backend."""

    def __init__(self, options: argparse.Namespace, backend: Backend, modality: Modality) -> None:
        self.options, self.backend, self.modality = options, backend, modality
        self.chance = random.Random(options.seed)
        modality.again = lambda: self.chance.random() < AGAIN
        self.kills: Counter[str] = Counter()

    def order(self) -> list[str]:
        """The kinds to kill, in the order of the seed."""
        kinds = [kind for kind in self.backend.kinds if not self.options.kinds or kind in self.options.kinds]
        order = kinds * self.options.kills
        self.chance.shuffle(order)
        return order

    def run(self, film: Path) -> None:
        """Films arrive, processes die."""
        template = dcmread(film)
        began = time.monotonic()
        given = 0
        longest, shortest = 1.5 * self.options.pause, 0.5 * self.options.pause
        for kind in self.order():
            until = time.monotonic() + self.chance.uniform(shortest, longest)
            while time.monotonic() < until:
                while given < (time.monotonic() - began) * self.options.rate:
                    self.modality.give(as_new_study(template))
                    given += 1
                time.sleep(0.02)
            pid = strike(self.backend, kind, self.chance)
            self.kills[kind] += 1
            told = f"{time.monotonic() - began:6.1f} s  killed {kind} ({pid}); {given} films given"
            print(f"{told}, {self.modality.waiting} not yet taken", file=sys.stderr, flush=True)


def run(options: argparse.Namespace, name: str) -> dict[str, Any]:
    """Attack one backend; its figures."""
    with tempfile.TemporaryDirectory(prefix="numbering-kill-") as made:
        folder = Path(made)
        settings = Settings(
            data=folder / "data", port=free_port(), quiet_seconds=0.3, sweep_seconds=0.2, delivery_retry_seconds=0.2
        )
        film = make_film(folder / "film.dcm")
        with running_archive(folder / "archive", {settings.ae_title: settings.port}) as archive:
            settings = settings.model_copy(update={"archive": archive.destination})
            with BACKENDS[name](folder, settings, FILM_SECONDS) as backend:
                modality = Modality(settings.port, options.associations)
                modality.start()
                attack = Attack(options, backend, modality)
                began = time.monotonic()
                attack.run(film)
                attacked = time.monotonic() - began
                modality.stop()
                settled = settle(backend, modality)
                engine = connect(backend.settings.sqlalchemy_url)
                found = reckon(settings.spool, engine, archive, modality.sent)
                engine.dispose()
                log = backend.log.read_text(errors="replace")
    figures = {
        "backend": name,
        "kills": dict(attack.kills),
        "films": found.films,
        "tried_again": sum(sent.tries > 1 for sent in modality.sent),
        "objects": found.objects,
        "attack_seconds": round(attacked, 1),
        "settle_seconds": round(settled, 1),
        "tracebacks": log.count("Traceback"),
        "patients_in_log": sum(secret in log for secret in SECRETS),
        "faults": found.faults,
        "differences": {key: value for key, value in asdict(found).items() if isinstance(value, list) and value},
    }
    show(figures, found)
    return figures


def settle(backend: Backend, modality: Modality) -> float:
    """Wait until every film's results are delivered, or nothing moves any more; the seconds that took."""
    engine = connect(backend.settings.sqlalchemy_url)
    began = moved = time.monotonic()
    most = 0
    while (done := finished(engine, modality.sent)) < len(modality.sent):
        if done > most:
            most, moved = done, time.monotonic()
        if time.monotonic() - moved > STILL_SECONDS:
            print(f"only {done} of {len(modality.sent)} films are delivered", file=sys.stderr)
            break
        time.sleep(0.5)
    engine.dispose()
    return time.monotonic() - began


def show(figures: dict[str, Any], found: Reckoning) -> None:
    """The reckoning of one backend."""
    kills = ", ".join(f"{number} × {kind}" for kind, number in sorted(figures["kills"].items()))
    print(f"{figures['backend']}: killed {kills} in {figures['attack_seconds']} s")
    print(f"  {found.films} films sent ({figures['tried_again']} tried again), {found.objects} objects written")
    print(f"  settled after {figures['settle_seconds']} s; tracebacks in the log: {figures['tracebacks']}")
    for key, value in asdict(found).items():
        if isinstance(value, list):
            print(f"  {key.replace('_', ' '):<24}{len(value)}")
    print()


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options."""
    options = argparse.ArgumentParser(description="kill -9 of every kind of process, under load.")
    options.add_argument("--backend", choices=[*BACKENDS, "both"], default="both")
    options.add_argument("--kills", type=int, default=20, help="of each kind")
    options.add_argument("--kinds", type=lambda text: text.split(","), default=[], help="only these")
    options.add_argument("--seed", type=int, default=None, help="of the order and times of the kills; printed")
    options.add_argument("--rate", type=float, default=2.0, help="films a second")
    options.add_argument("--associations", type=int, default=4)
    options.add_argument("--pause", type=float, default=2.5, help="mean seconds between two kills")
    chosen = options.parse_args(arguments)
    if chosen.seed is None:
        chosen.seed = random.SystemRandom().randrange(2**31)
    return chosen


def main() -> int:
    """Attack, reckon."""
    options = parsed()
    print(f"seed {options.seed}", flush=True)
    names = list(BACKENDS) if options.backend == "both" else [options.backend]
    figures = [run(options, name) for name in names]
    print(json.dumps({"benchmark": "kill", "seed": options.seed, "rate": options.rate, "backends": figures}))
    return int(any(each["faults"] or each["patients_in_log"] for each in figures))


if __name__ == "__main__":
    sys.exit(main())
