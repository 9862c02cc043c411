"""A sight of which no more is said: what holds now, and one reading."""

from __future__ import annotations

from pump_reports import BED, report, site

from streamproc.core.chart import Chart
from streamproc.core.events import Observation, ObservationKind
from streamproc.core.evidence import seen_by
from streamproc.core.sight import Of, sight


def test_of_readings_the_newest_one_is_seen() -> None:
    chart = Chart(site().core_terms(), BED, 9)
    for at_ms in (1, 2, 3):
        chart.take_observation(
            Observation(at_ms, BED, "CHART", None, None, ObservationKind.LACTATE, 2.0, None, None)
        )
    seen = seen_by(chart, sight(Of.READINGS, ObservationKind.LACTATE)).observed
    assert [reading.time_ms for reading in seen] == [3]


def test_of_a_dose_it_is_the_one_of_now_and_no_time_before() -> None:
    chart = Chart(site().core_terms(), BED, 9)
    chart.take_pump(report(0.1, at_ms=9))
    chart.settle()
    evidence = seen_by(chart, sight(Of.DOSE))
    assert (evidence.map, evidence.dose_per_kg_min) == (None, 0.1)
