"""What is shown as the last valid MAP: the newer of the newest sample and a cuff's beside the line; and how
many readings are carried."""

from __future__ import annotations

import pytest
from pump_reports import site

from streamproc.core.chart import Chart
from streamproc.core.events import MapSample, MapSource, Observation, ObservationKind
from streamproc.core.evidence import WindowEvidence, evidence_for, seen_by
from streamproc.core.rule import Wording
from streamproc.core.sight import LAST_MAP, Of, sight
from streamproc.core.trend import SampleId

BED = "icu-a/bed-7"
SOURCES = {"line": MapSource.ARTERIAL, "cuff": MapSource.CUFF}


@pytest.mark.parametrize(
    ("samples", "last"),
    [
        ([], None),
        ([("line", 0)], ("line", 0)),
        ([("cuff", 0)], ("cuff", 0)),
        ([("line", 0), ("cuff", 5_000)], ("cuff", 5_000)),  # beside the line, in no window
        ([("line", 0), ("cuff", 5_000), ("line", 6_000)], ("line", 6_000)),
        ([("line", 0), ("cuff", 5_000), ("line", 5_000)], ("line", 5_000)),
    ],
)
def test_the_last_valid_map(samples: list[tuple[str, int]], last: tuple[str, int] | None) -> None:
    chart = Chart(site().core_terms(), BED, 9_000)
    for source, at_ms in samples:
        chart.pressure.take(MapSample(at_ms, BED, source, "b1", at_ms, SOURCES[source], 70_000), at_ms)
    shown = seen_by(chart, LAST_MAP).map
    if last is None:
        assert shown is None
    else:
        sample = SampleId(last[0], "b1", last[1])
        assert shown == WindowEvidence(last[1], last[1], None, sample, sample, 1)


def test_an_announcement_carries_the_newest_16_readings() -> None:
    chart = Chart(site().core_terms(), BED, 100)
    for at_ms in range(1, 21):
        chart.take_observation(
            Observation(at_ms, BED, "CHART", None, None, ObservationKind.LACTATE, 2.0, None, None)
        )
    readings = tuple(chart.observations.of(ObservationKind.LACTATE))
    carried = evidence_for(chart, Wording("", "", observed=readings)).observed
    looked_at = seen_by(chart, sight(Of.SINCE, ObservationKind.LACTATE, 100)).observed
    assert [each.time_ms for each in carried] == [each.time_ms for each in looked_at] == list(range(5, 21))
