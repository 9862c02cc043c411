"""TECH-BED-SILENT, asked at and after its instant, as a reload of the rules asks it."""

from __future__ import annotations

import pytest

from streamproc.config import load
from streamproc.core.chart import Chart
from streamproc.rules.tech_bed_silent import never_heard


@pytest.mark.parametrize(
    ("now_ms", "silent"), [(60_999, False), (61_000, True), (61_001, True), (900_000, True)]
)
def test_a_bed_that_is_awaited_is_silent_from_its_instant_on(now_ms: int, silent: bool) -> None:
    chart = Chart(load().core_terms(), "icu-a/bed-7", now_ms, waiting_since_ms=1_000)
    assert never_heard(chart, after_s=60).met is silent
    chart.stay_heard_ms = 2_000
    assert not never_heard(chart, after_s=60).met


@pytest.mark.parametrize(("now_ms", "waited_s"), [(0, 0), (1_000, 0), (1_500, 0.5), (61_000, 60)])
def test_nobody_was_awaited_for_less_than_no_time(now_ms: int, waited_s: float) -> None:
    """What a bed is judged at lies behind the clock by the hold-back."""
    chart = Chart(load().core_terms(), "icu-a/bed-7", now_ms, waiting_since_ms=1_000)
    assert [clause.value for clause in never_heard(chart, after_s=60).clauses] == [waited_s]
