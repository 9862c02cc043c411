"""Readings by kind, cell by cell: their order, how long they are kept, sums over a time, signs in words."""

from __future__ import annotations

from fractions import Fraction

import pytest

from streamproc.core.events import Observation, ObservationKind
from streamproc.core.finding import State
from streamproc.core.observations import ABSENT, MOST_READINGS, Observations
from streamproc.core.sight import Of, sight

URINE, LACTATE, SYSTOLIC = ObservationKind.URINE_OUTPUT, ObservationKind.LACTATE, ObservationKind.SYSTOLIC
SIGN = ObservationKind.EXTRAVASATION
RETENTION_MS = 100


def charted(
    readings: list[tuple[int, float | str | bool | None]], kind: ObservationKind = URINE
) -> Observations:
    """Readings (time, value) as they come in."""
    kept = Observations(RETENTION_MS)
    for number, (time_ms, value) in enumerate(readings):
        kept.take(Observation(time_ms, "icu-a/bed-7", "CHART", "b1", number, kind, value, None, "albumin"))
    return kept


def times(kept: Observations, kind: ObservationKind = URINE) -> list[int]:
    return [reading.time_ms for reading in kept.of(kind)]


def test_a_late_reading_enters_at_its_place_and_behind_its_equals() -> None:
    kept = charted([(10, 1), (30, 2), (20, 3), (20, 4), (5, 5)])
    assert [(r.time_ms, r.value) for r in kept.of(URINE)] == [(5, 5), (10, 1), (20, 3), (20, 4), (30, 2)]


def test_a_reading_keeps_its_message_its_fluid_and_its_kind() -> None:
    kept = charted([(10, 1), (20, 2)])
    newest = kept.last(URINE)
    assert newest is not None
    sample = newest.sample
    assert (sample.device, sample.boot, sample.seq, newest.fluid, newest.kind) == (
        "CHART",
        "b1",
        1,
        "albumin",
        URINE,
    )
    assert kept.last(LACTATE) is None
    assert kept.of(LACTATE) == ()


def test_of_what_is_too_old_the_newest_is_kept_for_it_begins_a_sum() -> None:
    """One exactly as old as the retention begins a sum by itself, so nothing older is needed."""
    assert times(charted([(0, 1), (10, 1), (109, 1)])) == [0, 10, 109]
    assert times(charted([(0, 1), (10, 1), (110, 1)])) == [10, 110]
    assert times(charted([(0, 1), (10, 1), (20, 1), (300, 1)])) == [20, 300]


def test_no_kind_keeps_more_than_its_most() -> None:
    kept = charted([(number % 7, number) for number in range(MOST_READINGS)])
    assert len(kept.of(URINE)) == MOST_READINGS == 2_000
    kept.take(Observation(7, "icu-a/bed-7", "CHART", "b1", None, URINE, 9.0))
    assert len(kept.of(URINE)) == MOST_READINGS
    assert kept.of(URINE)[-1].value == 9.0


def test_the_newest_and_those_after_an_instant() -> None:
    kept = charted([(10, 1), (20, 2), (30, 3)])
    assert [r.time_ms for r in kept.newest(URINE)] == [30]
    assert [r.time_ms for r in kept.newest(URINE, 2)] == [20, 30]
    assert [r.time_ms for r in kept.after(URINE, 20)] == [30]
    assert [r.time_ms for r in kept.after(URINE, 19)] == [20, 30]


@pytest.mark.parametrize(
    ("span_ms", "made_of"), [(1, [20, 30]), (10, [20, 30]), (11, [10, 20, 30]), (500, [10, 20, 30])]
)
def test_a_sum_is_made_of_the_readings_from_the_one_that_begins_it(span_ms: int, made_of: list[int]) -> None:
    assert [r.time_ms for r in charted([(10, 1), (20, 2), (30, 3)]).over(URINE, span_ms)] == made_of
    assert charted([]).over(URINE, span_ms) == ()
    assert [r.time_ms for r in charted([(10, 1)]).over(URINE, span_ms)] == [10]


@pytest.mark.parametrize(
    ("end_ms", "span_ms", "volume"),
    [
        (30, 20, Fraction(90)),  # all of both
        (30, 10, Fraction(60)),  # exactly the last
        (30, 5, Fraction(30)),  # half of the last
        (25, 10, Fraction(45)),  # half of each
        (30, 21, None),  # a ms before the first was not measured
        (100, 90, Fraction(90)),  # nothing was measured since
        (100, 75, Fraction(30)),  # the last half of the last
    ],
)
def test_a_reading_counts_by_its_part_of_the_time(end_ms: int, span_ms: int, volume: Fraction | None) -> None:
    assert charted([(10, 7), (20, 30), (30, 60)]).sum_before(URINE, end_ms, span_ms) == volume
    assert charted([]).sum_before(URINE, end_ms, span_ms) is None


@pytest.mark.parametrize(
    ("end_ms", "span_ms", "volume"),
    [(20, 10, 12), (19, 9, 6.3), (21, 1, 0), (20, 1, 5.7), (21, 2, 5.7), (30, 5, 0)],
)
def test_two_readings_of_one_instant_both_count_there(end_ms: int, span_ms: int, volume: float) -> None:
    """The second was measured over no time: it belongs to its instant, which ends a span and begins none."""
    kept = charted([(10, 1), (20, 7), (20, 5), (30, 0)])
    assert kept.sum_before(URINE, end_ms, span_ms) == Fraction(str(volume))


@pytest.mark.parametrize(
    ("values", "below", "at_least"),
    [
        ((69.9, 69.0), State.MET, State.NOT_MET),
        ((70.0, 69.0), State.NOT_MET, State.NOT_MET),
        ((70.0, 71.0), State.NOT_MET, State.MET),
        ((60.0, 70.0, 71.0), State.NOT_MET, State.MET),
        ((69.0,), State.UNKNOWN, State.UNKNOWN),
    ],
)
def test_the_last_readings_all_agree_or_it_is_not_so(
    values: tuple[float, ...], below: State, at_least: State
) -> None:
    kept = charted([(10 * number, value) for number, value in enumerate(values)], SYSTOLIC)
    assert kept.last_all_below(SYSTOLIC, 2, 70).state is below
    assert kept.last_all_at_least(SYSTOLIC, 2, 70).state is at_least
    clause = kept.last_all_below(SYSTOLIC, 1, 70).clauses[0]
    assert (clause.value, clause.limit, clause.unit) == (values[-1], 70, "mm[Hg]")
    assert kept.last_all_below(SYSTOLIC, 2, 70).saw == sight(Of.READINGS, SYSTOLIC, 0, 2)


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ((2.0,), State.UNKNOWN),
        ((2.0, 2.0), State.NOT_MET),
        ((2.0, 1.9), State.MET),
        ((1.0, 2.0, 1.9), State.MET),
        ((2.0, 2.1), State.NOT_MET),
    ],
)
def test_falling_is_below_the_one_before(values: tuple[float, ...], state: State) -> None:
    falling = charted([(10 * n, value) for n, value in enumerate(values)], LACTATE).falling(LACTATE)
    assert falling.state is state
    assert falling.saw == sight(Of.READINGS, LACTATE, 0, 2)
    if falling.known:
        clause = falling.clauses[0]
        assert (clause.value, clause.limit, clause.unit) == (values[-1], values[-2], "mmol/L")


@pytest.mark.parametrize("word", [*sorted(ABSENT), "Sinus Rhythm", "NONE"])
def test_a_word_that_says_no_is_no_sign(word: str) -> None:
    assert charted([(10, word)], SIGN).present(SIGN).state is State.NOT_MET


@pytest.mark.parametrize(
    ("value", "state"),
    [(True, State.MET), (False, State.NOT_MET), ("atrial fibrillation", State.MET), ("blanching", State.MET)],
)
def test_a_sign_is_there_by_its_newest_observation(value: str | bool, state: State) -> None:
    assert charted([(10, not value), (20, value)], SIGN).present(SIGN).state is state
    assert charted([]).present(SIGN).state is State.NOT_MET


def test_a_snapshot_gives_back_every_reading() -> None:
    kept, again = charted([(10, 1), (20, 2.5)]), Observations(RETENTION_MS)
    kept.take(Observation(30, "icu-a/bed-7", "CHART", None, None, SIGN, "blanching"))
    again.restore(kept.snapshot())
    assert again == kept
