"""How the destinations fare: what waits for each, what waits for a person, since when one is out of reach."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, func, select

from numbering.jobs.deliveries import unfinished
from numbering.jobs.models import Delivery, DestinationRow
from numbering.jobs.states import DeliveryState
from numbering.jobs.store import reading
from numbering.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """One destination: its rules and its rows. ``address`` is empty when the settings no longer know it.

    ``stranded`` deliveries there will then never be made, or never be committed to.
    """

    name: str
    address: str
    wants: str
    commitment: bool
    by_state: dict[str, int]
    failing_since: datetime | None
    answer: str
    stranded: int = 0

    @property
    def waiting(self) -> int:
        """Deliveries that are still to be made."""
        return self.by_state.get(DeliveryState.QUEUED, 0) + self.by_state.get(DeliveryState.SENDING, 0)

    @property
    def for_a_person(self) -> int:
        """Deliveries that wait for a person."""
        return self.by_state.get(DeliveryState.FAILED, 0) + self.by_state.get(DeliveryState.UNCOMMITTED, 0)


def backlogs(settings: Settings, engine: Engine) -> list[Backlog]:
    """Every destination of the settings, then those that only rows remember."""
    with reading(engine) as session:
        counted: dict[str, dict[str, int]] = {}
        count = select(Delivery.destination, Delivery.state, func.count()).group_by(
            Delivery.destination, Delivery.state
        )
        for name, state, number in session.execute(count):
            counted.setdefault(name, {})[state] = number
        to_do = select(Delivery.destination, func.count()).where(unfinished()).group_by(Delivery.destination)
        open_ = dict(session.execute(to_do).tuples().all())
        fare = {row.name: row for row in session.scalars(select(DestinationRow))}
    known = {each.name: each for each in settings.every_destination}
    found = []
    for name in [*known, *sorted(counted.keys() - known.keys())]:
        destination, row = known.get(name), fare.get(name)
        rules = [*destination.kinds, *destination.statuses, *destination.pipelines] if destination else ["nothing"]
        found.append(
            Backlog(
                name=name,
                address=destination.address if destination else "",
                wants=", ".join(rules) or "everything",
                commitment=destination.commitment if destination else False,
                by_state=counted.get(name, {}),
                failing_since=row.failing_since if row else None,
                answer=(row.answer if row else None) or "",
                stranded=0 if destination else open_.get(name, 0),
            )
        )
    return found
