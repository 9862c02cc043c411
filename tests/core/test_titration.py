"""A drug's dose over time against a naive record of it: peak, steadiness, change, stop, rewriting."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from read_again import read_again

from streamproc.core.dose import Dose, DoseUnknown
from streamproc.core.titration import Stop, Titration

laws = settings(max_examples=200, deadline=None, print_blob=True, derandomize=False)
SPAN_MS, RETENTION_MS, TOLERANCE = 30, 100, Fraction(1, 200)

Steps = list[tuple[int, int | None]]
steps = st.lists(
    st.tuples(
        st.integers(1, 15), st.one_of(st.none(), st.sampled_from([0, 50, 100, 1_000, 1_004, 1_005, 1_006]))
    ),
    min_size=1,
    max_size=25,
).map(lambda gaps: [(sum(gap for gap, _ in gaps[: i + 1]), value) for i, (_, value) in enumerate(gaps)])
"""Doses (1e-9 mcg/kg/min, None unknown), each with the instant since which it runs."""


def dose(since_ms: int, nano: int | None) -> Dose:
    return Dose(since_ms, nano, nano, DoseUnknown.CONTACT_LOST if nano is None else None)


def new_titration() -> Titration:
    return Titration(RETENTION_MS, SPAN_MS, TOLERANCE)


def titration_of(history: Steps) -> Titration:
    titration = new_titration()
    for since_ms, nano in history:
        titration.enter(dose(since_ms, nano))
    return titration


def in_effect(history: Steps, at_ms: int) -> Steps:
    """What ran at any time of the last span: its open start is not part of it."""
    ends = [since_ms for since_ms, _ in history[1:]] + [at_ms + 1]
    return [
        step
        for step, end_ms in zip(history, ends, strict=True)
        if step[0] <= at_ms and end_ms > at_ms - SPAN_MS
    ]


def naive_steady_since(history: Steps) -> int | None:
    """Since when the dose is known and within the tolerance of what it was set to."""
    since_ms, reference, known_before = None, None, False
    for at_ms, nano in history:
        if nano is None:
            known_before = False
            continue
        changed = reference is not None and abs(nano - reference) > TOLERANCE * reference
        if changed or not known_before:
            since_ms = at_ms
        if changed or reference is None:
            reference = nano
        known_before = True
    return since_ms if known_before else None


@laws
@given(steps)
def test_the_peak_is_the_highest_dose_in_effect(history: Steps) -> None:
    """At every instant: the greatest known dose of the span, and whether all of the span is known."""
    titration = new_titration()
    for index, (since_ms, nano) in enumerate(history):
        titration.enter(dose(since_ms, nano))
        next_ms = history[index + 1][0] if index + 1 < len(history) else since_ms + 2 * SPAN_MS
        for at_ms in range(since_ms, next_ms):
            ran = in_effect(history[: index + 1], at_ms)
            highest = max((value for _, value in ran if value is not None), default=0)
            complete = all(value is not None for _, value in ran)
            assert titration.peak_nano(at_ms) == (highest, complete), at_ms


@laws
@given(steps)
def test_a_peak_stands_until_it_says(history: Steps) -> None:
    """With no new step, neither the peak nor its completeness differs before `peak_ends_ms`."""
    titration = titration_of(history)
    at_ms = history[-1][0]
    horizon_ms = at_ms + 3 * SPAN_MS
    while True:
        before = titration.peak_nano(at_ms)
        ends_ms = titration.peak_ends_ms(at_ms)
        until_ms = horizon_ms if ends_ms is None else ends_ms
        assert until_ms > at_ms
        for later_ms in range(at_ms, until_ms):
            ran = in_effect(history, later_ms)
            highest = max((value for _, value in ran if value is not None), default=0)
            assert (highest, all(value is not None for _, value in ran)) == before
        if ends_ms is None:
            break
        at_ms = ends_ms


@laws
@given(steps)
def test_steady_since_is_the_last_change_or_gap(history: Steps) -> None:
    """A dose within the tolerance of the one that was set is steady; an unknown stretch is not."""
    assert titration_of(history).steady_since_ms() == naive_steady_since(history)


def test_drifting_by_small_steps_is_a_change() -> None:
    """Each step within the tolerance of the last, yet not of the dose that was set."""
    titration = titration_of([(0, 1_000), (10, 1_004), (20, 1_008)])
    assert (titration.changed_ms, titration.changed_up) == (20, True)


@pytest.mark.parametrize(("nano", "changed_ms"), [(995, None), (994, 10), (1_005, None), (1_006, 10)])
def test_half_a_percent_is_no_change(nano: int, changed_ms: int | None) -> None:
    assert titration_of([(0, 1_000), (10, nano)]).changed_ms == changed_ms


@pytest.mark.parametrize(
    ("history", "stop"),
    [
        ([(0, 100), (10, 0)], Stop(10, 100)),
        ([(0, 100), (10, None), (20, 0)], Stop(20, 100)),
        ([(0, 100), (10, 0), (20, None), (30, 0)], Stop(10, 100)),
        ([(0, 100), (10, 0), (20, 50)], None),
        ([(0, 100), (10, 0), (20, 50), (30, 0)], Stop(30, 50)),
        ([(0, 100), (10, None)], None),
        ([(0, 0)], None),
    ],
)
def test_a_stop_is_known_0_after_a_known_dose(history: Steps, stop: Stop | None) -> None:
    """Unknown is no stop; what it follows is the last dose that was known to flow."""
    assert titration_of(history).stop == stop


@pytest.mark.parametrize(
    ("at_ms", "ends_ms"),
    [(40, 50), (49, 50), (50, 60), (59, 60), (60, None), (900, None)],
)
def test_a_peak_ends_a_span_after_its_dose_whether_or_not_it_was_asked_before(
    at_ms: int, ends_ms: int | None
) -> None:
    titration = titration_of([(0, 300), (20, 200), (30, 100)])
    assert titration.peak_ends_ms(at_ms) == ends_ms


@pytest.mark.parametrize(
    ("history", "changed_ms", "changed_up"),
    [
        ([(0, 1_000, 70)], None, False),
        ([(0, 1_000, 70), (10, 1_100, 77)], 10, True),
        ([(0, 1_000, 70), (10, 900, 63)], 10, False),
        ([(0, None, 1_000), (10, None, 1_100)], 10, False),
        ([(0, None, 1_000), (10, None, 1_005)], None, False),
        ([(0, None, 1_000), (10, None, None), (20, None, 1_000)], None, False),
        ([(0, None, 1_000), (10, None, None), (20, None, 900)], 20, False),
        ([(0, 1_000, 70), (10, 1_000, 140)], None, False),
        ([(0, None, 70), (10, 1_000, 140)], None, False),
        ([(0, 1_000, 70), (10, 1_100, 77), (20, None, 90)], 20, True),
    ],
)
def test_the_last_change_is_by_weight_or_of_what_flows_where_that_is_unknown(
    history: list[tuple[int, int | None, int | None]], changed_ms: int | None, changed_up: bool
) -> None:
    titration = new_titration()
    for at_ms, per_kg, per_min in history:
        why = DoseUnknown.NO_WEIGHT if per_kg is None else None
        titration.enter(Dose(at_ms, per_kg, per_min, why))
    assert (titration.any_change_ms, titration.changed_up) == (changed_ms, changed_up)


def test_of_two_peaks_alike_the_later_one_counts() -> None:
    titration = titration_of([(0, 300), (5, 100), (10, 300), (20, 100)])
    assert (titration.peak_ends_ms(25), titration.peak_nano(49), titration.peak_nano(50)) == (
        50,
        (300, True),
        (100, True),
    )


def test_of_an_unknown_dose_alone_the_peak_is_0_and_not_all_known() -> None:
    assert titration_of([(0, None)]).peak_nano(5) == (0, False)


def test_of_too_many_steps_the_oldest_are_forgotten_once_they_are_old() -> None:
    steps = [(10 * n, 100 + 10 * n) for n in range(64)]
    assert len(titration_of(steps).steps) == 64
    assert [step.since_ms for step in titration_of([*steps, (640, 9_000)]).steps] == list(range(320, 650, 10))
    young = titration_of([(n, 100 + 10 * n) for n in range(80)])
    assert len(young.steps) == 80
    for middle_ms, kept in ((1_000, 33), (1_001, 65)):
        times_ms = [*range(32), middle_ms, *range(1_002, 1_033), 1_000 + RETENTION_MS]
        assert len(titration_of([(at_ms, 100 + 10 * n) for n, at_ms in enumerate(times_ms)]).steps) == kept


def test_a_repeated_dose_is_no_step() -> None:
    titration = titration_of([(0, 100), (10, 100), (20, 100)])
    assert [step.since_ms for step in titration.steps] == [0]


@laws
@given(steps, st.data())
def test_history_written_anew_is_the_history(history: Steps, data: st.DataObject) -> None:
    """Replacing the steps from any instant on gives what entering them in the first place gives."""
    cut = data.draw(st.integers(0, len(history) - 1))
    wrong = [(since_ms, 77) for since_ms, _ in history[cut:]]
    titration = titration_of(history[:cut] + wrong)
    titration.replace_from(history[cut][0], [dose(*step) for step in history[cut:]])
    assert titration.snapshot() == titration_of(history).snapshot()


@laws
@given(steps, steps)
def test_a_titration_restored_from_json_goes_on_the_same(history: Steps, more: Steps) -> None:
    titration, other = titration_of(history), new_titration()
    other.restore(read_again(titration.snapshot()))
    later_ms = history[-1][0]
    for since_ms, nano in more:
        at_ms = later_ms + since_ms
        for each in (titration, other):
            each.enter(dose(at_ms, nano))
        assert other.peak_nano(at_ms) == titration.peak_nano(at_ms)
        assert other.steady_since_ms() == titration.steady_since_ms()
    assert other.snapshot() == titration.snapshot()


def test_forgetting_keeps_what_a_question_may_still_ask() -> None:
    """Hundreds of steps cost no memory, and the peak of the span is still right."""
    titration = new_titration()
    for at_ms in range(2_000):
        titration.enter(dose(at_ms, 1_000 - at_ms % 90))
        highest = max(1_000 - ms % 90 for ms in range(max(0, at_ms - SPAN_MS), at_ms + 1))
        assert titration.peak_nano(at_ms) == (highest, True)
    assert len(titration.steps) < 64 + RETENTION_MS + SPAN_MS
