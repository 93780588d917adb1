"""The one state machine of the node: which state may follow which. Anything else raises.

The life of a job is told here; its *result* (numbered, abstained, …) is another column of its row.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a series or a job stands."""

    RECEIVED = "received"
    """A series whose instances are still arriving."""
    COMPLETE = "complete"
    """A series in which nothing arrived for the quiet time: its jobs exist."""
    QUEUED = "queued"
    RUNNING = "running"
    """A worker holds a claim and reads pixels."""
    INFERRED = "inferred"
    """The result is stored and will never be inferred again; its objects are not written yet."""
    ENCODING = "encoding"
    """A worker holds a claim and writes objects."""
    ENCODED = "encoded"
    """The objects are on disk; the end of the way where no archive is set."""
    DELIVERED = "delivered"
    COMMITTED = "committed"
    HELD = "held"
    UNSUITABLE = "unsuitable"
    FAILED = "failed"
    """Given up after its attempts: waits for a person."""
    QUARANTINED = "quarantined"
    """An input that cannot be read: kept aside, not tried again."""
    SUPERSEDED = "superseded"
    """Images came later: a newer job stands for this part of the series."""


class DeliveryState(StrEnum):
    """Where one object stands on its way to one destination."""

    QUEUED = "queued"
    SENDING = "sending"
    DELIVERED = "delivered"
    COMMITTED = "committed"
    """The destination took it into its own safe-keeping (storage commitment)."""
    UNCOMMITTED = "uncommitted"
    """It arrived, and the destination never committed to keeping it: waits for a person."""
    FAILED = "failed"
    FORGOTTEN = "forgotten"
    """Never made: a person gave it up, because the settings no longer have its destination."""


class PriorState(StrEnum):
    """Where the search for a study's priors stands, or the transfer of one of them."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    """Given up: waits for a person."""


class Removal(StrEnum):
    """Where the file of a row stands on its way out; a row without one keeps its file."""

    MARKED = "marked"
    """Retention has decided; the file may still be there."""
    DONE = "done"


class IllegalTransition(RuntimeError):
    """A bug: this state may not follow that one."""

    def __init__(self, before: str, after: str) -> None:
        super().__init__(f"a {before!r} row cannot become {after!r}")


TRANSITIONS: dict[State, frozenset[State]] = {
    # A series of which instances are missing is held, for news or for the end of its time.
    State.RECEIVED: frozenset({State.COMPLETE, State.HELD, State.QUARANTINED}),
    State.COMPLETE: frozenset({State.RECEIVED, State.QUEUED, State.HELD, State.UNSUITABLE, State.QUARANTINED}),
    State.QUEUED: frozenset({State.RUNNING, State.FAILED, State.SUPERSEDED}),
    State.RUNNING: frozenset(
        {State.INFERRED, State.QUEUED, State.UNSUITABLE, State.QUARANTINED, State.FAILED, State.SUPERSEDED}
    ),
    State.INFERRED: frozenset({State.ENCODING, State.FAILED, State.SUPERSEDED}),
    State.ENCODING: frozenset({State.ENCODED, State.INFERRED, State.FAILED, State.SUPERSEDED}),
    State.ENCODED: frozenset({State.DELIVERED, State.SUPERSEDED}),
    # Back when the destination says that it does not hold an object: it is sent again.
    State.DELIVERED: frozenset({State.COMMITTED, State.ENCODED, State.SUPERSEDED}),
    State.COMMITTED: frozenset({State.SUPERSEDED}),
    State.HELD: frozenset({State.RECEIVED, State.COMPLETE, State.UNSUITABLE, State.SUPERSEDED}),
    State.UNSUITABLE: frozenset({State.SUPERSEDED}),
    # A person may ask for another attempt; what had been inferred already is not inferred again.
    State.FAILED: frozenset({State.QUEUED, State.INFERRED, State.SUPERSEDED}),
    State.QUARANTINED: frozenset({State.SUPERSEDED}),
    State.SUPERSEDED: frozenset(),
}

DELIVERY_TRANSITIONS: dict[DeliveryState, frozenset[DeliveryState]] = {
    DeliveryState.QUEUED: frozenset({DeliveryState.SENDING, DeliveryState.FAILED, DeliveryState.FORGOTTEN}),
    DeliveryState.SENDING: frozenset({DeliveryState.DELIVERED, DeliveryState.QUEUED, DeliveryState.FAILED}),
    DeliveryState.FAILED: frozenset({DeliveryState.QUEUED, DeliveryState.FORGOTTEN}),
    DeliveryState.DELIVERED: frozenset({DeliveryState.COMMITTED, DeliveryState.UNCOMMITTED, DeliveryState.QUEUED}),
    DeliveryState.COMMITTED: frozenset(),
    # It did arrive, which is all there is to say once its destination is forgotten.
    DeliveryState.UNCOMMITTED: frozenset({DeliveryState.COMMITTED, DeliveryState.QUEUED, DeliveryState.DELIVERED}),
    DeliveryState.FORGOTTEN: frozenset(),
}

PRIOR_TRANSITIONS: dict[PriorState, frozenset[PriorState]] = {
    PriorState.QUEUED: frozenset({PriorState.RUNNING, PriorState.FAILED}),
    PriorState.RUNNING: frozenset({PriorState.DONE, PriorState.QUEUED, PriorState.FAILED}),
    # A person may ask again.
    PriorState.DONE: frozenset({PriorState.QUEUED}),
    PriorState.FAILED: frozenset({PriorState.QUEUED}),
}

ARRIVED = (DeliveryState.DELIVERED, DeliveryState.COMMITTED, DeliveryState.UNCOMMITTED)
"""Deliveries whose destination said that it has the object."""

CLAIMED = {State.QUEUED: State.RUNNING, State.INFERRED: State.ENCODING}
"""What a claim turns a waiting job into, and what its loss turns back."""

UNFINISHED = (State.QUEUED, State.RUNNING, State.INFERRED, State.ENCODING)
"""Jobs for which a worker still has something to do."""


def checked(before: State, after: State) -> State:
    """``after``, or `IllegalTransition`."""
    if after not in TRANSITIONS[before]:
        raise IllegalTransition(before, after)
    return after


def checked_delivery(before: DeliveryState, after: DeliveryState) -> DeliveryState:
    """``after``, or `IllegalTransition`."""
    if after not in DELIVERY_TRANSITIONS[before]:
        raise IllegalTransition(before, after)
    return after


def checked_prior(before: PriorState, after: PriorState) -> PriorState:
    """``after``, or `IllegalTransition`."""
    if after not in PRIOR_TRANSITIONS[before]:
        raise IllegalTransition(before, after)
    return after
