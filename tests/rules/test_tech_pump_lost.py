"""TECH-PUMP-LOST, asked at and after its instant, as a reload of the rules asks it."""

from __future__ import annotations

import pytest

from streamproc.config import load
from streamproc.core.chart import Chart
from streamproc.core.events import PumpState, PumpStatus, Quantity

BED = "icu-a/bed-7"


@pytest.mark.parametrize(
    ("now_ms", "silent"), [(24_999, False), (25_000, True), (25_001, True), (900_000, True)]
)
def test_a_pump_is_silent_from_its_instant_on(now_ms: int, silent: bool) -> None:
    site = load()
    rule = next(each for each in site.core_rules() if each.id == "TECH-PUMP-LOST")
    chart = Chart(site.core_terms(), BED, 10_000)
    rate = Quantity(0.1, "ug/kg/min")
    chart.take_pump(
        PumpStatus(10_000, BED, "PMP-1", "b1", 1, "1", PumpState.INFUSING, "norepinephrine", rate=rate)
    )
    chart.move_to(now_ms)
    chart.settle()
    assert rule.judge(chart).levels[0].when.met is silent
