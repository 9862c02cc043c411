"""What a snapshot keeps of an event: all of it, as the dataclass itself would tell it."""

from __future__ import annotations

from dataclasses import asdict

import pytest

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
    plain,
)

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
    assert list(plain(event).items()) == list(asdict(event).items())
