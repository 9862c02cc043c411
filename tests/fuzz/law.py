"""The law of the door: an accepted fact within its bounds, or a refusal from the closed set.

The bounds are restated from the contract; nothing is taken from the code that is judged.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from math import isfinite
from typing import Any

from streamproc.core.events import (
    Acknowledged,
    BedFreed,
    MapSample,
    Observation,
    PatientContext,
    PumpStatus,
    Quantity,
)
from streamproc.core.reason import Reason
from streamproc.wire import Rejected

LAST_MS = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z; RFC 3339 has no later one."""
SEQ_MAX = 2**53
BED = re.compile(r"[A-Za-z0-9_-]{1,32}/[A-Za-z0-9_-]{1,32}")
CHANNEL = re.compile(r"[A-Za-z0-9_-]{1,32}")
ALARM = re.compile(r"MDC_[A-Z0-9_]{1,60}")
UNFIT_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}
UNFIT_DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
OBSERVED_MAX = {
    "systolic": 400,
    "heart_rate": 500,
    "lactate": 100,
    "urine_output": 20_000,
    "fluid_bolus": 20_000,
    "capillary_refill": 60,
}
KINDS = {None, "map", "pump", "patient", "observation", "ack"}


def name(value: str) -> bool:
    """1 to 64 characters that can be seen and do not lead the eye astray."""
    if not 1 <= len(value) <= 64 or value[0].isspace():
        return False
    return (value.isascii() and value.isprintable()) or all(map(_fit, value))


def _fit(sign: str) -> bool:
    return (
        unicodedata.category(sign) not in UNFIT_CATEGORIES
        and unicodedata.bidirectional(sign) not in UNFIT_DIRECTIONS
    )


def figure(value: Any, low: float, high: float) -> bool:
    """A number, never a truth value, finite and in range."""
    return type(value) in (int, float) and isfinite(value) and low <= value <= high


def maybe(holds: Callable[..., bool], value: Any, *more: Any) -> bool:
    return value is None or holds(value, *more)


def quantity(value: Quantity, units: set[str]) -> bool:
    return figure(value.value, 0, 1e6) and value.unit in units


def _device(said: MapSample | PumpStatus | Observation) -> bool:
    return name(said.device) and maybe(name, said.boot) and maybe(figure, said.seq, 0, SEQ_MAX)


def _map(said: MapSample) -> bool:
    low, high = (10_000, 250_000) if said.valid else (-10_000_000, 10_000_000)
    return _device(said) and type(said.milli_mmhg) is int and low <= said.milli_mmhg <= high


def _pump(said: PumpStatus) -> bool:
    return (
        _device(said)
        and CHANNEL.fullmatch(said.channel) is not None
        and maybe(quantity, said.rate, {"mL/h", "ug/min", "ug/kg/min", "mg/h", "U/min"})
        and maybe(quantity, said.concentration, {"ug/mL", "mg/mL", "U/mL"})
        and (said.concentration is None or said.concentration.value > 0)
        and maybe(figure, said.weight_kg, 0.2, 700)
        and maybe(figure, said.volume_remaining_ml, 0, 1e6)
        and all(maybe(name, word) for word in (said.drug, said.diluent, said.route, said.line))
        and len(said.alarms) <= 32
        and all(map(ALARM.fullmatch, said.alarms))
    )


def _patient(said: PatientContext) -> bool:
    return (
        name(said.session)
        and maybe(figure, said.weight_kg, 0.2, 700)
        and maybe(figure, said.baseline_systolic_mmhg, 50, 300)
        and maybe(figure, said.map_target_milli_mmhg, 40_000, 120_000)
        and {type(flag) for flag in (said.pregnant, said.beta_blocked, said.myocardial_dysfunction)} == {bool}
    )


def _observation(said: Observation) -> bool:
    if said.kind.value in OBSERVED_MAX:
        right = figure(said.value, 0, OBSERVED_MAX[said.kind.value])
    else:
        right = isinstance(said.value, bool) or (isinstance(said.value, str) and name(said.value))
    return right and _device(said) and (said.fluid is not None) == (said.kind.value == "fluid_bolus")


def _ack(said: Acknowledged) -> bool:
    return name(said.by) and re.fullmatch(r"[A-Za-z0-9_:./-]{1,128}", said.alert_id) is not None


FACTS: dict[type, Callable[[Any], bool]] = {
    MapSample: _map,
    PumpStatus: _pump,
    PatientContext: _patient,
    BedFreed: lambda said: True,
    Observation: _observation,
    Acknowledged: _ack,
}


def keeps_the_law(said: object) -> bool:
    """Whether the door's answer is one that the contract knows."""
    if isinstance(said, Rejected):
        return (
            isinstance(said.reason, Reason)
            and said.kind in KINDS
            and maybe(BED.fullmatch, said.bed)
            and len(said.detail) < 512
            and said.detail.isascii()
            and said.detail.isprintable()
            and "right would be" in said.detail
            and (said.artefact is None or (not said.artefact.valid and _map(said.artefact)))
        )
    holds = FACTS.get(type(said))
    if holds is None or not holds(said):
        return False
    time_ms, bed = said.time_ms, getattr(said, "bed", "-/-")  # type: ignore[attr-defined]
    return type(time_ms) is int and 0 <= time_ms <= LAST_MS and BED.fullmatch(bed) is not None
