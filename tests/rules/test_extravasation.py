"""EXTRAVASATION: an acknowledgement is of what was known by then, not of what comes late."""

from __future__ import annotations

import pytest

from streamproc.core.events import BedEvent, Observation, ObservationKind
from tests.charts import BED, MINUTE_MS, START_MS, chart_events, new_ward, play, told

SEEN_MS = START_MS + 10 * MINUTE_MS
ENDED = ["0m EXTRAVASATION high", "10m EXTRAVASATION update", "10m EXTRAVASATION end"]


def sighted(at_ms: int, seq: int) -> Observation:
    return Observation(at_ms, BED, "CHART-1", "b1", seq, ObservationKind.EXTRAVASATION, True)


@pytest.mark.parametrize(
    ("late", "raised"),
    [
        (sighted(SEEN_MS - 20_000, 2), ["10m13.1s EXTRAVASATION high"]),
        (sighted(START_MS, 1), []),
    ],
)
def test_a_sign_that_comes_after_the_acknowledgement_is_told(late: Observation, raised: list[str]) -> None:
    """Timed before it, but nobody can have seen it; the one that was acknowledged raises nothing anew."""
    events: list[BedEvent] = [*chart_events({"map": "70x12"}), sighted(START_MS, 1), late]
    sent_at = {("CHART-1", 2): SEEN_MS + 15_000}
    changes = play(new_ward(), events, START_MS + 12 * MINUTE_MS, {"EXTRAVASATION": SEEN_MS}, sent_at=sent_at)
    assert [str(told(c)) for c in changes if c.rule.id == "EXTRAVASATION"] == [*ENDED, *raised]
