"""What the contract allows is accepted, and comes out as exactly the fact that it says."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from contract_examples import (
    ACK,
    BED,
    BOLUS,
    MAP,
    PATIENT,
    PUMP,
    RECEIVED_MS,
    TOPIC,
    changed,
    decoder,
    without,
    written,
)

from streamproc.core.events import (
    Acknowledged,
    BedFreed,
    DrugForm,
    MapSample,
    MapSource,
    Observation,
    ObservationKind,
    PatientContext,
    Profile,
    PumpState,
    PumpStatus,
    Quantity,
)

DECODER = decoder()
AT_08_15_02_MS = 1_795_421_702_000
AT_07_50_00_MS = 1_795_420_200_000
AT_08_10_00_MS = 1_795_421_400_000

THE_SAMPLE = MapSample(AT_08_15_02_MS, BED, "MON-0417", "b7f2", 18231, MapSource.ARTERIAL, 63_000)


def decode(kind: str, payload: bytes, retained: bool = False) -> object:
    return DECODER.decode(TOPIC[kind], payload, RECEIVED_MS, retained)


def test_the_contracts_map_sample_is_a_fact() -> None:
    assert decode("map", MAP) == THE_SAMPLE


def test_the_contracts_pump_status_is_a_fact() -> None:
    assert decode("pump", PUMP) == PumpStatus(
        time_ms=AT_08_15_02_MS + 500,
        bed=BED,
        device="PMP-0022",
        boot="11",
        seq=912,
        channel="1",
        state=PumpState.INFUSING,
        drug="norepinephrine",
        form=DrugForm.BASE,
        rate=Quantity(9.375, "mL/h"),
        concentration=Quantity(16, "ug/mL"),
        weight_kg=70,
        volume_remaining_ml=112,
        diluent="D5W",
        route="central",
        line="L1",
        alarms=("MDC_EVT_FLUID_LINE_OCCL",),
    )


def test_the_contracts_patient_context_is_a_fact() -> None:
    assert decode("patient", PATIENT) == PatientContext(
        AT_07_50_00_MS, BED, "S-20931", 70, Profile.SEPTIC_SHOCK, map_target_milli_mmhg=65_000
    )


def test_the_contracts_acknowledgement_is_a_fact() -> None:
    assert decode("ack", ACK) == Acknowledged(AT_08_15_02_MS + 7000, "central-1", "al-0f3c", "nurse 12")


@pytest.mark.parametrize(
    ("kind", "value", "unit", "fluid"),
    [
        ("systolic", 88, "mm[Hg]", None),
        ("systolic", 11.7, "kPa", None),
        ("heart_rate", 112, "/min", None),
        ("lactate", 3.4, "mmol/L", None),
        ("urine_output", 0, "mL", None),
        ("fluid_bolus", 500, "mL", "balanced_crystalloid"),
        ("capillary_refill", 4.5, "s", None),
        ("extravasation", True, None, None),
        ("arrhythmia", "atrial_fibrillation", None, None),
        ("arrhythmia", False, None, None),
    ],
)
def test_every_kind_of_observation_is_a_fact(
    kind: str, value: float | str | bool, unit: str | None, fluid: str | None
) -> None:
    payload = changed(BOLUS, kind=kind, value=value, unit=unit, fluid=fluid)
    if unit == "kPa":  # pressures come in whole thousandths of a mmHg
        value, unit = 87.757, "mm[Hg]"
    expected = Observation(AT_08_10_00_MS, BED, "CHART-1", "1", 4, ObservationKind(kind), value, unit, fluid)
    assert decode("observation", payload) == expected


@pytest.mark.parametrize(
    ("metric", "source"),
    [
        ("MDC_PRESS_BLD_ART_MEAN", MapSource.ARTERIAL),
        ("MDC_PRESS_BLD_ART_ABP_MEAN", MapSource.ARTERIAL),
        ("MDC_PRESS_BLD_NONINV_MEAN", MapSource.CUFF),
        ("MDC_PRESS_CUFF_MEAN", MapSource.CUFF),
    ],
)
def test_the_metric_says_where_it_was_measured(metric: str, source: MapSource) -> None:
    assert decode("map", changed(MAP, metric=metric)) == replace(THE_SAMPLE, source=source)


@pytest.mark.parametrize("quality", ["questionable", "artefact", "calibrating"])
def test_a_sample_that_is_not_good_is_taken_as_an_artefact(quality: str) -> None:
    """The bed's share of artefacts must count it, so it is not refused."""
    assert decode("map", changed(MAP, quality=quality)) == replace(THE_SAMPLE, valid=False)


def test_absent_quality_means_good() -> None:
    assert decode("map", without(MAP, "quality")) == THE_SAMPLE


def test_boot_and_seq_may_be_left_out_or_null() -> None:
    unnumbered = replace(THE_SAMPLE, boot=None, seq=None)
    assert decode("map", without(MAP, "boot", "seq")) == unnumbered
    assert decode("map", changed(MAP, boot=None, seq=None)) == unnumbered


@pytest.mark.parametrize("bed", ["icu-a/bed-7", "bed-7", None])
def test_a_message_may_name_its_own_bed(bed: str | None) -> None:
    assert decode("map", changed(MAP, bed=bed)) == THE_SAMPLE


def test_a_pump_without_its_figures_is_accepted() -> None:
    """Core then says that the dose is unknown, and why; a refusal would hide the pump."""
    bare = without(
        PUMP,
        "form",
        "rate",
        "concentration",
        "volume_remaining",
        "diluent",
        "route",
        "line",
        "weight",
        "alarms",
    )
    said = decode("pump", bare)
    assert isinstance(said, PumpStatus)
    assert (said.rate, said.concentration, said.form, said.weight_kg, said.alarms) == (None,) * 4 + ((),)


@pytest.mark.parametrize("unit", ["mL/h", "ug/min", "ug/kg/min", "mg/h", "U/min"])
def test_every_unit_of_rate_is_kept_as_charted(unit: str) -> None:
    said = decode("pump", changed(PUMP, rate={"value": 0.25, "unit": unit}))
    assert isinstance(said, PumpStatus)
    assert said.rate == Quantity(0.25, unit)


@pytest.mark.parametrize("unit", ["ug/mL", "mg/mL", "U/mL"])
def test_every_unit_of_concentration_is_kept_as_charted(unit: str) -> None:
    said = decode("pump", changed(PUMP, concentration={"value": 0.016, "unit": unit}))
    assert isinstance(said, PumpStatus)
    assert said.concentration == Quantity(0.016, unit)


def test_a_drug_has_one_name_however_it_is_spelled() -> None:
    said = decode("pump", changed(PUMP, drug="noradrenaline"))
    assert isinstance(said, PumpStatus)
    assert said.drug == "norepinephrine"


@pytest.mark.parametrize("retained", [True, False])
def test_an_empty_patient_context_frees_the_bed(retained: bool) -> None:
    """It has no time of its own: the bed is free from when we heard so."""
    assert decode("patient", b"", retained) == BedFreed(RECEIVED_MS, BED)


def test_patient_context_may_be_retained() -> None:
    assert decode("patient", PATIENT, retained=True) == decode("patient", PATIENT)


def test_patient_context_may_leave_out_what_is_not_known() -> None:
    least = b'{"time":"2026-11-23T07:50:00Z","session":"S-1"}'
    assert decode("patient", least) == PatientContext(AT_07_50_00_MS, BED, "S-1")


@pytest.mark.parametrize(
    ("text", "milli_mmhg"),
    [
        ("63", 63_000),
        ("6.3e1", 63_000),
        ("65.0004999", 65_000),
        ("65.0005", 65_000),
        ("65.0015", 65_002),
        ("65.00050000001", 65_001),
        ("10", 10_000),
        ("250", 250_000),
        ("89.6667022705078", 89_667),
    ],
)
def test_mmhg_is_rounded_once_half_to_even(text: str, milli_mmhg: int) -> None:
    """65.0005 is a tie as charted, though its float lies beside the tie."""
    assert decode("map", written(MAP, "value", text)) == replace(THE_SAMPLE, milli_mmhg=milli_mmhg)


@pytest.mark.parametrize(
    ("kpa", "milli_mmhg"), [("8.6658", 64_999), ("8.6659", 65_000), ("8.4", 63_005), ("1.3333", 10_001)]
)
def test_kpa_is_converted_by_the_exact_ratio(kpa: str, milli_mmhg: int) -> None:
    said = decode("map", changed(written(MAP, "value", kpa), unit="kPa"))
    assert said == replace(THE_SAMPLE, milli_mmhg=milli_mmhg)


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [
        ("2026-11-23T08:15:02Z", AT_08_15_02_MS),
        ("2026-11-23T08:15:02.1Z", AT_08_15_02_MS + 100),
        ("2026-11-23T08:15:02.999999Z", AT_08_15_02_MS + 999),
        ("1970-01-01T00:00:00Z", 0),
        ("2028-02-29T00:00:00.000Z", 1_835_395_200_000),
    ],
)
def test_times_are_cut_to_the_millisecond(text: str, time_ms: int) -> None:
    assert decode("map", changed(MAP, time=text)) == replace(THE_SAMPLE, time_ms=time_ms)


def test_letters_of_any_script_may_name_a_person() -> None:
    said = decode(
        "ack", json.dumps(json.loads(ACK) | {"by": "J\u00f6rg \u5c71\u7530"}, ensure_ascii=False).encode()
    )
    assert isinstance(said, Acknowledged)
    assert said.by == "J\u00f6rg \u5c71\u7530"


def test_blanks_and_the_order_of_keys_say_nothing() -> None:
    fields = json.loads(MAP)
    turned = json.dumps(dict(reversed(fields.items())), indent=4).encode()
    assert decode("map", turned) == THE_SAMPLE


def test_the_sites_limits_are_the_decoders_own() -> None:
    """What is plausible differs from site to site; only the refusal moves, not the reading."""
    topic, low = TOPIC["map"], changed(MAP, value=8)
    assert getattr(DECODER.decode(topic, low, 0), "reason", None) == "out_of_range"
    assert decoder(map_low_mmhg=5).decode(topic, low, 0) == replace(THE_SAMPLE, milli_mmhg=8_000)
    light = changed(PUMP, weight={"value": 0.5, "unit": "kg"})
    assert getattr(decoder(weight_kg_min=1).decode(TOPIC["pump"], light, 0), "reason", None) == "out_of_range"
    assert getattr(decode("pump", light), "weight_kg", None) == 0.5
