"""The command line. Each command parses, calls one function and prints; progress goes to stderr, the answer to stdout.

Exit codes: 0 done (abstentions included), 1 something failed, 2 the command was misused.
"""

from __future__ import annotations

import typer

from numbering import logs
from numbering.cli import (
    audit,
    backup,
    check,
    correct,
    destinations,
    jobs,
    keys,
    machine,
    model,
    node,
    notices,
    patients,
    phantom,
    priors,
    rooms,
    selftest,
)

app = typer.Typer(
    name="numbering",
    help="Says which vertebra is which, how sure it is, and on what the count rests. Research use only.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def quiet() -> None:
    """Says which vertebra is which, how sure it is, and on what the count rests. Research use only."""
    logs.configure("WARNING")  # stdout is the answer; a node says more (`serve`)


for command, name, example in (
    (node.demo, "demo", "numbering demo --out demo"),
    (node.serve, "serve", "numbering serve --data /var/lib/numbering --archive ORTHANC@127.0.0.1:4242"),
    (rooms.receive, "receive", "numbering receive --data /srv/numbering --port 104"),
    (rooms.work, "work", "NUMBERING_BROKER_URL=redis://broker/0 numbering work --data /srv/numbering --no-assemble"),
    (rooms.web, "web", "NUMBERING_BROKER_URL=redis://broker/0 numbering web --data /srv/numbering --port 8043"),
    (node.run, "run", "numbering run ~/films --out results --json -"),
    (node.send, "send", "numbering send ~/films --to ORTHANC@127.0.0.1:4242"),
    (check.check, "check", "numbering check --planned L4-L5 --at 1.2.840.1.7:812,1640 --patient - --sr"),
    (correct.correct, "correct", "numbering correct --at 1.2.840.1.7:812,1640 --is L6 --key key.txt"),
    (phantom.phantom, "phantom", "numbering phantom --out phantoms --count 3 --seed 7 --views ap,lateral,ct"),
    (selftest.selftest, "selftest", "numbering selftest --to PACS@pacs.example.org:104 --from MODALITY --json -"),
    (model.train, "train", "numbering train ap-xray --data aasce --out work/ap.safetensors --hours 2 --resume"),
    (model.evaluate, "evaluate", "numbering evaluate ap-xray --data aasce --json figures.json --gallery failures.png"),
    (backup.backup, "backup", "NUMBERING_DATA=/var/lib/numbering numbering backup /mnt/backup/numbering"),
    (backup.restore, "restore", "NUMBERING_DATA=/var/lib/numbering numbering restore /mnt/backup/numbering"),
    (priors.priors, "priors", "numbering priors --study 1.2.840.113619.2.1 --fetch"),
    (audit.audit, "audit", "NUMBERING_DATA=/var/lib/numbering numbering audit --since 2026-11-21"),
    (machine.show_settings, "settings", "NUMBERING_PORT=104 numbering settings"),
    (machine.doctor, "doctor", "numbering doctor --json -"),
):
    app.command(name, epilog=f"Example: {example}")(command)
app.add_typer(model.models_app, name="models")
app.add_typer(keys.keys_app, name="keys")
app.add_typer(correct.corrections_app, name="corrections")
app.add_typer(patients.patients_app, name="patients")
app.add_typer(jobs.jobs_app, name="jobs")
app.add_typer(destinations.destinations_app, name="destinations")
app.add_typer(notices.notices_app, name="notices")
