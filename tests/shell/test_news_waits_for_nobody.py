"""What waits because it says nothing new is held for its own instant once the bed is judged anew."""

from __future__ import annotations

from bench.door import TRANSIT_MS, received
from streamproc.config import load
from streamproc.shell.intake import Intake
from streamproc.wire import Received

SETTLED_S = 1_000
BED = "icu-a/bed-00001"


def test_what_waits_behind_an_event_that_shakes_an_answer_is_held() -> None:
    """A pressure of 30 comes, and before its time has come the next ones, which say nothing new as yet."""
    intake = Intake.from_settings(load())
    sent = received(1, SETTLED_S + 2)
    for each in sent[: 2 * SETTLED_S]:
        intake.live_through(each.received_ms, [each])
    bed, (fallen, *after) = intake.ward.beds[BED], sent[2 * SETTLED_S :]
    assert bed.calm
    assert fallen.topic.endswith("/map")
    value = b'"value":%d' % 30
    before, _, rest = fallen.payload.partition(b'"value":')
    shaken = Received(fallen.received_ms, fallen.topic, before + value + rest[rest.index(b",") :])
    for each in (shaken, *after):
        intake.live_through(each.received_ms, [each])
    assert len(bed.waiting) >= len(after), "they wait while nobody has judged the fall"
    judged_ms = bed.held[0][0] + intake.ward.limits.hold_back_ms
    intake.live_through(judged_ms, [])
    assert bed.turning, "what comes next crosses the limit again"
    assert not bed.waiting
    assert [entry[0] for entry in sorted(bed.held)] == [each.received_ms - TRANSIT_MS for each in after]
