"""What becomes of each message offered to the ward: accepted, late, duplicate, or refused for its reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pump_reports import report, rules, site
from read_again import read_again
from ward_histories import START_MS

from streamproc.core.events import (
    Acknowledged,
    BedFreed,
    MapSample,
    MapSource,
    Observation,
    ObservationKind,
    PatientContext,
)
from streamproc.core.reason import Reason
from streamproc.core.remembered import Taken
from streamproc.core.ward import Limits, Ward

laws = settings(max_examples=60, deadline=None, print_blob=True, derandomize=False)
BED = "icu-a/bed-7"
LIMITS = site().core_limits()
NOW_MS = START_MS + 600_000


def new_ward(roster: frozenset[str] = frozenset(), **changed: Any) -> Ward:
    """A ward whose clock has reached now."""
    limits: Limits = replace(LIMITS, **changed)
    ward = Ward(rules(), site().core_terms(), limits, roster)
    ward.tick(NOW_MS)
    return ward


def sample(time_ms: int, bed: str = BED, seq: int | None = 1, milli_mmhg: int = 70_000) -> MapSample:
    boot = None if seq is None else "b1"
    return MapSample(time_ms, bed, "MON-1", boot, seq, MapSource.ARTERIAL, milli_mmhg)


# event time, to the ms


@pytest.mark.parametrize(
    ("after_receipt_ms", "verdict"),
    [
        (LIMITS.future_ms + 1, Reason.FUTURE),
        (LIMITS.future_ms, Taken.ACCEPTED),
        (0, Taken.ACCEPTED),
        (-LIMITS.hold_back_ms + 1, Taken.ACCEPTED),
        (-LIMITS.hold_back_ms, Taken.LATE),
        (-LIMITS.lateness_ms, Taken.LATE),
        (-LIMITS.lateness_ms - 1, Reason.TOO_LATE),
    ],
)
def test_a_message_is_judged_by_its_time_to_the_ms(after_receipt_ms: int, verdict: Taken | Reason) -> None:
    ward = new_ward()
    assert ward.offer(sample(NOW_MS + after_receipt_ms), NOW_MS, 1) is verdict
    assert ward.offer(report(0.1, at_ms=NOW_MS + after_receipt_ms), NOW_MS, 2) is verdict


def test_a_message_ahead_of_its_time_waits_for_it() -> None:
    """A device with a fast clock does not drag its bed into the future."""
    ward = new_ward()
    ward.offer(sample(NOW_MS + LIMITS.future_ms, milli_mmhg=40_000), NOW_MS, 1)
    ward.tick(NOW_MS + LIMITS.future_ms + LIMITS.hold_back_ms - 1)
    assert ward.beds[BED].chart.pressure.trend.newest() is None
    ward.tick(NOW_MS + LIMITS.future_ms + LIMITS.hold_back_ms)
    assert ward.beds[BED].chart.pressure.trend.newest() == (NOW_MS + LIMITS.future_ms, 40_000)


def test_a_device_with_a_fast_clock_makes_no_other_late() -> None:
    """Only ticks move event time on."""
    ward = new_ward()
    ward.offer(sample(NOW_MS + LIMITS.future_ms), NOW_MS, 1)
    assert ward.offer(report(0.1, at_ms=NOW_MS), NOW_MS, 2) is Taken.ACCEPTED
    assert ward.clock_ms == NOW_MS


def test_a_late_message_enters_the_history_and_judges_no_past() -> None:
    """It is in the windows from now on; nothing is told of the time between it and now."""
    ward = new_ward()
    ward.offer(sample(NOW_MS, milli_mmhg=70_000), NOW_MS, 1)
    now_ms = NOW_MS + 40_000
    ward.tick(now_ms)
    late = sample(now_ms - 30_000, seq=2, milli_mmhg=40_000)
    assert ward.offer(late, now_ms, 2) is Taken.LATE
    assert ward.beds[BED].chart.pressure.trend.newest() == (now_ms - 30_000, 40_000)
    watermark_ms = now_ms - LIMITS.hold_back_ms
    told = ward.tick(now_ms + 600_000)
    assert min(change.time_ms for change in told) >= watermark_ms


def test_what_came_late_together_is_judged_together() -> None:
    """An alarm that an outage's backlog raises and takes back is past: it starts and ends nothing."""
    ward, occluded = new_ward(), ("MDC_EVT_FLUID_LINE_OCCL",)
    for number, alarms in enumerate([(), occluded, ()]):
        late = report(0.1, at_ms=NOW_MS - 12_000 + 1_000 * number, alarms=alarms)
        assert ward.offer(late, NOW_MS, number) is Taken.LATE
    assert "TECH-PUMP" not in {change.rule.id for change in ward.tick(NOW_MS)}
    ward.offer(report(0.1, at_ms=NOW_MS - 9_000, alarms=occluded), NOW_MS, 4)
    assert "TECH-PUMP" in {change.rule.id for change in ward.tick(NOW_MS)}


def test_a_clock_that_goes_back_is_no_news() -> None:
    ward = new_ward()
    assert ward.tick(NOW_MS - 1_000) == []
    assert ward.clock_ms == NOW_MS


# repetitions


def test_the_same_again_is_a_duplicate_and_another_payload_a_conflict() -> None:
    ward = new_ward()
    assert ward.offer(sample(NOW_MS), NOW_MS, 1) is Taken.ACCEPTED
    assert ward.offer(sample(NOW_MS), NOW_MS, 1) is Taken.DUPLICATE
    assert ward.offer(sample(NOW_MS, milli_mmhg=40_000), NOW_MS, 2) is Reason.CONFLICT
    assert ward.offer(sample(NOW_MS), NOW_MS, 1) is Taken.DUPLICATE


def test_a_repeat_after_a_restart_is_a_duplicate() -> None:
    """What the broker hands over again after a crash may have come before the snapshot."""
    before, after = new_ward(), Ward(rules(), site().core_terms(), LIMITS)
    before.offer(sample(NOW_MS), NOW_MS, 1)
    before.offer(sample(NOW_MS, seq=None), NOW_MS, 2)
    after.restore(read_again(before.snapshot()))
    assert after.offer(sample(NOW_MS), NOW_MS, 1) is Taken.DUPLICATE
    assert after.offer(sample(NOW_MS, seq=None), NOW_MS, 2) is Taken.DUPLICATE
    assert after.offer(sample(NOW_MS, milli_mmhg=40_000), NOW_MS, 3) is Reason.CONFLICT


def test_a_conflict_changes_nothing() -> None:
    """The first payload stands."""
    ward = new_ward()
    ward.offer(sample(NOW_MS), NOW_MS, 1)
    ward.offer(sample(NOW_MS, milli_mmhg=40_000), NOW_MS, 2)
    ward.tick(NOW_MS + LIMITS.hold_back_ms)
    assert ward.beds[BED].chart.pressure.trend.now(NOW_MS) == 70_000


def test_without_a_number_a_message_is_known_by_content_and_time() -> None:
    ward = new_ward()
    assert ward.offer(sample(NOW_MS, seq=None), NOW_MS, 1) is Taken.ACCEPTED
    assert ward.offer(sample(NOW_MS, seq=None), NOW_MS, 1) is Taken.DUPLICATE
    assert ward.offer(sample(NOW_MS, seq=None, milli_mmhg=71_000), NOW_MS, 2) is Taken.ACCEPTED
    assert ward.offer(sample(NOW_MS + 1, seq=None), NOW_MS, 1) is Taken.ACCEPTED


def test_the_same_number_after_a_new_start_of_the_device_is_another_message() -> None:
    ward = new_ward()
    assert ward.offer(sample(NOW_MS), NOW_MS, 1) is Taken.ACCEPTED
    assert ward.offer(replace(sample(NOW_MS), boot="b2"), NOW_MS, 2) is Taken.ACCEPTED


def test_a_refused_message_may_come_again() -> None:
    """What was too early is taken once its time is near."""
    ward = new_ward()
    early = sample(NOW_MS + LIMITS.future_ms + 1)
    assert ward.offer(early, NOW_MS, 1) is Reason.FUTURE
    ward.tick(NOW_MS + 1)
    assert ward.offer(early, NOW_MS + 1, 1) is Taken.ACCEPTED


def test_a_repetition_of_a_forgotten_message_is_too_late() -> None:
    """Memory is bounded by time: what is forgotten is older than what may still come in."""
    ward = new_ward()
    for minute in range(5):
        now_ms = NOW_MS + minute * 60_000
        ward.tick(now_ms)
        assert ward.offer(sample(now_ms, seq=minute), now_ms, minute) is Taken.ACCEPTED
    assert ward.offer(sample(NOW_MS, seq=0), NOW_MS + 240_000, 0) is Reason.TOO_LATE
    assert ward.beds[BED].remembered.count <= 2


def test_memory_of_messages_is_bounded_by_number() -> None:
    ward = new_ward(remembered_messages=100)
    for seq in range(500):
        ward.offer(sample(NOW_MS, seq=seq), NOW_MS, seq)
    assert ward.beds[BED].remembered.count == 100


def test_a_bed_that_waits_for_nothing_costs_nothing() -> None:
    """Hours of observations that no rule waits for: the ward's list of deadlines does not grow."""
    ward = new_ward()
    for minute in range(200):
        now_ms = NOW_MS + minute * 60_000
        ward.tick(now_ms)
        heart_rate = Observation(now_ms, BED, "MON-1", "b1", minute, ObservationKind.HEART_RATE, 80.0, "/min")
        assert ward.offer(heart_rate, now_ms, minute) is Taken.ACCEPTED
    assert len(ward._due) <= 2


# beds


def test_a_ward_that_is_full_takes_no_further_bed() -> None:
    """Beds on the roster, and those that are known, are always heard."""
    ward = new_ward(frozenset({"icu-a/bed-9"}), beds=2)
    assert ward.offer(sample(NOW_MS, "icu-a/bed-1"), NOW_MS, 1) is Taken.ACCEPTED
    assert ward.offer(sample(NOW_MS, "icu-a/bed-2"), NOW_MS, 1) is Reason.BEDS_FULL
    assert ward.offer(PatientContext(NOW_MS, "icu-a/bed-2", "S-1"), NOW_MS, 1) is Reason.BEDS_FULL
    assert ward.offer(sample(NOW_MS, "icu-a/bed-9"), NOW_MS, 1) is Taken.ACCEPTED
    assert ward.offer(sample(NOW_MS, "icu-a/bed-1", seq=2), NOW_MS, 2) is Taken.ACCEPTED
    assert set(ward.beds) == {"icu-a/bed-1", "icu-a/bed-9"}


def test_freeing_a_bed_that_nobody_knows_makes_no_bed() -> None:
    ward = new_ward()
    assert ward.offer(BedFreed(NOW_MS, BED), NOW_MS, 1) is Taken.ACCEPTED
    assert ward.beds == {}


# contexts and acknowledgements


def test_a_context_may_be_old_but_not_of_the_future() -> None:
    """It is retained: its age says nothing about whether it still holds."""
    ward = new_ward()
    assert ward.offer(PatientContext(NOW_MS - 10**9, BED, "S-1"), NOW_MS, 1) is Taken.ACCEPTED
    ahead = PatientContext(NOW_MS + LIMITS.future_ms + 1, BED, "S-1")
    assert ward.offer(ahead, NOW_MS, 2) is Reason.FUTURE


def test_an_acknowledgement_of_no_open_alert_is_refused() -> None:
    ward = new_ward(frozenset({BED}))
    assert ward.offer(Acknowledged(NOW_MS, "station-1", "al-none", "rn"), NOW_MS, 1) is Reason.UNKNOWN_ALERT
    [started] = ward.tick(NOW_MS + 100_000)
    ack = Acknowledged(NOW_MS + 100_000, "station-1", started.alert_id, "rn")
    assert ward.offer(ack, NOW_MS + 100_000, 1) is Taken.ACCEPTED
    [update] = ward.tick(NOW_MS + 103_000)
    assert (update.acknowledged_by, update.acknowledged_ms) == ("rn", NOW_MS + 100_000)
    before = replace(ack, time_ms=started.onset_ms - 1)
    assert ward.offer(before, NOW_MS + 103_000, 2) is Reason.ACK_OUTDATED
    assert ward.offer(replace(ack, time_ms=started.onset_ms), NOW_MS + 103_000, 2) is Taken.ACCEPTED
    ahead = replace(ack, time_ms=NOW_MS + 103_000 + LIMITS.future_ms + 1)
    assert ward.offer(ahead, NOW_MS + 103_000, 2) is Reason.FUTURE


def test_only_messages_have_a_lag() -> None:
    """A time that nobody watched happens to each bed at its beginning, and is no message that came late."""
    ward, back_ms = new_ward(frozenset({BED})), NOW_MS + 100_000
    ward.note_unwatched(NOW_MS, back_ms, "restarted", back_ms)
    [gap] = ward.tick(back_ms)
    assert (gap.rule.id, ward.lags_ms) == ("TECH-GAP", [])
    ward.offer(sample(back_ms), back_ms, 1)
    ward.tick(back_ms + LIMITS.hold_back_ms)
    assert ward.lags_ms == [back_ms]


# each message gets one verdict


KINDS = ["new", "late", "again", "conflict", "early", "old"]
EXPECTED: dict[str, Taken | Reason] = {
    "new": Taken.ACCEPTED,
    "late": Taken.LATE,
    "again": Taken.DUPLICATE,
    "conflict": Reason.CONFLICT,
    "early": Reason.FUTURE,
    "old": Reason.TOO_LATE,
}


@laws
@given(st.lists(st.sampled_from(KINDS), max_size=60), st.data())
def test_every_message_is_counted_once(kinds: list[str], data: st.DataObject) -> None:
    """accepted + late + duplicate + rejected = offered, each as what it is; the first two are lived."""
    ward, verdicts, known = new_ward(), Counter[Taken | Reason](), list[MapSample]()
    expected = Counter[Taken | Reason]()
    for seq, kind in enumerate(kinds):
        now_ms = NOW_MS + seq * 500
        ward.tick(now_ms)
        shift_ms = {"late": -10_000, "early": LIMITS.future_ms + 1, "old": -LIMITS.lateness_ms - 1}.get(
            kind, 0
        )
        event, digest = sample(now_ms + shift_ms, seq=seq), seq
        if kind in ("again", "conflict") and known:
            event = data.draw(st.sampled_from(known))
            digest = event.seq or 0
            digest += 1_000 if kind == "conflict" else 0
        elif kind in ("again", "conflict"):
            kind = "new"
        if kind in ("new", "late"):
            known.append(event)
        verdicts[ward.offer(event, now_ms, digest)] += 1
        expected[EXPECTED[kind]] += 1
    ward.tick(NOW_MS + 200_000)
    assert verdicts == expected
    assert verdicts.total() == len(kinds)
    lived = verdicts[Taken.ACCEPTED] + verdicts[Taken.LATE]
    assert (len(ward.beds[BED].chart.pressure.trend) if lived else 0) == lived
