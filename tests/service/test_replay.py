"""Recorded telemetry in, alert events out: the same bytes each time, and the bytes that the service gave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.config import Settings, load
from streamproc.shell.replay import Replay
from streamproc.shell.service import Service
from streamproc.wire import Received, encode
from streamproc.wire.announce import alert_event

from .bedside import Bedside

START_MS = 1_795_417_200_000
QUICK = (
    "event_time.hold_back_s=2",
    "event_time.lateness_s=20",
    "rules.ESC-THRESHOLD.for_s=1",
    "rules.ESC-THRESHOLD.clear_for_s=1",
    "rules.MAP-LOW.window_s=5",
    "rules.MAP-LOW.long_window_s=10",
)

# --- live and replayed --------------------------------------------------------------------------


@st.composite
def received(draw: st.DrawFn) -> list[Received]:
    """Two beds' reports of a minute, each on its way for up to five seconds, many received together."""
    messages = []
    for bedside in (Bedside("icu-a/bed-1"), Bedside("icu-a/bed-2")):
        for second in range(0, 40, draw(st.integers(1, 3))):
            sent_ms = START_MS + 1000 * second + draw(st.integers(0, 300))
            dose, mmhg = draw(st.sampled_from([0.2, 0.3])), draw(st.sampled_from([60, 70]))
            for topic, payload in (bedside.pump(sent_ms, dose), bedside.map(sent_ms, mmhg)):
                way_ms = draw(st.integers(0, 50)) * 100
                messages.append(Received((sent_ms + way_ms) // 500 * 500 + 500, topic, payload))
    return sorted(draw(st.permutations(messages)), key=lambda message: message.received_ms)


def lived(
    chosen: Settings, messages: Sequence[Received], ticks_ms: Sequence[int], end_ms: int
) -> Iterator[bytes]:
    """What the service announces when each instant's messages come as one batch, with ticks in between."""
    service = Service(chosen)
    batches: dict[int, list[Received]] = {START_MS: [], end_ms: []}
    for at_ms in ticks_ms:
        batches.setdefault(at_ms, [])
    for message in messages:
        batches.setdefault(message.received_ms, []).append(message)
    for at_ms in sorted(batches):
        for change in service.apply(at_ms, batches[at_ms]):
            yield encode(alert_event(change, chosen.instance, chosen.ruleset()))


CHOSEN = load(None, QUICK)


@settings(max_examples=60, deadline=None)
@given(received(), st.lists(st.integers(0, 450).map(lambda tenth: START_MS + 100 * tenth), max_size=60))
def test_the_service_and_a_replay_judge_alike_whenever_the_service_ticked(
    messages: list[Received], ticks_ms: list[int]
) -> None:
    """Late is late by its receipt alone: a replay has no ticks of its own to measure it by."""
    end_ms = START_MS + 50_000
    replay = list(Replay(CHOSEN).alerts(messages, end_ms))
    assert list(lived(CHOSEN, messages, ticks_ms, end_ms)) == replay
