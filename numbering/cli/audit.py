"""Command: the audit trail of a node."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table

from numbering.cli.console import JsonOption, emit, err, fail, out, settings_or_exit


def audit(
    since: Annotated[str | None, typer.Option(metavar="TIME", help="From this day or time on (ISO 8601, UTC).")] = None,
    study: Annotated[str | None, typer.Option(metavar="UID", help="Only what is about this study.")] = None,
    json_target: JsonOption = None,
) -> None:
    """Who received, read, sent, asked and signed in, by the node's own record; checks that nothing of it was altered.

    The whole chain is checked, whatever is shown; exit code 1 when it is broken.
    """
    from numbering.audit.journal import Journal
    from numbering.audit.reading import entry_of

    start = _instant(since)
    settings = settings_or_exit()
    if not settings.audit.is_dir():
        raise fail(f"{settings.audit}: there is no audit trail; set NUMBERING_DATA to the node's data folder", 2)
    entries = [entry_of(record) for record in Journal(settings.audit).records()]
    broken = [entry for entry in entries if not entry.sound]
    shown = [
        entry
        for entry in entries
        if (start is None or (entry.time is not None and entry.time >= start))
        and (study is None or entry.study_instance_uid == study)
    ]
    first = entries[0].number if entries else 1
    told = {"sound": not broken, "first": first, "records": len(entries)}
    emit(json.dumps({**told, "entries": [vars(entry) for entry in shown]}, indent=2, ensure_ascii=False), json_target)
    if json_target != "-":
        table = Table("", "Time", "Event", "Who", "Study", "Objects", "Detail")
        for entry in shown:
            mark = "" if entry.sound and entry.success else "failed" if entry.sound else "[red]altered[/red]"
            what = f"{entry.event} {entry.kind}".strip()
            uid = entry.study_instance_uid and "…" + entry.study_instance_uid[-12:]
            table.add_row(mark, entry.at, what, " → ".join(entry.who), uid, str(entry.objects or ""), entry.detail)
        out.print(table)
    if first > 1:
        err.print(f"the trail here begins with record {first}: older files were removed")
    if broken:
        after = broken[0].number - 1
        err.print(f"the trail was altered: {len(broken)} records do not follow, the first after record {after}")
        raise typer.Exit(1)


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        raise fail(f"--since {text!r}: expected a day or time like 2026-11-21 or 2026-11-21T08:00", 2) from None
    return told if told.tzinfo else told.replace(tzinfo=UTC)
