"""A charted stay's recorded lines as the reference reads them: plain facts, in order of event time.

Must know nothing of the product: neither of its decoder nor of what it refuses.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from tests.reference.facts import Fact, Patient, Pressure, Report, Terms

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLI = 1_000
LEAST, MOST = 10, 250
"""A MAP below or above is an artefact, never a pressure."""
CUFF = {"MDC_PRESS_BLD_NONINV_MEAN", "MDC_PRESS_CUFF_MEAN"}
TERMS = Terms(
    hold_ms=(("arterial", 3_600_000), ("cuff", 3_600_000)),
    pump_lost_ms=14_400_000,
    hold_back_ms=172_800_000,
)
"""The settings of `docs/realdata.md`."""


def charted(lines: Iterable[str]) -> list[Fact]:
    """Every line's fact; those of one instant by topic, device and number."""
    told = []
    for line in lines:
        recorded = json.loads(line)
        said = recorded["payload"]
        time_ms = _ms(said["time"])
        leaf = recorded["topic"].split("/", 4)[4]
        told.append(((time_ms, leaf, said.get("device", ""), said.get("seq", 0)), _fact(leaf, time_ms, said)))
    return [fact for _, fact in sorted(told, key=lambda each: each[0])]


def _ms(time: str) -> int:
    return round((datetime.fromisoformat(time.replace("Z", "+00:00")) - EPOCH).total_seconds() * MILLI)


def _fact(leaf: str, time_ms: int, said: dict[str, Any]) -> Fact:
    if leaf == "patient":
        return Patient(time_ms, weight=_figure(said.get("weight")))
    if leaf == "map":
        mmhg = Fraction(repr(said["value"]))
        good = LEAST <= mmhg <= MOST and said.get("quality", "good") == "good"
        source = "cuff" if said["metric"] in CUFF else "arterial"
        return Pressure(time_ms, round(mmhg * MILLI), source, good)
    rate, strength = said.get("rate"), _figure(said.get("concentration"))
    unit = rate["unit"] if rate else ""
    return Report(
        time_ms, leaf.removeprefix("pump/"), said["status"], _figure(rate), said["drug"], unit, strength
    )


def _figure(quantity: dict[str, Any] | None) -> Fraction | None:
    return None if quantity is None else Fraction(repr(quantity["value"]))
