"""When a trend's answer is to be asked again, against the instant that a slow judge works out.

The judge knows no slopes: it looks at each ms until an end of the window meets the end of a sample's
stretch, and adds the bound that no value can beat.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_trend import NaiveTrend

from streamproc.core.finding import NEVER, State
from streamproc.core.samples import SampleId
from streamproc.core.sight import Of, sight
from streamproc.core.trend import Trend, WindowSamples

laws = settings(max_examples=300, deadline=None, print_blob=True, derandomize=False)
LOW, HIGH, LIMIT = 0, 10, 5
DEVICE = SampleId("MON-1", "b1", 1)

samples = st.lists(
    st.tuples(st.integers(0, 12), st.integers(LOW, HIGH), st.integers(1, 25)), min_size=1, max_size=10
).map(
    lambda gaps: [
        (sum(g for g, _, _ in gaps[: n + 1]), value, hold) for n, (_, value, hold) in enumerate(gaps)
    ]
)
"""(ms, value, hold) in order of time."""
spans = st.lists(st.integers(1, 40), min_size=1, max_size=2, unique=True)
later = st.lists(st.integers(0, 30), min_size=1, max_size=4).map(
    lambda gaps: [sum(gaps[: n + 1]) for n in range(len(gaps))]
)
shares = st.sampled_from([0.05, 0.333, 0.5, 0.8, 1.0])


def turns_after(state_at: Callable[[int], State], naive: NaiveTrend, at_ms: int, span_ms: int) -> int | None:
    """After how many ms the state differs, or an end of the window meets that of a stretch; None: never."""
    edges = {edge for since, until, _ in naive.stretches() for edge in (since, until)}
    met = [edge - end for edge in edges for end in (at_ms, at_ms - span_ms) if edge > end]
    if not met:
        return None
    now = state_at(at_ms)
    return next((ms for ms in range(1, min(met)) if state_at(at_ms + ms) is not now), min(met))


def part(share: float, span_ms: int) -> int:
    return ceil(Fraction(str(share)) * span_ms)


class Both:
    """A trend and its judge, told the same."""

    def __init__(self, telemetry: list[tuple[int, int, int]], bits: bool = False) -> None:
        self.trend, self.naive = Trend(1_000, LOW, HIGH), NaiveTrend()
        for time_ms, value, hold_ms in telemetry:
            self.trend.add(time_ms, value % 2 if bits else value, hold_ms, DEVICE)
            self.naive.add(time_ms, value % 2 if bits else value, hold_ms)
        self.newest_ms = telemetry[-1][0]
        values = [value for _, value, _ in self.naive.samples]
        self.lowest, self.highest = min(values), max(values)

    def mean_firm_ms(self, at_ms: int, excess: int, above: bool) -> int:
        """Until when a mean of values like these, held throughout, can't turn: what comes in is at worst the
        one extreme, what leaves the other; since the newest sample another may have held that comes late."""
        if self.lowest >= LIMIT + above or self.highest < LIMIT + above:
            return NEVER
        low, high = min(self.lowest, LIMIT), max(self.highest, LIMIT)
        worst = high - self.lowest if excess > 0 else self.highest - low
        unsure = (self.highest - self.lowest) * (at_ms - self.newest_ms)
        return at_ms + max(abs(excess) - unsure, 0) // worst

    def mean(self, at_ms: int, span_ms: int, share: float, above: bool) -> Callable[[int], State]:
        def state_at(ms: int) -> State:
            area, held_ms = self.naive.window(ms, span_ms)
            if held_ms < part(share, span_ms):
                return State.UNKNOWN
            over, under = area > LIMIT * held_ms, area < LIMIT * held_ms
            return State.MET if (over if above else under) else State.NOT_MET

        return state_at


@pytest.mark.parametrize("above", [False, True])
@laws
@given(samples, spans, shares, later)
def test_a_mean_is_asked_again_when_it_may_turn(
    above: bool, telemetry: list[tuple[int, int, int]], lengths: list[int], share: float, waits: list[int]
) -> None:
    both = Both(telemetry)
    for at_ms in (both.newest_ms + wait for wait in waits):
        for span_ms in lengths:
            ask = both.trend.mean_above if above else both.trend.mean_below
            finding = ask("mean", LIMIT, at_ms, span_ms, share)
            state_at = both.mean(at_ms, span_ms, share, above)
            area, held_ms = both.naive.window(at_ms, span_ms)
            spare_ms = held_ms - part(share, span_ms)
            assert finding.state is state_at(at_ms)
            if not finding.known:
                comes = NEVER if both.naive.now(at_ms) is None else at_ms - spare_ms
                assert (finding.until_ms, finding.firm_ms) == (comes, at_ms - spare_ms)
                assert (
                    finding.clauses[0].why
                    == f"only {held_ms / span_ms:.0%} of {span_ms // 1000} s is covered"
                )
                continue
            excess = area - LIMIT * held_ms
            within = min(abs(excess - above) // (2 * (HIGH - LIMIT)), spare_ms)
            step = turns_after(state_at, both.naive, at_ms, span_ms)
            assert finding.until_ms == (NEVER if step is None else at_ms + max(step, within, 1))
            assert finding.firm_ms == both.mean_firm_ms(at_ms, excess, above)
            assert finding.clauses[0].value == area / held_ms / 1000
            assert finding.clauses[0].limit == LIMIT / 1000


@laws
@given(samples, spans, shares, later)
def test_coverage_is_asked_again_when_it_may_turn(
    telemetry: list[tuple[int, int, int]], lengths: list[int], share: float, waits: list[int]
) -> None:
    both = Both(telemetry)
    for at_ms in (both.newest_ms + wait for wait in waits):
        for span_ms in lengths:
            finding = both.trend.coverage_at_least("coverage", share, at_ms, span_ms)
            spare_ms = both.naive.window(at_ms, span_ms)[1] - part(share, span_ms)
            state_at = lambda ms, s=span_ms: both.naive.coverage_at_least(share, ms, s)  # noqa: E731
            assert finding.state is state_at(at_ms)
            assert finding.firm_ms == (NEVER if finding.met else finding.until_ms)
            assert finding.clauses[0].value == both.naive.window(at_ms, span_ms)[1] / span_ms
            if finding.met:
                step = turns_after(state_at, both.naive, at_ms, span_ms)
                assert finding.until_ms == (NEVER if step is None else at_ms + max(step, spare_ms, 1))
            else:
                holds = both.naive.now(at_ms) is not None
                assert finding.until_ms == (at_ms - spare_ms if holds else NEVER)


@laws
@given(samples, spans, st.integers(0, 120), later)
def test_an_amount_is_asked_again_when_it_may_turn(
    telemetry: list[tuple[int, int, int]], lengths: list[int], limit: int, waits: list[int]
) -> None:
    both = Both(telemetry)
    for at_ms in (both.newest_ms + wait for wait in waits):
        for span_ms in lengths:
            finding = both.trend.area_at_least("area", limit, at_ms, span_ms, 4, "mg")
            state_at = lambda ms, s=span_ms: both.naive.area_at_least(limit, ms, s)  # noqa: E731
            assert finding.state is state_at(at_ms)
            step = turns_after(state_at, both.naive, at_ms, span_ms)
            assert finding.until_ms == (NEVER if step is None else at_ms + step)
            clause = finding.clauses[0]
            assert (clause.value, clause.limit) == (both.naive.window(at_ms, span_ms)[0] / 4, limit / 4)


@pytest.mark.parametrize("above", [False, True])
@laws
@given(samples, spans, shares, later)
def test_a_share_is_asked_again_when_it_may_turn(
    above: bool, telemetry: list[tuple[int, int, int]], lengths: list[int], share: float, waits: list[int]
) -> None:
    """Every ms may add one or take one away: it is asked again when so many have passed as are wanting."""
    both = Both(telemetry, bits=True)
    for at_ms in (both.newest_ms + wait for wait in waits):
        for span_ms in lengths:
            ask = both.trend.share_above if above else both.trend.share_below
            judge = both.naive.share_above if above else both.naive.share_below
            finding, area = ask("share", share, at_ms, span_ms), both.naive.window(at_ms, span_ms)[0]
            assert finding.state is judge(share, at_ms, span_ms)
            exact = Fraction(str(share)) * span_ms
            fewest = exact.numerator // exact.denominator + 1 if above else ceil(exact)
            enough = area >= fewest
            wanting_ms = area - fewest + 1 if enough else fewest - area
            waits_ms = at_ms + wanting_ms
            assert finding.until_ms == (waits_ms if enough or both.naive.now(at_ms) else NEVER)
            assert (finding.clauses[0].value, finding.clauses[0].limit) == (area / span_ms, share)


@laws
@given(samples, st.integers(0, 200))
def test_the_value_of_an_instant_also_of_a_past_one(
    telemetry: list[tuple[int, int, int]], at_ms: int
) -> None:
    both = Both(telemetry)
    assert both.trend.now(at_ms) == both.naive.now(at_ms)
    ends = [until for since, until, _ in both.naive.stretches() if since <= at_ms < until]
    if at_ms >= both.newest_ms:
        assert both.trend.holds_until(at_ms) == (ends[0] if ends else NEVER)


@laws
@given(samples, st.integers(0, 40), later)
def test_a_window_names_its_samples_and_the_one_that_held_at_its_start(
    telemetry: list[tuple[int, int, int]], span_ms: int, waits: list[int]
) -> None:
    """Where none is in it and none held, the newest is named: it is the one that no longer speaks."""
    trend = Trend(1_000, LOW, HIGH)
    for number, (time_ms, value, hold_ms) in enumerate(telemetry):
        trend.add(time_ms, value, hold_ms, SampleId("MON-1", "b1", number))
    at_ms = telemetry[-1][0] + waits[0]
    start_ms, before = at_ms - span_ms, [n for n, s in enumerate(telemetry) if s[0] <= at_ms - span_ms]
    inside = [number for number, sample in enumerate(telemetry) if sample[0] > start_ms]
    held = [number for number in before[-1:] if sum(telemetry[number][::2]) > start_ms or not inside]
    named = [*held, *inside]
    first, last = SampleId("MON-1", "b1", named[0]), SampleId("MON-1", "b1", named[-1])
    assert trend.samples(at_ms, span_ms) == WindowSamples(len(named), first, last)
    assert Trend(1_000, LOW, HIGH).samples(at_ms, span_ms) == WindowSamples(0, None, None)
    assert trend.newest() == telemetry[-1][:2]


@laws
@given(samples, spans, shares)
def test_without_map_an_answer_is_firm_until_it_is_due(
    telemetry: list[tuple[int, int, int]], lengths: list[int], share: float
) -> None:
    """Only of MAP is it known which samples are ordinary."""
    trend = Trend(1_000, LOW, HIGH, Of.SYSTOLIC)
    for sample in telemetry:
        trend.add(*sample, DEVICE)
    for span_ms in lengths:
        mean = trend.mean_below("mean", LIMIT, telemetry[-1][0], span_ms, share)
        covered = trend.coverage_at_least("coverage", share, telemetry[-1][0], span_ms)
        assert (mean.firm_ms == mean.until_ms) or not mean.known
        assert covered.firm_ms == covered.until_ms
        assert mean.saw == covered.saw == sight(Of.SYSTOLIC, "", span_ms)


@pytest.mark.parametrize(("limit", "enough"), [(-1, True), (0, True), (1, False)])
def test_of_nothing_heard_the_amount_is_nothing(limit: int, enough: bool) -> None:
    answer = Trend(1_000, 0, 1_000).area_at_least("amount", limit, 5, 1_000)
    assert (answer.met, answer.until_ms) == (enough, NEVER)


def held_for_ever(*said: tuple[int, int]) -> Trend:
    trend = Trend(10_000, 0, 300, Of.DOSE)
    for at_ms, value in said:
        trend.add(at_ms, value, NEVER, SampleId("MON-1", "b1", at_ms))
    return trend


FAR_OFF_MS = NEVER // 2


def test_what_is_held_for_ever_is_enough_for_ever() -> None:
    assert held_for_ever((0, 70)).coverage_at_least("held", 0.5, 5_000, 1_000).until_ms > FAR_OFF_MS
    assert held_for_ever((0, 70)).mean_below("mean", 65, 5_000, 1_000, 0.5).until_ms > FAR_OFF_MS
    assert held_for_ever((4_500, 70)).coverage_at_least("held", 0.3, 5_000, 1_000).until_ms == 5_500
    assert held_for_ever().coverage_at_least("held", 0.0, 5_000, 1_000).until_ms == NEVER


@pytest.mark.parametrize(
    ("said", "until_ms"),
    [
        ([(4_500, 60)], 5_500),  # it only falls
        ([(4_000, 65), (5_000, 70)], 6_000),  # at the limit, and rising
        ([(0, 60), (5_000, 70)], 5_500),  # it rises to the limit, at which it is not below
    ],
)
def test_a_mean_that_moves_away_from_its_limit_is_not_asked_for(
    said: list[tuple[int, int]], until_ms: int
) -> None:
    answer = held_for_ever(*said).mean_below("mean", 65, 5_000, 1_000, 0.3)
    assert answer.until_ms == until_ms


@pytest.mark.parametrize(
    ("limit", "excess", "turns_in_ms"),
    [(110, 600, 10), (110, -600, 12), (110, 0, 0), (40, 600, 12), (40, -600, 10)],
)
def test_how_soon_values_like_those_that_are_kept_can_turn_a_mean(
    limit: int, excess: int, turns_in_ms: int
) -> None:
    """Between 50 and 100: the mean falls by what lies under the higher of limit and 100, or rises by what
    lies over the lower of limit and 50."""
    assert held_for_ever((0, 50), (5_000, 100))._unturned_ms(limit, excess, 5_000) == turns_in_ms
