"""Recorded lines of the wire contract for one charted stay: context, pressures, pump statuses.

Figures go out as charted, the impossible ones too: to reject those is the processor's work.
A line is `received` when the row was stored, if that is known and later than its time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from unicodedata import normalize

from simulators.recordings.charts import STOPS, DrugRow, MapRow, Remark, Stay, Why
from simulators.recordings.spells import Said, statuses
from streamproc.wire.instant import instant_ms, rfc3339
from streamproc.wire.topics import NAME, Topics

ADMISSION_MS = instant_ms("2026-01-01T00:00:00Z")
"""Minute zero of every stay: the databases hide their dates, so any fixed one is as true."""
TOPICS = Topics()
CHANNEL = "chart"
DRUG = "norepinephrine"

METRICS = {
    "art": "MDC_PRESS_BLD_ART_ABP_MEAN",
    "art2": "MDC_PRESS_BLD_ART_MEAN",
    "iabp": "MDC_PRESS_BLD_ART_MEAN",
    "nibp": "MDC_PRESS_BLD_NONINV_MEAN",
    "manual": "MDC_PRESS_CUFF_MEAN",
}
# Messages of one bed, minute and topic are applied in order of device: the better source stands last.
MONITORS = {"art": "art-3", "art2": "art-2", "iabp": "art-1", "nibp": "cuff-2", "manual": "cuff-1"}

RATE_UNITS: dict[str, tuple[Decimal, str]] = {
    # spelling as `_spelling` leaves it: divided by, unit of the contract
    "mcgkgmin": (Decimal(1), "ug/kg/min"),
    "mcgkgh": (Decimal(60), "ug/kg/min"),
    "mcgmin": (Decimal(1), "ug/min"),
    "mcgh": (Decimal(1000), "mg/h"),
    "mgh": (Decimal(1), "mg/h"),
    "mlh": (Decimal(1), "mL/h"),
    "cch": (Decimal(1), "mL/h"),
    "unitsmin": (Decimal(1), "U/min"),
}
_NO_UNIT = frozenset({"", "blank", "unknown"})


@dataclass(frozen=True, slots=True)
class Line:
    """One recorded message: when it was received, its topic, its payload."""

    received_ms: int
    time_ms: int
    topic: str
    payload: dict[str, Any]

    @property
    def text(self) -> str:
        """The line as a file holds it."""
        recorded = {"received": rfc3339(self.received_ms), "topic": self.topic, "payload": self.payload}
        return json.dumps(recorded, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Recording:
    """One stay as recorded lines, in order of receipt, and what became of every row that is not in them."""

    name: str
    lines: tuple[Line, ...]
    remarks: tuple[Remark, ...]


def record(stay: Stay) -> Recording:
    """All lines of one stay, its messages numbered by device in order of receipt; the stay is not changed."""
    own = replace(stay, remarks=list(stay.remarks))
    if not re.fullmatch(f"{NAME}/{NAME}", own.name):
        own.remark("stays.csv", "-", Why.BAD_NAME, "no topic can hold this name")
        return Recording(own.name, (), tuple(own.remarks))
    said = statuses(own)
    lines = [_first_context(own, said), *_pressures(own), *_doses(own, said)]
    numbered = _numbered(sorted(lines, key=lambda line: (line.received_ms, line.time_ms)))
    return Recording(own.name, tuple(numbered), tuple(own.remarks))


def _numbered(lines: Sequence[Line]) -> list[Line]:
    """Give each device's messages their `seq`, as a gateway would while sending."""
    sent: dict[str, int] = {}
    for line in lines:
        device = line.payload.get("device")
        if device is not None:
            sent[device] = sent.get(device, 0) + 1
            line.payload["seq"] = sent[device]
    return list(lines)


def _first_context(stay: Stay, said: Sequence[Said]) -> Line:
    """The admission, told no later than the first charted row: some rows come before minute zero."""
    rows_min = [row.at_min for row in stay.maps] + [each.at_min for each in said]
    return _context(stay, min([Decimal(0), *rows_min]), None, stay.weight_kg)


def _context(stay: Stay, at_min: Decimal, stored_min: Decimal | None, weight_kg: Decimal | None) -> Line:
    payload: dict[str, Any] = {"time": rfc3339(at_ms(at_min)), "session": f"{stay.dataset}-{stay.stay_id}"}
    if weight_kg is not None:
        payload["weight"] = _quantity(weight_kg, "kg")
    return _line(TOPICS.patient(stay.name), at_min, stored_min, payload)


def _pressures(stay: Stay) -> Iterator[Line]:
    for row in stay.maps:
        if row.source in METRICS:
            yield _line(TOPICS.map(stay.name), row.at_min, row.stored_min, _pressure(stay, row))
        else:
            stay.remark("map.csv", row.row_id, Why.UNKNOWN_SOURCE, row.source)


def _pressure(stay: Stay, row: MapRow) -> dict[str, Any]:
    payload = _stamp(stay, MONITORS[row.source], row.at_min)
    payload |= {"metric": METRICS[row.source], "value": float(row.mmhg), "unit": "mm[Hg]"}
    if row.flagged:
        payload["quality"] = "artefact"
    return payload


def _doses(stay: Stay, said: Sequence[Said]) -> Iterator[Line]:
    """The channel's statuses, and the context anew wherever the chart doses by another weight.

    The weight of a row is the one that the chart divided by. It goes into the context, so that
    dose times weight is what flowed; sent as the pump's own, it would claim a second scale.
    """
    weight_kg = stay.weight_kg
    remarked: set[str] = set()
    for each in said:
        row = each.row
        if row.weight_kg is not None and row.weight_kg != weight_kg:
            stay.remark(
                "ne.csv", row.row_id, Why.WEIGHT_CHANGED, f"{weight_kg} to {row.weight_kg} kg", left_out=False
            )
            weight_kg = row.weight_kg
            yield _context(stay, each.at_min, row.stored_min, weight_kg)
        payload = _stamp(stay, "pump", each.at_min) | {"status": each.status, "drug": DRUG}
        payload |= _rate(stay, each, remarked)
        yield _line(TOPICS.pump(stay.name, CHANNEL), each.at_min, row.stored_min, payload)


def _rate(stay: Stay, said: Said, remarked: set[str]) -> dict[str, Any]:
    """Rate and concentration, as far as the row determines them in a unit of the contract."""
    row = said.row
    fields: dict[str, Any] = {}
    rate, why, detail = charted_rate(row)
    # Once a row is over, its last rate is not the rate of the pump; a stop mark's own rate is charted.
    if rate is not None and (said.status == "infusing" or said.at_min == row.at_min):
        fields["rate"] = rate
    if row.concentration_ug_ml is not None:
        fields["concentration"] = _quantity(row.concentration_ug_ml, "ug/mL")
    if why is not None and said.status == "infusing" and row.row_id not in remarked:
        remarked.add(row.row_id)
        stay.remark("ne.csv", row.row_id, why, detail, left_out=False)
    return fields


def charted_rate(row: DrugRow) -> tuple[dict[str, Any] | None, Why | None, str]:
    """The row's rate as the contract can say it, else the reason: a rate without a unit is no rate."""
    spelling = _spelling(row.unit)
    if not row.believed and spelling != "mlh":
        return None, None, ""
    charted = f"charted: {row.value} {row.unit}"
    if row.value is not None and spelling in RATE_UNITS:
        divided_by, unit = RATE_UNITS[spelling]
        return _quantity(row.value / divided_by, unit), None, ""
    if row.dose is not None and row.dose > 0 and row.action not in STOPS:
        return _quantity(row.dose, "ug/kg/min"), Why.DOSE_COLUMN, charted
    if row.value is None:
        return None, Why.NO_NUMBER, charted
    return None, Why.NO_UNIT if spelling in _NO_UNIT else Why.UNIT_UNKNOWN, charted


def _spelling(unit: str) -> str:
    """A unit's letters in one spelling, whichever of the databases wrote it."""
    letters = re.sub(r"[^a-z]", "", normalize("NFKC", unit).lower().replace("\u03bc", "mc"))
    return re.sub(r"(hour|hr)$", "h", re.sub(r"^ug", "mcg", letters))


def _stamp(stay: Stay, device: str, at_min: Decimal) -> dict[str, Any]:
    serial = f"{stay.dataset}-{stay.stay_id}-{device}"
    return {"device": serial, "boot": "chart", "seq": 0, "time": rfc3339(at_ms(at_min))}


def _line(topic: str, at_min: Decimal, stored_min: Decimal | None, payload: dict[str, Any]) -> Line:
    """A row stored before its own time was charted ahead: it counts as received at its time."""
    received_min = at_min if stored_min is None else max(at_min, stored_min)
    return Line(at_ms(received_min), at_ms(at_min), topic, payload)


def _quantity(value: Decimal, unit: str) -> dict[str, Any]:
    return {"value": float(value), "unit": unit}


def at_ms(minute: Decimal) -> int:
    """The instant of a charted minute."""
    return ADMISSION_MS + int(minute * 60_000)
