"""Who lies in the bed: admissions, discharges, and that nothing of one patient speaks for the next."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from pump_reports import report, rules, site
from read_again import read_again
from ward_histories import HOLD_BACK_MS, MINUTE_MS, START_MS, digest_of

from streamproc.core.alert import AlertState, Phase
from streamproc.core.change import Change
from streamproc.core.events import (
    Acknowledged,
    BedEvent,
    BedFreed,
    MapSample,
    MapSource,
    PatientContext,
)
from streamproc.core.reason import Reason
from streamproc.core.remembered import Taken
from streamproc.core.ward import Ward

BED = "icu-a/bed-7"


def new_ward(*roster: str) -> Ward:
    ward = Ward(rules(), site().core_terms(), site().core_limits(), frozenset(roster))
    ward.tick(START_MS)
    return ward


def at(minute: float) -> int:
    return START_MS + round(minute * MINUTE_MS)


def admitted(
    minute: float, session: str = "S-1", told: float | None = None, **known: float
) -> PatientContext:
    """A context as of a minute, in force since then."""
    return PatientContext(at(minute if told is None else told), BED, session, **known)


def pressures(mmhg: int, minutes: range) -> list[BedEvent]:
    """One sample every 10 s."""
    return [
        MapSample(at(minute) + second * 1_000, BED, "MON-1", "b1", None, MapSource.ARTERIAL, mmhg * 1_000)
        for minute in minutes
        for second in range(0, 60, 10)
    ]


def doses(rate: float, minutes: range) -> list[BedEvent]:
    """One report every 10 s."""
    return [
        report(rate, at_ms=at(minute) + second * 1_000) for minute in minutes for second in range(0, 60, 10)
    ]


def live(ward: Ward, events: Iterable[BedEvent], until_minute: float) -> list[Change]:
    """Each message comes at once; then time goes on."""
    changes: list[Change] = []
    for event in sorted(events, key=lambda each: each.time_ms):
        changes += ward.tick(event.time_ms)
        assert ward.offer(event, event.time_ms, digest_of(event)) is Taken.ACCEPTED
    return changes + ward.tick(at(until_minute) + HOLD_BACK_MS)


def ended(changes: list[Change]) -> dict[str, tuple[int, str | None]]:
    return {c.rule.id: (c.time_ms, c.reason) for c in changes if c.phase is Phase.END}


def test_a_new_session_ends_the_alerts_of_the_last() -> None:
    """At the instant of the admission, with the reason, and announced as ended."""
    ward = new_ward()
    events = [admitted(0), *pressures(50, range(0, 10)), *doses(0.3, range(0, 10)), admitted(10, "S-2")]
    changes = live(ward, events, 10)
    ends = [change for change in changes if change.phase is Phase.END]
    assert {change.rule.id for change in ends} >= {"MAP-LOW", "MAP-CRIT", "ESC-THRESHOLD"}
    assert {(change.time_ms, change.reason) for change in ends} == {(at(10), "session_ended")}
    assert {(change.state, change.ended_ms) for change in ends} == {(AlertState.ENDED, at(10))}
    assert all(change.wording.text == f"{change.rule.id} ended: session ended" for change in ends)
    assert ward.open_alerts() == {}


def test_a_new_session_empties_the_windows() -> None:
    """Nine minutes of the last patient's hypotension are no part of the next one's mean, nor is the dose."""
    ward = new_ward()
    live(
        ward, [admitted(0), *pressures(50, range(0, 10)), *doses(0.3, range(0, 10)), admitted(10, "S-2")], 10
    )
    chart = ward.beds[BED].chart
    assert len(chart.pressure.trend) == 0
    assert len(chart.pressure.artefacts) == 0
    assert (chart.dose, chart.spells) == (None, {})
    assert chart.context is not None
    assert chart.context.session == "S-2"


def test_a_stay_that_begins_is_judged_by_itself() -> None:
    """MAP-LOW of the new patient needs four minutes of the new patient; its first sample is of 10m10s."""
    ward = new_ward()
    events = [admitted(0), *pressures(50, range(0, 20)), admitted(10, "S-2")]
    changes = live(ward, events, 20)
    starts = [
        change.time_ms for change in changes if change.rule.id == "MAP-LOW" and change.phase is Phase.START
    ]
    assert starts == [at(4), at(14) + 10_000]


def test_a_late_sample_of_the_last_stay_is_not_the_next_patient() -> None:
    """It is counted as late; it enters nothing of a stay that began after it."""
    ward = new_ward()
    live(ward, [admitted(0), *pressures(70, range(0, 10)), admitted(10, "S-2")], 10.1)
    now_ms = at(10.1) + HOLD_BACK_MS
    late = MapSample(at(9.9), BED, "MON-1", "b1", None, MapSource.ARTERIAL, 40_000)
    assert ward.offer(late, now_ms, 1) is Taken.LATE
    assert ward.offer(report(0.5, at_ms=at(9.9)), now_ms, 2) is Taken.LATE
    ward.tick(now_ms + 1)
    chart = ward.beds[BED].chart
    assert len(chart.pressure.trend) == 0
    assert chart.dose is None


def test_a_new_patient_on_the_pump_is_not_overdue_at_once() -> None:
    """No MAP ever: counted from the first word of this stay, not of the bed."""
    ward = new_ward()
    second = [admitted(30, "S-2"), *doses(0.1, range(30, 40))]
    changes = live(ward, [admitted(0), *pressures(70, range(0, 30)), *second], 40)
    overdue = [(c.time_ms, c.phase) for c in changes if c.rule.id == "MAP-OVERDUE"]
    assert overdue == [(at(35), Phase.START)]


def test_the_same_session_again_ends_nothing() -> None:
    """A context that says more of the same patient."""
    ward = new_ward()
    events = [admitted(0), *pressures(50, range(0, 10)), admitted(8, weight_kg=80.0)]
    changes = live(ward, events, 9)
    assert ended(changes) == {}
    assert ward.beds[BED].chart.infusions.weight_kg == 80.0


def test_the_first_context_of_a_bed_takes_over_what_was_heard() -> None:
    """A bed that sends before anybody said who lies in it: the stay has begun already."""
    ward = new_ward()
    changes = live(ward, [*pressures(50, range(0, 10)), admitted(8)], 9)
    assert ended(changes) == {}
    assert len(ward.beds[BED].chart.pressure.trend) > 50


def test_an_older_context_that_comes_after_a_newer_one_is_ignored() -> None:
    ward = new_ward()
    live(ward, [admitted(5, "S-2", weight_kg=80.0)], 5)
    now_ms = at(5) + HOLD_BACK_MS
    assert ward.offer(admitted(1, "S-1", weight_kg=60.0), now_ms, 1) is Taken.LATE
    ward.tick(now_ms + HOLD_BACK_MS + 1)
    context = ward.beds[BED].chart.context
    assert context is not None
    assert (context.session, context.weight_kg) == ("S-2", 80.0)


def test_an_old_context_counts_from_when_it_is_known() -> None:
    """Retained from yesterday: the weight is known now, and was not a minute ago."""
    ward = new_ward()
    live(ward, [report(7.0, "ug/min", at_ms=at(1))], 1)
    now_ms = at(1) + HOLD_BACK_MS
    ward.offer(PatientContext(START_MS - 10**9, BED, "S-1", weight_kg=70.0), now_ms, 1)
    ward.tick(now_ms + HOLD_BACK_MS + 1)
    steps = ward.beds[BED].chart.norepinephrine.steps
    assert [(step.since_ms > at(1), step.per_kg_nano) for step in steps] == [
        (False, None),
        (True, 100_000_000),
    ]


def test_a_freed_bed_ends_its_alerts_and_forgets_its_patient() -> None:
    ward = new_ward()
    events = [admitted(0), *pressures(50, range(0, 10)), BedFreed(at(10), BED)]
    changes = live(ward, events, 10)
    assert {end for end in ended(changes).values()} == {(at(10), "session_ended")}
    chart = ward.beds[BED].chart
    assert (chart.context, len(chart.pressure.trend)) == (None, 0)


def test_after_a_freed_bed_any_patient_is_a_new_one() -> None:
    ward = new_ward()
    live(ward, [admitted(0), BedFreed(at(1), BED), admitted(2, "S-1", weight_kg=60.0)], 3)
    context = ward.beds[BED].chart.context
    assert context is not None
    assert context.weight_kg == 60.0


def test_a_bed_that_was_heard_may_be_silent_for_the_next_patient() -> None:
    """What the last patient's devices sent says nothing of this one's."""
    ward = new_ward(BED)
    changes = live(ward, [*pressures(70, range(0, 1)), admitted(0.5, "S-1"), admitted(1, "S-2")], 5)
    silent = [c.time_ms for c in changes if c.rule.id == "TECH-BED-SILENT" and c.phase is Phase.START]
    assert silent == [at(2)]


def test_a_freed_bed_takes_nothing_back_from_the_last_patient() -> None:
    """The last context sent again (a retry of its gateway) is late, and nobody's weight."""
    ward = new_ward()
    live(ward, [admitted(0, weight_kg=100.0), BedFreed(at(1), BED)], 2)
    now_ms = at(2) + HOLD_BACK_MS
    assert ward.offer(admitted(0, weight_kg=100.0), now_ms, 1) is Taken.LATE
    ward.tick(now_ms + HOLD_BACK_MS + 1)
    assert ward.beds[BED].chart.infusions.weight_kg is None


def test_what_an_empty_bed_sends_is_not_the_next_patient() -> None:
    """Between a discharge and an admission a monitor may go on: its alerts end, its windows are emptied."""
    ward = new_ward()
    events = [admitted(0), BedFreed(at(1), BED), *pressures(40, range(1, 8)), admitted(8, "S-2")]
    changes = live(ward, events, 9)
    assert {"MAP-LOW", "MAP-CRIT"} <= set(ended(changes))
    assert {reason for _, reason in ended(changes).values()} == {"session_ended"}
    assert len(ward.beds[BED].chart.pressure.trend) == 0


def test_an_alert_that_ended_with_its_stay_cannot_be_acknowledged() -> None:
    ward = new_ward()
    changes = live(ward, [admitted(0), *pressures(50, range(0, 10)), admitted(10, "S-2")], 10)
    ack = Acknowledged(at(10) + HOLD_BACK_MS, "station-1", changes[0].alert_id, "rn")
    assert ward.offer(ack, ack.time_ms, 1) is Reason.UNKNOWN_ALERT


# the roster


def silent_beds(changes: list[Change]) -> dict[str, int]:
    return {c.bed: c.time_ms for c in changes if c.rule.id == "TECH-BED-SILENT" and c.phase is Phase.START}


def test_every_bed_of_the_roster_is_missed_after_a_minute() -> None:
    ward = new_ward("icu-a/bed-1", "icu-a/bed-2")
    assert silent_beds(live(ward, [], 2)) == {"icu-a/bed-1": at(1), "icu-a/bed-2": at(1)}


@pytest.mark.parametrize("minute", [0.5, 10.0])
def test_a_bed_that_joins_the_roster_with_a_restart_is_missed_too(minute: float) -> None:
    """A snapshot that does not know the bed is no sign of life of it."""
    before = new_ward("icu-a/bed-1")
    live(before, [PatientContext(START_MS, "icu-a/bed-3", "S-1")], minute)
    after = Ward(
        rules(),
        site().core_terms(),
        site().core_limits(),
        frozenset({"icu-a/bed-1", "icu-a/bed-2", "icu-a/bed-3"}),
    )
    after.restore(read_again(before.snapshot()))
    restarted_ms = at(minute) + HOLD_BACK_MS
    missed = silent_beds(after.tick(restarted_ms) + after.tick(restarted_ms + 2 * MINUTE_MS))
    assert missed["icu-a/bed-2"] == missed["icu-a/bed-3"] == restarted_ms + MINUTE_MS
