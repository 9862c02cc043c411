"""One pump report to a dose: every unit of the contract, exact at thresholds, unknown for every reason."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pump_reports import flow, infusions, nano, nano_per_kg, report, tell, terms

from streamproc.core.dose import (
    NANO,
    PAUSED_UNHEARD,
    SENTENCES,
    DoseUnknown,
    Flow,
    dose_of,
    exact,
    flow_of,
    ml_per_min,
    total,
    weights_conflict,
)
from streamproc.core.events import DrugForm, PumpState, PumpStatus

laws = settings(max_examples=200, deadline=None, print_blob=True, derandomize=False)
SALT = {"form": DrugForm.BITARTRATE}

SAME_DOSE = {
    "mL/h at ug/mL": report(9.375, "mL/h", concentration=(16.0, "ug/mL")),
    "mL/h at mg/mL": report(9.375, "mL/h", concentration=(0.016, "mg/mL")),
    "ug/min": report(2.5, "ug/min"),
    "ug/kg/min": report(0.25, "ug/kg/min"),
    "mg/h": report(0.15, "mg/h"),
    "mL/h of salt": report(9.375, "mL/h", concentration=(32.0, "ug/mL"), **SALT),
    "ug/min of salt": report(5.0, "ug/min", **SALT),
    "ug/kg/min of salt": report(0.5, "ug/kg/min", **SALT),
    "mg/h of salt": report(0.3, "mg/h", **SALT),
}
"""The threshold dose for a patient of 10 kg, in every way that a pump may say it."""


@pytest.mark.parametrize("said", SAME_DOSE)
def test_every_unit_says_the_same_dose(said: str) -> None:
    """2.5 mcg/min at 10 kg is exactly 0.25 mcg/kg/min, whatever the unit it came in."""
    assert flow(SAME_DOSE[said], 10.0) == Flow(Fraction(5, 2), Fraction(1, 4))


def in_every_unit(dose: Decimal, weight_kg: Decimal) -> list[PumpStatus]:
    """The same dose as pumps of different makes would report it, in exact decimals."""
    ug_per_min = dose * weight_kg
    return [
        report(float(dose), "ug/kg/min"),
        report(float(ug_per_min), "ug/min"),
        report(float(ug_per_min * 60 / 1000), "mg/h"),
        report(float(ug_per_min * 60 / 16), "mL/h", concentration=(16.0, "ug/mL")),
        report(float(ug_per_min * 60 / 64), "mL/h", concentration=(0.064, "mg/mL")),
        report(float(ug_per_min * 60 / 1000 * 2), "mg/h", **SALT),
        report(float(ug_per_min * 60 / 16), "mL/h", concentration=(32.0, "ug/mL"), **SALT),
    ]


@laws
@given(st.integers(1, 30_000), st.integers(5, 7_000))
def test_no_unit_moves_a_dose(dose_1e4: int, weight_1e1: int) -> None:
    """Any dose of four decimals, at any weight of one, is the same to 1e-9 in all units."""
    dose, weight_kg = Decimal(dose_1e4) / 10_000, Decimal(weight_1e1) / 10
    expected = int(dose * NANO)
    for status in in_every_unit(dose, weight_kg):
        assert nano_per_kg(status, float(weight_kg)) == expected, status


@pytest.mark.parametrize(("dose", "side"), [("0.2499", -1), ("0.25", 0), ("0.2501", 1)])
def test_a_dose_is_on_its_side_of_the_threshold(dose: str, side: int) -> None:
    """0.2499 is below 0.25, 0.25 is at it and 0.2501 above, in every unit and at awkward weights."""
    threshold = nano("0.25")
    for weight_kg in ("70", "71", "83.3", "10", "3.7"):
        for status in in_every_unit(Decimal(dose), Decimal(weight_kg)):
            value = nano_per_kg(status, float(weight_kg))
            assert value is not None
            assert (value > threshold) - (value < threshold) == side


@pytest.mark.parametrize(
    ("rate_ml_h", "ug_per_ml", "weight_kg"),
    [
        (9.375, 16.0, 10.0),
        (0.25 * 71 * 60 / 70, 70.0, 71.0),
        (0.25 * 70 * 60 / 9, 9.0, 70.0),
        (0.25 * 83.3 * 60 / 7, 7.0, 83.3),
        (0.25 * 3.3 * 60 / 1.7, 1.7, 3.3),
    ],
)
def test_a_rate_that_floats_cannot_divide_is_still_at_the_threshold(
    rate_ml_h: float, ug_per_ml: float, weight_kg: float
) -> None:
    """A pump computes its rate in floats too; the last digit of those decides nothing."""
    status = report(rate_ml_h, "mL/h", concentration=(ug_per_ml, "ug/mL"))
    assert nano_per_kg(status, weight_kg) == nano("0.25")


@laws
@given(st.integers(1, 200_000), st.integers(1, 10_000), st.integers(5, 7_000))
def test_a_dose_is_the_exact_quotient_rounded_once(rate_1e3: int, conc_1e1: int, weight_1e1: int) -> None:
    """Charted decimals in, one rounding out: no float arithmetic in between."""
    status = report(rate_1e3 / 1000, "mL/h", concentration=(conc_1e1 / 10, "ug/mL"))
    truth = Fraction(rate_1e3, 1000) * Fraction(conc_1e1, 10) / 60 / Fraction(weight_1e1, 10)
    assert nano_per_kg(status, weight_1e1 / 10) == round(truth * NANO)


def test_a_figure_is_the_decimal_that_was_charted() -> None:
    """0.1 is a tenth, not the binary fraction nearest to it."""
    assert exact(0.1) == Fraction(1, 10)
    assert exact(1e-7) == Fraction(1, 10**7)


# unknown, never guessed


UNKNOWN = {
    DoseUnknown.NO_RATE: (report(None), 70.0),
    DoseUnknown.NO_CONCENTRATION: (report(5.0, "mL/h"), 70.0),
    DoseUnknown.NO_WEIGHT: (report(5.0, "ug/min"), None),
    DoseUnknown.UNIT_UNRESOLVABLE: (report(5.0, "mL/h", concentration=(16.0, "U/mL")), 70.0),
    DoseUnknown.CONCENTRATION_IMPLAUSIBLE: (report(5.0, "mL/h", concentration=(16.0, "mg/mL")), 70.0),
    DoseUnknown.WEIGHT_CONFLICT: (report(5.0, "ug/min", weight_kg=80.0), 70.0),
}


@pytest.mark.parametrize("why", UNKNOWN)
def test_what_is_missing_makes_the_dose_unknown_and_says_so(why: DoseUnknown) -> None:
    """A dose that cannot be told is None with its reason, never a guess and never 0."""
    status, weight_kg = UNKNOWN[why]
    told = flow(status, weight_kg)
    assert (told.per_kg_min, told.unknown) == (None, why)
    assert dose_of(0, told).per_kg_nano is None


def test_a_mass_that_nobody_declared_as_base_or_salt_is_unknown() -> None:
    shared = terms()
    undeclared = replace(shared.drugs["norepinephrine"], charted_as=None)
    assert flow_of(report(0.1), 70.0, undeclared, shared).unknown is DoseUnknown.NO_FORM
    assert flow_of(report(0.1, form=DrugForm.BASE), 70.0, undeclared, shared).unknown is None


def test_lost_contact_is_unknown_and_not_0() -> None:
    ward = infusions()
    tell(ward, report(0.1))
    assert not ward.lose_contact(0)
    lost_ms = ward.loss_asked_ms
    assert ward.lose_contact(lost_ms)
    ward.settle()
    dose = ward.dose("norepinephrine")
    assert dose is not None
    assert (dose.since_ms, dose.per_kg_nano, dose.per_min_nano) == (lost_ms, None, None)
    assert dose.unknown is DoseUnknown.CONTACT_LOST


def test_every_reason_is_reached_and_has_its_sentence() -> None:
    elsewhere = {DoseUnknown.NO_FORM, DoseUnknown.CONTACT_LOST}
    assert set(UNKNOWN) | elsewhere == set(DoseUnknown)
    assert set(SENTENCES) == set(DoseUnknown)


@pytest.mark.parametrize(
    ("drug", "rate", "unit", "concentration"),
    [
        ("norepinephrine", 1.0, "U/min", None),
        ("vasopressin", 1.0, "ug/min", None),
        ("vasopressin", 1.0, "ug/kg/min", None),
        ("vasopressin", 1.0, "mg/h", None),
        ("vasopressin", 1.0, "mL/h", (1.0, "ug/mL")),
        ("vasopressin", 1.0, "mL/h", (1.0, "mg/mL")),
    ],
)
def test_a_unit_that_does_not_fit_the_drug_is_unresolvable(
    drug: str, rate: float, unit: str, concentration: tuple[float, str] | None
) -> None:
    status = report(rate, unit, drug=drug, concentration=concentration)
    assert flow(status, 70.0).unknown is DoseUnknown.UNIT_UNRESOLVABLE


def test_vasopressin_is_told_in_units() -> None:
    assert flow(report(1.8, "mL/h", drug="vasopressin", concentration=(1.0, "U/mL"))).per_min == Fraction(
        3, 100
    )
    assert flow(report(0.03, "U/min", drug="vasopressin")).per_min == Fraction(3, 100)


def test_only_the_titrated_drug_is_converted_from_salt() -> None:
    assert flow(report(0.1, drug="epinephrine", **SALT)).per_kg_min == Fraction(1, 10)


@pytest.mark.parametrize("state", [state for state in PumpState if state is not PumpState.INFUSING])
def test_a_channel_that_does_not_infuse_delivers_0(state: PumpState) -> None:
    """Paused, stopped, standing by, keeping the vein open: 0 of therapy, known, whatever else is missing."""
    assert flow(report(None, state=state)) == Flow(Fraction(0), Fraction(0))
    assert flow(report(5.0, "mL/h", state=state)) == Flow(Fraction(0), Fraction(0))


# weights


def test_a_dose_per_min_needs_no_weight() -> None:
    told = flow(report(2.5, "ug/min"))
    assert (told.per_min, told.per_kg_min) == (Fraction(5, 2), None)


def test_a_dose_per_kg_needs_no_weight_either() -> None:
    told = flow(report(0.25))
    assert (told.per_min, told.per_kg_min, told.unknown) == (None, Fraction(1, 4), None)


def test_the_patient_context_speaks_before_the_pump() -> None:
    assert flow(report(7.0, "ug/min", weight_kg=68.0), 70.0).per_kg_min == Fraction(1, 10)
    assert flow(report(6.8, "ug/min", weight_kg=68.0)).per_kg_min == Fraction(1, 10)


def test_a_conflict_of_weights_leaves_the_dose_per_min_known() -> None:
    told = flow(report(7.0, "ug/min", weight_kg=80.0), 70.0)
    assert (told.per_min, told.per_kg_min) == (7, None)


def test_a_rate_per_kg_with_two_weights_is_unknown() -> None:
    """The pump divided by its own weight; if that is wrong, so is everything that it delivers."""
    told = flow(report(0.1, weight_kg=80.0), 70.0)
    assert told == Flow(None, None, DoseUnknown.WEIGHT_CONFLICT)


@pytest.mark.parametrize(
    ("pump_kg", "conflict"), [(95.0, False), (94.99, True), (105.0, False), (105.01, True)]
)
def test_five_percent_of_the_patient_weight_is_no_conflict(pump_kg: float, conflict: bool) -> None:
    assert weights_conflict(pump_kg, 100.0, terms()) is conflict


# several flows of one drug


@laws
@given(st.lists(st.integers(0, 5_000), min_size=1, max_size=6))
def test_flows_add_up_exactly(doses_1e4: list[int]) -> None:
    """Ten times 0.0250 is 0.25: sums are of fractions, so no order of channels matters."""
    flows = [flow(report(each / 10_000)) for each in doses_1e4]
    expected = Fraction(sum(doses_1e4), 10_000)
    assert total(flows).per_kg_min == total(flows[::-1]).per_kg_min == expected


def test_one_unknown_part_makes_the_sum_unknown() -> None:
    known, missing = flow(report(0.1), 70.0), flow(report(5.0, "mL/h"), 70.0)
    assert total([known, missing, known]) == Flow(None, None, DoseUnknown.NO_CONCENTRATION)


@laws
@given(st.integers(1, 10**7), st.integers(1, 10**6))
def test_salt_is_half_its_mass_in_base(rate_1e5: int, weight_1e3: int) -> None:
    """2 mg of bitartrate monohydrate are 1 mg of base."""
    rate, weight_kg = rate_1e5 / 100_000, weight_1e3 / 1_000
    assume(weight_kg >= 0.2)
    as_base, as_salt = flow(report(rate, "mg/h"), weight_kg), flow(report(rate, "mg/h", **SALT), weight_kg)
    assert as_base.per_kg_min is not None
    assert as_salt.per_kg_min == as_base.per_kg_min / 2


# the volume that runs


@pytest.mark.parametrize(
    ("said", "context_kg", "ml"),
    [
        (report(60.0, "mL/h"), None, Fraction(1)),  # needs no concentration
        (report(8.0, "ug/min", concentration=(16.0, "ug/mL")), None, Fraction(1, 2)),
        (report(0.96, "mg/h", concentration=(0.016, "mg/mL")), None, Fraction(1)),
        (report(0.2, "ug/kg/min", concentration=(16.0, "ug/mL")), 80.0, Fraction(1)),
        (report(0.2, "ug/kg/min", concentration=(16.0, "ug/mL"), weight_kg=40.0), 80.0, Fraction(1, 2)),
        (report(0.2, "ug/kg/min", concentration=(16.0, "ug/mL")), None, None),
        (report(0.2, "ug/kg/min"), 80.0, None),
        (report(8.0, "U/min", concentration=(16.0, "ug/mL")), 80.0, None),
        (replace(report(8.0, "ug/min", concentration=(16.0, "ug/mL")), rate=None), 80.0, None),
    ],
)
def test_a_rate_as_volume_by_what_the_pump_knows(
    said: PumpStatus, context_kg: float | None, ml: Fraction | None
) -> None:
    """The pump's own weight comes first: with that it turned a rate per kg into mL."""
    assert ml_per_min(said, terms().drugs["norepinephrine"], context_kg) == ml


def test_a_pump_that_paused_and_fell_silent_delivers_0_by_its_last_word() -> None:
    paused = dose_of(0, PAUSED_UNHEARD)
    assert (paused.per_min_nano, paused.per_kg_nano, paused.by_last_word_nano) == (None, None, 0)
    running = Flow(Fraction(7), Fraction(1, 10))
    assert dose_of(0, total([running, PAUSED_UNHEARD])).by_last_word_nano == NANO // 10
