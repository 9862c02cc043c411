"""An event as a snapshot keeps it: its name and its values in the order of its fields; and the way back.

Nothing of it is left out. A field that is new or gone is another form of snapshot (`SNAPSHOT_VERSION`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import Any

from streamproc.core.events import (
    Acknowledged,
    BedFreed,
    Doubt,
    Doubted,
    DrugForm,
    HeldEvent,
    MapSample,
    MapSource,
    Observation,
    ObservationKind,
    PatientContext,
    Profile,
    PumpState,
    PumpStatus,
    Quantity,
    Unwatched,
)

EVENTS: dict[str, type[Any]] = {
    event.__name__: event
    for event in (
        MapSample,
        PumpStatus,
        PatientContext,
        BedFreed,
        Observation,
        Doubted,
        Unwatched,
        Acknowledged,
    )
}
READ_BACK: dict[str, Callable[[Any], Any]] = {
    "source": MapSource,
    "state": PumpState,
    "form": DrugForm,
    "profile": Profile,
    "doubt": Doubt,
    "kind": ObservationKind,
    "rate": lambda kept: Quantity(*kept),
    "concentration": lambda kept: Quantity(*kept),
    "alarms": tuple,
}
"""What is not itself in a snapshot, by its field's name."""


def kept_of(event: HeldEvent) -> list[Any]:
    """Its name, then its values; a quantity is its two."""
    name = event.__class__.__name__
    values = _values_of(name)(event)
    if event.__class__ is PumpStatus:
        return [name, *[[v.value, v.unit] if v.__class__ is Quantity else v for v in values]]
    return [name, *values]


def event_of(kept: Sequence[Any]) -> Any:
    """The event that `kept_of` told."""
    name, *values = kept
    for place, read in _read_back(name):
        if values[place] is not None:
            values[place] = read(values[place])
    return EVENTS[name](*values)


@cache
def _values_of(name: str) -> attrgetter[tuple[Any, ...]]:
    return attrgetter(*[field.name for field in fields(EVENTS[name])])


@cache
def _read_back(name: str) -> tuple[tuple[int, Callable[[Any], Any]], ...]:
    """Which of its values are to be read back, and how."""
    names = [field.name for field in fields(EVENTS[name])]
    return tuple((place, READ_BACK[each]) for place, each in enumerate(names) if each in READ_BACK)
