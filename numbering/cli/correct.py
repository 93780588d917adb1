"""Commands: say what a structure really is; list corrections, take one back, give them out as training data."""

from __future__ import annotations

import getpass
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from numbering.cli.console import JsonOption, emit, err, fail, out, settings_or_exit

if TYPE_CHECKING:
    from numbering.jobs.node import Node
    from numbering.jobs.record.concluding import Concluded
    from numbering.jobs.record.corrections import By, Said
    from numbering.settings import Settings

corrections_app = typer.Typer(help="What persons said that structures are.", no_args_is_help=True)
_AT = re.compile(r"(?P<uid>[0-9.]{1,64})(?:#(?P<frame>[1-9]\d{0,5}))?(?::(?P<x>-?[\d.]{1,12}),(?P<y>-?[\d.]{1,12}))?")

KeyOption = Annotated[
    str | None,
    typer.Option("--key", metavar="FILE|-", help="Your own key (numbering keys add --person); - reads it from stdin."),
]
DataOption = Annotated[Path | None, typer.Option("--data", help="The node's data folder.")]


def correct(
    at: Annotated[
        str, typer.Option(metavar="SOP_UID[#FRAME][:x,y]", help="Where: x right, y down, in pixels; or with --was.")
    ],
    name: Annotated[str, typer.Option("--is", metavar="NAME", help="What it is: L5, T13, L4-L5.")],
    was: Annotated[str | None, typer.Option(metavar="NAME", help="What it is called now, instead of x,y.")] = None,
    key: KeyOption = None,
    json_target: JsonOption = None,
    data: DataOption = None,
) -> None:
    """Rename one structure; the others of its series shift with it, and superseding reports are written.

    With a key of one person of an organisation the correction is verified. Without it, it is kept as unverified.
    The node's workers write and send the reports. A correction stands through every later run, until it is withdrawn.
    """
    from numbering.audit import Peer
    from numbering.jobs.record.correcting import correct as correct_on
    from numbering.jobs.record.corrections import CannotCorrect

    settings = settings_or_exit(data=data)
    by = _by(settings, key)
    node = _node(settings)
    try:
        done = correct_on(node, [_said(node, at, was, name)], by, Peer(by.account, "localhost"))
    except CannotCorrect as error:
        raise fail(str(error), 2) from None
    (filed,) = done.filed
    told = {"uid": filed.uid, "was": filed.was, "name": filed.name, "verified": filed.verified}
    emit(json.dumps({**told, "issued": _issued(done.made)}, indent=2), json_target)
    if json_target != "-":
        standing = "verified" if filed.verified else "not verified: give --key with a person's key to verify it"
        before = filed.was or "what had no name"
        out.print(f"{before} is {filed.name} ({standing}); correction {filed.uid}", highlight=False)
        _show(done.made)


@corrections_app.command("list", epilog="Example: numbering corrections list --all --json -")
def list_corrections(
    everything: Annotated[bool, typer.Option("--all", help="Those that were taken back, too.")] = False,
    json_target: JsonOption = None,
    data: DataOption = None,
) -> None:
    """Corrections, oldest first."""
    from numbering.jobs.record.corrections import corrections

    rows = corrections(_node(settings_or_exit(data=data)).engine, withdrawn=everything)
    told: list[dict[str, Any]] = [
        {
            "uid": row.uid,
            "sop_instance_uid": row.sop_uid,
            "frame": row.frame,
            "x": row.x,
            "y": row.y,
            "was": row.was,
            "name": row.name,
            "verified": row.verified,
            "source": row.source,
            "at": row.at.isoformat(timespec="seconds"),
            "withdrawn_at": row.withdrawn_at.isoformat(timespec="seconds") if row.withdrawn_at else None,
        }
        for row in rows
    ]
    emit(json.dumps(told, indent=2), json_target)
    if json_target != "-":
        table = Table("Correction", "Image", "Was", "Is", "Verified", "From", "At", "Taken back")
        for one in told:
            shown = (one[field] for field in ("uid", "sop_instance_uid", "was", "name"))
            verified = "yes" if one["verified"] else "no"
            back = one["withdrawn_at"] or ""
            table.add_row(*(str(each or "") for each in shown), verified, one["source"], one["at"], back)
        out.print(table)


@corrections_app.command("withdraw", epilog="Example: numbering corrections withdraw 2.25.77 --key key.txt")
def withdraw(
    uid: Annotated[str, typer.Argument(metavar="UID", help="As `list` shows it.")],
    key: KeyOption = None,
    json_target: JsonOption = None,
    data: DataOption = None,
) -> None:
    """Take a correction back: what had been said before holds again, in superseding reports."""
    from numbering.audit import Peer
    from numbering.jobs.record.correcting import take_back

    settings = settings_or_exit(data=data)
    by = _by(settings, key)
    try:
        made = take_back(_node(settings), uid, by, Peer(by.account, "localhost"))
    except LookupError as error:
        raise fail(str(error), 2) from None
    emit(json.dumps({"uid": uid, "issued": _issued(made)}, indent=2), json_target)
    if json_target != "-":
        _show(made)


@corrections_app.command("export", epilog="Example: numbering corrections export --out corrections.jsonl")
def export(
    target: Annotated[str, typer.Option("--out", metavar="FILE|-", help="Where; - for stdout.")] = "-",
    data: DataOption = None,
) -> None:
    """Corrections that stand as training data: one JSON object a line (docs/howto-corrections.md)."""
    from numbering.jobs.record.export import exported

    lines = list(exported(_node(settings_or_exit(data=data))))
    text = "".join(f"{line}\n" for line in lines)
    if target == "-":
        sys.stdout.write(text)
    else:
        Path(target).write_text(text)
    err.print(f"{len(lines)} corrections", highlight=False)


def _node(settings: Settings) -> Node:
    from numbering.cli.jobs import database
    from numbering.jobs.node import Node

    with database(settings.data):
        return Node.of(settings)


def _by(settings: Settings, key: str | None) -> By:
    """Whoever's key it is; the account of this machine, unverified, without one."""
    from numbering.jobs.record.corrections import By
    from numbering.web.keys import Keys, Scope

    if key is None:
        return By(source="command", account=f"account {getpass.getuser()}")
    try:
        presented = sys.stdin.readline() if key == "-" else Path(key).read_text()
    except OSError as error:
        raise fail(f"--key {key}: {error.strerror}", 2) from None
    known = Keys(settings.data).who(presented.strip())
    if known is None or Scope.CORRECT not in known.may:
        raise fail("this key is not known, was revoked, or may not correct (numbering keys add NAME --may correct)", 2)
    return By(source="command", account=f"key {known.name}", person=known.person, organisation=known.organisation)


def _said(node: Node, at: str, was: str | None, name: str) -> Said:
    from numbering.jobs.record.corrections import CannotCorrect, Said, place_of
    from numbering.record.model import Place

    match = _AT.fullmatch(at.strip())
    if match is None or (match["x"] is None) == (was is None):
        raise CannotCorrect("expected --at SOP_UID[#FRAME]:x,y, or --at SOP_UID[#FRAME] with --was NAME")
    frame = int(match["frame"]) if match["frame"] else None
    if was is not None:
        return Said(place=place_of(node.engine, match["uid"], frame, was), name=name)
    try:
        x, y = float(match["x"]), float(match["y"])
    except ValueError:
        raise CannotCorrect(f"{match['x']},{match['y']} is no place: expected two numbers") from None
    return Said(place=Place(sop_instance_uid=match["uid"], frame=frame, x=x, y=y), name=name)


def _issued(made: Iterable[Concluded]) -> list[dict[str, Any]]:
    return [{"job": each.job_id, "why": each.why, "renamed": [list(pair) for pair in each.renamed]} for each in made]


def _show(made: Iterable[Concluded]) -> None:
    for each in made:
        names = ", ".join(f"{old} is {new}" for old, new in each.renamed)
        out.print(f"new revision {each.job_id}: {names or 'names as before'}", highlight=False)
