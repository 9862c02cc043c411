"""A pump shows what it was told and delivers what hangs on it; each fact of the contract is there."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from simulators.pump import AIR_IN_LINE, OCCLUSION, Bag, PumpChannel, ml_per_h
from streamproc.core.events import DrugForm, PumpState
from streamproc.wire.models import Concentration, Rate

SIXTEEN = Concentration(value=16, unit="ug/mL")
BAG = Bag("norepinephrine", SIXTEEN, DrugForm.BASE)


def channel(rate: Rate | None = None, bag: Bag = BAG, volume_ml: float = 100) -> PumpChannel:
    """A pump that infuses at `rate`, or stands by."""
    pump = PumpChannel("1", "PMP-1", "b1", bag, volume_ml, entered=bag.content)
    if rate is not None:
        pump.program(rate)
    return pump


def shown(pump: PumpChannel) -> dict[str, Any]:
    """What the pump sends now."""
    report = pump.report(1_790_000_000_500)
    assert report is not None
    payload: dict[str, Any] = json.loads(report)
    return payload


def test_a_status_says_all_that_the_contract_shows() -> None:
    pump = channel(Rate(value=9.375, unit="mL/h"))
    pump.enter_weight(70)
    assert shown(pump) == {
        "device": "PMP-1",
        "boot": "b1",
        "seq": 1,
        "time": "2026-09-21T14:13:20.500Z",
        "status": "infusing",
        "drug": "norepinephrine",
        "form": "base",
        "rate": {"value": 9.375, "unit": "mL/h"},
        "concentration": {"value": 16, "unit": "ug/mL"},
        "volume_remaining": {"value": 100, "unit": "mL"},
        "diluent": "D5W",
        "route": "central",
        "line": "L1",
        "weight": {"value": 70, "unit": "kg"},
        "alarms": [],
    }


def test_what_is_not_known_is_left_out() -> None:
    pump = channel()
    pump.entered = None
    assert {"concentration", "weight"}.isdisjoint(shown(pump))


@pytest.mark.parametrize(
    ("dose", "weight_kg", "ug_per_ml", "rate"),
    [(0.25, 10, 16, 9.38), (0.25, 72, 16, 67.5), (0.1, 80, 16, 30.0), (0, 80, 16, 0)],
)
def test_a_dose_is_programmed_at_the_pumps_finest_step_and_never_below(
    dose: float, weight_kg: float, ug_per_ml: float, rate: float
) -> None:
    assert ml_per_h(dose, weight_kg, ug_per_ml) == rate


RATES = {
    "mL/h": (Rate(value=30, unit="mL/h"), BAG, 8.0),
    "ug/min": (Rate(value=8, unit="ug/min"), BAG, 8.0),
    "ug/kg/min": (Rate(value=0.1, unit="ug/kg/min"), BAG, 8.0),
    "mg/h": (Rate(value=0.48, unit="mg/h"), BAG, 8.0),
    "U/min": (
        Rate(value=0.03, unit="U/min"),
        Bag("vasopressin", Concentration(value=0.2, unit="U/mL")),
        0.03,
    ),
}


@pytest.mark.parametrize("unit", get_args(Rate.model_fields["unit"].annotation))
def test_every_unit_of_rate_delivers_what_it_says(unit: str) -> None:
    """A rate in any unit of the contract is the same drug a minute."""
    rate, bag, per_min = RATES[unit]
    pump = channel(rate, bag)
    pump.enter_weight(80)
    assert pump.delivered_per_min == pytest.approx(per_min)


def test_a_concentration_in_mg_is_a_thousand_times_one_in_ug() -> None:
    bag = Bag("norepinephrine", Concentration(value=0.016, unit="mg/mL"))
    assert channel(Rate(value=30, unit="mL/h"), bag).delivered_per_min == pytest.approx(8)


def test_a_wrong_concentration_changes_what_is_shown_and_not_what_flows() -> None:
    pump = channel(Rate(value=30, unit="mL/h"))
    pump.enter_concentration(Concentration(value=160, unit="ug/mL"))
    assert shown(pump)["concentration"]["value"] == 160
    assert pump.delivered_per_min == pytest.approx(8)


def test_a_dose_rate_on_a_wrong_concentration_delivers_too_little() -> None:
    """The pump computes its flow from the entry; the bag is weaker by as much."""
    pump = channel(Rate(value=8, unit="ug/min"))
    pump.enter_concentration(Concentration(value=160, unit="ug/mL"))
    assert pump.delivered_per_min == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("act", "state", "rate"),
    [
        (PumpChannel.pause, PumpState.PAUSED, 0),
        (PumpChannel.stop, PumpState.STOPPED, 0),
        (PumpChannel.keep_vein_open, PumpState.KVO, 1),
        (lambda pump: pump.alarm(OCCLUSION), PumpState.PAUSED, 0),
    ],
)
def test_a_pump_that_does_not_infuse_shows_its_actual_rate(act: Any, state: PumpState, rate: float) -> None:
    """Actual, not programmed: a programmed rate that is held is a rate of 0."""
    pump = channel(Rate(value=30, unit="mL/h"))
    act(pump)
    report = shown(pump)
    assert report["status"] == state
    assert report["rate"] == {"value": rate, "unit": "mL/h"}


def test_a_paused_pump_resumes_at_the_programmed_rate() -> None:
    pump = channel(Rate(value=30, unit="mL/h"))
    pump.pause()
    pump.resume()
    assert shown(pump)["rate"] == {"value": 30, "unit": "mL/h"}


def test_alarms_are_shown_until_they_are_cleared() -> None:
    pump = channel(Rate(value=30, unit="mL/h"))
    pump.alarm(OCCLUSION)
    pump.alarm(AIR_IN_LINE)
    assert shown(pump)["alarms"] == [OCCLUSION, AIR_IN_LINE]
    pump.clear_alarms()
    assert shown(pump)["alarms"] == []


def test_a_bag_empties_at_the_flow_and_an_empty_one_stops_the_pump() -> None:
    pump = channel(Rate(value=36, unit="mL/h"), volume_ml=0.1)
    for _ in range(9):
        pump.advance()
    assert shown(pump)["volume_remaining"]["value"] == 0
    assert pump.state is PumpState.INFUSING
    pump.advance()
    pump.advance()
    assert pump.volume_ml == 0
    assert pump.state is PumpState.STOPPED


def test_a_new_bag_brings_its_volume_and_its_true_concentration() -> None:
    pump = channel(Rate(value=30, unit="mL/h"), volume_ml=1)
    pump.hang(Bag("norepinephrine", Concentration(value=64, unit="ug/mL")), volume_ml=250)
    report = shown(pump)
    assert (report["volume_remaining"]["value"], report["concentration"]["value"]) == (250, 64)


def test_lost_contact_leaves_a_gap_in_the_numbers() -> None:
    """What was counted and not heard is what a gap counts."""
    pump = channel(Rate(value=30, unit="mL/h"))
    assert shown(pump)["seq"] == 1
    pump.in_contact = False
    assert pump.report(0) is None
    pump.in_contact = True
    assert shown(pump)["seq"] == 3
