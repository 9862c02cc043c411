"""What a bed's paper remembers and tells, cell by cell: which news each entry is, and each answer's edges."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pump_reports import BED, report, terms
from read_again import read_again

from streamproc.core.alert import Alert, Stage
from streamproc.core.chart import BASELINE, Chart, Reads, milli, ms, nano
from streamproc.core.events import (
    Doubt,
    Doubted,
    MapSample,
    MapSource,
    Observation,
    ObservationKind,
    PatientContext,
    PumpState,
    PumpStatus,
    Unwatched,
)
from streamproc.core.finding import NEVER, Finding, State, all_of, found
from streamproc.core.rule import Kind
from streamproc.core.sight import DOSE
from streamproc.wire.telemetry import SystolicObservation

T = 1_000_000
MINUTE_MS = 60_000
HOLD_MS = terms().map_hold_arterial_ms
TARGET_MMHG = terms().map_target_milli // 1_000
OFF = PumpState.STOPPED


def chart(now_ms: int = T, weight_kg: float | None = 70.0, **changed: Any) -> Chart:
    """A bed whose patient is known since `now_ms`, and of whom nothing was heard."""
    bed = Chart(terms(**changed), BED, now_ms)
    bed.take_context(PatientContext(now_ms, BED, session="S-1", weight_kg=weight_kg))
    return bed


def mapped(mmhg: float, at_ms: int, *, valid: bool = True) -> MapSample:
    return MapSample(at_ms, BED, "MON-1", "b1", at_ms, MapSource.ARTERIAL, round(mmhg * 1_000), valid)


def observed(kind: ObservationKind, value: float | str, at_ms: int) -> Observation:
    return Observation(at_ms, BED, "CHART", None, None, kind, value, None, None)


def pumped(bed: Chart, *reports: PumpStatus) -> None:
    """Reports as a bed enters them: each at its own instant."""
    for each in reports:
        bed.move_to(each.time_ms)
        bed.take_pump(each)
        bed.settle()


def heard(bed: Chart, mmhg: float, from_ms: int, to_ms: int, every_ms: int = 5_000) -> None:
    for at_ms in range(from_ms, to_ms, every_ms):
        bed.move_to(at_ms)
        bed.take_map(mapped(mmhg, at_ms))


def answer(finding: Finding) -> tuple[State, int, int]:
    return finding.state, finding.until_ms, finding.firm_ms


# who was heard, and when


def test_the_first_word_and_the_newest_are_kept_whatever_comes_between() -> None:
    bed = chart()
    for at_ms in (T, T + 9, T + 5):
        bed.take_map(mapped(70, at_ms))
    assert (bed.heard_ms, bed.stay_heard_ms, bed.last_heard_ms) == (T, T, T + 9)


def test_a_bed_that_was_heard_before_keeps_its_first_word_in_the_next_stay() -> None:
    bed = Chart(terms(), BED, T, heard_ms=T - 9)
    assert bed.take_pump(report(0.1, at_ms=T)) & Reads.PRESENCE
    assert (bed.heard_ms, bed.stay_heard_ms) == (T - 9, T)


@pytest.mark.parametrize(
    ("heard_ms", "state"),
    [(T, State.UNKNOWN), (T + 59_999, State.UNKNOWN), (T + 60_000, State.MET), (T + 60_001, State.MET)],
)
def test_a_doubt_is_over_once_the_bed_was_heard_after_it(heard_ms: int, state: State) -> None:
    bed = chart()
    bed.take_doubt(Doubted(T, BED, "MON-1", Doubt.CLOCK, "61 s ahead"))
    bed.take_map(mapped(70, heard_ms))
    bed.move_to(T + 70_000)
    assert bed.doubt_over(Doubt.CLOCK, 60_000).state is state


def test_a_word_is_news_of_a_doubt_only_where_it_is_awaited() -> None:
    """Not before the doubt's time is over, and not once it was heard: then each would be judged for ever."""
    bed = chart()
    bed.take_map(mapped(70, T))
    bed.take_doubt(Doubted(T, BED, "MON-1", Doubt.CLOCK, "61 s ahead"))
    bed.doubt_over(Doubt.CLOCK, 60_000)
    bed.move_to(T + 5_000)
    assert bed.take_map(mapped(70, T + 5_000)) == Reads.ORDINARY
    bed.move_to(T + 60_000)
    bed.doubt_over(Doubt.CLOCK, 60_000)
    for at_ms, news in ((T + 61_000, Reads.DOUBTS | Reads.MAP), (T + 62_000, Reads.ORDINARY)):
        bed.move_to(at_ms)
        assert bed.take_map(mapped(70, at_ms)) == news
        assert bed.doubt_over(Doubt.CLOCK, 60_000).met


@pytest.mark.parametrize(
    ("since_ms", "unwatched_ms"),
    [(None, 0), (T - 5, 40), (T, 40), (T + 30, 10), (T + 40, 0), (T + 41, 0), (T + 99, 0)],
)
def test_what_nobody_watched_of_a_silence(since_ms: int | None, unwatched_ms: int) -> None:
    bed = chart()
    assert bed.unwatched_ms(since_ms) == 0
    bed.take_unwatched(Unwatched(T + 50, BED, T, T + 40, "restarted"))
    assert bed.unwatched_ms(since_ms) == unwatched_ms


# which news an entry is


def test_a_time_that_nobody_watched_is_news_to_those_who_measure_a_silence_alone() -> None:
    """After a restart every bed is told of it at once: who reads pressures or pumps is not asked for that."""
    news = chart().take_unwatched(Unwatched(T + 50, BED, T, T + 40, "restarted"))
    assert news == Reads.UNWATCHED
    assert not news & (Reads.MAP | Reads.PUMPS | Reads.PRESENCE | Reads.DOUBTS)


def test_a_sample_is_ordinary_if_it_is_the_next_of_the_line() -> None:
    bed = chart()
    assert bed.take_map(mapped(70, T)) == Reads.PRESENCE | Reads.MAP
    bed.move_to(T + 5_000)
    assert bed.take_map(mapped(70, T + 5_000)) == Reads.ORDINARY
    bed.move_to(T + 10_001)
    assert bed.take_map(mapped(70, T + 10_000)) == Reads.ORDINARY
    assert bed.take_map(mapped(70, T + 4_000)) == Reads.MAP


FIRST = report(0.1, at_ms=T, volume_remaining_ml=20.0)


@pytest.mark.parametrize(
    ("changed", "news"),
    [
        ({}, Reads.NOTHING),
        ({"volume_remaining_ml": 19.9}, Reads.VOLUME),
        ({"rate": report(0.2).rate}, Reads.VOLUME),
        ({"rate": report(0.2).rate, "volume_remaining_ml": 19.9}, Reads.VOLUME),
        ({"alarms": ("MDC_EVT_DOOR_OPEN",)}, Reads.PUMPS),
        ({"volume_remaining_ml": 19.9, "alarms": ("MDC_EVT_DOOR_OPEN",)}, Reads.PUMPS | Reads.VOLUME),
    ],
)
def test_a_pump_report_is_news_by_what_it_changes(changed: dict[str, Any], news: int) -> None:
    bed = chart()
    assert bed.take_pump(FIRST) == Reads.PRESENCE | Reads.PUMPS | Reads.VOLUME
    bed.settle()
    assert bed.take_pump(replace(FIRST, time_ms=T + 5_000, **changed)) == news


@pytest.mark.parametrize(
    ("left_ml", "then_ml", "news"),
    [
        (20.0, 10.1, Reads.NOTHING),
        (20.0, 10.0, Reads.VOLUME),  # too near to be told by a float
        (20.0, 9.9, Reads.VOLUME),
        (10.0, 9.9, Reads.VOLUME),
        (9.9, 0.1, Reads.NOTHING),
        (9.9, 20.0, Reads.VOLUME),
        (20.0, None, Reads.VOLUME),
    ],
)
def test_a_bag_that_empties_is_news_where_an_answer_about_it_turns(
    left_ml: float, then_ml: float | None, news: int
) -> None:
    """At the rate at which it was asked; at another rate it always is."""
    bed = chart()
    bed.take_pump(first := replace(FIRST, volume_remaining_ml=left_ml))
    bed.settle()
    bed.infusions.channels["1"].bag_asked_ml = 10.0
    then = replace(first, time_ms=T + 5_000, volume_remaining_ml=then_ml)
    assert bed.take_pump(then) == news
    assert bed.take_pump(replace(then, time_ms=T + 10_000, rate=report(0.2).rate)) == Reads.VOLUME


def test_a_lost_pump_that_comes_back_as_it_was_is_news() -> None:
    bed = chart()
    pumped(bed, FIRST)
    bed.move_to(T + 10 * MINUTE_MS)
    assert bed.settle() == Reads.PUMPS | Reads.DOSE
    assert bed.take_pump(replace(FIRST, time_ms=T + 10 * MINUTE_MS)) == Reads.PUMPS


@pytest.mark.parametrize(
    ("kind", "news"),
    [
        (ObservationKind.SYSTOLIC, Reads.SYSTOLIC),
        (ObservationKind.HEART_RATE, Reads.NOTHING),
        (ObservationKind.LACTATE, Reads.OBSERVATIONS),
        (ObservationKind.FLUID_BOLUS, Reads.OBSERVATIONS),
    ],
)
def test_what_a_monitor_sends_by_itself_is_news_to_those_who_read_it(
    kind: ObservationKind, news: int
) -> None:
    bed = chart()
    assert bed.take_observation(observed(kind, 80.0, T)) == Reads.PRESENCE | news
    assert bed.take_observation(observed(kind, 80.0, T + 1_000)) == news


def test_only_systolic_pressures_are_taken_for_systolic_pressures() -> None:
    bed = chart()
    bed.take_observation(observed(ObservationKind.LACTATE, 4.0, T))
    assert bed.systolic.now(T) is None
    bed.take_observation(observed(ObservationKind.SYSTOLIC, 120, T))
    assert bed.systolic.now(T) == 120_000


# how long the pressure was below target


@pytest.mark.parametrize(
    ("mmhg", "to_ms", "below_ms"),
    [
        (TARGET_MMHG - 1, T + 5_000, 5_000),
        (TARGET_MMHG, T + 5_000, 0),
        (TARGET_MMHG + 1, T + 5_000, 0),
        (TARGET_MMHG - 1, T + HOLD_MS, HOLD_MS),
        (TARGET_MMHG - 1, T + HOLD_MS + 1, HOLD_MS),
        (TARGET_MMHG - 1, T, 0),
    ],
)
def test_a_pressure_below_target_counts_for_as_long_as_it_holds(
    mmhg: float, to_ms: int, below_ms: int
) -> None:
    bed = chart()
    bed.take_map(mapped(mmhg, T))
    bed.move_to(to_ms)
    assert bed.below_target_ms == below_ms


def test_one_low_pressure_makes_no_later_one_low() -> None:
    bed = chart()
    bed.take_map(mapped(TARGET_MMHG - 1, T))
    for at_ms, mmhg in ((T + 1_000, TARGET_MMHG), (T + 2_000, TARGET_MMHG + 9)):
        bed.move_to(at_ms)
        bed.take_map(mapped(mmhg, at_ms))
    bed.move_to(T + 3_000)
    assert bed.below_target_ms == 1_000


# what it tells


def test_a_mean_is_named_by_the_whole_minutes_of_its_window() -> None:
    bed = chart()
    names = [
        bed.mean_map_below(65_000, 3_540).clauses[0].name,
        bed.mean_systolic_below(65_000, 3_540).clauses[0].name,
        bed.mean_systolic_above(65_000, 3_540).clauses[0].name,
        bed.mean_map_below(65_000, 3_660).clauses[0].name,
    ]
    told = ["TWA(59 min) below", "systolic TWA(59 min) below", "systolic TWA(59 min) above"]
    assert names == [*told, "TWA(61 min) below"]


def test_a_monitor_sends_until_it_is_lost_artefacts_too() -> None:
    bed = chart()
    assert answer(bed.monitor_sends()) == (State.NOT_MET, NEVER, T)
    assert bed.monitor_sends().clauses[0].value == "never"
    bed.take_map(mapped(0, T, valid=False))
    lost_ms = T + bed.pressure.loss_ms(bed.terms.map_lost_ms)
    for now_ms, told in (
        (T, (State.MET, lost_ms, NEVER)),
        (lost_ms - 1, (State.MET, lost_ms, NEVER)),
        (lost_ms, (State.NOT_MET, NEVER, lost_ms)),
        (lost_ms + 1, (State.NOT_MET, NEVER, lost_ms + 1)),
    ):
        bed.move_to(now_ms)
        assert answer(bed.monitor_sends()) == told
        clause = bed.monitor_sends().clauses[0]
        assert (clause.value, clause.limit) == ((now_ms - T) / 1_000, (lost_ms - T) / 1_000)


@pytest.mark.parametrize(
    ("reports", "state"),
    [
        ((), State.NOT_MET),
        ((report(0.001, at_ms=T),), State.MET),
        ((report(0.0, at_ms=T),), State.NOT_MET),
        ((report(0.1, at_ms=T), report(at_ms=T + 1, state=OFF)), State.NOT_MET),
        ((report(5.0, "mL/h", at_ms=T),), State.UNKNOWN),
    ],
)
def test_a_patient_is_on_norepinephrine_while_a_known_dose_flows(
    reports: tuple[PumpStatus, ...], state: State
) -> None:
    bed = chart()
    pumped(bed, *reports)
    assert bed.on_norepinephrine().state is state


@pytest.mark.parametrize(
    ("reports", "runs"),
    [
        ((), False),
        ((report(0.1, at_ms=T),), True),
        ((report(0.0, at_ms=T),), True),
        ((report(5.0, "mL/h", at_ms=T),), True),
        ((report(5.0, "ug/min", at_ms=T),), True),
        ((report(0.1, at_ms=T), report(at_ms=T + 1, state=OFF)), False),
        ((report(0.1, at_ms=T, drug="epinephrine"),), False),
    ],
)
def test_a_drug_infuses_while_a_pump_says_so(reports: tuple[PumpStatus, ...], runs: bool) -> None:
    bed = chart(weight_kg=None)
    pumped(bed, *reports)
    assert bed.on_vasopressor().met is bed.infuses("norepinephrine").met is runs


# the infusion's beginning, and the pressure before it


def test_an_opening_is_told_once_its_span_is_over() -> None:
    bed = chart()
    assert bed.opening(600) == (None, NEVER)
    pumped(bed, report(0.1, at_ms=T + 1))
    assert bed.opening(600) == (None, T + 1 + 600_000)
    bed.move_to(T + 600_000)
    assert bed.opening(600) == (None, T + 1 + 600_000)
    bed.move_to(T + 600_001)
    opened, asked_ms = bed.opening(600)
    assert opened is not None
    assert (opened.began_ms, asked_ms) == (T + 1, NEVER)


def test_an_infusion_that_stopped_in_its_opening_has_none() -> None:
    bed = chart()
    pumped(bed, report(0.1, at_ms=T), report(at_ms=T + 60_000, state=OFF))
    assert bed.opening(600) == (None, NEVER)
    bed.move_to(T + 700_000)
    assert bed.opening(600) == (None, NEVER)


def test_an_opening_stays_told_after_the_stop() -> None:
    bed = chart()
    pumped(bed, report(0.1, at_ms=T))
    bed.move_to(T + 600_000)
    opened, _ = bed.opening(600)
    pumped(bed, report(at_ms=T + 700_000, state=OFF))
    assert opened is not None
    assert bed.opening(600) == (opened, NEVER)


WINDOW_S = 300


def before(bed: Chart, held_ms: int, mmhg: float) -> int:
    """Pressures that are held for so long up to an instant, which is given back."""
    heard(bed, mmhg, T, T + held_ms)
    bed.move_to(T + held_ms)
    return T + held_ms


@pytest.mark.parametrize(("short_ms", "known"), [(0, True), (1, False)])
def test_the_pressure_before_an_infusion_is_known_if_enough_of_it_was_held(
    short_ms: int, known: bool
) -> None:
    bed = chart(coverage_min=0.5)
    at_ms = before(bed, WINDOW_S * 500 - short_ms, 58)
    pumped(bed, report(0.1, at_ms=at_ms))
    assert bed.map_baseline_milli(WINDOW_S) == (58_000 if known else None)


def test_the_pressure_before_an_infusion_is_taken_at_its_beginning_and_stays() -> None:
    bed = chart()
    at_ms = before(bed, WINDOW_S * 1_000, 58)
    assert bed.map_baseline_milli(WINDOW_S) is None
    pumped(bed, report(0.1, at_ms=at_ms))
    assert bed.map_baseline_milli(WINDOW_S) == 58_000
    heard(bed, 80, at_ms, at_ms + WINDOW_S * 1_000)
    assert bed.map_baseline_milli(WINDOW_S) == 58_000
    pumped(bed, report(0.2, at_ms=at_ms + WINDOW_S * 1_000))
    assert bed.map_baseline_milli(WINDOW_S) == 58_000


def test_an_unknown_pressure_before_an_infusion_is_taken_at_a_change_of_rate_and_no_sooner() -> None:
    bed = chart()
    pumped(bed, report(7.0, "ug/min", at_ms=T))
    assert bed.map_baseline_milli(WINDOW_S) is None
    heard(bed, 66, T, T + WINDOW_S * 1_000)
    assert bed.map_baseline_milli(WINDOW_S) is None
    pumped(bed, report(14.0, "ug/min", at_ms=T + WINDOW_S * 1_000))
    assert bed.map_baseline_milli(WINDOW_S) == 66_000


def test_the_next_infusion_has_its_own_pressure_before_it() -> None:
    bed = chart()
    at_ms = before(bed, WINDOW_S * 1_000, 58)
    pumped(bed, report(0.1, at_ms=at_ms))
    assert bed.map_baseline_milli(WINDOW_S) == 58_000
    pumped(bed, report(at_ms=at_ms + 1_000, state=OFF))
    assert bed.map_baseline_milli(WINDOW_S) == 58_000
    again_ms = at_ms + 2 * bed.terms.changeover_grace_ms
    pumped(bed, report(0.1, at_ms=again_ms))
    assert bed.map_baseline_milli(WINDOW_S) is None
    assert BASELINE not in bed.noted


# other rules' alerts


@pytest.mark.parametrize(
    ("now_ms", "told"),
    [
        (T, (State.MET, T + 60_000, T + 60_000)),
        (T + 59_999, (State.MET, T + 60_000, T + 60_000)),
        (T + 60_000, (State.NOT_MET, NEVER, NEVER)),
        (T + 60_001, (State.NOT_MET, NEVER, NEVER)),
    ],
)
def test_an_alert_was_open_until_its_end_is_long_ago(now_ms: int, told: tuple[State, int, int]) -> None:
    bed = chart()
    assert bed.open_within("MAP-LOW", 60_000).state is State.NOT_MET
    bed.alerts["MAP-LOW"] = Alert()
    assert bed.open_within("MAP-LOW", 60_000).state is State.NOT_MET
    bed.alerts["MAP-LOW"] = Alert(ended_ms=T)
    bed.move_to(now_ms)
    assert answer(bed.open_within("MAP-LOW", 60_000)) == told
    bed.alerts["MAP-LOW"].stage = Stage.ACTIVE
    assert answer(bed.open_within("MAP-LOW", 60_000)) == (State.MET, NEVER, NEVER)


def test_how_long_ago_an_alert_was_open_is_told_in_seconds() -> None:
    bed = chart()
    bed.alerts["MAP-LOW"] = Alert(ended_ms=T)
    bed.move_to(T + 1_500)
    (told,) = bed.open_within("MAP-LOW", 60_000).clauses
    assert (told.value, told.limit, told.unit) == (1.5, 60, "s")


# what is remembered and kept


def test_what_was_reached_once_is_told_with_the_limit_it_was_held_to() -> None:
    bed = chart()
    sides = [
        found(name, True, value=5, limit=limit, unit=unit, saw=DOSE)
        for name, limit, unit in (("a", 1, "mL"), ("b", 2, "mL/kg"))
    ]
    (told,) = bed.ever_since("volume", all_of(*sides), T).clauses
    assert (told.limit, told.unit) == (2, "mL/kg")


def test_a_bed_that_was_freed_knows_whom_and_when_after_a_restart() -> None:
    bed, again = chart(), chart()
    bed.freed = ("S-1", T + 7)
    again.restore(read_again(bed.snapshot()))
    assert again.freed == ("S-1", T + 7)


def test_configured_figures_are_kept_in_small_whole_units() -> None:
    assert (milli(63.219), nano(0.003_219), ms(3.219)) == (63_219, 3_219_000, 3_219)


def test_open_alarms_are_named() -> None:
    bed = chart()
    bed.alerts = {rule: Alert(stage=Stage.ACTIVE) for rule in ("TECH-GAP", "MAP-LOW", "WEAN-READY")}
    bed.kinds = {"TECH-GAP": Kind.TECHNICAL, "MAP-LOW": Kind.PHYSIOLOGICAL, "WEAN-READY": Kind.ADVISORY}
    bed.note_open_alerts()
    (told,) = bed.no_open_alarm().clauses
    assert told.value == "MAP-LOW, TECH-GAP"


def test_doubts_are_known_after_a_restart() -> None:
    bed, again = chart(), chart()
    bed.take_doubt(Doubted(T, BED, "MON-1", Doubt.CLOCK, "5 s behind"))
    again.restore(read_again(bed.snapshot()))
    assert again.doubts == bed.doubts != {}


# the numbers that it goes by


def test_each_kind_of_news_is_a_bit_of_its_own() -> None:
    kinds = {name: bit for name, bit in vars(Reads).items() if name.isupper()}
    sets = [kinds.pop(name) for name in ("NOTHING", "EVERYTHING", "ANY_NEWS")]
    assert sets == [0, kinds["ORDINARY"] - 1, kinds["ORDINARY"] - 1 | kinds["CROSSED"]]
    assert sorted(kinds.values()) == [2**place for place in range(len(kinds))]
    assert sorted(kinds, key=lambda name: kinds[name])[-2:] == ["ORDINARY", "CROSSED"]


def test_a_systolic_pressure_is_bounded_by_what_the_door_lets_in() -> None:
    field = SystolicObservation.model_fields["value"]
    most = next(each.le for each in field.metadata if hasattr(each, "le"))
    assert chart().systolic.high == milli(most)


@pytest.mark.parametrize(
    ("stage", "told"), [(Stage.ACTIVE, "open"), (Stage.QUIET, "not open"), (Stage.PENDING, "not open")]
)
def test_an_alert_is_told_as_open_while_it_is(stage: Stage, told: str) -> None:
    bed = chart()
    bed.alerts["MAP-LOW"], bed.kinds = Alert(stage=stage), {"MAP-LOW": Kind.PHYSIOLOGICAL}
    bed.note_open_alerts()
    finding = bed.open_now("MAP-LOW")
    assert (finding.met, [clause.value for clause in finding.clauses]) == (told == "open", [told])
