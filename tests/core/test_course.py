"""An infusion's course and its steps, cell by cell: bridged gaps, noise, amounts given, its opening."""

from __future__ import annotations

from fractions import Fraction

import pytest
from read_again import read_again

from streamproc.core.course import Course
from streamproc.core.dose import NANO, Dose, DoseUnknown
from streamproc.core.finding import NEVER, State
from streamproc.core.ladder import Ladder, Step
from streamproc.core.opening import Opening, opening_of

GRACE_MS, DAY_MS, TOLERANCE = 100, 10_000_000, Fraction(1, 10)
MINUTE_MS = 60_000
LOST, NO_RATE = DoseUnknown.CONTACT_LOST, DoseUnknown.NO_RATE


def dose(at_ms: int, per_kg: int | None, per_min: int | None = -1, why: DoseUnknown | None = None) -> Dose:
    """A dose per kg; what flows is the same unless it is given."""
    flow = per_kg if per_min == -1 else per_min
    return Dose(at_ms, per_kg, flow, why if per_kg is None else None)


def followed(*doses: Dose) -> Course:
    course, before = Course(GRACE_MS, DAY_MS, TOLERANCE), None
    for step in doses:
        course.follow(before, step)
        before = step
    return course


def climbed(*doses: tuple[int, int | None]) -> Ladder:
    ladder = Ladder(True, TOLERANCE, GRACE_MS)
    for at_ms, amount in doses:
        ladder.follow(dose(at_ms, amount))
    return ladder


def told(ladder: Ladder) -> list[tuple[int, int | None, int | None]]:
    return [(step.at_ms, step.before.per_kg_nano, step.after.per_kg_nano) for step in ladder.steps]


# steps


@pytest.mark.parametrize(
    ("doses", "steps"),
    [
        ([(0, 100)], []),
        ([(0, 100), (10, 110)], []),  # at the tolerance it is noise
        ([(0, 100), (10, 111)], [(10, 100, 111)]),
        ([(0, 100), (10, 89)], [(10, 100, 89)]),
        ([(0, 100), (10, 90)], []),
        ([(0, 100), (10, 109), (20, 111)], [(20, 109, 111)]),  # drifting adds up
        ([(0, 100), (10, 200), (20, 215)], [(10, 100, 200)]),  # measured from the step, not the start
        ([(0, 100), (10, 200), (20, 300), (30, 400)], [(20, 200, 300), (30, 300, 400)]),
        ([(0, 100), (10, None), (110, 200)], [(110, 100, 200)]),  # a change-over at its longest
        ([(0, 100), (10, None), (111, 200)], []),  # a new infusion
        ([(0, 100), (10, 0), (60, None), (110, 200)], [(110, 100, 200)]),  # from when it left, whatever next
        ([(0, 100), (10, 0), (60, None), (111, 200)], []),
        ([(0, 100), (10, None), (111, 200), (112, 219)], []),
        ([(0, 100), (10, None), (111, 200), (112, 221)], [(112, 200, 221)]),
        ([(0, None), (10, 100)], []),
    ],
)
def test_a_step_is_more_than_noise_within_one_infusion(
    doses: list[tuple[int, int | None]], steps: list[tuple[int, int, int]]
) -> None:
    ladder = climbed(*doses)
    assert told(ladder) == steps
    assert ladder.last == (ladder.steps[-1] if steps else None)
    assert ladder.before_last == (ladder.steps[0] if len(steps) == 2 else None)


def test_a_new_infusion_forgets_the_steps_of_the_last() -> None:
    ladder = climbed((0, 100), (10, 200))
    ladder.begin()
    assert (ladder.steps, ladder.standing, ladder.left_ms) == ([], None, None)
    ladder.follow(dose(20, 400))
    assert told(ladder) == []


def test_a_step_without_a_weight_is_told_by_what_flows() -> None:
    by_weight = Step(10, dose(0, 100, 7_000), dose(10, 50, 9_000))
    assert (by_weight.by_weight, by_weight.amounts, by_weight.up) == (True, (100, 50), False)
    for one, other in ((None, 50), (100, None), (0, 50), (100, 0)):
        step = Step(10, dose(0, one, 7_000), dose(10, other, 9_000))
        assert (step.by_weight, step.amounts, step.up) == (False, (7_000, 9_000), True)
    unknown = Step(10, dose(0, None, None), dose(10, None, None))
    assert (unknown.amounts, unknown.up) == ((0, 0), False)


def test_a_ladder_goes_on_the_same_from_json() -> None:
    ladder, again = climbed((0, 100), (10, 200), (20, 300), (30, None)), Ladder(True, TOLERANCE, GRACE_MS)
    again.restore(read_again(ladder.snapshot()))
    assert again == ladder
    fresh = Ladder(True, TOLERANCE, GRACE_MS)
    fresh.restore(read_again(climbed().snapshot()))
    assert fresh == climbed()


# the infusion


@pytest.mark.parametrize(
    ("stop_ms", "next_ms", "began_ms"), [(50, 150, 0), (50, 151, 151), (50, 51, 0)], ids=str
)
def test_a_gap_no_longer_than_a_change_over_is_bridged(stop_ms: int, next_ms: int, began_ms: int) -> None:
    course = followed(dose(0, 100), dose(stop_ms, 0), dose(next_ms, 200))
    assert (course.began_ms, course.runs, course.ended_ms) == (began_ms, True, None)
    steps = [] if began_ms else [(next_ms, 100, 200)]
    assert told(course.by_weight) == steps


@pytest.mark.parametrize(
    ("step", "runs"),
    [
        (dose(10, 0), False),
        (dose(10, 0, None), False),
        (dose(10, 5, None), True),
        (dose(10, None, 5), True),
        (dose(10, None, 0), False),
        (dose(10, None, None, NO_RATE), True),  # it infuses, at a rate that nobody can tell
    ],
)
def test_an_infusion_runs_while_anything_flows(step: Dose, runs: bool) -> None:
    for before in ((), (dose(0, 100),)):
        course = followed(*before, step)
        assert course.runs is runs
    assert course.ended_ms == (None if runs else 10)


def test_silence_neither_begins_an_infusion_nor_ends_one() -> None:
    silent = dose(10, None, None, LOST)
    assert followed(silent).runs is False
    assert followed(silent).began_ms is None
    course = followed(dose(0, 100), silent)
    assert (course.runs, course.ended_ms) == (True, None)


def test_it_is_under_way_until_its_grace_is_over() -> None:
    course = followed(dose(0, 100))
    assert (course.under_way(10**9), course.grace_ends_ms(), course.grace_ends_after(0)) == (
        True,
        NEVER,
        NEVER,
    )
    course = followed(dose(0, 100), dose(50, 0))
    assert [course.under_way(at_ms) for at_ms in (50, 149, 150)] == [True, True, False]
    assert [course.grace_ends_after(at_ms) for at_ms in (50, 149, 150)] == [150, 150, NEVER]
    assert course.grace_ends_ms() == 150
    assert followed(dose(0, 0)).under_way(0) is False


def test_a_course_followed_anew_remembers_what_began_before() -> None:
    course = followed(dose(5, 100), dose(50, 200))
    assert (course.anew(dose(6, 100)).began_ms, course.anew(dose(6, 100)).runs) == (5, True)
    for first in (None, dose(5, 100), dose(4, 100)):
        assert (course.anew(first).began_ms, course.anew(first).runs) == (None, False)
    over = followed(dose(5, 100), dose(50, 0))
    assert over.anew(dose(6, 100)).began_ms is None
    fresh = course.anew(None)
    assert (fresh.grace_ms, fresh.day_ms, fresh.tolerance) == (GRACE_MS, DAY_MS, TOLERANCE)


def test_the_newest_step_is_by_weight_where_both_are_of_one_instant() -> None:
    both = followed(dose(0, 100, 7_000), dose(10, 200, 14_000))
    assert both.newest_step == both.step == both.by_weight.last
    assert (both.newest_step is not None and both.newest_step.by_weight, both.step_before) == (True, None)
    by_rate = followed(dose(0, 100, 7_000), dose(10, None, 14_000))
    assert (by_rate.step, by_rate.newest_step) == (None, by_rate.by_rate.last)
    assert by_rate.newest_step is not None
    later = followed(dose(0, 100, 7_000), dose(10, 200, 14_000), dose(20, None, 28_000))
    assert later.newest_step is not None
    assert later.newest_step.at_ms == 20
    assert followed(dose(0, 100)).newest_step is None
    heavier = followed(dose(0, 100, 7_000), dose(10, 100, 9_000))
    assert (heavier.by_rate.last is not None, heavier.newest_step) == (True, None)
    and_before = followed(dose(0, None, 7_000), dose(10, 200, 14_000), dose(20, 200, 18_000))
    assert and_before.newest_step is not None
    assert and_before.newest_step.at_ms == 10
    twice = followed(dose(0, 100), dose(10, 200), dose(20, 300))
    assert twice.step_before is not None
    assert twice.step_before.at_ms == 10


# what was given

MG_PER_MIN = 1_000 * NANO
"""1 mg/min as 1e-9 mcg/min."""


def test_what_was_given_is_the_rate_over_time() -> None:
    course = followed(dose(0, 1, MG_PER_MIN))
    assert course.given_mg(MINUTE_MS, 30_000) == 0.5
    assert course.given_at_least(3.0, 3 * MINUTE_MS - 1, 10 * MINUTE_MS).state is State.NOT_MET
    given = course.given_at_least(3.0, 3 * MINUTE_MS, 10 * MINUTE_MS)
    clause = given.clauses[0]
    assert (given.state, clause.value, clause.limit, clause.unit) == (State.MET, 3, 3, "mg")
    course.follow(dose(0, 1, MG_PER_MIN), dose(3 * MINUTE_MS, 0, 0))
    minutes = (3, 9, 11, 14)
    assert [course.given_mg(minute * MINUTE_MS, 10 * MINUTE_MS) for minute in minutes] == [3, 3, 2, 0]


def test_amounts_are_rounded_to_the_nearest_millionth() -> None:
    """A sum is kept in 1e-6 mcg/min: 499e-9 is nothing, 500e-9 is one."""
    for nano, kept in ((499, 0), (500, 1), (1_499, 1), (1_500, 2)):
        assert followed(dose(0, 1, nano)).given.now(0) == kept


def test_a_mean_of_a_stretch_is_exact_and_unknown_where_any_part_is() -> None:
    course = followed(dose(0, 1, 2_000), dose(10, 1, 6_000))
    assert course.mean_per_min_nano(0, 20) == 4_000
    assert course.mean_per_min_nano(0, 30) == 4_666
    course = followed(dose(0, 1, 2_000), dose(10, None, None, LOST))
    assert course.mean_per_min_nano(0, 10) == 2_000
    assert course.mean_per_min_nano(0, 11) is None
    course.follow(dose(10, None, None, LOST), dose(40, 1, 1_000))
    assert course.mean_per_min_nano(39, 50) is None
    assert course.mean_per_min_nano(40, 51) == 1_000


def test_what_was_not_measured_is_told_for_how_long() -> None:
    course = followed(dose(10, 1, 1_000))
    assert [course.unmeasured_ms(at_ms, 100) for at_ms in (10, 30)] == [0, 0]
    course.follow(dose(10, 1, 1_000), dose(30, None, None, LOST))
    assert [course.unmeasured_ms(at_ms, 100) for at_ms in (30, 35)] == [0, 5]
    course.follow(dose(30, None, None, LOST), dose(40, 1, 1_000))
    assert [course.unmeasured_ms(at_ms, 100) for at_ms in (45, 130, 135, 140)] == [10, 10, 5, 0]
    assert Course(GRACE_MS, DAY_MS, TOLERANCE).unmeasured_ms(45, 100) == 0


def test_all_of_it_is_measured_once_the_window_has_passed_the_unknown() -> None:
    course = followed(dose(10, 1, 1_000), dose(30, None, None, LOST), dose(40, 1, 1_000))
    answers = [course.measured(at_ms, 100) for at_ms in (40, 139, 140, 141)]
    assert [answer.state for answer in answers] == [State.NOT_MET, State.NOT_MET, State.MET, State.MET]
    assert [answer.until_ms for answer in answers] == [140, 140, NEVER, NEVER]
    silent = followed(dose(10, 1, 1_000), dose(30, None, None, LOST)).measured(30, 100)
    assert (silent.state, silent.clauses[0].value, silent.until_ms) == (State.NOT_MET, "unknown now", NEVER)
    assert Course(GRACE_MS, DAY_MS, TOLERANCE).measured(0, 100).state is State.MET


def test_a_course_goes_on_the_same_from_json() -> None:
    course = followed(dose(0, 100), dose(10, 200), dose(30, None, None, LOST), dose(40, 0))
    again = Course(GRACE_MS, DAY_MS, TOLERANCE)
    again.restore(read_again(course.snapshot()))
    assert again.snapshot() == course.snapshot()
    assert (again.began_ms, again.ended_ms, again.runs, again.heard_ms, again.unmeasured_until_ms) == (
        0,
        40,
        False,
        0,
        40,
    )


# its opening

OFF, HALF, FULL = dose(0, 0, 0), dose(10, 100, 7_000), dose(30, 200, 14_000)


@pytest.mark.parametrize(
    ("doses", "span_ms", "means"),
    [
        ([HALF], 20, (100, 7_000)),
        ([OFF, HALF], 20, (100, 7_000)),
        ([OFF, HALF, FULL], 20, (100, 7_000)),  # a step at the end belongs to what follows
        ([OFF, HALF, FULL], 21, (105, 7_333)),  # 2,200 / 21 is 104.76, 154,000 / 21 is 7,333.3
        ([OFF, HALF, FULL], 40, (150, 10_500)),
        ([OFF, HALF, dose(11, 101, 0)], 2, (101, 3_500)),  # a half goes up
        ([dose(0, 50, 3_500), HALF], 20, (None, None)),  # it ran before: no beginning
        ([dose(0, None, None), HALF], 20, (None, None)),
        ([dose(0, None, 0), HALF], 20, (100, 7_000)),  # a known 0 of either kind
        ([dose(0, 0, None), HALF], 20, (100, 7_000)),
        ([HALF, dose(20, None, 7_000)], 20, (None, 7_000)),
        ([HALF, dose(20, 100, None)], 20, (100, None)),
        ([OFF], 20, (None, None)),
    ],
)
def test_the_mean_of_its_first_minutes(
    doses: list[Dose], span_ms: int, means: tuple[int | None, int | None]
) -> None:
    assert opening_of(doses, 10, span_ms) == Opening(10, *means)
