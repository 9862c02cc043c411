"""Histories as devices would have sent them that are set to other units, or to the salt of the drug.

Each event becomes the message that says it, and comes back through the door. Readings have one unit each.
"""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from typing import Any

from quick_site import quick_site
from ward_histories import SITE_WEIGHT_KG, History

from streamproc.core.events import DrugForm, MapSample, Observation, PatientContext, PumpStatus, Quantity
from streamproc.wire import Decoder, Rejected, Topics
from streamproc.wire.instant import rfc3339

MMHG_PER_KPA = Fraction(1000) / Fraction("133.322387415")
UG_PER_MG = 1000
MINUTES_PER_HOUR = 60
LISTED_UG_PER_ML = 16.0
SALT_PER_BASE = 2
PUMP_UNITS = ("as charted", "ug/min", "mg/h", "mL/h", "mg/h of salt", "mL/h of salt")


def in_kpa(mmhg: float) -> float:
    return round(float(Fraction(repr(mmhg)) / MMHG_PER_KPA), 9)


def scaled(amount: float, factor: Fraction | int) -> float:
    return float(Fraction(repr(amount)) * factor)


def resaid(status: PumpStatus, unit: str) -> PumpStatus:
    """The report as a pump would make it that is set to another unit, or to a salt.

    A rate per mL/h needs a concentration; where none was reported, it is one that the library lists."""
    rate = status.rate
    if rate is None or rate.unit == "mL/h" or unit == "as charted":
        return status
    if unit.endswith("of salt") and status.drug == "norepinephrine":
        status = in_salt(resaid(status, unit.removesuffix(" of salt")))
        return replace(status, form=DrugForm.BITARTRATE)
    unit = unit.removesuffix(" of salt")
    weighed = Fraction(repr(SITE_WEIGHT_KG)) if rate.unit == "ug/kg/min" else Fraction(1)
    match unit:
        case "ug/min" if rate.unit == "ug/kg/min":
            return replace(status, rate=Quantity(scaled(rate.value, weighed), unit))
        case "mg/h" if rate.unit == "ug/kg/min":
            per_hour = weighed * MINUTES_PER_HOUR / UG_PER_MG
            return replace(status, rate=Quantity(scaled(rate.value, per_hour), unit))
        case "mL/h":
            per_ml = "U/mL" if rate.unit == "U/min" else "ug/mL"
            strength = status.concentration or Quantity(LISTED_UG_PER_ML, per_ml)
            per_hour = weighed * MINUTES_PER_HOUR / Fraction(repr(strength.value))
            return replace(status, rate=Quantity(scaled(rate.value, per_hour), unit), concentration=strength)
    return status


def in_salt(status: PumpStatus) -> PumpStatus:
    """Every mass of base as that of its salt; a rate in mL/h stays what it is."""
    rate, strength = status.rate, status.concentration
    if rate is not None and rate.unit != "mL/h":
        status = replace(status, rate=replace(rate, value=scaled(rate.value, SALT_PER_BASE)))
    if strength is None:
        return status
    return replace(status, concentration=Quantity(scaled(strength.value, Fraction(1, 500)), "mg/mL"))


def sent(event: Any, pressure_unit: str, pump_unit: str) -> tuple[str, bytes]:
    """The message that says this event in these units, as its topic and payload."""
    match event:
        case MapSample():
            kind, body = "map", map_body(event, pressure_unit)
        case PumpStatus():
            kind, body = f"pump/{event.channel}", pump_body(resaid(event, pump_unit))
        case Observation():
            kind = "observation"
            body = {"kind": event.kind, "value": event.value, "unit": event.unit, "fluid": event.fluid}
        case _:
            kind, body = "patient", patient_body(event)
    body |= {"device": event.device or None, "boot": event.boot, "seq": event.seq}
    told = {key: value for key, value in body.items() if value is not None}
    return f"bedside/v1/{event.bed}/{kind}", json.dumps({**told, "time": rfc3339(event.time_ms)}).encode()


def map_body(sample: MapSample, unit: str) -> dict[str, Any]:
    mmhg = sample.milli_mmhg / 1000
    return {
        "metric": "MDC_PRESS_CUFF_MEAN" if sample.source == "cuff" else "MDC_PRESS_BLD_ART_ABP_MEAN",
        "value": in_kpa(mmhg) if unit == "kPa" else mmhg,
        "unit": unit,
        "quality": "good" if sample.valid else "artefact",
    }


def pump_body(status: PumpStatus) -> dict[str, Any]:
    return {
        "status": status.state,
        "drug": status.drug,
        "form": status.form,
        "rate": quantity(status.rate),
        "concentration": quantity(status.concentration),
        "volume_remaining": measured(status.volume_remaining_ml, "mL"),
        "weight": measured(status.weight_kg, "kg"),
        "diluent": status.diluent,
        "route": status.route,
        "line": status.line,
        "alarms": list(status.alarms),
    }


def patient_body(context: PatientContext) -> dict[str, Any]:
    target = context.map_target_milli_mmhg
    return {
        "session": context.session,
        "weight": measured(context.weight_kg, "kg"),
        "profile": context.profile,
        "age_group": context.age_group,
        "pregnant": context.pregnant,
        "beta_blocked": context.beta_blocked,
        "myocardial_dysfunction": context.myocardial_dysfunction,
        "baseline_systolic": context.baseline_systolic_mmhg,
        "map_target": None if target is None else target / 1000,
    }


def measured(value: float | None, unit: str) -> dict[str, Any] | None:
    return None if value is None else {"value": value, "unit": unit}


def quantity(charted: Quantity | None) -> dict[str, Any] | None:
    return None if charted is None else measured(charted.value, charted.unit)


def in_units(history: History, pressure_unit: str, pump_unit: str) -> History:
    """The history as its devices would have sent it in these units, read through the door."""
    door = Decoder(Topics(), quick_site().spellings())
    arrivals = []
    for arrival in history.arrivals:
        topic, payload = sent(arrival.event, pressure_unit, pump_unit)
        event = door.decode(topic, payload, arrival.received_ms)
        assert not isinstance(event, Rejected), event
        arrivals.append(replace(arrival, event=event))
    return replace(history, arrivals=tuple(arrivals))
