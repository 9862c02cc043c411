"""Pump channels to one dose: sums, hand-overs, lost contact, late reports, weights."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pump_reports import infusions, nano, report, tell
from read_again import read_again

from streamproc.core.dose import Dose, DoseUnknown, Flow
from streamproc.core.events import PumpState, PumpStatus
from streamproc.core.infusion import NEARLY, Channel, Delivery, Infusions
from streamproc.core.titration import Titration

laws = settings(max_examples=150, deadline=None, print_blob=True, derandomize=False)
SECOND_MS = 1_000
LOSS_MS = 15_000
DRUG = "norepinephrine"
NEVER_MS = 1 << 62


def present(pumps: Infusions, drug: str = DRUG) -> Dose:
    dose = pumps.dose(drug)
    assert dose is not None
    return dose


def doses(pumps: Infusions, drug: str = DRUG) -> list[tuple[int, int | None]]:
    """Every dose that the record shows, with the instant since which it ran."""
    return [(step.since_ms, step.per_kg_nano) for step in pumps.titration(drug).steps]


def lose(pumps: Infusions, at_ms: int) -> None:
    pumps.lose_contact(at_ms)
    pumps.settle()


# sums and hand-overs


def test_channels_of_one_drug_add_up() -> None:
    """0.15 and 0.1 are 0.25, at the threshold and not near it."""
    pumps = infusions()
    tell(pumps, report(0.15), report(0.1, channel="2"), report(0.3, channel="3", drug="epinephrine"))
    assert present(pumps).per_kg_nano == nano("0.25")


def test_one_unknown_channel_makes_the_dose_unknown() -> None:
    pumps = infusions()
    tell(pumps, report(0.15), report(5.0, "mL/h", channel="2"))
    assert (present(pumps).per_kg_nano, present(pumps).unknown) == (None, DoseUnknown.NO_CONCENTRATION)


@pytest.mark.parametrize("first", ["1", "2"])
def test_a_hand_over_within_one_instant_never_reads_0(first: str) -> None:
    """One bag stops as the other starts: the record shows no gap, whichever report is entered first."""
    pumps = infusions()
    second = "2" if first == "1" else "1"
    tell(pumps, report(0.1, channel=first), report(state=PumpState.STOPPED, channel=second))
    handed_over = [
        report(state=PumpState.STOPPED, channel=first, at_ms=5_000),
        report(0.1, channel=second, at_ms=5_000),
    ]
    tell(pumps, *sorted(handed_over, key=lambda each: each.channel))
    assert doses(pumps) == [(0, nano("0.1"))]


def test_while_a_bag_is_changed_the_dose_is_what_actually_runs() -> None:
    pumps = infusions()
    tell(
        pumps,
        report(0.1),
        report(state=PumpState.STOPPED, at_ms=5_000),
        report(0.1, channel="2", at_ms=9_000),
    )
    assert doses(pumps) == [(0, nano("0.1")), (5_000, 0), (9_000, nano("0.1"))]


def test_a_channel_that_changes_its_drug_stops_the_first() -> None:
    pumps = infusions()
    tell(pumps, report(0.1), report(0.2, drug="epinephrine", at_ms=5_000))
    assert doses(pumps) == [(0, nano("0.1")), (5_000, 0)]
    assert doses(pumps, "epinephrine") == [(5_000, nano("0.2"))]


def test_a_repeated_report_changes_nothing() -> None:
    pumps = infusions()
    tell(pumps, *(report(0.1, at_ms=second * SECOND_MS) for second in range(100)))
    assert doses(pumps) == [(0, nano("0.1"))]
    assert not pumps.settle()


# lost contact


def next_loss_ms(pumps: Infusions) -> int:
    """When contact will be lost, by a look at a time when none is."""
    assert not pumps.lose_contact(0)
    return pumps.loss_asked_ms


@pytest.mark.parametrize("state", [PumpState.INFUSING, PumpState.PAUSED, PumpState.KVO])
def test_a_channel_that_may_run_is_unknown_once_it_is_lost(state: PumpState) -> None:
    """From the instant of the loss, not from when somebody looks, and never 0."""
    pumps = infusions()
    tell(pumps, report(0.1, state=state))
    assert next_loss_ms(pumps) == LOSS_MS
    lose(pumps, LOSS_MS + 40_000)
    assert doses(pumps)[-1] == (LOSS_MS, None)


@pytest.mark.parametrize("state", [PumpState.STOPPED, PumpState.STANDBY])
def test_a_channel_that_said_it_stopped_is_taken_at_its_word(state: PumpState) -> None:
    pumps = infusions()
    tell(pumps, report(0.1, state=state))
    assert next_loss_ms(pumps) == NEVER_MS
    lose(pumps, 10 * LOSS_MS)
    assert doses(pumps) == [(0, 0)]


def test_nothing_is_lost_a_ms_too_early() -> None:
    pumps = infusions()
    tell(pumps, report(0.1))
    lose(pumps, LOSS_MS - 1)
    assert present(pumps).per_kg_nano == nano("0.1")


def test_a_slow_pump_is_given_three_of_its_intervals() -> None:
    pumps = infusions()
    tell(pumps, *(report(0.1, at_ms=number * 60_000) for number in range(4)))
    assert next_loss_ms(pumps) == 3 * 60_000 + 3 * 60_000


def test_the_next_report_makes_a_lost_dose_known_again() -> None:
    pumps = infusions()
    tell(pumps, report(0.1))
    lose(pumps, LOSS_MS)
    tell(pumps, report(0.1, at_ms=60_000))
    assert doses(pumps) == [(0, nano("0.1")), (LOSS_MS, None), (60_000, nano("0.1"))]
    assert pumps.reasons_unknown(DRUG) == []


def test_a_late_report_from_before_the_loss_takes_the_loss_back() -> None:
    """It was heard after all: what it says holds until its own silence is a loss."""
    pumps = infusions()
    tell(pumps, report(0.1))
    lose(pumps, 18_000)
    tell(pumps, report(0.1, at_ms=10_000))
    assert doses(pumps) == [(0, nano("0.1"))]
    lost_ms = 10_000 + 3 * 10_000  # its usual interval is 10 s by now
    lose(pumps, lost_ms)
    assert doses(pumps) == [(0, nano("0.1")), (lost_ms, None)]


def test_another_dose_from_before_the_loss_takes_its_place_in_the_record() -> None:
    pumps = infusions()
    tell(pumps, report(0.1))
    lose(pumps, LOSS_MS)
    tell(pumps, report(0.2, at_ms=12_000))
    assert doses(pumps) == [(0, nano("0.1")), (12_000, nano("0.2"))]


def test_a_dose_does_not_stay_unknown_once_its_pump_is_heard_again() -> None:
    """A gateway that was away delivers all at once: late reports first, then those that are in time."""
    pumps = infusions()
    tell(pumps, report(0.1))
    for now_ms in range(LOSS_MS, 20_000, SECOND_MS):
        lose(pumps, now_ms)
    for number in range(1, 30):
        tell(pumps, report(0.1, at_ms=number * SECOND_MS))
        lose(pumps, max(20_000, number * SECOND_MS))
    assert present(pumps).per_kg_nano == nano("0.1")
    assert not any(channel.lost for channel in pumps.channels.values())


@laws
@given(
    st.lists(st.tuples(st.integers(1, 40), st.sampled_from([0.1, 0.2])), min_size=2, max_size=20), st.data()
)
def test_a_dose_is_unknown_only_while_a_channel_is_lost(
    gaps: list[tuple[int, float]], data: st.DataObject
) -> None:
    """Whatever came late and whatever was lost in between: heard means known."""
    pumps = infusions()
    sent_s = [sum(gap for gap, _ in gaps[: i + 1]) for i in range(len(gaps))]
    late_s = [data.draw(st.sampled_from([0, 0, 0, 10, 30])) for _ in gaps]
    arrivals = sorted(zip(sent_s, late_s, gaps, strict=True), key=lambda each: each[0] + each[1])
    for second, late, (_, rate) in arrivals:
        now_ms = (second + late) * SECOND_MS
        lose(pumps, now_ms)
        pumps.take(report(rate, at_ms=second * SECOND_MS))
        lose(pumps, now_ms)
        lost = pumps.channels["1"].lost
        assert (present(pumps).per_kg_nano is None) == lost, now_ms
        assert (present(pumps).unknown is DoseUnknown.CONTACT_LOST) == lost


# late reports


def test_a_late_report_fills_only_what_no_report_covers() -> None:
    """Between two reports of one dose there is no room for another; between two doses there is."""
    pumps = infusions()
    tell(pumps, report(0.1), report(0.1, at_ms=10_000), report(0.2, at_ms=14_000))
    tell(pumps, report(0.5, at_ms=5_000))
    assert doses(pumps) == [(0, nano("0.1")), (14_000, nano("0.2"))]
    tell(pumps, report(0.5, at_ms=12_000))
    assert doses(pumps) == [(0, nano("0.1")), (12_000, nano("0.5")), (14_000, nano("0.2"))]


def test_a_late_report_of_the_instant_that_another_confirmed_is_covered() -> None:
    pumps = infusions()
    tell(pumps, report(0.1), report(0.1, at_ms=10_000), report(0.2, at_ms=14_000))
    tell(pumps, report(0.5, at_ms=10_000))
    assert doses(pumps) == [(0, nano("0.1")), (14_000, nano("0.2"))]
    tell(pumps, report(0.5, at_ms=10_001))
    assert doses(pumps) == [(0, nano("0.1")), (10_001, nano("0.5")), (14_000, nano("0.2"))]


def test_the_same_dose_said_otherwise_covers_the_time_between() -> None:
    pumps = infusions()
    said_otherwise = report(0.2, at_ms=20_000, concentration=(16.0, "ug/mL"))
    tell(pumps, report(0.1), report(0.2, at_ms=10_000), said_otherwise, report(0.5, at_ms=15_000))
    assert doses(pumps) == [(0, nano("0.1")), (10_000, nano("0.2"))]


def test_what_was_silent_until_its_loss_leaves_room_for_a_late_report() -> None:
    """A pump that is heard at the very instant of its loss has not confirmed the silence before."""
    pumps = infusions()
    tell(pumps, report(0.1))
    lose(pumps, LOSS_MS)
    tell(pumps, report(0.1, at_ms=LOSS_MS), report(0.5, at_ms=5_000))
    assert doses(pumps) == [(0, nano("0.1")), (5_000, nano("0.5")), (LOSS_MS, nano("0.1"))]


def test_a_late_report_from_before_all_others_begins_the_history() -> None:
    pumps = infusions()
    tell(pumps, report(0.2, at_ms=10_000))
    tell(pumps, report(0.1, at_ms=4_000))
    assert doses(pumps) == [(4_000, nano("0.1")), (10_000, nano("0.2"))]


def test_a_late_report_of_one_channel_is_added_to_what_the_others_ran() -> None:
    pumps = infusions()
    tell(pumps, report(0.1, channel="2"), report(0.2, at_ms=10_000), report(0.05, channel="2", at_ms=12_000))
    tell(pumps, report(0.1, at_ms=4_000))
    assert doses(pumps) == [
        (0, nano("0.1")),
        (4_000, nano("0.2")),
        (10_000, nano("0.3")),
        (12_000, nano("0.25")),
    ]


def test_a_late_report_never_becomes_the_present_dose() -> None:
    """A second late report falls between a change of the record and what the pump says now."""
    pumps = infusions()
    tell(pumps, report(0.1), report(0.2, at_ms=1_000), report(0.1, at_ms=4_000))
    tell(pumps, report(0.1, at_ms=2_000), report(0.2, at_ms=3_000))
    assert present(pumps).per_kg_nano == nano("0.1")


def test_a_loss_found_together_with_a_late_report_is_in_the_record() -> None:
    """A first report so late that its own silence is a loss already: known for its time, unknown since."""
    pumps = infusions()
    pumps.take(report(0.1, at_ms=1_000))
    lose(pumps, 40_000)
    assert doses(pumps) == [(1_000, nano("0.1")), (1_000 + LOSS_MS, None)]


Reported = list[tuple[int, float]]
reports = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from([0.1, 0.2, 0.3])),
    min_size=1,
    max_size=12,
    unique_by=lambda each: each[0],
)


def naive_history(on_time: Reported, late: Reported) -> list[tuple[int, int | None]]:
    """The doses of one channel: a late report counts only from a time that no other report covers."""
    stretches: list[list[float]] = []
    for second, rate in on_time:
        if stretches and stretches[-1][2] == rate:
            stretches[-1][1] = second
        else:
            stretches.append([second, second, rate])
    for second, rate in late:
        before = [each for each in stretches if each[0] <= second]
        after = [each for each in stretches if each[0] > second]
        covered = bool(before) and before[-1][1] >= second
        if after and not covered:
            stretches = [*before, [second, second, rate], *after]
    history: list[tuple[int, int | None]] = []
    for since, _, rate in stretches:
        if not history or history[-1][1] != nano(str(rate)):
            history.append((int(since) * SECOND_MS, nano(str(rate))))
    return history


@laws
@given(reports, st.data())
def test_late_reports_against_the_naive_history(all_reports: Reported, data: st.DataObject) -> None:
    """Whichever reports come late, in whatever order: the newest was in time, the rest fill the gaps."""
    newest = max(all_reports)
    late = [each for each in all_reports if each != newest and data.draw(st.booleans())]
    on_time = sorted(each for each in all_reports if each not in late)
    late = data.draw(st.permutations(late))
    pumps = infusions(pump_lost_ms=NEVER_MS)
    for second, rate in [*on_time, *late]:
        tell(pumps, report(rate, at_ms=second * SECOND_MS))
    assert doses(pumps) == naive_history(on_time, late)


# weights


def test_a_new_weight_counts_from_when_it_is_known() -> None:
    """The past is not computed again."""
    pumps = infusions()
    pumps.weigh(70.0, 0)
    tell(pumps, report(7.0, "ug/min"))
    pumps.weigh(100.0, 5_000)
    pumps.settle()
    assert doses(pumps) == [(0, nano("0.1")), (5_000, nano("0.07"))]


def test_a_weight_that_becomes_known_makes_the_dose_known() -> None:
    pumps = infusions()
    tell(pumps, report(7.0, "ug/min"))
    assert pumps.reasons_unknown(DRUG) == [DoseUnknown.NO_WEIGHT]
    pumps.weigh(70.0, 5_000)
    pumps.settle()
    assert doses(pumps) == [(0, None), (5_000, nano("0.1"))]
    assert pumps.reasons_unknown(DRUG) == []


def test_a_weight_does_not_bring_back_a_lost_channel() -> None:
    pumps = infusions()
    tell(pumps, report(7.0, "ug/min"))
    lose(pumps, LOSS_MS)
    pumps.weigh(70.0, 20_000)
    pumps.settle()
    assert present(pumps).per_kg_nano is None


# keeping it


def statuses(number: int, chance: st.DataObject) -> PumpStatus:
    """Any report of one of two channels."""
    state = chance.draw(st.sampled_from(list(PumpState)))
    rate = chance.draw(st.sampled_from([None, 0.1, 0.25]))
    channel = chance.draw(st.sampled_from(["1", "2"]))
    return report(rate, state=state, channel=channel, at_ms=number * 7_000, weight_kg=70.0, alarms=("a", "b"))


@laws
@given(st.data(), st.integers(0, 10))
def test_infusions_restored_from_json_go_on_the_same(chance: st.DataObject, cut: int) -> None:
    pumps, other = infusions(), infusions()
    for number in range(12):
        if number == cut:
            other.restore(read_again(pumps.snapshot()))
        status = statuses(number, chance)
        for each in (pumps, other) if number >= cut else (pumps,):
            each.lose_contact(status.time_ms)
            tell(each, status)
    assert other.snapshot() == pumps.snapshot()
    assert other.channels == pumps.channels


def test_an_alarm_that_a_report_carries_is_no_change_of_dose() -> None:
    pumps = infusions()
    status = report(0.1)
    tell(pumps, status, replace(status, time_ms=5_000, alarms=("MDC_EVT_FLUID_LINE_OCCL",)))
    assert doses(pumps) == [(0, nano("0.1"))]
    assert pumps.channels["1"].status.alarms == ("MDC_EVT_FLUID_LINE_OCCL",)


@pytest.mark.parametrize("known", [False, True])
def test_a_late_report_of_the_drug_before_this_one_does_not_flow_on(known: bool) -> None:
    """Channel 1 gives epinephrine by now; that it gave norepinephrine first is heard of too late."""
    pumps = infusions()
    if known:
        tell(pumps, report(0.1, at_ms=0))
    tell(pumps, report(0.3, at_ms=10_000, drug="epinephrine"))
    tell(pumps, report(0.3, at_ms=20_000, drug="epinephrine"), report(0.2, at_ms=5_000))
    assert present(pumps).per_kg_nano == 0
    late = [(0, nano("0.1"))] if known else []
    assert doses(pumps) == [*late, (5_000, nano("0.2")), (10_000, 0)]
    assert present(pumps, "epinephrine").per_kg_nano == nano("0.3")


def test_a_late_report_of_a_drug_in_the_midst_of_another_ends_with_the_next_word() -> None:
    pumps = infusions()
    tell(pumps, *[report(0.3, at_ms=at_ms, drug="epinephrine") for at_ms in (0, 10_000, 20_000)])
    tell(pumps, report(0.2, at_ms=15_000))
    assert doses(pumps) == [(15_000, nano("0.2")), (20_000, 0)]


def test_of_two_reports_of_one_instant_the_later_one_stands() -> None:
    pumps = infusions()
    tell(pumps, report(0.1), report(0.2))
    assert pumps.channels["1"].status.rate == report(0.2).rate
    assert doses(pumps) == [(0, nano("0.2"))]


def test_each_silent_channel_is_lost_whatever_the_others_do() -> None:
    """A stopped one and one that still speaks come first."""
    pumps = infusions()
    tell(
        pumps,
        report(state=PumpState.STOPPED, channel="1"),
        report(0.1, channel="2"),
        report(0.1, channel="3"),
        report(0.1, at_ms=10_000, channel="2"),
    )
    assert pumps.lose_contact(LOSS_MS)
    assert [channel.lost for channel in pumps.channels.values()] == [False, False, True]
    assert pumps.loss_asked_ms == 10_000 + 3 * 10_000


def test_contact_is_asked_for_when_the_first_that_may_be_lost_would_be() -> None:
    pumps = infusions()
    pumps.lose_contact(0)
    assert pumps.loss_asked_ms == NEVER_MS
    tell(pumps, report(0.1, at_ms=5_000), report(0.1, at_ms=7_000, channel="2"))
    assert pumps.loss_asked_ms == 5_000 + LOSS_MS
    tell(pumps, report(0.1, at_ms=1_000, channel="3"))
    assert pumps.loss_asked_ms == 1_000 + LOSS_MS


def test_why_a_dose_is_unknown_is_told_of_each_channel_that_infuses() -> None:
    pumps = infusions()
    tell(pumps, report(0.1), report(5.0, "mL/h", channel="2"), report(5.0, "ug/min", channel="3"))
    assert pumps.reasons_unknown(DRUG) == [DoseUnknown.NO_CONCENTRATION, DoseUnknown.NO_WEIGHT]


def test_a_late_report_of_the_instant_in_which_another_drug_began_gives_way_to_it() -> None:
    pumps = infusions()
    tell(pumps, *[report(0.3, at_ms=at_ms, drug="epinephrine") for at_ms in (10_000, 20_000)])
    tell(pumps, report(0.2, at_ms=10_000))
    assert doses(pumps) == [(10_000, 0)]


# one channel's stretches

RETENTION_MS = 1_000


def delivery(*flows: tuple[int, int]) -> Delivery:
    """A channel that delivered these amounts, each from its instant on."""
    one = Delivery(Titration(RETENTION_MS, 30, Fraction(1, 200)))
    for at_ms, amount in flows:
        one.deliver("1", at_ms, Flow(Fraction(amount), Fraction(amount)))
    return one


def stretches(one: Delivery) -> list[tuple[int, int, int | None]]:
    return [
        (s.since_ms, s.confirmed_ms, s.flow.per_kg_min and int(s.flow.per_kg_min)) for s in one.channels["1"]
    ]


@pytest.mark.parametrize(("heard_ms", "confirmed_ms"), [(4, 12), (10, 12), (12, 12), (13, 13)])
def test_a_channel_is_confirmed_until_it_was_last_heard(heard_ms: int, confirmed_ms: int) -> None:
    one = delivery((0, 1), (3, 1), (12, 2))
    one.confirm("1", heard_ms)
    assert stretches(one) == [(0, 3, 1), (12, confirmed_ms, 2)]
    one.confirm("unheard", heard_ms)
    assert list(one.channels) == ["1"]


def test_of_two_flows_of_one_instant_the_later_one_is_kept() -> None:
    assert stretches(delivery((0, 1), (10, 2), (10, 3))) == [(0, 0, 1), (10, 10, 3)]


def test_of_too_many_stretches_the_oldest_are_forgotten_once_they_are_old() -> None:
    old = [(RETENTION_MS * n, n) for n in range(1, 66)]
    assert len(delivery(*old[:64]).channels["1"]) == 64
    assert [since_ms for since_ms, _, _ in stretches(delivery(*old))] == [at_ms for at_ms, _ in old[32:]]
    assert len(delivery(*[(n, n) for n in range(1, 90)]).channels["1"]) == 89


@pytest.mark.parametrize(("middle_ms", "kept"), [(1_000, 33), (1_001, 65)])
def test_a_stretch_is_old_once_the_retention_is_over(middle_ms: int, kept: int) -> None:
    """The last of those that would go ends where the next one begins."""
    times_ms = [*range(32), middle_ms, *range(1_002, 1_033), 1_000 + RETENTION_MS]
    assert len(delivery(*[(at_ms, n) for n, at_ms in enumerate(times_ms)]).channels["1"]) == kept


def test_two_losses_that_never_were_leave_no_trace() -> None:
    pumps = infusions()
    tell(pumps, report(0.1), report(0.2, channel="2"), report(0.2, at_ms=5_000, channel="2"))
    lose(pumps, LOSS_MS)
    lose(pumps, 5_000 + LOSS_MS)
    assert [dose for _, dose in doses(pumps)] == [nano("0.3"), None]
    tell(pumps, report(0.1, at_ms=12_000), report(0.2, at_ms=12_000, channel="2"))
    assert doses(pumps) == [(0, nano("0.3"))]


def test_a_change_of_the_present_writes_no_history_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    pumps = infusions()
    tell(pumps, report(0.1))
    monkeypatch.delattr(Titration, "replace_from")
    tell(pumps, report(0.2, at_ms=5_000), report(0.3, at_ms=10_000))
    assert [dose for _, dose in doses(pumps)] == [nano("0.1"), nano("0.2"), nano("0.3")]


ASKED_ML = 10.0
JUST_ABOVE_ML, JUST_BELOW_ML = ASKED_ML * (1 + NEARLY), ASKED_ML * (1 - NEARLY)


@pytest.mark.parametrize(
    ("then_ml", "now_ml", "asked_ml", "unnoticed"),
    [
        (20.0, 11.0, ASKED_ML, True),
        (11.0, 20.0, ASKED_ML, True),
        (20.0, 10.0, ASKED_ML, False),
        (20.0, JUST_ABOVE_ML, ASKED_ML, False),
        (20.0, 9.0, ASKED_ML, False),
        (9.0, 20.0, ASKED_ML, False),
        (9.0, 8.0, ASKED_ML, True),
        (8.0, 9.0, ASKED_ML, True),
        (JUST_BELOW_ML, 8.0, ASKED_ML, False),
        (None, 8.0, ASKED_ML, False),
        (9.0, None, ASKED_ML, False),
        (9.0, 8.0, None, False),
    ],
)
def test_a_bag_empties_unnoticed_on_one_side_of_where_its_answer_turns(
    then_ml: float | None, now_ml: float | None, asked_ml: float | None, unnoticed: bool
) -> None:
    channel = Channel(report(5.0, "mL/h", volume_remaining_ml=now_ml), bag_asked_ml=asked_ml)
    assert channel.empties_unnoticed(report(5.0, "mL/h", volume_remaining_ml=then_ml)) is unnoticed
