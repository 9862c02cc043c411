"""The simulated circulation keeps to its published curve, delay and order of effects."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from statistics import fmean, stdev

import pytest

from simulators import physiology
from simulators.physiology import Circulation, Patient

PATIENT = Patient(weight_kg=80, saps_ii=40)


def quiet() -> Circulation:
    """A patient whose pressure nothing but the drugs moves."""
    circulation = Circulation(PATIENT, Random(1))
    circulation._unrest.step = lambda: 0.0  # type: ignore[method-assign]
    return circulation


def test_the_effect_at_c50_is_half_of_emax() -> None:
    assert physiology.effect_mmhg(physiology.C50_NMOL_PER_L) == pytest.approx(98.7 / 2)


@pytest.mark.parametrize(("times_c50", "share"), [(0.5, 0.2231), (2, 0.7769), (0, 0), (1e6, 1)])
def test_the_curve_has_the_published_slope(times_c50: float, share: float) -> None:
    """With gamma 1.8, half and twice C50 give 1/(1+2^1.8) of Emax and the rest of it."""
    effect = physiology.effect_mmhg(times_c50 * physiology.C50_NMOL_PER_L)
    assert effect / physiology.EMAX_MMHG == pytest.approx(share, abs=1e-4)


@pytest.mark.parametrize(("saps_ii", "clearance", "half_life_min"), [(20, 3.0, 2.0), (60, 0.9, 6.8)])
def test_clearance_and_half_life_are_the_published_ones(
    saps_ii: float, clearance: float, half_life_min: float
) -> None:
    assert physiology.clearance_l_per_min(saps_ii) == pytest.approx(clearance)
    assert physiology.half_life_s(saps_ii) / 60 == pytest.approx(half_life_min, rel=0.03)


def test_more_drug_is_never_less_pressure() -> None:
    held = [physiology.settled_effect_mmhg(PATIENT, dose, 0) for dose in range(0, 200, 5)]
    assert held == sorted(held)
    assert len(set(held)) == len(held)


def test_vasopressin_at_its_usual_dose_works_like_a_published_dose_of_norepinephrine() -> None:
    """0.03 U/min is worth 0.075 ug/kg/min."""
    alone = physiology.settled_effect_mmhg(PATIENT, 0.075 * PATIENT.weight_kg, 0)
    assert physiology.settled_effect_mmhg(PATIENT, 0, 0.03) == pytest.approx(alone)


def test_a_stopped_infusion_has_lost_half_its_plasma_level_after_one_half_life() -> None:
    circulation = quiet()
    circulation.rest_at(75, norepinephrine_ug_per_min=12)
    without = 75 - physiology.settled_effect_mmhg(PATIENT, 12, 0)
    for _ in range(round(physiology.half_life_s(PATIENT.saps_ii))):
        mmhg = circulation.step(0)
    half = physiology.settled_effect_mmhg(PATIENT, 6, 0)
    assert mmhg == pytest.approx(without + half, abs=0.2)


def test_vasopressin_has_nearly_its_full_effect_after_fifteen_minutes() -> None:
    circulation = quiet()
    circulation.rest_at(60, norepinephrine_ug_per_min=20)
    whole = physiology.settled_effect_mmhg(PATIENT, 20, 0.03) - physiology.settled_effect_mmhg(PATIENT, 20, 0)
    for _ in range(15 * 60):
        mmhg = circulation.step(20, 0.03)
    assert 0.8 * whole < mmhg - 60 < whole


def test_the_illness_arrives_where_it_was_sent() -> None:
    circulation = quiet()
    circulation.rest_at(75, norepinephrine_ug_per_min=10)
    circulation.head_for(58, over_s=300, norepinephrine_ug_per_min=10)
    passed = [circulation.step(10) for _ in range(400)]
    assert passed[149] == pytest.approx(66.5)
    assert passed[299] == pytest.approx(58) == passed[-1]


def test_a_pressure_is_never_negative() -> None:
    circulation = quiet()
    circulation.rest_at(-20, norepinephrine_ug_per_min=0)
    assert circulation.step(0) == 0


def test_unrest_is_small_slow_and_centred() -> None:
    """Beats resemble the beat before (AR(1)), and no hour drifts away."""
    unrest = physiology.Unrest(Random(7))
    beats = [unrest.step() for _ in range(3600)]
    assert abs(fmean(beats)) < 0.3
    assert 0.8 < stdev(beats) < 2.5
    steps = [after - before for before, after in pairwise(beats)]
    assert stdev(steps) < stdev(beats) / 2


def test_the_same_seed_gives_the_same_pressures() -> None:
    first, second = (Circulation(PATIENT, Random("ward/1")) for _ in range(2))
    assert [first.step(8) for _ in range(60)] == [second.step(8) for _ in range(60)]
