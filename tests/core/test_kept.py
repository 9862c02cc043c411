"""What a snapshot keeps of an event: all of it, as the dataclass itself would tell it, and the way back."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import get_args

import pytest
from read_again import read_again

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
    PumpState,
    PumpStatus,
    Quantity,
    Unwatched,
)
from streamproc.core.kept import EVENTS as KNOWN
from streamproc.core.kept import event_of, kept_of

BED = "icu-a/bed-1"
EVENTS: list[HeldEvent] = [
    MapSample(1, BED, "MON-1", "b", 1, MapSource.CUFF, 65_000, False),
    PumpStatus(1, BED, "PMP-1", None, None, "1", PumpState.KVO, "norepinephrine"),
    PumpStatus(
        *(1, BED, "PMP-1", "b", 2, "1", PumpState.INFUSING, "norepinephrine", DrugForm.BASE),
        *(Quantity(9.375, "mL/h"), Quantity(16.0, "ug/mL"), 70.0, 112.0, "D5W", "central", "L1", ("MDC_X",)),
    ),
    PatientContext(1, BED, "S-1", 70.0),
    BedFreed(1, BED),
    Observation(1, BED, "CHART", "1", 4, ObservationKind.ARRHYTHMIA, True),
    Doubted(1, BED, "MON-1", Doubt.CLOCK, "ahead"),
    Unwatched(1, BED, 0, 1, "it was down"),
    Acknowledged(1, "central-1", "al-0f3c", "nurse"),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_nothing_of_an_event_is_left_out(event: HeldEvent) -> None:
    told = [list(value.values()) if isinstance(value, dict) else value for value in asdict(event).values()]
    assert kept_of(event) == [type(event).__name__, *told]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_read_again_is_the_same_in_each_of_its_kinds(event: HeldEvent) -> None:
    again = event_of(read_again(kept_of(event)))
    assert again == event
    kinds = [[type(getattr(each, field.name)) for field in fields(each)] for each in (again, event)]
    assert kinds[0] == kinds[1]


def test_every_event_that_a_bed_can_hold_is_known() -> None:
    assert set(KNOWN.values()) == set(get_args(HeldEvent)) == {type(event) for event in EVENTS}
