"""The norepinephrine dose of one bed from recorded lines alone, by a second, deliberately plain way.

Knows neither the product nor the reference facts: it must never import either of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from itertools import groupby
from typing import Any, NamedTuple

PUMP_LOST_MS = 240 * 60_000
AMPOULE_UG_ML = 1000
"""Norepinephrine is sold as 1 mg/mL: no bag is stronger than what it was mixed from."""
SILENT = "silent"
"""A pump that has not spoken for so long: unknown as well, but not for want of a figure."""


class DoseAt(NamedTuple):
    """The dose from this instant on, in mcg/kg/min; None is unknown, and `why` says why."""

    time_ms: int
    dose: Fraction | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One line as this calculator reads it."""

    time_ms: int
    leaf: str
    payload: dict[str, Any]


def dose_history(lines: Iterable[str]) -> list[DoseAt]:
    """The dose after every instant at which it may have changed, in order of event time."""
    messages = sorted(map(_read, lines), key=lambda message: message.time_ms)
    pumps: dict[str, Message] = {}
    weight: Fraction | None = None
    history: list[DoseAt] = []
    for time_ms, instant in groupby(messages, key=lambda message: message.time_ms):
        history += _fallen_silent(pumps, time_ms)
        heard = False
        for message in instant:
            if message.leaf == "patient":
                weight = _figure(message.payload.get("weight"))
            elif message.leaf.startswith("pump/"):
                pumps[message.leaf] = message
                heard = True
        if heard:
            history.append(DoseAt(time_ms, *_sum(pumps, weight)))
    return history


def _read(line: str) -> Message:
    recorded = json.loads(line)
    payload = recorded["payload"]
    time_ms = round(datetime.fromisoformat(payload["time"]).timestamp() * 1000)
    return Message(time_ms, recorded["topic"].split("/", 4)[4], payload)


def _fallen_silent(pumps: dict[str, Message], before_ms: int) -> Iterable[DoseAt]:
    for leaf, message in list(pumps.items()):
        due_ms = message.time_ms + PUMP_LOST_MS
        if message.payload["status"] == "infusing" and due_ms < before_ms:
            del pumps[leaf]
            yield DoseAt(due_ms, None, SILENT)


def _sum(pumps: dict[str, Message], weight: Fraction | None) -> tuple[Fraction | None, str]:
    doses = [_dose(message.payload, weight) for message in pumps.values()]
    why = next((why for dose, why in doses if dose is None), "")
    return (None if why else sum((dose for dose, _ in doses if dose is not None), Fraction(0))), why


def _dose(pump: dict[str, Any], weight: Fraction | None) -> tuple[Fraction | None, str]:
    rate = pump.get("rate")
    if pump["status"] != "infusing":
        return Fraction(0), ""
    if rate is None:
        return None, "no rate"
    value = Fraction(repr(rate["value"]))
    if rate["unit"] == "ug/kg/min":
        return value, ""
    if rate["unit"] == "mL/h":
        concentration = _figure(pump.get("concentration"))
        if concentration is None:
            return None, "no concentration"
        if concentration > AMPOULE_UG_ML:
            return None, "concentration not believed"
        value *= concentration / 60
    elif rate["unit"] == "mg/h":
        value *= Fraction(1000, 60)
    return (None, "no weight") if weight is None else (value / weight, "")


def _figure(quantity: dict[str, Any] | None) -> Fraction | None:
    return None if quantity is None else Fraction(repr(quantity["value"]))
