"""What a monitor's rhythm says of its silence, and what its artefacts say of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pump_reports import rules, site
from ward_histories import HOLD_BACK_MS, START_MS, digest_of

from streamproc.core.chart import Chart, Reads
from streamproc.core.events import MapSample, MapSource
from streamproc.core.finding import Finding, all_of, any_of, negated, not_shown
from streamproc.core.pressure import Cadence
from streamproc.core.ward import Taken, Ward

BED = "icu-a/bed-7"


def sample(at_ms: int, valid: bool = True, seq: int | None = None) -> MapSample:
    return MapSample(START_MS + at_ms, BED, "MON-1", "b1", seq, MapSource.ARTERIAL, 70_000, valid)


def test_a_loss_is_no_interval() -> None:
    """A device that comes back now and then is not one that reports every ten minutes."""
    cadence = Cadence()
    for at_ms in (0, 1_000, 2_000, 600_000, 1_200_000, 1_800_000):
        cadence.heard(at_ms, longest_ms=60_000)
    assert cadence.interval_ms(otherwise_ms=5_000) == 1_000


def test_artefacts_that_come_late_count_all_the_same() -> None:
    """Refused for their figure, and later than the hold-back: half of the last minute is still bad."""
    ward = Ward(rules(), site().core_terms(), site().core_limits())
    ward.tick(START_MS)
    for second in range(0, 90):
        late_ms = START_MS + second * 1_000 + HOLD_BACK_MS + 1_100
        ward.tick(late_ms)
        if second % 2:
            ward.note_artefact(sample(second * 1_000, valid=False), late_ms)
        else:
            event = sample(second * 1_000, seq=second)
            assert ward.offer(event, late_ms, digest_of(event)) is Taken.LATE
    assert ward.beds[BED].alerts["TECH-MAP-ARTEFACT"].open


def test_a_number_may_be_used_again_once_it_is_too_old_to_be_a_repeat() -> None:
    """A cuff that always says sequence 0 is not in conflict with itself of five minutes ago."""
    ward = Ward(rules(), site().core_terms(), site().core_limits())
    ward.tick(START_MS)
    for minute in range(0, 20, 5):
        event = sample(minute * 60_000, seq=0)
        ward.tick(event.time_ms)
        assert ward.offer(event, event.time_ms, digest_of(event)) is Taken.ACCEPTED


# the promise of firm_ms


QUESTIONS: dict[str, Callable[[Chart], Finding]] = {
    "MAP below": lambda chart: chart.map_below(60_000),
    "MAP at least": lambda chart: chart.map_at_least(60_000),
    "mean below": lambda chart: chart.mean_map_below(60_000, 60),
    "coverage": lambda chart: chart.pressure.trend.coverage_at_least("coverage", 0.8, chart.now_ms, 60_000),
    "MAP silent": lambda chart: chart.map_silent_for(20_000),
    "MAP heard": lambda chart: chart.map_heard(),
    "monitor sends": lambda chart: chart.monitor_sends(),
    "unbroken": lambda chart: chart.unbroken("held", chart.map_at_least(60_000), 30),
    "lasting": lambda chart: chart.lasting("lasted", chart.map_at_least(60_000), 30),
    "not below, and heard": lambda chart: all_of(chart.map_heard(), negated(chart.map_below(60_000))),
    "below, or silent": lambda chart: any_of(chart.map_below(60_000), chart.map_silent_for(20_000)),
    "not shown": lambda chart: not_shown(all_of(chart.map_heard(), chart.map_at_least(60_000))),
}
BEATS = st.lists(
    st.tuples(st.sampled_from([1, 2, 5, 20, 70]), st.sampled_from([50, 59, 60, 61, 90]), st.booleans()),
    min_size=1,
    max_size=40,
)
"""Seconds since the sample before, mmHg, and whether it may be an artefact."""


@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("name", QUESTIONS)
@given(before=BEATS, after=BEATS)
@example(before=[(20, 60, True)] * 6, after=[(1, 60, True)] * 4 + [(20, 60, True)])  # a quicker cadence
def test_ordinary_samples_leave_a_firm_answer_as_it_is(
    name: str, before: list[tuple[int, int, bool]], after: list[tuple[int, int, bool]]
) -> None:
    """At every second until it is firm no more, the answer is what it was: whatever ordinary came, and as
    long as the line goes on."""
    chart, ask = Chart(site().core_terms(), BED, START_MS), QUESTIONS[name]
    at_ms = START_MS
    for gap_s, mmhg, clean in before:
        at_ms += gap_s * 1_000
        take(chart, at_ms, mmhg, clean or gap_s > 1)
        ask(chart)
    promised = ask(chart)
    for gap_s, mmhg, _ in after:
        for second in range(1, gap_s + 1):
            chart.move_to(at_ms + second * 1_000)
            if chart.now_ms >= promised.firm_ms or not chart.line_goes_on:
                return
            if second < gap_s:
                assert ask(chart).state is promised.state
        at_ms += gap_s * 1_000
        if take(chart, at_ms, mmhg, valid=True) != Reads.ORDINARY:
            return
        assert ask(chart).state is promised.state


def take(chart: Chart, at_ms: int, mmhg: int, valid: bool) -> int:
    """A sample of the line, at its instant; what it is news to."""
    chart.move_to(at_ms)
    return chart.take_map(MapSample(at_ms, BED, "MON-1", "b1", None, MapSource.ARTERIAL, mmhg * 1_000, valid))
