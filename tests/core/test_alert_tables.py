"""The alert life cycle, cell by cell, and the waits, levels and acknowledgements between the cells."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from read_again import read_again

from streamproc.core.alert import (
    CLEARING,
    RAISING,
    WORTH_MS,
    Alert,
    AlertState,
    Clear,
    Judgement,
    Level,
    Phase,
    Priority,
    Sign,
    Stage,
    alert_id,
    kept_of_all,
    restore_all,
)
from streamproc.core.finding import ALWAYS_NOT, NEVER, Finding, Uncrossed, found, unknown
from streamproc.core.sight import DOSE

laws = settings(max_examples=200, deadline=None, print_blob=True, derandomize=False)
ROOT = Path(__file__).resolve().parents[2]
BED, RULE = "icu-a/bed-7", "MAP-LOW"
T = 1_000_000
WAIT_MS = 60_000

MET, NOT_MET = (found("asked", holds, value="so", saw=DOSE) for holds in (True, False))
UNKNOWN = unknown("asked", "nothing was heard", saw=DOSE)
HIGH, MEDIUM, LOW = Priority.HIGH, Priority.MEDIUM, Priority.LOW


def judged(
    raising: Finding = NOT_MET,
    clearing: Finding = NOT_MET,
    raise_ms: int = 0,
    clear_ms: int = 0,
    variant: str = "",
) -> Judgement:
    """A rule of one level and one way to clear."""
    return Judgement((Level(MEDIUM, raising, raise_ms),), (Clear(clearing, clear_ms),), variant)


def step(alert: Alert, at_ms: int, judgement: Judgement, *, latches: bool = False) -> Phase | None:
    return alert.step(at_ms, judgement, BED, RULE, latches=latches)


def opened(judgement: Judgement | None = None) -> Alert:
    """An alert that was raised at T."""
    alert = Alert()
    assert step(alert, T, judgement or judged(MET)) is Phase.START
    return alert


# the tables, cell by cell


SIGNS = {
    Sign.NOTHING: (NOT_MET, WAIT_MS),
    Sign.MET: (MET, WAIT_MS),
    Sign.DUE: (MET, 0),
}
"""Each sign as a condition and its wait."""

RAISED = [
    (Stage.QUIET, Sign.NOTHING, Stage.QUIET, None),
    (Stage.QUIET, Sign.MET, Stage.PENDING, None),
    (Stage.QUIET, Sign.DUE, Stage.ACTIVE, Phase.START),
    (Stage.PENDING, Sign.NOTHING, Stage.QUIET, None),
    (Stage.PENDING, Sign.MET, Stage.PENDING, None),
    (Stage.PENDING, Sign.DUE, Stage.ACTIVE, Phase.START),
]


@pytest.mark.parametrize(("stage", "sign", "next_stage", "phase"), RAISED)
def test_a_quiet_alert_by_what_its_levels_say(
    stage: Stage, sign: Sign, next_stage: Stage, phase: Phase | None
) -> None:
    condition, wait_ms = SIGNS[sign]
    alert = Alert(stage=stage)
    assert step(alert, T, judged(condition, raise_ms=wait_ms)) is phase
    assert alert.stage is next_stage


CLEARED = [
    (Stage.ACTIVE, Sign.NOTHING, Stage.ACTIVE, None),
    (Stage.ACTIVE, Sign.MET, Stage.CLEARING, None),
    (Stage.ACTIVE, Sign.DUE, Stage.QUIET, Phase.END),
    (Stage.CLEARING, Sign.NOTHING, Stage.ACTIVE, None),
    (Stage.CLEARING, Sign.MET, Stage.CLEARING, None),
    (Stage.CLEARING, Sign.DUE, Stage.QUIET, Phase.END),
    (Stage.LATCHED, Sign.NOTHING, Stage.ACTIVE, Phase.UPDATE),
    (Stage.LATCHED, Sign.MET, Stage.LATCHED, None),
    (Stage.LATCHED, Sign.DUE, Stage.QUIET, Phase.END),
]


@pytest.mark.parametrize(("stage", "sign", "next_stage", "phase"), CLEARED)
def test_an_open_alert_by_what_its_way_to_clear_says(
    stage: Stage, sign: Sign, next_stage: Stage, phase: Phase | None
) -> None:
    """Whatever changes how it stands towards the outside is announced."""
    condition, wait_ms = SIGNS[sign]
    alert = Alert(stage=stage, priority=MEDIUM)
    before = alert.state
    assert step(alert, T, judged(clearing=condition, clear_ms=wait_ms)) is phase
    assert alert.stage is next_stage
    assert (alert.state is not before) == (phase is not None)


@pytest.mark.parametrize(("stage", "sign", "next_stage"), [cell[:3] for cell in CLEARED])
def test_a_latching_alert_never_ends_unseen(stage: Stage, sign: Sign, next_stage: Stage) -> None:
    """Where others would end, it latches, and says so; acknowledged before, it ends like the others."""
    condition, wait_ms = SIGNS[sign]
    judgement = judged(clearing=condition, clear_ms=wait_ms)
    alert = Alert(stage=stage, priority=MEDIUM)
    phase = step(alert, T, judgement, latches=True)
    ends = next_stage is Stage.QUIET
    assert alert.stage is (Stage.LATCHED if ends else next_stage)
    assert phase is not Phase.END
    seen = Alert(stage=stage, priority=MEDIUM, acknowledged_by="rn", acknowledged_ms=T - 1)
    step(seen, T, judgement, latches=True)
    assert seen.stage is next_stage


def test_every_cell_of_the_tables_is_tried() -> None:
    assert {cell[:2] for cell in RAISED} == set(RAISING)
    assert {cell[:2] for cell in CLEARED} == set(CLEARING)


# waits


def test_a_wait_is_over_at_its_ms_and_not_before() -> None:
    alert, judgement = Alert(), judged(MET, raise_ms=WAIT_MS)
    assert step(alert, T, judgement) is None
    assert alert.due_ms == T + WAIT_MS
    assert step(alert, T + WAIT_MS - 1, judgement) is None
    assert step(alert, T + WAIT_MS, judgement) is Phase.START
    assert (alert.onset_ms, alert.detected_ms) == (T, T + WAIT_MS)


@pytest.mark.parametrize("broken_by", [NOT_MET, UNKNOWN])
def test_whatever_is_not_known_to_hold_breaks_a_wait_to_raise(broken_by: Finding) -> None:
    """What was not seen is not counted: the wait begins anew."""
    alert, judgement = Alert(), judged(MET, raise_ms=WAIT_MS)
    step(alert, T, judgement)
    step(alert, T + 30_000, judged(broken_by, raise_ms=WAIT_MS))
    assert alert.stage is Stage.QUIET
    step(alert, T + 30_001, judgement)
    assert step(alert, T + WAIT_MS + 30_000, judgement) is None
    assert step(alert, T + WAIT_MS + 30_001, judgement) is Phase.START


@pytest.mark.parametrize("broken_by", [NOT_MET, UNKNOWN])
def test_whatever_is_not_known_to_hold_breaks_a_wait_to_clear(broken_by: Finding) -> None:
    alert, judgement = opened(), judged(clearing=MET, clear_ms=WAIT_MS)
    step(alert, T + 1_000, judgement)
    step(alert, T + 31_000, judged(clearing=broken_by, clear_ms=WAIT_MS))
    assert alert.stage is Stage.ACTIVE
    step(alert, T + 31_001, judgement)
    assert step(alert, T + 91_000, judgement) is None
    assert step(alert, T + 91_001, judgement) is Phase.END


def test_unknown_neither_raises_nor_clears() -> None:
    """However long it lasts."""
    alert = Alert()
    assert step(alert, T, judged(UNKNOWN, UNKNOWN)) is None
    assert step(alert, T + 10**9, judged(UNKNOWN, UNKNOWN)) is None
    assert not alert.open
    alert = opened()
    assert step(alert, T + 1, judged(UNKNOWN, UNKNOWN)) is None
    assert step(alert, T + 10**9, judged(UNKNOWN, UNKNOWN)) is None
    assert alert.open


def test_it_asks_again_when_the_answer_may_differ_or_a_wait_is_over() -> None:
    """The earliest of every promise and every running wait."""
    alert = Alert()
    step(alert, T, judged(MET.until(T + 50_000), raise_ms=WAIT_MS))
    assert alert.due_ms == T + 50_000
    step(alert, T, judged(MET.until(T + 70_000), raise_ms=WAIT_MS))
    assert alert.due_ms == T + WAIT_MS
    step(alert, T, Judgement((Level(MEDIUM, NOT_MET, 0, NOT_MET.until(T + 5)),), (Clear(NOT_MET),)))
    assert alert.due_ms == T + 5
    step(alert, T, judged())
    assert alert.due_ms == NEVER


answers = st.sampled_from([MET, NOT_MET, UNKNOWN])
asked = st.lists(st.tuples(st.integers(1, 40_000), answers, answers), max_size=30)


@laws
@given(asked, st.booleans())
def test_nothing_starts_or_ends_that_was_not_seen_throughout(
    history: list[tuple[int, Finding, Finding]], latches: bool
) -> None:
    """A start follows a full wait of met answers, an end a full wait of answers that clear."""
    alert, at_ms = Alert(), T
    raising_since = clearing_since = None
    for gap_ms, raising, clearing in history:
        at_ms += gap_ms
        raising_since = (raising_since or at_ms) if raising.met else None
        clearing_since = (clearing_since or at_ms) if clearing.met else None
        phase = step(alert, at_ms, judged(raising, clearing, WAIT_MS, WAIT_MS), latches=latches)
        if phase is Phase.START:
            assert raising_since is not None
            assert at_ms - raising_since >= WAIT_MS
            assert alert.onset_ms == raising_since
        if phase is Phase.END or alert.stage is Stage.LATCHED:
            assert clearing_since is not None
        if phase is Phase.END:
            assert clearing_since is not None
            assert at_ms - clearing_since >= WAIT_MS
            assert not latches


def test_an_alert_that_begins_again_has_a_name_of_its_own() -> None:
    """What was met before the end is no onset of the next: two alerts never share an id."""
    alert = opened()
    first = alert.alert_id
    assert step(alert, T + 1, judged(MET, MET)) is Phase.END
    assert step(alert, T + 2, judged(MET)) is Phase.START
    assert alert.onset_ms == T + 2
    assert alert.alert_id != first


# levels


def two_levels(
    high: Finding, medium: Finding, left_high: Finding | None = None, high_ms: int = 0
) -> Judgement:
    return Judgement((Level(HIGH, high, high_ms, left_high), Level(MEDIUM, medium)), (Clear(NOT_MET),))


def test_the_highest_level_that_is_due_starts_it() -> None:
    assert opened(two_levels(MET, MET)).priority is HIGH
    assert opened(two_levels(NOT_MET, MET)).priority is MEDIUM
    assert opened(two_levels(MET, MET, high_ms=WAIT_MS)).priority is MEDIUM


def test_a_higher_level_escalates_after_its_own_wait() -> None:
    alert = opened(two_levels(MET, MET, high_ms=WAIT_MS))
    assert step(alert, T + WAIT_MS - 1, two_levels(MET, MET, high_ms=WAIT_MS)) is None
    assert step(alert, T + WAIT_MS, two_levels(MET, MET, high_ms=WAIT_MS)) is Phase.ESCALATE
    assert (alert.priority, alert.onset_ms) == (HIGH, T)


def test_a_level_without_its_own_exit_is_left_when_it_is_known_not_to_hold() -> None:
    alert = opened(two_levels(MET, MET))
    assert step(alert, T + 1, two_levels(UNKNOWN, MET)) is None
    assert alert.priority is HIGH
    assert step(alert, T + 2, two_levels(NOT_MET, MET)) is Phase.DEESCALATE
    assert alert.priority is MEDIUM


@pytest.mark.parametrize("left", [NOT_MET, UNKNOWN])
def test_a_level_with_its_own_exit_is_kept_until_that_is_met(left: Finding) -> None:
    """Hysteresis: no longer met is not enough."""
    alert = opened(two_levels(MET, MET, left_high=NOT_MET))
    assert step(alert, T + 1, two_levels(NOT_MET, MET, left_high=left)) is None
    assert alert.priority is HIGH
    assert step(alert, T + 2, two_levels(NOT_MET, MET, left_high=MET)) is Phase.DEESCALATE
    assert alert.priority is MEDIUM


def three_levels(high: Finding, medium: Finding, low: Finding) -> Judgement:
    return Judgement((Level(HIGH, high), Level(MEDIUM, medium), Level(LOW, low)), (Clear(NOT_MET),))


@pytest.mark.parametrize(
    ("medium", "low", "priority"),
    [
        (MET, MET, MEDIUM),
        (UNKNOWN, MET, MEDIUM),
        (NOT_MET, MET, LOW),
        (NOT_MET, UNKNOWN, LOW),
        (NOT_MET, NOT_MET, LOW),
    ],
)
def test_it_falls_to_the_highest_level_not_known_to_be_left(
    medium: Finding, low: Finding, priority: Priority
) -> None:
    """And stays open at the lowest, even if that is left too: only the way to clear ends an alert."""
    alert = opened(three_levels(MET, MET, MET))
    assert step(alert, T + 1, three_levels(NOT_MET, medium, low)) is Phase.DEESCALATE
    assert alert.priority is priority
    assert alert.open


def test_the_lowest_level_is_never_left() -> None:
    alert = opened()
    assert step(alert, T + 1, judged(NOT_MET)) is None
    assert (alert.open, alert.priority) == (True, MEDIUM)


def test_a_new_wording_is_an_update_once() -> None:
    alert = opened(judged(MET, variant="vasopressin"))
    assert step(alert, T + 1, judged(MET, variant="next step")) is Phase.UPDATE
    assert step(alert, T + 2, judged(MET, variant="next step")) is None


# acknowledgement


def test_an_acknowledged_alert_says_who_and_when() -> None:
    alert = opened()
    assert alert.acknowledge("rn", T + 5) is Phase.UPDATE
    assert (alert.state, alert.acknowledged_by, alert.acknowledged_ms) == (
        AlertState.ACKNOWLEDGED,
        "rn",
        T + 5,
    )


def test_acknowledging_twice_or_nothing_says_nothing() -> None:
    alert = opened()
    alert.acknowledge("rn", T + 5)
    assert alert.acknowledge("md", T + 6) is None
    assert alert.acknowledged_by == "rn"
    assert Alert().acknowledge("rn", T) is None


def test_a_higher_priority_breaks_through_an_acknowledgement() -> None:
    alert = opened(two_levels(NOT_MET, MET))
    alert.acknowledge("rn", T + 5)
    assert step(alert, T + 10, two_levels(MET, MET)) is Phase.ESCALATE
    assert (alert.state, alert.acknowledged_by) == (AlertState.ACTIVE, None)


def test_an_acknowledgement_of_the_lower_priority_does_not_silence_the_higher() -> None:
    """The same message again, or one that came late, was given before anybody could see the escalation."""
    alert = opened(two_levels(NOT_MET, MET))
    assert alert.meant_by(T, told_ms=T - 2)
    assert not alert.meant_by(T - 1, told_ms=T - 1)
    step(alert, T + 10, two_levels(MET, MET))
    assert not alert.meant_by(T + 11, told_ms=T + 9)
    assert alert.meant_by(T + 12, told_ms=T + 10)


def test_a_lower_priority_keeps_the_acknowledgement() -> None:
    alert = opened(two_levels(MET, MET))
    alert.acknowledge("rn", T + 5)
    assert step(alert, T + 10, two_levels(NOT_MET, MET)) is Phase.DEESCALATE
    assert alert.state is AlertState.ACKNOWLEDGED


def test_a_latched_alert_ends_with_its_acknowledgement() -> None:
    alert = opened()
    assert step(alert, T + 1, judged(clearing=MET), latches=True) is Phase.UPDATE
    assert alert.state is AlertState.LATCHED
    assert alert.acknowledge("rn", T + 2) is Phase.END
    assert not alert.open


def test_the_next_alert_is_not_acknowledged_by_the_last() -> None:
    alert = opened()
    alert.acknowledge("rn", T + 1)
    assert step(alert, T + 2, judged(clearing=MET)) is Phase.END
    assert step(alert, T + 3, judged(MET)) is Phase.START
    assert (alert.state, alert.acknowledged_by) == (AlertState.ACTIVE, None)


def test_the_end_of_the_stay_ends_what_is_open_and_forgets_what_waits() -> None:
    alert = opened()
    assert alert.end() is Phase.END
    assert (alert.open, alert.level_since, alert.clear_since) == (False, (), ())
    waiting = Alert()
    step(waiting, T, judged(MET, raise_ms=WAIT_MS))
    assert waiting.end() is None
    assert step(waiting, T + WAIT_MS, judged(MET, raise_ms=WAIT_MS)) is None


# its name


def test_its_id_is_its_bed_its_rule_and_its_onset() -> None:
    ids = {
        alert_id(f"{bed}|{rule}", onset_ms)
        for bed in ("icu-a/bed-7", "icu-a/bed-8")
        for rule in ("MAP-LOW", "MAP-CRIT")
        for onset_ms in (T, T + 1)
    }
    assert len(ids) == 8
    assert opened().alert_id == alert_id(f"{BED}|{RULE}", T)


def test_its_id_is_the_same_in_every_process() -> None:
    """The next start, another machine, another seed of hashing: one alert, one name."""
    program = f"from streamproc.core.alert import alert_id; print(alert_id({f'{BED}|{RULE}'!r}, {T}))"
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for seed in ("0", "1", "424242")
    }
    assert told == {alert_id(f"{BED}|{RULE}", T)}
    assert told == {"al-8cfb3a158bea84eb81cc"}


def restored(alert: Alert) -> Alert:
    other = Alert()
    other.restore(read_again(alert.snapshot()))
    return other


@laws
@given(asked, st.booleans(), st.booleans())
def test_an_alert_restored_from_json_goes_on_the_same(
    history: Iterable[tuple[int, Finding, Finding]], latches: bool, acknowledged: bool
) -> None:
    """At any point of its life, latched and acknowledged ones included."""
    alert, at_ms = Alert(), T
    for gap_ms, raising, clearing in history:
        at_ms += gap_ms
        other = restored(alert)
        assert other == alert
        judgement = judged(raising, clearing, 5_000, 5_000)
        assert step(other, at_ms, judgement, latches=latches) is step(
            alert, at_ms, judgement, latches=latches
        )
        if acknowledged:
            assert other.acknowledge("rn", at_ms) is alert.acknowledge("rn", at_ms)
        assert other == alert


def test_a_restored_alert_is_made_of_the_words_of_its_tables() -> None:
    """A stage or a priority that is only spelt the same is not the same: `is` would not know it."""
    alert = restored(opened(two_levels(MET, MET)))
    assert alert.stage is Stage.ACTIVE
    assert alert.priority is HIGH


def test_a_level_that_a_rule_does_not_have_is_never_reached() -> None:
    alert = Alert()
    step(alert, T, judged(ALWAYS_NOT))
    assert alert.stage is Stage.QUIET


# asked later than it had to be


def test_a_wait_that_is_long_over_is_over() -> None:
    alert, judgement = Alert(), judged(MET, raise_ms=WAIT_MS)
    step(alert, T, judgement)
    assert step(alert, T + 3 * WAIT_MS, judgement) is Phase.START
    judgement = judged(NOT_MET, MET, clear_ms=WAIT_MS)
    step(alert, T + 4 * WAIT_MS, judgement)
    assert step(alert, T + 9 * WAIT_MS, judgement) is Phase.END
    alert = opened(two_levels(MET, MET, high_ms=WAIT_MS))
    assert step(alert, T + 9 * WAIT_MS, two_levels(MET, MET, high_ms=WAIT_MS)) is Phase.ESCALATE


def test_what_unlatches_does_so_however_late_it_is_asked() -> None:
    """A latching alert whose dose is back for long enough ends unseen."""
    back = Judgement((Level(HIGH, NOT_MET),), (Clear(MET, WAIT_MS, unlatches=True),))
    for asked_ms, phase in ((WAIT_MS - 1, None), (WAIT_MS, Phase.END), (9 * WAIT_MS, Phase.END)):
        alert = opened()
        assert step(alert, T + 1, back, latches=True) is None
        assert step(alert, T + 1 + asked_ms, back, latches=True) is phase


def test_a_lower_level_never_escalates() -> None:
    """Also where the rule no longer has the level that the alert is at."""
    alert = opened(two_levels(MET, MET))
    lower = Judgement((Level(LOW, MET), Level(Priority.INFO, MET)), (Clear(NOT_MET),))
    assert step(alert, T + 1, lower) is None
    assert alert.priority is HIGH


# the promise that ordinary samples change nothing


@pytest.mark.parametrize(
    ("firm_in_ms", "goes_on", "due_in_ms", "is_firm"),
    [
        (WORTH_MS - 1, True, 50_000, False),
        (WORTH_MS, True, WORTH_MS, True),
        (WORTH_MS + 1, True, WORTH_MS + 1, True),
        (90_000, True, 90_000, True),
        (90_000, False, 50_000, False),
        (-90_000, True, 50_000, False),
    ],
)
def test_an_answer_that_is_firm_for_a_second_is_not_asked_at_each_sample(
    firm_in_ms: int, goes_on: bool, due_in_ms: int, is_firm: bool
) -> None:
    low = found("asked", False, T + 50_000, value=70, saw=DOSE, firm_ms=T + firm_in_ms)
    alert = Alert()
    alert.step(T, judged(low), BED, RULE, latches=False, line_goes_on=goes_on)
    assert (alert.is_firm, alert.due_ms) == (is_firm, T + due_in_ms)


@pytest.mark.parametrize(
    ("firm_in_ms", "sided_in_ms", "due_in_ms", "limits"),
    [
        (0, 90_000, 90_000, (60_000,)),
        (0, WORTH_MS, WORTH_MS, (60_000,)),
        (WORTH_MS - 1, 99_000, 99_000, (60_000,)),
        (WORTH_MS, 90_000, WORTH_MS, ()),  # firm for long enough, whatever the pressure crosses
    ],
)
def test_an_answer_that_is_firm_while_no_limit_is_crossed_is_asked_when_one_is(
    firm_in_ms: int, sided_in_ms: int, due_in_ms: int, limits: tuple[int, ...]
) -> None:
    sided = Uncrossed(T + sided_in_ms, (60_000,))
    low = found("asked", False, T + 50, value=70, saw=DOSE, firm_ms=T + firm_in_ms, uncrossed=sided)
    alert = Alert()
    alert.step(T, judged(low), BED, RULE, latches=False, line_goes_on=True)
    assert (alert.is_firm, alert.due_ms, alert.limits) == (True, T + due_in_ms, limits)
    again = {RULE: Alert()}
    restore_all(again, read_again(kept_of_all({RULE: alert})))
    assert (again[RULE].limits, restored(alert).limits) == (limits, limits)
    alert.step(T, judged(found("asked", False, value=70, saw=DOSE)), BED, RULE, latches=False)
    assert alert.limits == ()


def test_a_wait_ends_what_is_firm() -> None:
    alert = Alert()
    alert.step(T, judged(MET, raise_ms=WAIT_MS), BED, RULE, latches=False, line_goes_on=True)
    assert (alert.is_firm, alert.due_ms) == (True, T + WAIT_MS)
    assert restored(alert).is_firm is True


def test_another_way_to_clear_latches_it_while_the_one_that_unlatches_waits() -> None:
    def both(raising: Finding, clearing: Finding) -> Judgement:
        return Judgement((Level(HIGH, raising),), (Clear(clearing), Clear(clearing, WAIT_MS, unlatches=True)))

    alert = opened(both(MET, NOT_MET))
    assert step(alert, T + 1, both(NOT_MET, MET), latches=True) is Phase.UPDATE
    assert alert.stage is Stage.LATCHED
    assert step(alert, T + WAIT_MS, both(NOT_MET, MET), latches=True) is None
    assert step(alert, T + 1 + WAIT_MS, both(NOT_MET, MET), latches=True) is Phase.END


@pytest.mark.parametrize(
    ("at_ms", "told_ms", "meant"),
    [
        (T - 1, T + 60, False),
        (T, T + 50, True),
        (T + 1, T + 51, True),
        (T + 90, T + 49, False),
        (T + 90, T + 50, True),
        (T + 90, T + 90, True),
    ],
)
def test_who_means_an_alert_knew_of_its_start_and_was_told_of_its_escalation(
    at_ms: int, told_ms: int, meant: bool
) -> None:
    alert = Alert(stage=Stage.ACTIVE, onset_ms=T, escalated_ms=T + 50)
    assert alert.meant_by(at_ms, told_ms) is meant
    alert.escalated_ms = None
    assert alert.meant_by(at_ms, told_ms) is (at_ms >= T)


def test_a_level_that_is_left_goes_down_although_a_higher_one_still_waits() -> None:
    def three(high: Finding, medium: Finding) -> Judgement:
        levels = (Level(HIGH, high, 9 * WAIT_MS), Level(MEDIUM, medium), Level(LOW, MET))
        return Judgement(levels, (Clear(NOT_MET),))

    alert = opened(three(NOT_MET, MET))
    assert alert.priority is MEDIUM
    assert step(alert, T + 1, three(MET, NOT_MET)) is Phase.DEESCALATE
    assert alert.priority is LOW


def test_of_an_alert_that_waits_for_its_first_start_the_wait_is_kept() -> None:
    alert = Alert()
    step(alert, T, judged(MET, raise_ms=WAIT_MS))
    assert alert.stage is Stage.PENDING
    assert restored(alert) == alert
    assert step(restored(alert), T + WAIT_MS, judged(MET, raise_ms=WAIT_MS)) is Phase.START


def test_of_an_alert_that_is_over_everything_is_kept_and_of_one_that_never_was_the_waits() -> None:
    over, waiting, never = opened(), Alert(), Alert(due_ms=T, clear_since=(None, T))
    over.end()
    step(waiting, T, judged(MET, raise_ms=WAIT_MS))
    assert over.alert_id
    assert waiting.stage is Stage.PENDING
    alerts = {"OVER": over, "WAITS": waiting, "NEVER": never, "OFF": Alert(due_ms=T)}
    kept, again = (
        read_again(kept_of_all(alerts)),
        {rule: Alert() for rule in [*alerts, "NEW"] if rule != "OFF"},
    )
    assert set(kept["opened"]) == {"OVER", "WAITS"}
    restore_all(again, kept)
    assert again == {"OVER": over, "WAITS": waiting, "NEVER": never, "NEW": Alert()}


@pytest.mark.parametrize(("lower", "higher"), [(Priority.INFO, LOW), (LOW, MEDIUM), (MEDIUM, HIGH)])
def test_each_priority_is_above_the_one_before(lower: Priority, higher: Priority) -> None:
    def both(high: Finding) -> Judgement:
        return Judgement((Level(higher, high), Level(lower, MET)), (Clear(NOT_MET),))

    alert = opened(both(NOT_MET))
    assert alert.priority is lower
    assert step(alert, T + 1, both(MET)) is Phase.ESCALATE
    assert step(alert, T + 2, both(NOT_MET)) is Phase.DEESCALATE


def test_what_ends_while_its_level_is_met_is_asked_again_in_the_next_ms() -> None:
    """Also beside a line that goes on: what ended it was no word on its level."""
    alert = opened()
    ends = judged(MET, MET)
    phase = alert.step(T + 9, ends, BED, RULE, latches=False, line_goes_on=True)
    assert (phase, alert.due_ms, alert.is_firm) == (Phase.END, T + 10, False)


def test_two_alerts_are_the_same_whether_or_not_they_were_asked_what_is_firm() -> None:
    alert = opened()
    assert replace(alert, is_firm=True) == replace(alert, is_firm=False)
