"""What an acknowledgement can mean: the alert as it was told when it was given, and nothing higher."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from pump_reports import rules, site
from read_again import read_again
from ward_histories import HOLD_BACK_MS, MINUTE_MS, START_MS, digest_of

from streamproc.core.alert import AlertState, Phase, Priority
from streamproc.core.change import Change
from streamproc.core.events import (
    Acknowledged,
    DrugForm,
    MapSample,
    MapSource,
    Observation,
    ObservationKind,
    PumpState,
    PumpStatus,
    Quantity,
)
from streamproc.core.reason import Reason
from streamproc.core.remembered import Taken, Verdict
from streamproc.core.ward import Ward

BED = "icu-a/bed-7"
LENGTH_MS = 20 * MINUTE_MS
STEP_MS = 10_000
BETWEEN_MS = HOLD_BACK_MS // 2
Lived = tuple[list[Change], Verdict | None]
"""What was told of MAP-LOW, and what became of the acknowledgement."""


def lived(ack: Acknowledged | None = None, received_ms: int = 0, restart_ms: int = -1) -> Lived:
    """A pressure that is low for twenty minutes: MAP-LOW starts, and escalates while one may acknowledge."""
    samples = {
        at_ms: MapSample(at_ms, BED, "MON-1", "b1", None, MapSource.ARTERIAL, 60_000)
        for at_ms in range(START_MS, START_MS + LENGTH_MS, STEP_MS)
    }
    ward, told, verdict = new_ward(), list[Change](), None
    for at_ms in sorted({*samples, received_ms, restart_ms}):
        if at_ms < START_MS:
            continue
        told += ward.tick(at_ms)
        if (sample := samples.get(at_ms)) is not None:
            ward.offer(sample, at_ms, digest_of(sample))
        if ack is not None and at_ms == received_ms:
            verdict = ward.offer(ack, received_ms, 1)
        if at_ms == restart_ms:
            kept, ward = read_again(ward.snapshot()), new_ward()
            ward.restore(kept)
    told += ward.tick(START_MS + LENGTH_MS)
    return [change for change in told if change.rule.id == "MAP-LOW"], verdict


def new_ward() -> Ward:
    ward = Ward(rules(), site().core_terms(), site().core_limits())
    ward.tick(START_MS)
    return ward


def escalation() -> Change:
    started, escalated = lived()[0]
    assert (started.phase, escalated.phase) == (Phase.START, Phase.ESCALATE)
    return escalated


def acknowledging(escalated: Change, given_after_ms: int) -> Acknowledged:
    return Acknowledged(escalated.time_ms + given_after_ms, "station-1", escalated.alert_id, "rn")


@pytest.mark.parametrize("given_after_ms", [-BETWEEN_MS, 0, BETWEEN_MS, HOLD_BACK_MS - 1])
def test_what_was_not_told_yet_is_not_acknowledged(given_after_ms: int) -> None:
    """It comes before the escalation is judged, and so is taken; the higher priority stays unacknowledged."""
    escalated = escalation()
    ack = acknowledging(escalated, given_after_ms)
    told, verdict = lived(ack, ack.time_ms)
    assert verdict is Taken.ACCEPTED
    assert (told[-1].priority, told[-1].state) == (Priority.HIGH, AlertState.ACTIVE)


@pytest.mark.parametrize("given_after_ms", [-BETWEEN_MS, BETWEEN_MS, HOLD_BACK_MS - 1])
@pytest.mark.parametrize("late_ms", [HOLD_BACK_MS, 60_000])
def test_one_that_comes_late_means_no_more_than_in_time(given_after_ms: int, late_ms: int) -> None:
    """The escalation is told by then, but whoever gave it had not been told: refused, and so shown."""
    escalated = escalation()
    ack = acknowledging(escalated, given_after_ms)
    received_ms = max(ack.time_ms, escalated.time_ms) + late_ms
    told, verdict = lived(ack, received_ms)
    assert verdict is Reason.ACK_OUTDATED
    assert (told[-1].priority, told[-1].state) == (Priority.HIGH, AlertState.ACTIVE)


def test_what_was_told_is_acknowledged() -> None:
    escalated = escalation()
    ack = acknowledging(escalated, HOLD_BACK_MS)
    told, verdict = lived(ack, ack.time_ms)
    assert verdict is Taken.ACCEPTED
    assert (told[-1].priority, told[-1].state) == (Priority.HIGH, AlertState.ACKNOWLEDGED)
    assert told[-1].acknowledged_ms == ack.time_ms


def test_a_stations_fast_clock_gains_nothing() -> None:
    """Dated to when the escalation is told, received before that: nobody can have seen it."""
    escalated = escalation()
    ack = acknowledging(escalated, HOLD_BACK_MS)
    told, _ = lived(ack, escalated.time_ms + BETWEEN_MS)
    assert (told[-1].priority, told[-1].state) == (Priority.HIGH, AlertState.ACTIVE)


@pytest.mark.parametrize("given_after_ms", [-BETWEEN_MS, BETWEEN_MS, HOLD_BACK_MS])
def test_a_restart_while_it_is_held_changes_nothing(given_after_ms: int) -> None:
    """Snapshot and restore with the acknowledgement between its receipt and its time."""
    ack = acknowledging(escalation(), given_after_ms)
    assert lived(ack, ack.time_ms, ack.time_ms)[0] == lived(ack, ack.time_ms)[0]


@dataclass
class Shift:
    """A bed whose pump speaks once a second, and what is told of it."""

    ward: Ward = field(default_factory=lambda: new_ward())
    second: int = 0
    rate: float = 0.05
    alarms: tuple[str, ...] = ()
    told: list[Change] = field(default_factory=list)

    def until(self, second: int) -> None:
        """Live on up to then."""
        for at_s in range(self.second, second):
            now_ms = START_MS + at_s * 1_000
            self.told += self.ward.tick(now_ms)
            rate = Quantity(self.rate, "ug/kg/min")
            pump = PumpStatus(
                now_ms, BED, "PMP-1", "b1", at_s, "1", PumpState.INFUSING, "norepinephrine",
                form=DrugForm.BASE, rate=rate, route="peripheral", alarms=self.alarms,
            )  # fmt: skip
            assert self.ward.offer(pump, now_ms, digest_of(pump)) is Taken.ACCEPTED
        self.second = second

    def seen_in_tissue(self) -> None:
        """A nurse charts it now."""
        at_ms = START_MS + (self.second - 1) * 1_000
        seen = Observation(at_ms, BED, "NURSE", "b1", self.second, ObservationKind.EXTRAVASATION, True)
        assert self.ward.offer(seen, at_ms, digest_of(seen)) is Taken.ACCEPTED

    def acknowledge(self, rule: str, given_s: float) -> Verdict:
        """Of that second, received now."""
        named = next(change.alert_id for change in self.told if change.rule.id == rule)
        ack = Acknowledged(START_MS + round(given_s * 1_000), "station", named, "rn-1")
        return self.ward.offer(ack, START_MS + (self.second - 1) * 1_000, 1)

    def starts(self, rule: str) -> int:
        """How often an alert of the rule has begun."""
        return sum(change.rule.id == rule and change.phase is Phase.START for change in self.told)


@pytest.mark.parametrize("received_s", [72, 180])
def test_a_leap_after_an_acknowledgement_is_an_alert_of_its_own(received_s: int) -> None:
    """However late the acknowledgement of the one before comes in."""
    shift = Shift()
    shift.until(60)
    shift.rate = 0.2
    for second in sorted({received_s, 120}):
        shift.until(second)
        if second == received_s:
            assert shift.acknowledge("DOSE-STEP", 70) is Taken.ACCEPTED
        if second == 120:
            shift.rate = 0.9
    shift.until(200)
    assert shift.starts("DOSE-STEP") == 2
    assert shift.ward.beds[BED].alerts["DOSE-STEP"].state is AlertState.ACTIVE


@pytest.mark.parametrize("received_s", [72, 180])
def test_a_reading_after_an_acknowledgement_is_not_among_what_was_seen(received_s: int) -> None:
    shift = Shift()
    shift.until(60)
    shift.seen_in_tissue()
    for second in sorted({received_s, 120}):
        shift.until(second)
        if second == received_s:
            assert shift.acknowledge("EXTRAVASATION", 70) is Taken.ACCEPTED
        if second == 120:
            shift.seen_in_tissue()
    shift.until(200)
    assert shift.starts("EXTRAVASATION") == 2
    assert shift.ward.beds[BED].alerts["EXTRAVASATION"].state is AlertState.ACTIVE


@pytest.mark.parametrize(("given_s", "starts"), [(68.999, 2), (69, 1)])
def test_a_reading_of_the_very_instant_was_seen(given_s: float, starts: int) -> None:
    shift = Shift()
    for second in (60, 70):
        shift.until(second)
        shift.seen_in_tissue()
    shift.until(73)
    assert shift.acknowledge("EXTRAVASATION", given_s) is Taken.ACCEPTED
    shift.until(90)
    assert shift.starts("EXTRAVASATION") == starts


@pytest.mark.parametrize("ahead_s", [0, 4.9])
def test_nobody_has_seen_what_is_still_to_happen(ahead_s: float) -> None:
    """A station whose clock is ahead silences no line that occludes again a moment later."""
    shift = Shift()
    shift.until(60)
    shift.alarms = ("MDC_EVT_FLUID_LINE_OCCL",)
    shift.until(70)
    shift.alarms = ()
    shift.until(80)
    assert shift.acknowledge("EXTRAVASATION", 79 + ahead_s) is Taken.ACCEPTED
    shift.until(82)
    shift.alarms = ("MDC_EVT_FLUID_LINE_OCCL",)
    shift.until(120)
    assert shift.starts("EXTRAVASATION") == 2
