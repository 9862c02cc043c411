"""What a monitor's rhythm says of its silence, and what its artefacts say of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pump_reports import rules, site
from read_again import read_again
from ward_histories import HOLD_BACK_MS, START_MS, digest_of

from streamproc.core.chart import Chart, Reads
from streamproc.core.events import MapSample, MapSource
from streamproc.core.finding import NEVER, Finding, all_of, any_of, negated, not_shown
from streamproc.core.pressure import NEVER_YET, Cadence, Pressure
from streamproc.core.remembered import Taken
from streamproc.core.ward import Ward

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


# the rhythm, and which sample counts, cell by cell

LINE_MS, CUFF_MS, LOST_MS = 60_000, 900_000, 15_000
"""How long a sample of either speaks for the pressure, and what silence is a loss (the shipped terms)."""


@pytest.mark.parametrize(
    ("heard_ms", "usual_ms"),
    [
        ([], 5_000),
        ([0], 5_000),
        ([0, 700], 700),
        ([0, 700, 1_000], 300),  # of two, the shorter
        ([0, 100, 300, 600], 200),
        ([0, 100, 300, 600, 1_000, 1_500, 2_100, 2_800], 500),  # the last five
        ([100, 100, 50, 300], 200),  # the same instant again or an older one is no interval
        ([0, 1_000, 2_000, 2_010, 2_020, 3_020], 1_000),  # five, not four
        ([0, 1], 1),
        ([0, 60_000], 60_000),
        ([0, 60_001], 5_000),
        ([0, 60_001, 60_101], 100),  # and what comes after a loss is measured from there
    ],
)
def test_the_usual_interval_is_the_median_of_the_last_few(heard_ms: list[int], usual_ms: int) -> None:
    cadence = Cadence()
    for at_ms in heard_ms:
        cadence.heard(at_ms, longest_ms=60_000)
    assert cadence.interval_ms(otherwise_ms=5_000) == usual_ms
    assert cadence.last_ms == max(heard_ms, default=None)
    again = Cadence()
    again.restore(cadence.snapshot())
    assert again == cadence


def test_another_source_has_a_rhythm_of_its_own() -> None:
    cadence = Cadence()
    for at_ms in (0, 100, 200):
        cadence.heard(at_ms, longest_ms=60_000)
    cadence.start_anew()
    cadence.alive(50)
    assert (cadence.last_ms, cadence.measured_ms, cadence.intervals_ms) == (200, None, [])
    cadence.heard(1_200, longest_ms=60_000)
    assert cadence.interval_ms(otherwise_ms=5_000) == 5_000


def taken(
    *samples: tuple[int, str, int] | tuple[int, str, int, bool], lost_ms: int | None = None
) -> Pressure:
    """Samples (ms, `line` or `cuff`, mmHg, valid) in the order in which they came."""
    terms = site().core_terms()
    pressure = Pressure(terms if lost_ms is None else replace(terms, map_lost_ms=lost_ms))
    sources = {"line": MapSource.ARTERIAL, "cuff": MapSource.CUFF}
    for number, (at_ms, source, mmhg, *valid) in enumerate(samples):
        said = MapSample(at_ms, BED, source, "b1", number, sources[source], mmhg * 1_000, *valid)
        pressure.take(said, at_ms)
    return pressure


def test_a_cuff_counts_only_while_no_line_holds() -> None:
    line = (0, "line", 70)
    beside = taken(line, (LINE_MS - 1, "cuff", 50))
    assert (beside.trend.now(LINE_MS - 1), beside.source, len(beside.trend)) == (
        70_000,
        MapSource.ARTERIAL,
        1,
    )
    assert beside.last_cuff is not None
    assert beside.cadence.last_ms == LINE_MS - 1
    assert beside.cadence.measured_ms == 0
    instead = taken(line, (LINE_MS, "cuff", 50))
    assert (instead.trend.now(LINE_MS), instead.source) == (50_000, MapSource.CUFF)
    assert instead.trend.now(LINE_MS + CUFF_MS - 1) == 50_000
    assert instead.trend.now(LINE_MS + CUFF_MS) is None


def test_a_late_line_does_not_take_the_source_back() -> None:
    pressure = taken((0, "line", 70), (200_000, "cuff", 60), (100_000, "line", 65))
    assert pressure.source is MapSource.CUFF
    assert pressure.arterial_until_ms == 100_000 + LINE_MS
    assert taken((100_000, "line", 70), (0, "line", 65)).arterial_until_ms == 100_000 + LINE_MS


def test_an_artefact_shows_that_the_monitor_sends_and_no_more() -> None:
    pressure = taken((5, "line", 70, False), (3, "line", 70, False))
    assert (pressure.first_ms, pressure.newest_ms, pressure.source) == (5, 5, MapSource.ARTERIAL)
    assert (len(pressure.trend), pressure.cadence.last_ms, pressure.arterial_until_ms) == (0, None, -1)
    assert [pressure.artefacts.now(at_ms) for at_ms in (3, 5)] == [1, 1]
    assert taken((5, "line", 70)).artefacts.now(5) == 0


@pytest.mark.parametrize(
    ("at_ms", "source", "mmhg", "valid", "ordinary"),
    [
        (2_000, "line", 70, True, True),
        (2_000, "line", 80, True, True),
        (2_000, "line", 60, True, True),
        (2_000, "line", 59, True, False),
        (2_000, "line", 81, True, False),
        (2_000, "line", 70, False, False),
        (2_000, "cuff", 70, True, False),
        (500, "line", 70, True, False),  # not the next
        (1_000, "line", 70, True, False),
        (1_001, "line", 70, True, True),
        (1_000 + LOST_MS - 1, "line", 70, True, True),
        (1_000 + LOST_MS, "line", 70, True, False),  # after a gap
        (1_001 + LOST_MS, "line", 70, True, False),
    ],
)
def test_ordinary_is_the_next_of_the_line_within_what_it_has_shown(
    at_ms: int, source: str, mmhg: int, valid: bool, ordinary: bool
) -> None:
    pressure = taken((0, "line", 60), (1_000, "line", 80))
    origin = {"line": MapSource.ARTERIAL, "cuff": MapSource.CUFF}[source]
    next_one = MapSample(at_ms, BED, source, "b1", 9, origin, mmhg * 1_000, valid)
    assert pressure.is_ordinary(next_one, at_ms) is ordinary
    assert taken().is_ordinary(next_one, at_ms) is False
    assert taken((0, "cuff", 60)).is_ordinary(next_one, at_ms) is False


@pytest.mark.parametrize(
    ("samples", "now_ms", "ordinary"),
    [
        ([(0, "line", 70), (1_000, "line", 70)], 4_000, True),
        ([(0, "line", 70), (1_000, "line", 70)], 1_000 + LOST_MS - 1, True),
        ([(0, "line", 70), (1_000, "line", 70)], 1_000 + LOST_MS, False),  # the line was lost meanwhile
        ([(0, "line", 70), (3_000, "line", 70)], 4_000, False),  # not the next
        ([(0, "line", 70), (1_000, "line", 70, False)], 2_000, True),
        ([(0, "line", 70), (1_000, "line", 70, False)], 4_000, False),  # it ends an artefact that counts
    ],
)
def test_a_sample_that_comes_late_is_ordinary_while_the_line_goes_on(
    samples: list[tuple[int, str, int]], now_ms: int, ordinary: bool
) -> None:
    late = MapSample(2_000, BED, "line", "b1", 9, MapSource.ARTERIAL, 70_000)
    assert taken(*samples).is_ordinary(late, now_ms) is ordinary


@pytest.mark.parametrize(
    ("at_ms", "below", "at_least", "until_ms"),
    [(0, False, True, LINE_MS), (1_000, True, False, 1_000 + LINE_MS)],
)
def test_the_pressure_of_now_against_a_limit(at_ms: int, below: bool, at_least: bool, until_ms: int) -> None:
    """At the limit it is not below; the answer stands while the sample holds."""
    pressure = taken(*[(0, "line", 65), (1_000, "line", 64)][: 1 + at_ms // 1_000])
    for answer, met in ((pressure.below(65_000, at_ms), below), (pressure.at_least(65_000, at_ms), at_least)):
        clause = answer.clauses[0]
        assert (answer.met, answer.until_ms) == (met, until_ms)
        assert (clause.value, clause.limit, clause.unit) == (65 - at_ms / 1_000, 65, "mm[Hg]")


def test_an_answer_is_firm_where_every_sample_is_on_one_side() -> None:
    pressure = taken((0, "line", 60), (1_000, "line", 70))
    answers = {mmhg: pressure.below(mmhg * 1_000, 1_000) for mmhg in (59, 60, 61, 70, 71)}
    firm = {mmhg: answer.firm_ms for mmhg, answer in answers.items()}
    assert firm == {59: NEVER, 60: NEVER, 61: 1_000, 70: 1_000, 71: NEVER}
    sided = {mmhg: answer.uncrossed for mmhg, answer in answers.items() if answer.uncrossed is not None}
    assert sided == {61: (NEVER, (61_000,)), 70: (NEVER, (70_000,))}
    silent = pressure.below(65_000, 1_000 + LINE_MS)
    assert (silent.known, silent.until_ms, silent.firm_ms) == (False, NEVER, 1_000 + LINE_MS)


@pytest.mark.parametrize(
    ("limits", "no_news"),
    [
        ((), (60_000, 80_000)),
        ((70_000,), (70_000, 80_000)),  # at a limit is above it
        ((70_001,), (60_000, 70_000)),
        ((65_000, 66_000, 75_000, 76_000), (66_000, 74_999)),
        ((50_000, 90_000), (60_000, 80_000)),
    ],
)
def test_a_sample_on_the_same_side_of_all_limits_is_no_news(
    limits: tuple[int, ...], no_news: tuple[int, int]
) -> None:
    pressure = taken((0, "line", 60), (1_000, "line", 80), (2_000, "line", 70))
    pressure.stay_between(limits)
    assert pressure.no_news == no_news
    pressure.stay_between(())
    assert pressure.no_news == (60_000, 80_000)


def test_silence_counts_from_the_last_valid_sample_or_from_when_one_was_awaited() -> None:
    pressure = taken((1_000, "line", 70), (9_000, "line", 70, False))
    answers = [pressure.silent_for(15_000, at_ms) for at_ms in (15_999, 16_000)]
    assert [(a.met, a.until_ms, a.firm_ms) for a in answers] == [
        (False, 16_000, NEVER),
        (True, NEVER, 16_000),
    ]
    clause = answers[0].clauses[0]
    assert (clause.value, clause.limit, clause.unit) == (14.999, 15, "s")
    assert pressure.silent_for(15_001, 15_998).firm_ms == NEVER
    assert pressure.silent_for(14_999, 15_998).firm_ms == 15_998  # a quicker rhythm may shorten this one
    for limit_ms, firm_ms in ((LINE_MS, NEVER), (LINE_MS - 1, 2_000)):  # so long a sample holds
        late_to_be_lost = taken((1_000, "line", 70), lost_ms=10 * LINE_MS)
        assert late_to_be_lost.silent_for(limit_ms, 2_000).firm_ms == firm_ms
    assert taken().silent_for(15_000, 16_000, since_ms=1_000).met
    assert not taken().silent_for(15_000, 16_000, since_ms=1_001).met
    unheard = taken().silent_for(15_000, 16_000)
    assert (unheard.known, unheard.firm_ms) == (False, 16_000)


@pytest.mark.parametrize(
    ("samples", "loss_ms"),
    [
        ([(0, "line", 70)], 15_000),
        ([(0, "cuff", 70)], 900_000),
        ([(0, "line", 70), (10_000, "line", 70)], 30_000),
        ([(0, "cuff", 70), (60_000, "cuff", 70)], 180_000),
        ([], 900_000),
    ],
)
def test_three_usual_intervals_of_silence_are_a_loss(
    samples: list[tuple[int, str, int]], loss_ms: int
) -> None:
    assert taken(*samples).loss_ms(15_000) == loss_ms


def test_a_pressure_restored_from_json_is_the_same() -> None:
    pressure = taken((0, "cuff", 60), (1_000, "line", 70), (2_000, "cuff", 50), (3_000, "line", 20, False))
    again = Pressure(site().core_terms())
    again.restore(read_again(pressure.snapshot()))
    assert again.snapshot() == pressure.snapshot()
    assert again.last_cuff == pressure.last_cuff
    fresh = Pressure(site().core_terms())
    fresh.restore(read_again(fresh.snapshot()))
    assert (fresh.source, fresh.last_cuff, fresh.newest_ms) == (None, None, NEVER_YET)


# the promise of firm_ms


QUESTIONS: dict[str, Callable[[Chart], Finding]] = {
    "MAP below": lambda chart: chart.map_below(60_000),
    "MAP at least": lambda chart: chart.map_at_least(60_000),
    "mean below": lambda chart: chart.mean_map_below(60_000, 60),
    "coverage": lambda chart: chart.pressure.trend.coverage_at_least("coverage", 0.8, chart.now_ms, 60_000),
    "artefacts": lambda chart: chart.pressure.artefacts.share_above("artefacts", 0.2, chart.now_ms, 60_000),
    "MAP silent": lambda chart: chart.map_silent_for(20_000),
    "MAP heard": lambda chart: chart.map_heard(),
    "monitor sends": lambda chart: chart.monitor_sends(),
    "unbroken": lambda chart: chart.unbroken("held", chart.map_at_least(60_000), 30),
    "lasting": lambda chart: chart.lasting("lasted", chart.map_at_least(60_000), 30),
    "not below, and heard": lambda chart: all_of(chart.map_heard(), negated(chart.map_below(60_000))),
    "below, or silent": lambda chart: any_of(chart.map_below(60_000), chart.map_silent_for(20_000)),
    "not shown": lambda chart: not_shown(all_of(chart.map_heard(), chart.map_at_least(60_000))),
    "between two": lambda chart: all_of(chart.map_at_least(59_000), chart.map_below(61_000)),
    "one of two": lambda chart: any_of(chart.map_below(59_000), negated(chart.map_below(61_000))),
}
BEATS = st.lists(
    st.tuples(st.sampled_from([1, 2, 5, 20, 70]), st.sampled_from([50, 59, 60, 61, 90]), st.booleans()),
    min_size=1,
    max_size=40,
)
"""Seconds since the sample before, mmHg, and whether it may be an artefact."""


def promised_until(chart: Chart, answer: Finding, while_uncrossed: bool) -> int:
    """Until when an answer is promised to stand; of samples that cross one of its limits it is told."""
    if not while_uncrossed or answer.uncrossed is None:
        return answer.firm_ms
    chart.pressure.stay_between(answer.uncrossed.limits)
    assert answer.uncrossed.firm_ms > answer.firm_ms
    return answer.uncrossed.firm_ms


@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("while_uncrossed", [False, True])
@pytest.mark.parametrize("name", QUESTIONS)
@given(before=BEATS, after=BEATS)
@example(before=[(20, 60, True)] * 6, after=[(1, 60, True)] * 4 + [(20, 60, True)])  # a quicker cadence
def test_ordinary_samples_leave_a_firm_answer_as_it_is(
    name: str,
    while_uncrossed: bool,
    before: list[tuple[int, int, bool]],
    after: list[tuple[int, int, bool]],
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
    until_ms = promised_until(chart, promised, while_uncrossed)
    for gap_s, mmhg, _ in after:
        for second in range(1, gap_s + 1):
            chart.move_to(at_ms + second * 1_000)
            if chart.now_ms >= until_ms or not chart.line_goes_on:
                return
            if second < gap_s:
                assert ask(chart).state is promised.state
        at_ms += gap_s * 1_000
        if take(chart, at_ms, mmhg, valid=True) != Reads.ORDINARY:
            return
        assert ask(chart).state is promised.state


@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("while_uncrossed", [False, True])
@pytest.mark.parametrize("name", QUESTIONS)
@given(before=BEATS, after=BEATS, behind_s=st.integers(1, 16), at_once=st.integers(1, 6))
@example(before=[(5, 90, True), (5, 59, True), (50, 60, True)], after=[(1, 59, True)], behind_s=9, at_once=1)
@example(before=[(1, 60, True)] * 70 + [(1, 60, False)], after=[(1, 60, True)], behind_s=14, at_once=1)
def test_samples_that_come_late_leave_a_firm_answer_as_it_is(
    name: str,
    while_uncrossed: bool,
    before: list[tuple[int, int, bool]],
    after: list[tuple[int, int, bool]],
    behind_s: int,
    at_once: int,
) -> None:
    """The same while we have fallen behind: each sample comes so many seconds after its instant, several
    of them at once, and an answer is given by what had come until then."""
    chart, ask = Chart(site().core_terms(), BED, START_MS), QUESTIONS[name]
    at_ms = START_MS
    for gap_s, mmhg, clean in before:
        at_ms += gap_s * 1_000
        take(chart, at_ms, mmhg, clean or gap_s > 1)
    chart.move_to(at_ms + behind_s * 1_000)
    promised = ask(chart)
    until_ms = promised_until(chart, promised, while_uncrossed)
    for number, (gap_s, mmhg, _) in enumerate(after):
        at_ms += gap_s * 1_000
        if number % at_once == 0:
            chart.move_to(max(chart.now_ms, at_ms + behind_s * 1_000))
        at_ms = min(at_ms, chart.now_ms)
        if chart.now_ms >= until_ms or not chart.line_goes_on:
            return
        if take(chart, at_ms, mmhg, valid=True) != Reads.ORDINARY:
            return
        assert ask(chart).state is promised.state


def take(chart: Chart, at_ms: int, mmhg: int, valid: bool) -> int:
    """A sample of the line, at its instant or late; what it is news to."""
    chart.move_to(max(at_ms, chart.now_ms))
    return chart.take_map(MapSample(at_ms, BED, "MON-1", "b1", None, MapSource.ARTERIAL, mmhg * 1_000, valid))


@given(
    st.lists(st.sampled_from([1, 2, 2, 2, 2, 5, 30, 70]), max_size=12),
    st.lists(st.sampled_from([1, 2, 2, 2, 2, 5, 30, 70]), max_size=12),
    st.sampled_from([2, 30, 60, 400]),
)
def test_reports_noted_together_leave_what_they_leave_one_by_one(
    before_s: list[int], gaps_s: list[int], longest_s: int
) -> None:
    together, one_by_one, at_ms = Cadence(), Cadence(), 0
    for gap_s in before_s:
        at_ms += 1_000 * gap_s
        for cadence in (together, one_by_one):
            cadence.heard(at_ms, 1_000 * longest_s)
    times_ms = [at_ms + 1_000 * passed_s for passed_s in accumulate(gaps_s)]
    together.heard_together(times_ms, 1_000 * longest_s)
    for time_ms in times_ms:
        one_by_one.heard(time_ms, 1_000 * longest_s)
    assert together == one_by_one


def test_a_steady_rhythm_is_known_again_after_a_restart() -> None:
    for beats in (4, 5, 6, 9):
        cadence, other = Cadence(), Cadence()
        for beat in range(beats):
            cadence.heard(beat * 7_000, longest_ms=60_000)
        other.restore(read_again(cadence.snapshot()))
        assert other == cadence
        assert cadence.steady_ms == (7_000 if beats > 5 else None)


def test_only_an_ordinary_sample_is_taken_for_one() -> None:
    """Not the first, nor an artefact, nor a cuff beside the line."""
    pressure = Pressure(site().core_terms())
    cuff = MapSample(START_MS + 3_000, BED, "MON-2", "b1", 1, MapSource.CUFF, 70_000)
    takes = [sample(0), sample(1_000), sample(2_000, valid=False), cuff, sample(4_000)]
    assert [pressure.take(each, each.time_ms) for each in takes] == [False, True, False, False, True]


def test_ordinary_samples_are_no_artefacts_and_keep_the_line_before_the_cuff() -> None:
    pressure = Pressure(site().core_terms())
    for at_ms in range(0, 120_000, 1_000):
        pressure.take(sample(at_ms), at_ms)
    assert pressure.artefacts.window(START_MS + 119_000, 60_000).area == 0
    cuff = MapSample(START_MS + 120_000, BED, "MON-2", "b1", 1, MapSource.CUFF, 40_000)
    pressure.take(cuff, cuff.time_ms)
    assert pressure.trend.now(START_MS + 120_000) == 70_000
    assert pressure.source is MapSource.ARTERIAL
