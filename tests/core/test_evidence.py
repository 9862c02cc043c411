"""What is shown as the last valid MAP: the newer of the newest sample and a cuff's beside the line."""

from __future__ import annotations

import pytest
from pump_reports import site

from streamproc.core.chart import Chart
from streamproc.core.events import MapSample, MapSource
from streamproc.core.evidence import WindowEvidence, seen_by
from streamproc.core.sight import LAST_MAP
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
    shown = seen_by(chart, LAST_MAP).evidence.map
    if last is None:
        assert shown is None
    else:
        sample = SampleId(last[0], "b1", last[1])
        assert shown == WindowEvidence(last[1], last[1], None, sample, sample, 1)
