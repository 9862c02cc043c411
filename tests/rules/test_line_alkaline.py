"""LINE-ALKALINE takes a line for the same whatever its case and blanks, and for nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streamproc.core.events import BedEvent, PumpStatus
from tests.charts import MINUTE_MS, START_MS, chart_events, new_ward, play

BOTH = {"norepinephrine": "0.1x2", "bicarbonate": "100x2"}


def on_lines(ours: str, theirs: str) -> list[BedEvent]:
    return [
        replace(event, line=ours if event.drug == "norepinephrine" else theirs)
        for event in chart_events(BOTH)
        if isinstance(event, PumpStatus)
    ]


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [("L1", "l1", True), ("Line 1", "line1", True), ("L1", "L-1", False), ("L1", "L11", False)],
)
def test_a_line_is_known_by_its_letters(ours: str, theirs: str, same: bool) -> None:
    changes = play(new_ward(), on_lines(ours, theirs), START_MS + MINUTE_MS)
    assert ("LINE-ALKALINE" in {change.rule.id for change in changes}) is same
