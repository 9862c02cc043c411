"""The trend against its naive judge: integrals, the promise of `until_ms`, and what an event costs."""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_trend import NaiveTrend
from read_again import read_again

from streamproc.core.finding import NEVER, Finding
from streamproc.core.samples import COMPACT_AFTER, SampleId
from streamproc.core.sight import Of
from streamproc.core.trend import Trend, Window

laws = settings(max_examples=150, deadline=None, print_blob=True, derandomize=False)
LOW, HIGH, LIMIT = 0, 10, 5
DEVICE = SampleId("MON-1", "b1", 1)


def new_trend(retention_ms: int = 40) -> Trend:
    return Trend(retention_ms, LOW, HIGH)


samples = st.lists(
    st.tuples(st.integers(0, 60), st.integers(LOW, HIGH), st.integers(1, 25)), min_size=1, max_size=12
)
spans = st.integers(1, 40)
shares = st.sampled_from([0.01, 0.05, 0.2, 0.333, 0.5, 0.8, 0.9, 1.0])


# what a window holds


@laws
@given(samples, st.lists(spans, min_size=1, max_size=3), st.data())
def test_windows_are_the_integral_of_what_was_held(
    telemetry: list[tuple[int, int, int]], lengths: list[int], data: st.DataObject
) -> None:
    """Any window, at any instant from the newest sample on, whatever the order in which samples came."""
    trend, naive = new_trend(), NaiveTrend()
    at_ms = 0
    for time_ms, value, hold_ms in telemetry:
        trend.add(time_ms, value, hold_ms, DEVICE)
        naive.add(time_ms, value, hold_ms)
        at_ms = max(at_ms, time_ms) + data.draw(st.integers(0, 5))
        for span_ms in lengths:
            window = trend.window(at_ms, span_ms)
            assert (window.area, window.held_ms) == naive.window(at_ms, span_ms)
        assert trend.now(at_ms) == naive.now(at_ms)


@settings(laws, max_examples=15)
@given(st.integers(0, 2**32), st.sampled_from([300, 1_500, 4_000]), st.sampled_from([0.0, 0.05]))
def test_forgetting_changes_no_window(seed: int, retention_ms: int, late_share: float) -> None:
    """Long past retention and several compactions, with samples that come late, windows stay exact."""
    chance = random.Random(seed)
    trend, naive = new_trend(retention_ms), NaiveTrend()
    at_ms = 0
    for number in range(18 * COMPACT_AFTER):
        at_ms += chance.choice((0, 1, 5, 10, 40))
        late_ms = chance.randrange(retention_ms) if chance.random() < late_share else 0
        sample = at_ms - late_ms, chance.randint(LOW, HIGH), chance.choice((1, 8, 60))
        trend.add(*sample, DEVICE)
        naive.add(*sample)
        if number % 16 == 0:
            naive.samples = [each for each in naive.samples if each[0] > at_ms - 3 * retention_ms - 60]
            for span_ms in (retention_ms, retention_ms // 3, 7):
                window = trend.window(at_ms, span_ms)
                assert (window.area, window.held_ms) == naive.window(at_ms, span_ms)
    newest_ms = trend.newest()
    assert newest_ms is not None
    assert len(trend) < 18 * COMPACT_AFTER, "nothing was ever forgotten"


def test_a_late_sample_that_still_holds_in_the_window_counts() -> None:
    """Older than the retention itself, it speaks for the window's start as far as its hold reaches."""
    trend = new_trend(retention_ms=100)
    trend.add(1_000, 7, 60, DEVICE)
    trend.add(880, 3, 60, DEVICE)
    window = trend.window(1_000, 100)
    assert (window.area, window.held_ms) == (3 * 40, 40)


def test_a_late_sample_that_reaches_no_window_is_not_kept() -> None:
    trend = new_trend(retention_ms=100)
    for time_ms in (900, 1_000, 840):
        trend.add(time_ms, 7, 60, DEVICE)
    assert len(trend) == 2


def test_evidence_counts_the_sample_that_held_at_the_window_start() -> None:
    """The samples of a figure are those in its window, and the one before them while it held."""
    trend = new_trend()
    for seq, time_ms in enumerate((0, 10, 20, 30)):
        trend.add(time_ms, 5, 15, SampleId("MON-1", "b1", seq))
    used = trend.samples(35, 20)
    assert used.count == 3
    assert (used.first, used.last) == (SampleId("MON-1", "b1", 1), SampleId("MON-1", "b1", 3))
    trend.add(70, 5, 15, SampleId("MON-1", "b1", 4))
    past_a_gap = trend.samples(72, 20)
    assert (past_a_gap.count, past_a_gap.first) == (1, SampleId("MON-1", "b1", 4))


def test_a_trend_restored_from_json_is_the_same_trend() -> None:
    """Kept and taken over past a compaction, it answers and goes on as if nothing had happened."""
    chance = random.Random(7)
    trend, other = new_trend(1_000), new_trend(1_000)
    for number in range(18 * COMPACT_AFTER):
        sample = number * 9, chance.randint(LOW, HIGH), 20, SampleId(f"MON-{number % 3}", None, None)
        trend.add(*sample)
        if number == 8 * COMPACT_AFTER:
            other.restore(read_again(trend.snapshot()))
        elif number > 8 * COMPACT_AFTER:
            other.add(*sample)
            at_ms = number * 9 + 3
            assert other.window(at_ms, 700) == trend.window(at_ms, 700)
            assert other.samples(at_ms, 700) == trend.samples(at_ms, 700)
    assert other.snapshot() == trend.snapshot()


# the promise of until_ms


Question = Callable[[Any, float, int, int], Any]
QUESTIONS: dict[str, tuple[Question, Question, bool]] = {
    "mean_below": (
        lambda trend, share, at, span: trend.mean_below("mean", LIMIT, at, span, share),
        lambda naive, share, at, span: naive.mean_below(LIMIT, at, span, share),
        False,
    ),
    "coverage_at_least": (
        lambda trend, share, at, span: trend.coverage_at_least("coverage", share, at, span),
        lambda naive, share, at, span: naive.coverage_at_least(share, at, span),
        False,
    ),
    "area_at_least": (
        lambda trend, share, at, span: trend.area_at_least("area", round(share * 100), at, span),
        lambda naive, share, at, span: naive.area_at_least(round(share * 100), at, span),
        False,
    ),
    "share_above": (
        lambda trend, share, at, span: trend.share_above("share", share, at, span),
        lambda naive, share, at, span: naive.share_above(share, at, span),
        True,
    ),
    "share_below": (
        lambda trend, share, at, span: trend.share_below("share", share, at, span),
        lambda naive, share, at, span: naive.share_below(share, at, span),
        True,
    ),
}
"""Each question as the trend and as its judge answer it, and whether it is one of 0/1 quantities."""
QUIET_MS = 70
"""Longer than any hold and any span of these tests: after it, nothing changes any more."""


@pytest.mark.parametrize("name", QUESTIONS)
@laws
@given(telemetry=samples, span_ms=spans, share=shares)
def test_an_answer_stands_until_it_says(
    name: str, telemetry: list[tuple[int, int, int]], span_ms: int, share: float
) -> None:
    """With no new sample the state is the promised one at every ms before `until_ms`, from any instant."""
    ask, judge, of_bits = QUESTIONS[name]
    trend, naive = new_trend(), NaiveTrend()
    if of_bits:
        trend.low, trend.high = 0, 1
        telemetry = [(time_ms, value % 2, hold_ms) for time_ms, value, hold_ms in telemetry]
    for sample in telemetry:
        trend.add(*sample, DEVICE)
        naive.add(*sample)
    first_ms = max(time_ms for time_ms, _, _ in telemetry)
    last_ms = first_ms + QUIET_MS
    truth = {at_ms: judge(naive, share, at_ms, span_ms) for at_ms in range(first_ms, last_ms)}
    for at_ms in truth:
        finding = ask(trend, share, at_ms, span_ms)
        assert finding.state is truth[at_ms]
        assert finding.until_ms > at_ms
        broken = [ms for ms in range(at_ms, min(finding.until_ms, last_ms)) if truth[ms] is not finding.state]
        assert not broken, (
            f"at {at_ms} promised {finding.state} until {finding.until_ms}, broken at {broken[0]}"
        )


@pytest.mark.parametrize("name", QUESTIONS)
@laws
@given(telemetry=samples, span_ms=spans, share=shares)
def test_asking_again_comes_to_an_end(
    name: str, telemetry: list[tuple[int, int, int]], span_ms: int, share: float
) -> None:
    """Following the promises without a new event, a question is at rest once all is past."""
    ask, _, of_bits = QUESTIONS[name]
    trend = new_trend()
    for time_ms, value, hold_ms in telemetry:
        trend.add(time_ms, value % 2 if of_bits else value, hold_ms, DEVICE)
    at_ms = max(time_ms for time_ms, _, _ in telemetry)
    end_ms = at_ms + 2 * QUIET_MS
    while at_ms < end_ms:
        at_ms = ask(trend, share, at_ms, span_ms).until_ms
    assert at_ms == NEVER


@pytest.mark.parametrize("name", QUESTIONS)
def test_of_nothing_heard_nothing_changes(name: str) -> None:
    """An empty trend has an answer to everything, and it stands until something is heard."""
    ask, judge, _ = QUESTIONS[name]
    finding = ask(new_trend(), 0.8, 1_000, 30)
    assert (finding.state, finding.until_ms) == (judge(NaiveTrend(), 0.8, 1_000, 30), NEVER)


def test_a_steady_signal_is_asked_about_seldom() -> None:
    """A promise is worth something: far from its limit, an answer stands for a good part of its window."""
    trend = Trend(3_600_000, 10_000, 250_000)
    for second in range(3_600):
        trend.add(second * 1_000, 80_000, 60_000, DEVICE)
    covered = trend.coverage_at_least("coverage", 0.9, 3_599_000, 300_000)
    for finding in (mean_of(trend, 3_599_000, 300_000), covered):
        assert finding.until_ms >= 3_599_000 + 10_000


# what an event costs


class CountingArray(array):  # type: ignore[type-arg]
    """A column that counts how often it is looked at."""

    looks = 0

    def __getitem__(self, index: Any) -> Any:
        CountingArray.looks += 1
        return super().__getitem__(index)


COLUMNS = ("_time", "_value", "_area", "_held", "_seq", "_origin")


def looks_per_event(window_s: int) -> float:
    """Array look-ups an event of a 1 Hz signal costs, once the window is full, with what a rule asks."""
    trend = Trend(window_s * 1_000, 10_000, 250_000)
    for name in COLUMNS:
        setattr(trend, name, CountingArray("q"))
    for second in range(window_s + COMPACT_AFTER):
        one_second(trend, second, window_s)
    CountingArray.looks = 0
    for second in range(window_s + COMPACT_AFTER, window_s + 5 * COMPACT_AFTER):
        one_second(trend, second, window_s)
    return CountingArray.looks / (4 * COMPACT_AFTER)


def one_second(trend: Trend, second: int, window_s: int) -> None:
    at_ms = second * 1_000
    trend.add(at_ms, 60_000 + second % 10_000, 60_000, DEVICE)
    mean_of(trend, at_ms, window_s * 1_000)
    trend.coverage_at_least("coverage", 0.9, at_ms, window_s * 1_000)
    assert trend.now(at_ms) is not None


def mean_of(trend: Trend, at_ms: int, span_ms: int) -> Finding:
    return trend.mean_below("mean", 65_000, at_ms, span_ms, 0.8)


def test_an_event_costs_the_same_whatever_the_window() -> None:
    """O(1) amortised: array look-ups an event, counted, not timed."""
    short, middle, long = (looks_per_event(window_s) for window_s in (60, 900, 7_200))
    assert short > 0
    assert middle <= short + 1
    assert long <= short + 1


def test_a_trend_without_samples_has_nothing_above_a_limit() -> None:
    (told,) = Trend(60_000, LOW, HIGH).area_at_least("area", 5_000, 1_000, 60_000, 1_000, "mL").clauses
    assert (told.value, told.limit, told.unit) == (0, 5, "mL")


@pytest.mark.parametrize("of", [Of.MAP, Of.SYSTOLIC])
def test_what_is_held_is_told_as_a_share_of_the_window_in_whole_seconds(of: Of) -> None:
    """While the line goes on only samples can take away what is held, and time alone may add to it."""
    span_ms = 7_200_000
    trend = Trend(span_ms, 0, 300_000, of)
    trend.add(0, 70_000, span_ms, DEVICE)
    asked = trend.coverage_at_least("held", 0.8, span_ms // 4, span_ms)
    (told,) = asked.clauses
    assert (told.value, asked.met, asked.firm_ms) == (0.25, False, asked.until_ms)
    (mean,) = trend.mean_below("mean", 65_000, span_ms // 4, span_ms, 0.8).clauses
    assert mean.why == "only 25% of 7200 s is covered"
    enough = trend.coverage_at_least("held", 0.8, span_ms, span_ms)
    assert enough.met
    assert enough.firm_ms == (NEVER if of is Of.MAP else enough.until_ms)


def test_a_window_of_nothing_is_0() -> None:
    assert new_trend().window(1_000, 30) == Window(970, 1_000, 0, 0)


def test_a_mean_that_rises_as_slowly_as_it_can_turns_when_it_says() -> None:
    """What leaves the window is 1 below the limit, what comes into it is at the limit."""
    trend = new_trend()
    for time_ms, value in ((0, LIMIT - 1), (10, LIMIT + 1), (13, LIMIT)):
        trend.add(time_ms, value, 100, DEVICE)
    below = trend.mean_below("mean", LIMIT, 21, 20, 0.5)
    assert (below.met, below.until_ms) == (True, 27)
    assert not trend.mean_below("mean", LIMIT, 27, 20, 0.5).met
