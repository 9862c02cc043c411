"""What TECH-PUMP says of a pump that nobody hears any more."""

from __future__ import annotations

from streamproc.core.finding import State
from tests.charts import BED, MINUTE_MS, START_MS, chart_events, new_ward, play


def test_a_lost_pump_that_last_alarmed_is_unknown_not_alarming() -> None:
    """Its last word keeps the alert, but nothing says that it still holds."""
    ward = new_ward()
    written = {"map": "70x10", "norepinephrine": "0.1x5 _x5", "norepinephrine_pump": {"alarms": "batteryx5"}}
    play(ward, chart_events(written), START_MS + 9 * MINUTE_MS)
    bed = ward.beds[BED]
    rule = next(rule for rule in ward.rules if rule.id == "TECH-PUMP")
    assert rule.judge(bed.chart).levels[0].when.state is State.UNKNOWN
    assert bed.alerts["TECH-PUMP"].open
