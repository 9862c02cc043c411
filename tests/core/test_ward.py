"""The ward's edges to the ms: whom it tells of what nobody watched, which clock it doubts, which device."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
from pump_reports import rules, site, terms
from read_again import read_again

from streamproc.core.bed import PATIENCE_MS
from streamproc.core.events import (
    Acknowledged,
    Doubt,
    Doubted,
    MapSample,
    MapSource,
    PatientContext,
    Unwatched,
)
from streamproc.core.reason import Reason
from streamproc.core.remembered import Taken
from streamproc.core.ward import GIVEN_UP_AT_ONCE, MOST_DEVICES, Ward

T = 1_790_000_000_000
BED, OTHER = "icu-a/bed-7", "icu-a/bed-8"
LIMITS = site().core_limits()
HOLD_BACK_MS, LATENESS_MS, FUTURE_MS = LIMITS.hold_back_ms, LIMITS.lateness_ms, LIMITS.future_ms
AHEAD_MS, BEHIND_MS = terms().clock_ahead_ms, terms().clock_behind_ms


def new_ward(*roster: str, beds: int = LIMITS.beds, now_ms: int = T) -> Ward:
    ward = Ward(rules(), terms(), replace(LIMITS, beds=beds), frozenset(roster))
    ward.tick(now_ms)
    return ward


def mapped(at_ms: int, bed: str = BED, device: str = "MON-1", valid: bool = True) -> MapSample:
    return MapSample(at_ms, bed, device, None, None, MapSource.ARTERIAL, 70_000, valid)


def offered(ward: Ward, at_ms: int, received_ms: int, bed: str = BED, device: str = "MON-1") -> None:
    ward.tick(received_ms)
    ward.offer(mapped(at_ms, bed, device), received_ms, at_ms)


def doubts(ward: Ward, doubt: Doubt, bed: str = BED) -> list[str]:
    held = (
        []
        if bed not in ward.beds
        else [entry[-1] for entry in sorted(ward.beds[bed].held, key=lambda e: e[:5])]
    )
    return [event.detail for event in held if isinstance(event, Doubted) and event.doubt is doubt]


@pytest.mark.parametrize(
    ("ahead_ms", "taken"),
    [
        (-LATENESS_MS - 1, False),
        (-LATENESS_MS, True),
        (0, True),
        (FUTURE_MS, True),
        (FUTURE_MS + 1, False),
    ],
)
def test_an_artefact_counts_if_it_is_neither_too_old_nor_of_the_future(ahead_ms: int, taken: bool) -> None:
    ward = new_ward()
    ward.note_artefact(mapped(T + ahead_ms, valid=False), T)
    assert (BED in ward.beds) is taken


@pytest.mark.parametrize(("known", "beds", "taken"), [((), 1, True), ((OTHER,), 1, False), ((BED,), 1, True)])
def test_an_artefact_makes_no_bed_in_a_ward_that_is_full(
    known: tuple[str, ...], beds: int, taken: bool
) -> None:
    ward = new_ward(*known, beds=beds)
    ward.note_artefact(mapped(T, valid=False), T)
    assert (BED in ward.beds) is taken


@pytest.mark.parametrize(
    ("at_ms", "waits"),
    [(T - HOLD_BACK_MS - 1, 0), (T - HOLD_BACK_MS, 0), (T - HOLD_BACK_MS + 1, 1)],
)
def test_an_artefact_waits_for_its_time_like_any_sample(at_ms: int, waits: int) -> None:
    ward = new_ward(BED)
    ward.tick(T)
    held = len(ward.beds[BED].held)
    ward.note_artefact(mapped(at_ms, valid=False), T)
    assert len(ward.beds[BED].held) - held == waits


@pytest.mark.parametrize(
    ("ahead_ms", "doubted"), [(-BEHIND_MS - 1, 1), (-BEHIND_MS, 0), (AHEAD_MS, 0), (AHEAD_MS + 1, 1)]
)
def test_a_clock_out_of_bounds_is_doubted_and_on_which_side(ahead_ms: int, doubted: int) -> None:
    ward = new_ward(BED)
    offered(ward, T + ahead_ms, T)
    told = doubts(ward, Doubt.CLOCK)
    assert len(told) == doubted
    side = "ahead of" if ahead_ms > 0 else "behind"
    assert all(side in each and f"{abs(ahead_ms) / 1000:g} s" in each for each in told)


@pytest.mark.parametrize(
    ("at_ms", "doubted"),
    [
        (T - HOLD_BACK_MS - 1, 1),
        (T - HOLD_BACK_MS, 0),
        (T + 5_000, 0),
        (T + 10_000, 0),
        (T + 10_001, 1),
    ],
)
def test_what_waited_at_the_broker_while_nobody_watched_has_no_wrong_clock(at_ms: int, doubted: int) -> None:
    ward = new_ward(BED)
    back_ms = T + 10_001 + BEHIND_MS + 1
    ward.note_unwatched(T, T + 10_000, "restarted", T + 10_000)
    ward.tick(back_ms)
    offered(ward, at_ms, back_ms)
    assert len(doubts(ward, Doubt.CLOCK)) == doubted


@pytest.mark.parametrize(
    ("after_ms", "doubted"),
    [(0, 1), (terms().identity_window_ms, 1), (terms().identity_window_ms + 1, 0)],
)
def test_a_device_at_two_beds_within_the_window_is_doubted_at_both(after_ms: int, doubted: int) -> None:
    ward = new_ward(BED, OTHER)
    offered(ward, T, T)
    offered(ward, T + after_ms, T + after_ms, OTHER)
    assert [len(doubts(ward, Doubt.IDENTITY, bed)) for bed in (BED, OTHER)] == [doubted, doubted]


def test_a_device_that_stays_where_it_is_is_not_doubted() -> None:
    ward = new_ward(BED)
    for n in range(3):
        offered(ward, T + n, T + n)
    assert doubts(ward, Doubt.IDENTITY) == []


def test_of_too_many_devices_those_silent_longest_are_forgotten() -> None:
    ward = new_ward(BED)
    for n in range(MOST_DEVICES):
        ward._doubt_identity(BED, f"MON-{n}", T, T)
    assert len(ward.devices) == MOST_DEVICES == 20_000
    ward._doubt_identity(BED, "MON-0", T + 1, T + 1)
    ward._doubt_identity(BED, "new", T + 1, T + 1)
    assert len(ward.devices) == MOST_DEVICES - GIVEN_UP_AT_ONCE + 1
    assert {"MON-0", "new", f"MON-{GIVEN_UP_AT_ONCE + 1}"} <= ward.devices.keys()
    assert ward.devices.keys().isdisjoint({"MON-1", f"MON-{GIVEN_UP_AT_ONCE}"})


CUFF_MS = terms().map_hold_cuff_ms


@pytest.mark.parametrize(
    ("heard_ms", "roster", "told"),
    [(T, (), True), (T - 1, (), False), (T + 1, (), True), (T - 1, (BED,), True)],
)
def test_a_bed_is_told_what_nobody_watched_if_it_was_being_monitored(
    heard_ms: int, roster: tuple[str, ...], told: bool
) -> None:
    """Heard within a cuff's hold before that began, or on the roster."""
    ward = new_ward(*roster, now_ms=T - 10_000)
    offered(ward, heard_ms, heard_ms)
    ward.tick(T + CUFF_MS)
    held = ward.beds[BED].held
    assert held == []
    ward.note_unwatched(T + CUFF_MS, T + CUFF_MS + 9_000, "restarted", T + CUFF_MS + 9_000)
    assert [type(entry[-1]) for entry in held] == [Unwatched] * told


THIRD = "icu-b/bed-1"


def test_a_ward_that_its_roster_overfills_takes_no_further_bed() -> None:
    ward = new_ward(BED, OTHER, beds=1)
    assert ward.offer(mapped(T, THIRD), T, 1) is Reason.BEDS_FULL
    assert ward.offer(PatientContext(T, THIRD, session="S-1"), T, 2) is Reason.BEDS_FULL
    ward.note_artefact(mapped(T, THIRD, valid=False), T)
    assert set(ward.beds) == {BED, OTHER}


@pytest.mark.parametrize(("held", "room"), [(2, True), (3, False), (4, False)])
def test_a_bed_that_holds_enough_takes_no_further_sample_artefact_or_doubt(held: int, room: bool) -> None:
    """What is rare (contexts) is held all the same, and may have filled it beyond that."""

    def filled() -> Ward:
        ward = new_ward(BED)
        ward.limits = replace(LIMITS, held_messages=3)
        for n in range(held):
            ward.offer(PatientContext(T + n, BED, session="S-1"), T, n)
        assert len(ward.beds[BED].held) == held
        return ward

    assert filled().offer(mapped(T), T, 99) is (Taken.ACCEPTED if room else Reason.BED_FLOODED)
    artefacts, doubted = filled(), filled()
    artefacts.note_artefact(mapped(T, valid=False), T)
    doubted.doubt(BED, "MON-1", Doubt.CLOCK, "61 s ahead", T)
    assert len(artefacts.beds[BED].held) == len(doubted.beds[BED].held) == held + room


@pytest.mark.parametrize("ahead_ms", [FUTURE_MS, FUTURE_MS + 1])
def test_what_is_rare_may_be_of_no_farther_future_than_the_rest(ahead_ms: int) -> None:
    ward, too_far = new_ward(BED), ahead_ms > FUTURE_MS
    context = ward.offer(PatientContext(T + ahead_ms, BED, session="S-1"), T, 1)
    assert context is (Reason.FUTURE if too_far else Taken.ACCEPTED)
    ack = ward.offer(Acknowledged(T + ahead_ms, "station-1", "al-none", "rn"), T, 2)
    assert ack is (Reason.FUTURE if too_far else Reason.UNKNOWN_ALERT)


def test_until_when_beds_were_judged_is_kept() -> None:
    young = Ward(rules(), terms(), LIMITS)
    assert young.snapshot()["judged_ms"] is None
    ward = new_ward(BED)
    assert ward.snapshot()["judged_ms"] == T - HOLD_BACK_MS
    slower = Ward(rules(), terms(), replace(LIMITS, hold_back_ms=2 * HOLD_BACK_MS))
    slower.restore(ward.snapshot())
    assert slower.watermark_ms == T - HOLD_BACK_MS
    slower.restore(young.snapshot())
    assert slower.clock_ms is None


def test_every_change_has_the_next_number() -> None:
    ward = new_ward(BED, OTHER)
    told = [*ward.tick(T + 3_600_000), *ward.tick(T + 7_200_000)]
    assert {change.bed for change in told} == {BED, OTHER}
    assert [change.feed_seq for change in told] == list(range(1, len(told) + 1))


def test_an_artefact_of_a_bed_that_is_known_counts_in_a_ward_that_is_full() -> None:
    ward = new_ward(beds=1)
    offered(ward, T + 1, T + 1)
    ward.note_artefact(mapped(T + 2, valid=False), T + 1)
    assert len(ward.beds[BED].held) == 2


def test_a_snapshot_leaves_out_what_no_late_message_can_have_changed() -> None:
    ward = new_ward()
    assert ward.snapshot()["newer_than_ms"] is None
    waited_ms = PATIENCE_MS + LIMITS.future_ms + 2 * LIMITS.hold_back_ms
    assert waited_ms > LATENESS_MS
    assert ward.snapshot(T - 10)["newer_than_ms"] == T - 10 - waited_ms - 1


def test_a_bed_that_is_awaited_already_is_awaited_since_then() -> None:
    """A restart is no new word of a bed that nobody has heard, nor of one that was freed."""
    ward = new_ward(BED, OTHER)
    ward.beds[OTHER].chart.waiting_since_ms, ward.beds[OTHER].chart.freed = None, ("S-1", T)
    again = Ward(rules(), terms(), LIMITS, frozenset({BED, OTHER}))
    again.restore(read_again(ward.snapshot()))
    again.tick(T + 60_000)
    assert {name: bed.chart.waiting_since_ms for name, bed in again.beds.items()} == {BED: T, OTHER: None}


@pytest.mark.parametrize("version", [10, 12])
def test_a_snapshot_of_another_version_is_not_read(version: int) -> None:
    """The number goes up with every change of what is kept, so this test is to be changed with it."""
    kept = new_ward(BED).snapshot()
    assert kept["version"] == 11
    with pytest.raises(ValueError, match=f"snapshot version {version}, this program reads 11"):
        new_ward(BED).restore(kept | {"version": version})


# the clock passes where nothing happens


def test_the_clock_passes_only_until_something_is_due() -> None:
    ward = new_ward()
    offered(ward, T, T)
    due_ms = ward.due_ms
    assert due_ms == T + HOLD_BACK_MS
    assert ward.passes(due_ms - 1)
    assert ward.clock_ms == due_ms - 1
    assert not ward.passes(due_ms)
    assert ward.clock_ms == due_ms - 1


def test_the_clock_does_not_pass_before_its_first_tick_nor_back() -> None:
    assert not Ward(rules(), terms(), LIMITS).passes(T)
    ward = new_ward(now_ms=T)
    assert not ward.passes(T - 1)
    assert ward.clock_ms == T


def test_the_clock_does_not_pass_while_something_waits_to_be_judged_or_told() -> None:
    ward = new_ward()
    ward.tick(T + HOLD_BACK_MS)
    offered(ward, T - 1, T + HOLD_BACK_MS)
    assert not ward.passes(T + HOLD_BACK_MS + 1)
    ward.tick(T + HOLD_BACK_MS)
    assert ward.passes(T + HOLD_BACK_MS + 1)
    telling = new_ward()
    telling._waiting = cast(Any, ["a change"])
    assert not telling.passes(T + 1)
    restored = new_ward()
    restored._awaiting_roster = False
    assert not restored.passes(T + 1)


def test_what_comes_after_the_clock_has_passed_comes_as_late_as_after_a_tick() -> None:
    passed, ticked = new_ward(), new_ward()
    assert passed.passes(T + HOLD_BACK_MS)
    assert ticked.tick(T + HOLD_BACK_MS) == []
    verdicts = [ward.offer(mapped(T), T + HOLD_BACK_MS, 1) for ward in (passed, ticked)]
    assert verdicts == [Taken.LATE, Taken.LATE]
    assert passed.watermark_ms == ticked.watermark_ms
    assert passed._passed_ms == ticked._passed_ms
