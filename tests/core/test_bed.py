"""One bed, cell by cell: what it misses of a device, whom a context speaks of, and what ends with what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pump_reports import BED, report, rules, terms
from read_again import read_again

from streamproc.core.alert import Clear, Judgement, Level, Phase, Priority
from streamproc.core.bed import MOST_DEVICES, Bed, completed
from streamproc.core.change import Change
from streamproc.core.chart import Chart, Reads
from streamproc.core.events import (
    BedFreed,
    HeldEvent,
    MapSample,
    MapSource,
    Observation,
    ObservationKind,
    PatientContext,
    PumpState,
)
from streamproc.core.finding import ALWAYS_NOT, NEVER
from streamproc.core.rule import Rule, Wording

T = 1_000_000


def new_bed(now_ms: int = T) -> Bed:
    return Bed.new(BED, rules(), terms(), now_ms)


def mapped(at_ms: int, seq: int | None = None, boot: str | None = "b1", device: str = "MON-1") -> MapSample:
    return MapSample(at_ms, BED, device, boot, seq, MapSource.ARTERIAL, 70_000)


def patient(at_ms: int, session: str = "S-1", **changed: Any) -> PatientContext:
    return PatientContext(at_ms, BED, session=session, **changed)


def live(bed: Bed, *events: HeldEvent, to_ms: int | None = None) -> list[Change]:
    """Hold events for their own time and live through them."""
    for event in events:
        bed.hold(event, event.time_ms, event.time_ms)
    return bed.advance(max([event.time_ms for event in events], default=T) if to_ms is None else to_ms)


def at_risk() -> tuple[Bed, list[Change]]:
    """A bed with an open alert: salt water beside extravasation."""
    bed = new_bed()
    spill = Observation(T + 1, BED, "CHART", None, None, ObservationKind.EXTRAVASATION, True, None, None)
    return bed, live(bed, patient(T), report(0.1, at_ms=T), spill)


def opened(changes: list[Change]) -> set[str]:
    return {change.rule.id for change in changes if change.phase is Phase.START}


def ended(changes: list[Change]) -> dict[str, str | None]:
    return {change.rule.id: change.reason for change in changes if change.phase is Phase.END}


# what a device must have sent


@pytest.mark.parametrize(
    ("heard", "missed"),
    [
        ([("b1", 5)], 0),
        ([("b1", 5), ("b1", 6)], 0),
        ([("b1", 5), ("b1", 7)], 1),
        ([("b1", 5), ("b1", 9)], 3),
        ([("b1", 5), ("b1", 5)], 0),
        ([("b1", 5), ("b1", 4)], 0),
        ([("b1", 5), ("b1", 3), ("b1", 6)], 0),
        ([("b1", 5), ("b1", 4), ("b1", 6)], 0),
        ([("b1", 5), ("b1", 3), ("b1", 7)], 1),
        ([("b1", 5), ("b2", 9)], 0),
        ([("b1", 5), ("b2", 6)], 0),
        ([("b1", 5), ("b2", 1), ("b2", 3)], 1),
        ([("b1", 9), ("b2", 1), ("b2", 2)], 0),
        ([("b1", 5), ("b1", None), ("b1", 7)], 1),
        ([("b1", 5), (None, 7), ("b1", 6)], 0),
        ([("b1", 5), ("b1", 7), ("b1", 10)], 3),
    ],
)
def test_what_a_device_must_have_sent_and_never_came(
    heard: list[tuple[str | None, int | None]], missed: int
) -> None:
    """Within one of its starts; what comes late was never counted twice."""
    bed = new_bed()
    live(bed, *[mapped(T + n, seq, boot) for n, (boot, seq) in enumerate(heard)])
    assert bed.gap_messages == missed
    last = bed.chart.gap
    assert (last is not None) is (missed > 0)


def test_the_last_gap_is_what_is_told() -> None:
    bed = new_bed()
    live(bed, *[mapped(T + n, seq) for n, seq in enumerate((5, 7, 10))])
    gap = bed.chart.gap
    assert gap is not None
    assert (gap.noticed_ms, gap.device, gap.messages) == (T + 2, "MON-1", 2)


def test_of_too_many_devices_the_one_silent_longest_is_forgotten() -> None:
    bed = new_bed()
    names = [f"MON-{n}" for n in range(MOST_DEVICES)]
    live(bed, *[mapped(T + n, 1, device=name) for n, name in enumerate(names)])
    assert list(bed.sequences) == names
    assert len(names) == 64
    live(bed, mapped(T + 100, 2, device="MON-0"), mapped(T + 101, 1, device="new"))
    assert list(bed.sequences) == [*names[2:], "MON-0", "new"]


# when something happens


def test_the_next_instant_is_the_first_held_event_or_deadline() -> None:
    bed = new_bed()
    bed.advance(T)
    assert bed.due_ms == bed.deadline_ms
    deadline_ms = bed.deadline_ms = T + 50
    for time_ms, due_ms in ((T + 60, deadline_ms), (T + 50, deadline_ms), (T + 49, T + 49)):
        bed.hold(mapped(time_ms), time_ms, time_ms)
        assert bed.due_ms == due_ms


def test_events_of_one_instant_are_lived_through_together_and_none_before_its_time() -> None:
    bed = new_bed()
    lags: list[int] = []
    for at_ms in (T + 5, T + 5, T + 6):
        bed.hold(mapped(at_ms), at_ms, at_ms)
    bed.advance(T + 5, lags)
    assert (lags, len(bed.held), bed.chart.now_ms) == ([T + 5, T + 5], 1, T + 5)
    bed.advance(T + 9, lags)
    assert (lags, bed.held, bed.chart.now_ms) == ([T + 5, T + 5, T + 6], [], T + 9)


# whose bed it is


def test_an_alert_ends_with_its_rule_and_no_other() -> None:
    bed, changes = at_risk()
    raised = opened(changes)
    assert len(raised) > 1
    kept = {rule.id for rule in bed.rules} - {"EXTRAVASATION"}
    assert ended(bed.retire({rule.id for rule in bed.rules})) == {}
    assert ended(bed.retire(kept)) == {"EXTRAVASATION": "rule_off"}
    assert bed.retire(kept) == []
    assert {rule for rule, alert in bed.alerts.items() if alert.open} == raised - {"EXTRAVASATION"}


def test_a_stay_ends_with_the_next_session_and_its_alerts_with_it() -> None:
    bed, changes = at_risk()
    assert ended(live(bed, patient(T + 5, weight_kg=71.0))) == {}
    over = ended(live(bed, patient(T + 6, "S-2")))
    assert over == dict.fromkeys(opened(changes), "session_ended")
    assert (bed.chart.opened_ms, bed.chart.waiting_since_ms, bed.chart.dose) == (T + 6, T + 6, None)


def test_a_bed_that_left_the_roster_is_awaited_only_if_a_patient_was_admitted() -> None:
    empty, taken = new_bed(), new_bed()
    live(taken, patient(T))
    for bed in (empty, taken):
        bed.chart.waiting_since_ms = T
        bed.expect_no_more()
    assert (empty.chart.waiting_since_ms, taken.chart.waiting_since_ms) == (None, T)


@pytest.mark.parametrize(
    ("known", "context", "superseded"),
    [
        ((), patient(T), False),
        ((patient(T + 5),), patient(T + 4), True),
        ((patient(T + 5),), patient(T + 5), False),
        ((patient(T + 5),), patient(T + 6), False),
        ((patient(T + 5),), patient(T + 4, "S-2"), True),
        ((patient(T), BedFreed(T + 5, BED)), patient(T + 4), True),
        ((patient(T), BedFreed(T + 5, BED)), patient(T + 5), False),
        ((patient(T), BedFreed(T + 5, BED)), patient(T + 4, "S-2"), False),
        ((BedFreed(T + 5, BED),), patient(T + 4), False),
    ],
)
def test_which_context_is_news(
    known: tuple[HeldEvent, ...], context: PatientContext, superseded: bool
) -> None:
    bed = new_bed()
    live(bed, *known)
    assert bed.supersedes(context) is superseded


def test_what_was_sent_before_the_stay_is_not_this_patients() -> None:
    bed = new_bed()
    live(bed, patient(T), patient(T + 10, "S-2"), to_ms=T + 20)
    for at_ms, heard_ms, newest_ms in ((T + 9, None, 0), (T + 10, T + 10, T + 10), (T + 11, T + 10, T + 11)):
        bed.take_late(mapped(at_ms))
        assert (bed.chart.stay_heard_ms, bed.chart.last_heard_ms) == (heard_ms, newest_ms)


def test_what_came_late_from_before_the_stay_is_not_missing_in_it() -> None:
    bed = new_bed()
    live(bed, patient(T), mapped(T + 1, 1), patient(T + 10, "S-2"), to_ms=T + 20)
    for seq in (2, 3):
        bed.take_late(mapped(T + 3 + seq, seq))
    live(bed, mapped(T + 21, 4))
    assert (bed.gap_messages, bed.chart.gap) == (0, None)
    live(bed, mapped(T + 22, 6))
    assert (bed.gap_messages, bed.chart.gap is None) == (1, False)


def test_a_stop_is_late_news_of_the_present() -> None:
    """The past is not judged again; what holds now is."""
    bed, _ = at_risk()
    live(bed, to_ms=T + 100)
    bed.take_late(report(at_ms=T + 50, state=PumpState.STOPPED))
    bed.judge_late(T + 100)
    dose = bed.chart.dose
    assert dose is not None
    assert (dose.since_ms, dose.per_kg_nano) == (T + 50, 0)


def test_who_reads_what_is_asked_in_the_order_of_the_rules() -> None:
    readers = new_bed().readers
    every = readers.of(Reads.EVERYTHING)
    assert every == tuple(range(len(rules())))
    assert readers.of(Reads.NOTHING) == ()
    on_map = tuple(n for n, rule in enumerate(rules()) if rule.reads & Reads.MAP)
    assert readers.of(Reads.MAP) == readers.of(Reads.MAP) == on_map
    assert 0 < len(on_map) < len(every)


def test_a_bed_of_which_nothing_is_known_waits_for_nothing() -> None:
    bed = new_bed()
    assert (bed.due_ms, bed.advance(T + 10_000_000)) == (NEVER, [])


# which rules are asked


def asked_of(asked: list[str], name: str, reads: int, opens_at_mmhg: int | None = None) -> Rule:
    """A rule that notes when it is asked; one with a pressure raises an alert below it."""

    def judge(chart: Chart) -> Judgement:
        asked.append(name)
        below = ALWAYS_NOT if opens_at_mmhg is None else chart.map_below(1_000 * opens_at_mmhg)
        return Judgement((Level(Priority.LOW, below),), (Clear(ALWAYS_NOT),))

    return replace(
        rules()[0], id=name, reads=reads, latches=False, judge=judge, word=lambda *_: Wording("", "")
    )


def three_rules(opens: str = "") -> tuple[Bed, list[str]]:
    """Three rules that read the pressure, alerts and doses, and were all asked once; one raises below 60."""
    asked: list[str] = []
    each = {"first": Reads.ALERTS, "middle": Reads.MAP, "last": Reads.ALERTS | Reads.DOSE}
    made = [asked_of(asked, name, reads, 60 if name == opens else None) for name, reads in each.items()]
    bed = Bed.new(BED, made, terms(), T)
    bed.advance(T)
    bed.judge_anew(T)
    asked.clear()
    return bed, asked


@pytest.mark.parametrize(
    ("events", "asked_in_order"),
    [
        ([mapped(T + 1)], ["middle"]),
        ([report(0.1, at_ms=T + 1)], ["last"]),
        ([report(0.1, at_ms=T + 1), mapped(T + 1)], ["middle", "last"]),
        ([report(0.1, at_ms=T + 1), report(0.1, at_ms=T + 2)], ["last"]),
    ],
)
def test_only_rules_that_read_what_has_changed_are_asked(
    events: list[HeldEvent], asked_in_order: list[str]
) -> None:
    bed, asked = three_rules()
    live(bed, *events)
    assert asked == asked_in_order


def test_a_rule_that_reads_alerts_is_asked_once_one_before_it_has_changed() -> None:
    """Those before it are not: what they read is told at their next instant."""
    bed, asked = three_rules(opens="middle")
    low = MapSample(T + 1, BED, "MON-1", "b1", 1, MapSource.ARTERIAL, 50_000)
    assert opened(live(bed, low)) == {"middle"}
    assert asked == ["middle", "last"]


def test_a_rule_whose_time_has_come_or_gone_is_asked() -> None:
    for behind_ms in (0, 1, 900):
        bed, asked = three_rules()
        bed.dues_ms[0] = bed.judged_again_ms = T + 1_000 - behind_ms
        bed.deadline_ms = T + 1_000
        bed.advance(T + 1_000)
        assert asked == ["first"]


def test_a_steady_pressure_well_above_all_limits_keeps_no_rule_awake() -> None:
    bed = new_bed()
    high = [MapSample(T + 1_000 * n, BED, "MON-1", "b1", n, MapSource.ARTERIAL, 90_000) for n in range(1, 30)]
    live(bed, patient(T), *high)
    assert bed.restless == ()


def test_a_deadline_that_has_passed_is_a_mistake_of_our_own() -> None:
    for behind_ms in (0, 1, 900):
        bed = new_bed()
        bed.judge_anew(T)
        assert bed.chart.infusions.loss_asked_ms == bed.chart.line_asked_ms == NEVER
        bed.judged_again_ms = T - behind_ms
        with pytest.raises(AssertionError, match="a deadline at or before now"):
            bed._set_deadline()


def test_who_is_asked_at_each_sample_is_who_gave_no_firm_answer() -> None:
    """Where every sample is above the limit nobody need be asked; then the rule is at one that crosses it."""
    bed, asked = three_rules(opens="middle")
    assert (bed.restless, bed.turning) == ((1,), ())
    told = []
    for second, mmhg in enumerate([90] * 6 + [55, 55, 59, 60, 90, 61, 59, 59], start=1):
        asked.clear()
        live(bed, mapped_at(mmhg, T + 1_000 * second, second))
        told.append((mmhg, bed.turning, asked.count("middle")))
        assert bed.restless == ()
    first, sided = [(90, (), 1), *[(90, (), 0)] * 5], (1,)
    below, above = [(55, sided, 1), (55, sided, 0), (59, sided, 0)], [(60, sided, 1), (90, sided, 0)]
    assert told == [*first, *below, *above, (61, sided, 0), (59, sided, 1), (59, sided, 0)]


def test_a_limit_that_must_not_be_crossed_is_known_after_a_restart() -> None:
    bed, _ = three_rules(opens="middle")
    levels = [90, 55, 57]
    live(bed, *[mapped_at(mmhg, T + 1_000 * n, n) for n, mmhg in enumerate(levels, start=1)])
    again, asked = three_rules(opens="middle")
    again.restore(read_again(bed.snapshot()))
    assert (again.turning, again.chart.pressure.between) == (bed.turning, bed.chart.pressure.between)
    asked.clear()
    live(again, mapped_at(58, T + 4_000, 4))
    assert asked == []
    live(again, mapped_at(60, T + 5_000, 5))
    assert asked[0] == "middle"


def mapped_at(mmhg: int, at_ms: int, seq: int) -> MapSample:
    """A sample of the arterial line."""
    return MapSample(at_ms, BED, "MON-1", "b1", seq, MapSource.ARTERIAL, 1_000 * mmhg)


def test_news_beside_an_ordinary_sample_is_told_as_well() -> None:
    bed, asked = three_rules(opens="middle")
    live(bed, *[mapped(T + 1_000 * n, n) for n in range(1, 9)])
    bed.restless = (1,)
    asked.clear()
    live(bed, mapped(T + 9_000, 9), report(0.1, at_ms=T + 9_000))
    assert asked == ["middle", "last"]


# keeping it


def test_a_restored_bed_holds_what_it_held_in_the_same_order() -> None:
    """Of one instant in the order in which it came; one without a number before number 0."""
    bed = new_bed()
    for at_ms, seq in ((T + 1, None), *[(T + 9, None)] * 4, (T + 5, 0), (T + 5, None)):
        bed.hold(mapped(at_ms, seq), at_ms, at_ms + 7)
    bed.advance(T + 1)
    kept = bed.snapshot()
    assert [(entry[3], entry[4]) for entry in kept["held"]] == [
        (-1, 7),
        (0, 6),
        (-1, 2),
        (-1, 3),
        (-1, 4),
        (-1, 5),
    ]
    again = new_bed()
    again.restore(read_again(kept))
    assert again.snapshot()["held"] == kept["held"]


def restored(bed: Bed) -> Bed:
    again = new_bed()
    again.restore(read_again(bed.snapshot()))
    return again


def test_a_restored_bed_asks_no_rule_at_a_sample_that_would_have_been_no_news() -> None:
    """But where other rules may answer otherwise, whoever reads pressures is asked at the next one."""
    bed = new_bed()
    live(bed, patient(T), report(0.1, at_ms=T), *[mapped(T + 1_000 * n, n) for n in range(1, 400)])
    again, doubted = restored(bed), restored(bed)
    doubted.ask_anew()
    readers = {n for n, rule in enumerate(bed.rules) if rule.reads & Reads.MAP}
    assert again.restless == bed.restless
    assert set(again.restless) < readers
    assert set(doubted.restless) == readers


def test_a_snapshot_without_old_pressures_is_completed_by_the_one_before() -> None:
    bed = new_bed()
    live(bed, *[mapped(T + 1_000 * n, n) for n in range(1, 9)])
    base = bed.snapshot()
    live(bed, *[mapped(T + 1_000 * n, n) for n in range(9, 20)])
    newer_than_ms = T + 8_000
    kept = bed.snapshot(newer_than_ms)
    assert kept != bed.snapshot()
    assert completed(kept, base, newer_than_ms) == bed.snapshot()


def test_only_an_end_says_when_the_alert_ended() -> None:
    bed, began = at_risk()
    gone = bed.retire(set())
    assert {change.ended_ms for change in began} == {None}
    assert {change.ended_ms for change in gone} == {bed.chart.now_ms}
