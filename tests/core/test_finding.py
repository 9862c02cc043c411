"""Kleene's three-valued logic, cell by cell, and for how long a combined answer stands."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streamproc.core.finding import (
    ALWAYS_NOT,
    NEVER,
    Finding,
    State,
    Uncrossed,
    all_of,
    any_of,
    found,
    negated,
    not_shown,
    unknown,
)
from streamproc.core.sight import DOSE, MAP_NOW

MET, NOT, UNKNOWN = State.MET, State.NOT_MET, State.UNKNOWN


def answer(state: State, until_ms: int = NEVER, firm_ms: int | None = None) -> Finding:
    if state is UNKNOWN:
        return unknown("x", "nothing was heard", until_ms, firm_ms, saw=DOSE)
    return found("x", state is MET, until_ms, firm_ms=firm_ms, value=1, saw=DOSE)


@pytest.mark.parametrize(
    ("one", "other", "both", "either"),
    [
        (MET, MET, MET, MET),
        (MET, NOT, NOT, MET),
        (NOT, MET, NOT, MET),
        (NOT, NOT, NOT, NOT),
        (MET, UNKNOWN, UNKNOWN, MET),
        (UNKNOWN, MET, UNKNOWN, MET),
        (NOT, UNKNOWN, NOT, UNKNOWN),
        (UNKNOWN, NOT, NOT, UNKNOWN),
        (UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN),
    ],
)
def test_two_answers_together(one: State, other: State, both: State, either: State) -> None:
    assert all_of(answer(one), answer(other)).state is both
    assert any_of(answer(one), answer(other)).state is either


@pytest.mark.parametrize(
    ("state", "opposite", "closed"), [(MET, NOT, NOT), (NOT, MET, MET), (UNKNOWN, UNKNOWN, MET)]
)
def test_the_opposite_of_unknown_is_unknown_unless_it_fails_closed(
    state: State, opposite: State, closed: State
) -> None:
    assert negated(answer(state)).state is opposite
    assert not_shown(answer(state)).state is closed


def test_what_decides_stands_as_long_as_one_that_decides_does() -> None:
    """Two that decide alike: the later deadline of either kind, whatever the others' are."""
    early, late = answer(NOT, 100, 60), answer(NOT, 200, 250)
    together = all_of(early, late, answer(MET, 10, 10), answer(UNKNOWN, 20, 20))
    assert (together.until_ms, together.firm_ms) == (200, 250)
    assert all_of(early, answer(MET, 10, 10)).firm_ms == 60


def test_what_nothing_decides_is_asked_again_with_its_first_part() -> None:
    together = all_of(answer(MET, 100, 90), answer(MET, 50, 95), answer(UNKNOWN, 70, 80))
    assert (together.state, together.until_ms, together.firm_ms) == (UNKNOWN, 50, 80)
    met = all_of(answer(MET, 100, 90), answer(MET, 50, 95))
    assert (met.state, met.until_ms, met.firm_ms) == (MET, 50, 90)


def sided(state: State, firm_ms: int, sided_ms: int, *limits: int) -> Finding:
    """An answer that stands longer while the pressure crosses none of these."""
    return replace(answer(state, 5, firm_ms), uncrossed=Uncrossed(sided_ms, limits))


def test_on_one_side_of_its_limits_an_answer_stands_as_long_as_its_parts_do() -> None:
    low, high = sided(MET, 10, 300, 7, 3), sided(MET, 20, 200, 5, 3)
    assert all_of(low, high, answer(MET, 5, 250)).uncrossed == (200, (3, 5, 7))
    assert all_of(low, answer(MET, 5, 250)).uncrossed == (250, (3, 7))
    for firm_ms in (9, 10):  # another part ends it as early
        assert all_of(low, answer(MET, 5, firm_ms)).uncrossed is None
    assert all_of(answer(MET), answer(MET)).uncrossed is None
    for turned in (negated(low), not_shown(low)):
        assert turned.uncrossed == low.uncrossed


def test_of_several_that_decide_one_is_enough_on_its_side_of_its_limits() -> None:
    low, high = sided(NOT, 10, 300, 7), sided(NOT, 20, 200, 5)
    assert all_of(low, high, sided(MET, 10, 900, 1)).uncrossed == (300, (7,))
    assert all_of(high, answer(NOT, 5, 199)).uncrossed == (200, (5,))
    for firm_ms in (200, 201):  # that one stands as long whatever the pressure crosses
        assert all_of(high, answer(NOT, 5, firm_ms)).uncrossed is None


def test_a_negation_stands_as_long_as_what_it_negates() -> None:
    for turned in (negated(answer(MET, 100, 60)), not_shown(answer(MET, 100, 60))):
        assert (turned.until_ms, turned.firm_ms, turned.opposite) == (100, 60, True)
        assert negated(turned).opposite is False


def test_an_answer_can_be_asked_about_earlier_and_never_later() -> None:
    finding = answer(MET, 100, 60)
    asked = [finding.until(at_ms) for at_ms in (50, 80, 150)]
    assert [(each.until_ms, each.firm_ms) for each in asked] == [(50, 50), (80, 60), (100, 60)]
    with_other = finding.asked_with(answer(UNKNOWN, 80, 70))
    assert (with_other.state, with_other.until_ms, with_other.firm_ms) == (MET, 80, 60)
    with_other = finding.asked_with(answer(UNKNOWN, 180, 40))
    assert (with_other.until_ms, with_other.firm_ms) == (100, 40)
    kept = negated(finding)
    assert kept.until(50).opposite
    assert kept.asked_with(answer(MET)).opposite


@pytest.mark.parametrize("state", State)
def test_an_answer_without_map_is_firm_until_it_is_due(state: State) -> None:
    assert (answer(state, 100).firm_ms, answer(state).firm_ms, answer(state, 100, 0).firm_ms) == (
        100,
        NEVER,
        0,
    )


def test_only_an_answer_is_known_and_only_a_met_one_is_met() -> None:
    assert [answer(state).met for state in (MET, NOT, UNKNOWN)] == [True, False, False]
    assert [answer(state).known for state in (MET, NOT, UNKNOWN)] == [True, True, False]


def test_it_says_of_each_comparison_whether_it_is_wanted() -> None:
    """Two negations undo each other; what it saw last is its last comparison's."""
    first, last = answer(MET), found("y", True, value=2, saw=MAP_NOW)
    whole = all_of(first, negated(any_of(last, negated(answer(NOT)))))
    assert [(clause.name, wanted) for clause, wanted in whole.asked()] == [
        ("x", True),
        ("y", False),
        ("x", True),
    ]
    assert whole.clauses == (*first.clauses, *last.clauses, *answer(NOT).clauses)
    assert (first.saw, last.saw, negated(last).saw) == (DOSE, MAP_NOW, MAP_NOW)


def test_what_a_rule_does_not_have_is_never_met_and_never_asked_again() -> None:
    assert (ALWAYS_NOT.state, ALWAYS_NOT.until_ms, ALWAYS_NOT.clauses) == (NOT, NEVER, ())
