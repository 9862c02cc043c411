"""What TECH-PUMP says of a pump that nobody hears any more."""

from __future__ import annotations

from streamproc.core.alert import Phase
from streamproc.core.events import PumpState, PumpStatus
from streamproc.core.finding import State
from tests.charts import BED, MINUTE_MS, START_MS, chart_events, new_ward, play

STEP_MS = 10_000


def test_a_lost_pump_that_last_alarmed_is_unknown_not_alarming() -> None:
    """Its last word keeps the alert, but nothing says that it still holds."""
    ward = new_ward()
    written = {"map": "70x10", "norepinephrine": "0.1x5 _x5", "norepinephrine_pump": {"alarms": "batteryx5"}}
    play(ward, chart_events(written), START_MS + 9 * MINUTE_MS)
    bed = ward.beds[BED]
    rule = next(rule for rule in ward.rules if rule.id == "TECH-PUMP")
    assert rule.judge(bed.chart).levels[0].when.state is State.UNKNOWN
    assert bed.alerts["TECH-PUMP"].open


def test_a_pump_that_was_put_away_and_speaks_again_with_its_alarm_is_told_again() -> None:
    """Its alarm ended by silence alone; the first word shows that it still stands."""
    ward, told = new_ward(), []
    ward.tick(START_MS)
    for number in [*range(1, 13), *range(36, 49)]:  # four minutes of silence between
        at_ms = START_MS + number * STEP_MS
        told += ward.tick(at_ms)
        origin = ("PMP-1", "b1", number)
        stands, occluded = PumpState.STOPPED, ("MDC_EVT_FLUID_LINE_OCCL",)
        status = PumpStatus(at_ms, BED, *origin, "1", stands, "norepinephrine", alarms=occluded)
        ward.offer(status, at_ms, number)
    told += ward.tick(at_ms + MINUTE_MS // 12)
    phases = [(c.phase, c.time_ms) for c in told if c.rule.id == "TECH-PUMP" and c.phase is not Phase.UPDATE]
    assert [phase for phase, _ in phases] == [Phase.START, Phase.END, Phase.START]
    assert phases[-1][1] == START_MS + 36 * STEP_MS
