"""Each scenario's telemetry does what its docstring says, whatever the seed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise

import pytest
from simulated_telemetry import SEEDS, START_MS, Telemetry, payload_bytes, played

from simulators.bedside import Bedside
from simulators.scenarios import SCENARIOS, weaning_fast
from streamproc.wire import Decoder, Rejected, Topics
from streamproc.wire.rejected import Reason

DRUGS = {"norepinephrine": "norepinephrine", "vasopressin": "vasopressin"}
TOLERANCE = 1e-9


@pytest.fixture(params=SEEDS)
def seed(request: pytest.FixtureRequest) -> str:
    """What a scenario says holds for any patient that it may draw."""
    seed: str = request.param
    return seed


def highest_of_half_hour(telemetry: Telemetry) -> Iterator[tuple[float, float]]:
    """(dose, highest dose of the 30 minutes before) at every status of channel 1."""
    doses = list(telemetry.doses())
    oldest = 0
    for index, (minute, dose) in enumerate(doses):
        while doses[oldest][0] < minute - 30:
            oldest += 1
        yield dose, max(dose for _, dose in doses[oldest : index + 1])


@pytest.fixture(scope="module", params=SCENARIOS)
def telemetry(request: pytest.FixtureRequest) -> Telemetry:
    """Each scenario in turn, played once for all that holds of every scenario."""
    return played(request.param)


def test_the_same_seed_gives_the_same_bytes(telemetry: Telemetry) -> None:
    again = SCENARIOS[telemetry.name].play("icu-a", "bed-1", SEEDS[0], START_MS)
    assert payload_bytes(again) == payload_bytes(telemetry.messages)


def test_the_bytes_do_not_depend_on_pythons_hash_seed() -> None:
    """Another process with another order of sets and dicts of strings sends the same."""
    command = [sys.executable, "-m", "simulators", "ward", "--beds", "14", "--duration", "120"]
    command += ["--start", "2026-11-23T08:00:00Z", "--record", "-"]
    faults = ["--faults", "drop=0.1,duplicate=0.1,reorder_ms=900,late=0.1,skewed=0.5,malformed=0.1"]
    recorded = [
        subprocess.run(
            command + faults, env=os.environ | {"PYTHONHASHSEED": hash_seed}, capture_output=True, check=True
        ).stdout
        for hash_seed in ("1", "4242")
    ]
    assert recorded[0] == recorded[1]
    assert recorded[0].count(b"\n") > 3000


@pytest.mark.parametrize("name", SCENARIOS)
def test_another_seed_or_another_bed_is_another_patient(name: str) -> None:
    """Not only another name on the topic: another course of pressures."""
    who = [("bed-1", SEEDS[0]), ("bed-1", "9/0"), ("bed-2", SEEDS[0])]
    courses = [
        Telemetry(name, list(SCENARIOS[name].play("icu-a", bed, seed, START_MS, 120))).pressures()
        for bed, seed in who
    ]
    assert courses[0] not in courses[1:]


def test_every_message_passes_the_door(telemetry: Telemetry) -> None:
    """Only an absurd pressure is refused, and that as an artefact."""
    decoder = Decoder(Topics(), DRUGS)
    refused = [
        verdict
        for m in telemetry.messages
        if isinstance(verdict := decoder.decode(m.topic, m.payload, m.time_ms), Rejected)
    ]
    assert {verdict.reason for verdict in refused} <= {Reason.OUT_OF_RANGE}
    assert all(verdict.artefact for verdict in refused)
    assert bool(refused) == (telemetry.name == "artefacts")


def test_messages_come_in_order_of_time_and_each_device_counts_by_one(telemetry: Telemetry) -> None:
    """Except where contact to a pump was lost, no number is missing."""
    times = [message.time_ms for message in telemetry.messages]
    assert times == sorted(times)
    for statuses in (telemetry.samples, *telemetry.pumps.values()):
        stamps = [(payload["boot"], payload["seq"]) for _, payload in statuses]
        gaps = [(a, b) for a, b in pairwise(stamps) if a[0] == b[0] and b[1] != a[1] + 1]
        lost = statuses is telemetry.pumps["1"] and telemetry.name == "pump_lost"
        assert len(gaps) == (1 if lost else 0)


def test_a_bed_begins_with_its_retained_context_and_nothing_else_is_retained(telemetry: Telemetry) -> None:
    messages = telemetry.messages
    assert messages[0].topic == "bedside/v1/icu-a/bed-1/patient"
    assert all(message.retain == message.topic.endswith("/patient") for message in messages)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_story_says_what_it_is_made_to_raise(name: str) -> None:
    assert "Made to raise" in " ".join(SCENARIOS[name].story.split())


def test_a_scenario_goes_on_after_its_last_act() -> None:
    stable = SCENARIOS["stable"]
    messages = list(stable.play("icu-a", "bed-1", SEEDS[0], START_MS, stable.minutes * 60 + 120))
    assert messages[-1].time_ms > START_MS + (stable.minutes + 1) * 60_000


def test_a_slower_pump_still_reports_a_change_at_once() -> None:
    """Every 7 s here; the dose changes at second 600."""
    bedside = Bedside("icu-a", "bed-1", SEEDS[0], START_MS, pump_every_s=7)
    messages = bedside.play(weaning_fast(bedside), 605)
    at_s = [int(minute * 60 + 1e-6) for minute, _ in Telemetry("weaning_fast", list(messages)).pumps["1"]]
    assert (at_s[:3], at_s[-3:]) == ([0, 7, 14], [595, 600, 602])


def test_stable_holds(seed: str) -> None:
    stable = played("stable", seed)
    assert all(68 < mmhg < 84 for mmhg in stable.pressures())
    assert {round(dose, 6) for _, dose in stable.doses()} == {0.08}


def test_septic_shock_passes_the_threshold_and_vasopressin_joins_in(seed: str) -> None:
    shock = played("septic_shock", seed)
    assert shock.mean(0, 4) > 70
    assert max(shock.mean(start, start + 5) for start in range(8, 30, 2)) < 65
    assert [round(shock.dose(minute), 6) for minute in (9, 17, 25, 33, 74)] == [0.1, 0.15, 0.2, 0.26, 0.3]
    started = [(at, s) for at, s in shock.pumps["3"] if s["status"] == "infusing"]
    assert 34 <= started[0][0] < 34.1
    assert {(s["drug"], s["rate"]["value"], s["rate"]["unit"]) for _, s in started} == {
        ("vasopressin", 0.03, "U/min")
    }
    assert shock.mean(42, 75) > 70
    assert shock.dose(120) < 0.22


def test_weaning_well_never_falls_below_three_quarters_in_half_an_hour(seed: str) -> None:
    """A quarter of the current dose every half hour is what the source allows."""
    weaning = played("weaning_well", seed)
    ratios = [dose / highest for dose, highest in highest_of_half_hour(weaning)]
    assert min(ratios) >= 0.75 - TOLERANCE
    assert weaning.dose(190) < 0.05
    assert min(weaning.pressures()) > 65


def test_weaning_fast_halves_the_dose_and_pressure_follows(seed: str) -> None:
    weaning = played("weaning_fast", seed)
    assert weaning.dose(17) / weaning.dose(9) == pytest.approx(0.75)
    assert weaning.dose(19) / weaning.dose(9) == pytest.approx(0.5)
    assert weaning.mean(29, 34) < 65
    assert weaning.mean(45, 60) > 70


def test_an_abrupt_stop_is_from_a_dose_that_counts(seed: str) -> None:
    stopped = played("abrupt_stop", seed)
    assert stopped.dose(12) >= 0.05
    assert {status["status"] for at, status in stopped.pumps["1"] if 12.1 < at < 26} == {"stopped"}
    assert stopped.mean(15, 16) < 65
    assert max(stopped.pressures(23, 26)) < 55
    assert stopped.mean(45, 60) > 70


def test_a_lost_line_is_silence_until_the_cuff(seed: str) -> None:
    lost = played("line_lost", seed)
    assert not [minute for minute, _ in lost.samples if 10 <= minute < 17]
    cuffs = [minute for minute, s in lost.samples if s["metric"] == "MDC_PRESS_BLD_NONINV_MEAN"]
    assert [int(minute) for minute in cuffs] == [17, 22, 27, 32, 37, 42]
    assert all(s["metric"] == "MDC_PRESS_BLD_ART_ABP_MEAN" for at, s in lost.samples if not 10 <= at < 45)
    assert len(lost.pumps["1"]) == 3600


def test_a_lost_monitor_comes_back_as_a_new_start_in_kilopascals(seed: str) -> None:
    lost = played("monitor_lost", seed)
    assert not [minute for minute, _ in lost.samples if 10 <= minute < 30]
    assert {sample["unit"] for _, sample in lost.samples} == {"kPa"}
    before, after = lost.samples[599][1], lost.samples[600][1]
    assert after["seq"] == 1
    assert before["boot"] != after["boot"]
    assert lost.mean(30, 60) == pytest.approx(74, abs=1.5)


def test_a_lost_pump_infuses_on_unheard(seed: str) -> None:
    """Six minutes of messages are counted and never arrive; the pressure does not care."""
    lost = played("pump_lost", seed)
    assert not [minute for minute, _ in lost.pumps["1"] if 12 <= minute < 18]
    numbers = [status["seq"] for _, status in lost.pumps["1"]]
    assert max(after - before for before, after in pairwise(numbers)) == 361
    assert lost.mean(12, 20) == pytest.approx(74, abs=1.5)


def test_a_changeover_leaves_either_no_gap_or_one_within_the_grace(seed: str) -> None:
    change = played("bag_changeover", seed)
    running = sorted(at for channel in "12" for at, s in change.pumps[channel] if s["status"] == "infusing")
    gaps = [(before, after - before) for before, after in pairwise(running) if after - before > 2.5 / 60]
    assert [(round(before), round(gap)) for before, gap in gaps] == [(45, 2)]
    stopped = next(at for at, s in change.pumps["1"] if s["status"] == "stopped")
    taken_over = next(at for at, s in change.pumps["2"] if s["status"] == "infusing")
    assert 20 < stopped < taken_over < 20 + 1 / 60
    both = {int(at * 60) for at, s in change.pumps["1"] if s["status"] == "infusing"}
    both &= {int(at * 60) for at, s in change.pumps["2"] if s["status"] == "infusing"}
    assert not both
    assert min(change.pressures()) > 67
    left_ml = {round(at): s["volume_remaining"]["value"] for at, s in change.pumps["1"] if at < 19.5}
    minutes_left = left_ml[16] / change.pumps["1"][0][1]["rate"]["value"] * 60
    assert 8 < minutes_left < 10


def test_a_wrong_concentration_is_ten_times_the_charted_dose_and_no_other_pressure(seed: str) -> None:
    wrong = played("wrong_concentration", seed)
    assert [round(wrong.dose(minute), 6) for minute in (14, 16, 24, 26)] == [0.1, 1.0, 1.0, 0.1]
    assert {status["rate"]["value"] for _, status in wrong.pumps["1"]} == {0.1 * wrong.weight_kg * 3.75}
    assert wrong.mean(15, 25) == pytest.approx(74, abs=1.5)


def test_a_missed_hypotension_is_long_deep_and_unanswered(seed: str) -> None:
    missed = played("hypotension_missed", seed)
    assert max(missed.mean(start, start + 5) for start in range(10, 35)) < 65
    assert max(missed.pressures(23, 26)) < 55
    assert {round(dose, 6) for minute, dose in missed.doses() if minute < 40} == {0.1}
    assert missed.mean(50, 60) > 67


def test_no_weight_means_none_anywhere_until_it_is_charted(seed: str) -> None:
    unknown = played("no_weight", seed)
    assert [("weight" in context, round(minute)) for minute, context in unknown.contexts] == [
        (False, 0),
        (True, 25),
    ]
    assert not [status for _, status in unknown.pumps["1"] if "weight" in status]
    assert {status["rate"]["unit"] for _, status in unknown.pumps["1"]} == {"mL/h"}


def test_artefacts_are_there_and_no_valid_pressure_is_low(seed: str) -> None:
    odd = played("artefacts", seed)
    bad = {int(minute) for minute, s in odd.samples if s["quality"] != "good" or not 10 <= s["value"] <= 250}
    assert bad == {6, 15, 22, 28, 36, 37, 38, 39}
    assert {s["quality"] for _, s in odd.samples} == {"good", "artefact", "calibrating", "questionable"}
    assert min(odd.pressures()) > 65


def test_pump_alarms_interrupt_and_never_stop(seed: str) -> None:
    trouble = played("pump_alarms", seed)
    states = {
        round(minute): (status["status"], tuple(status["alarms"]))
        for minute, status in trouble.pumps["1"]
        if minute % 1 < 0.9
    }
    assert states[10] == ("paused", ("MDC_EVT_FLUID_LINE_OCCL",))
    assert states[20] == ("paused", ("MDC_EVT_FLUID_LINE_AIR",))
    assert states[30] == ("paused", ())
    assert states[40] == ("kvo", ())
    assert {state for state, _ in states.values()} == {"infusing", "paused", "kvo"}
    assert min(trouble.pressures()) > 65
