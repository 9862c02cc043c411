"""What a monitor's rhythm says of its silence, and what its artefacts say of it."""

from __future__ import annotations

from pump_reports import site
from ward_histories import HOLD_BACK_MS, START_MS, digest_of, rules

from streamproc.core.events import MapSample, MapSource
from streamproc.core.pressure import Cadence
from streamproc.core.ward import Taken, Ward

BED = "icu-a/bed-7"


def sample(at_ms: int, valid: bool = True, seq: int | None = None) -> MapSample:
    return MapSample(START_MS + at_ms, BED, "MON-1", "b1", seq, MapSource.ARTERIAL, 70_000, valid)


def test_a_loss_is_no_interval() -> None:
    """A device that comes back now and then is not one that reports every ten minutes."""
    cadence = Cadence()
    for at_ms in (0, 1_000, 2_000, 600_000, 1_200_000, 1_800_000):
        cadence.heard(at_ms, longest_ms=60_000)
    assert cadence.interval_ms(otherwise_ms=5_000) == 1_000


def test_artefacts_that_come_late_count_all_the_same() -> None:
    """Refused for their figure, and later than the hold-back: half of the last minute is still bad."""
    ward = Ward(rules(), site().core_terms(), site().core_limits())
    ward.tick(START_MS)
    for second in range(0, 90):
        late_ms = START_MS + second * 1_000 + HOLD_BACK_MS + 1_100
        ward.tick(late_ms)
        if second % 2:
            ward.note_artefact(sample(second * 1_000, valid=False), late_ms)
        else:
            event = sample(second * 1_000, seq=second)
            assert ward.offer(event, late_ms, digest_of(event)) is Taken.LATE
    assert ward.beds[BED].alerts["TECH-MAP-ARTEFACT"].open


def test_a_number_may_be_used_again_once_it_is_too_old_to_be_a_repeat() -> None:
    """A cuff that always says sequence 0 is not in conflict with itself of five minutes ago."""
    ward = Ward(rules(), site().core_terms(), site().core_limits())
    ward.tick(START_MS)
    for minute in range(0, 20, 5):
        event = sample(minute * 60_000, seq=0)
        ward.tick(event.time_ms)
        assert ward.offer(event, event.time_ms, digest_of(event)) is Taken.ACCEPTED
