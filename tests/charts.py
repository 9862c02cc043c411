"""Charts: telemetry in a notation that a nurse can write, and the alerts that a ward makes of it.

A series has one value a minute: `60x20` is 60 for 20 minutes, `_x30` is silence, `70-1x5` falls
by 1 a minute from 70, `off` is a stopped pump, `artefact` a flagged sample. Each minute is played
as a sample every 5 s, so that nothing but silence looks like silence; what is charted (systolic,
lactate, urine, fluids, signs) is one reading at the minute's beginning.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from streamproc.config import Settings, load
from streamproc.core.alert import Phase
from streamproc.core.change import Change
from streamproc.core.events import (
    MILLI,
    Acknowledged,
    BedEvent,
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
from streamproc.core.ward import Ward

START_MS = 1_790_000_000_000
STEP_MS = 5_000
MINUTE_MS = 60_000
BED = "icu-a/bed-7"
LATENCY_MS = 100
TERM = re.compile(r"(?P<word>_|[a-z]+?|-?\d+(?:\.\d+)?)(?P<slope>[+-]\d+(?:\.\d+)?)?(?:x(?P<times>\d+))?$")

PUMPS = {
    "norepinephrine": ("1", "norepinephrine", "ug/kg/min"),
    "second_bag": ("2", "norepinephrine", "ug/kg/min"),
    "norepinephrine_ml_h": ("1", "norepinephrine", "mL/h"),
    "vasopressin": ("3", "vasopressin", "U/min"),
    "norepinephrine_mcg_min": ("1", "norepinephrine", "ug/min"),
    "norepinephrine_mg_h": ("1", "norepinephrine", "mg/h"),
    "epinephrine": ("4", "epinephrine", "ug/kg/min"),
    "dobutamine": ("5", "dobutamine", "ug/kg/min"),
    "dopamine": ("6", "dopamine", "ug/kg/min"),
    "phenylephrine": ("7", "phenylephrine", "ug/min"),
    "bicarbonate": ("8", "sodium_bicarbonate", "mL/h"),
}
"""A chart's pump series: channel, drug, and the unit of its figures."""

CHARTED = {
    "systolic": (ObservationKind.SYSTOLIC, None),
    "lactate": (ObservationKind.LACTATE, None),
    "urine": (ObservationKind.URINE_OUTPUT, None),
    "balanced": (ObservationKind.FLUID_BOLUS, "lactated_ringers"),
    "saline": (ObservationKind.FLUID_BOLUS, "normal_saline"),
    "albumin": (ObservationKind.FLUID_BOLUS, "albumin"),
    "refill": (ObservationKind.CAPILLARY_REFILL, None),
    "extravasation": (ObservationKind.EXTRAVASATION, None),
    "arrhythmia": (ObservationKind.ARRHYTHMIA, None),
}
"""A chart's observations: kind, and for a bolus which fluid. Figures in the contract's units."""

ALARM_CODES = {
    "none": (),
    "occlusion": ("MDC_EVT_FLUID_LINE_OCCL",),
    "upstream": ("MDC_EVT_FLUID_LINE_OCCL_PROXIMAL",),
    "air": ("MDC_EVT_FLUID_LINE_AIR",),
    "door": ("MDC_EVT_DOOR_OPEN",),
    "battery": ("MDC_EVT_BATT_LO",),
    "unlisted": ("MAKERS_OWN_CODE",),
}
"""What a pump's `alarms` may be in a chart, minute by minute."""


def series(text: str) -> list[float | str | None]:
    """The minutes of a series: figures, words (`off`), or None for silence."""
    values: list[float | str | None] = []
    for term in str(text).split():
        match = TERM.match(term)
        assert match, f"not a term of a series: {term!r}; 60x20, _x5, 70-1x5 and off are"
        times = int(match["times"] or 1)
        if match["word"] == "_":
            values += [None] * times
        elif re.match(r"[a-z]", match["word"]):
            values += [match["word"]] * times
        else:
            first, slope = float(match["word"]), float(match["slope"] or 0)
            values += [round(first + slope * step, 9) for step in range(times)]
    return values


def instants(values: Sequence[float | str | None]) -> Iterable[tuple[int, int, float | str]]:
    """(event time, running number, value) of each sample that a series stands for."""
    number = 0
    for minute, value in enumerate(values):
        for second in range(0, MINUTE_MS, STEP_MS):
            if value is not None:
                number += 1
                yield START_MS + minute * MINUTE_MS + second, number, value


def map_events(text: str, source: MapSource, device: str) -> list[BedEvent]:
    """MAP samples in mmHg; the word `artefact` is a flagged one."""
    return [
        MapSample(
            at, BED, device, "b1", n, source, 0 if isinstance(v, str) else round(v * MILLI), v != "artefact"
        )
        for at, n, v in instants(series(text))
    ]


def pump_events(text: str, channel: str, drug: str, unit: str, extra: Mapping[str, Any]) -> list[BedEvent]:
    """Pump statuses at a rate in `unit`; the words `off`, `paused` and `kvo` are states."""
    states = {"off": PumpState.STOPPED, "paused": PumpState.PAUSED, "kvo": PumpState.KVO}
    return [
        PumpStatus(
            at,
            BED,
            f"PMP-{channel}",
            "b1",
            n,
            channel,
            states[v] if isinstance(v, str) else PumpState.INFUSING,
            drug,
            rate=None if isinstance(v, str) else Quantity(v, unit),
            **fields_at((at - START_MS) // MINUTE_MS, extra),
        )
        for at, n, v in instants(series(text))
    ]


def charted_events(name: str, text: str) -> list[BedEvent]:
    """Observations, one where a minute has a value."""
    kind, fluid = CHARTED[name]
    return [
        Observation(START_MS + minute * MINUTE_MS, BED, f"CHART-{name}", None, None, kind, value, None, fluid)
        for minute, value in enumerate(series(text))
        if value is not None
    ]


def context_events(chart: Mapping[str, Any]) -> list[BedEvent]:
    """Who the patient is from the start, and from each minute of `patient_later` on what has changed."""
    known = {"session": "S-1", "weight_kg": 70.0, **chart.get("patient", {})}
    events: list[BedEvent] = []
    for minute, changed in {0: {}, **chart.get("patient_later", {})}.items():
        known |= changed
        if known["session"] is None:
            continue
        context = dict(known)
        target, profile = context.pop("map_target", None), Profile(context.pop("profile", "general"))
        target_milli = None if target is None else round(target * MILLI)
        at_ms = START_MS + minute * MINUTE_MS
        events.append(
            PatientContext(at_ms, BED, profile=profile, map_target_milli_mmhg=target_milli, **context)
        )
    return events


def chart_events(chart: Mapping[str, Any]) -> list[BedEvent]:
    """Every event of a written chart, in no particular order."""
    events: list[BedEvent] = context_events(chart)
    events += map_events(chart.get("map", ""), MapSource.ARTERIAL, "MON-1")
    events += map_events(chart.get("cuff", ""), MapSource.CUFF, "MON-2")
    for name, (channel, drug, unit) in PUMPS.items():
        events += pump_events(chart.get(name, ""), channel, drug, unit, pump_extra(chart, name))
    for name in CHARTED:
        events += charted_events(name, chart.get(name, ""))
    return events


def pump_extra(chart: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What else the chart says of a pump: concentration, weight."""
    extra = dict(chart.get(f"{name}_pump", {}))
    if isinstance(extra.get("concentration"), list):
        extra["concentration"] = Quantity(*extra["concentration"])
    return extra


def fields_at(minute: int, extra: Mapping[str, Any]) -> dict[str, Any]:
    """A pump's other fields in one minute: alarms, volume and words are series, whose last value stays."""
    fields = {name: value for name, value in extra.items() if name not in ("alarms", "volume")}
    fields |= {name: _in_minute(minute, value) for name, value in fields.items() if isinstance(value, str)}
    if isinstance(fields.get("form"), str):
        fields["form"] = DrugForm(fields["form"])
    if isinstance(fields.get("concentration"), float | int):
        fields["concentration"] = Quantity(fields["concentration"], "ug/mL")
    if "alarms" in extra:
        fields["alarms"] = ALARM_CODES[str(_in_minute(minute, extra["alarms"]))]
    if "volume" in extra:
        fields["volume_remaining_ml"] = _in_minute(minute, extra["volume"])
    return fields


def _in_minute(minute: int, text: str) -> float | str | None:
    values = series(text)
    return values[min(minute, len(values) - 1)]


@dataclass(frozen=True)
class Told:
    """One alert event as a chart's author writes it: `4m MAP-LOW medium`."""

    at_ms: int
    rule: str
    what: str
    elsewhere: str = ""

    def __str__(self) -> str:
        minutes, rest = divmod(self.at_ms - START_MS, MINUTE_MS)
        seconds = f"{rest / 1000:g}s" if rest else ""
        when = f"{f'{minutes}m' if minutes or not rest else ''}{seconds}"
        return f"{when} {self.rule} {self.what}{self.elsewhere}"


def told(change: Change) -> Told:
    """`medium` for a start, `-> high` for a change of priority, `update`, `end`."""
    what = {
        Phase.START: change.priority.value,
        Phase.ESCALATE: f"-> {change.priority}",
        Phase.DEESCALATE: f"-> {change.priority}",
        Phase.UPDATE: "update",
        Phase.END: "end",
    }[change.phase]
    elsewhere = "" if change.bed == BED else f" at {change.bed.rpartition('/')[2]}"
    return Told(change.time_ms, change.rule.id, what, elsewhere)


@cache
def settings_in_force(*overrides: str) -> Settings:
    """The shipped configuration with overrides; reading it costs more than most charts."""
    return load(None, overrides)


def new_ward(*overrides: str) -> Ward:
    """A ward with the shipped configuration."""
    settings = settings_in_force(*overrides)
    return Ward(
        settings.core_rules(), settings.core_terms(), settings.core_limits(), frozenset(settings.roster)
    )


def play(
    ward: Ward,
    events: Iterable[BedEvent],
    until_ms: int,
    acknowledge: Mapping[str, int] | None = None,
    tick_ms: int = STEP_MS,
    sent_at: Mapping[tuple[str, Any], int] | None = None,
    unwatched: Sequence[int] = (),
) -> list[Change]:
    """Send events as they would come in, ticking, and acknowledging rules' alerts at given times (the next
    alert of a rule under its name and ` again`).

    An event is sent at its own time, unless `sent_at` knows better by its device and number. `unwatched`
    is when nobody watched, from and until, one after the other: what was sent then is received after it."""
    known = sent_at or {}
    pending = sorted(
        ((known.get((e.device, e.seq), e.time_ms), e.order, e.bed, e) for e in events),
        key=lambda entry: entry[:3],
    )
    due, away = dict(acknowledge or {}), list(unwatched)
    changes: list[Change] = []
    now_ms, back_ms, at = START_MS, START_MS, 0
    while now_ms <= until_ms:
        if away and away[0] < now_ms < away[1]:
            now_ms += tick_ms
            continue
        if away and away[1] <= now_ms:
            back_ms = now_ms
            ward.note_unwatched(away.pop(0), away.pop(0), "restarted", now_ms)
            changes += ward.tick(now_ms)
        while at < len(pending) and (received_ms := max(pending[at][0] + LATENCY_MS, back_ms)) <= now_ms:
            event = pending[at][-1]
            at += 1
            changes += ward.tick(received_ms)
            ward.offer(event, received_ms, hash_of(event))
        changes += ward.tick(now_ms)
        changes += _acknowledge(ward, due, now_ms)
        now_ms += tick_ms
    return changes


def _acknowledge(ward: Ward, due: dict[str, int], now_ms: int) -> list[Change]:
    for rule in [rule for rule, at_ms in due.items() if at_ms <= now_ms]:
        alert = ward.beds[BED].alerts[rule.removesuffix(" again")]
        ward.offer(Acknowledged(due.pop(rule), "station-1", alert.alert_id, "rn"), now_ms, 0)
    return []


def hash_of(event: BedEvent) -> int:
    """A digest of an event's content (the wire's works on payload bytes)."""
    return random.Random(repr(event)).getrandbits(63)


def length_ms(chart: Mapping[str, Any]) -> int:
    """How long the chart's longest series is, and a little more for the hold-back."""
    lengths = [len(series(chart[name])) for name in (*PUMPS, *CHARTED, "map", "cuff") if chart.get(name)]
    return max(lengths) * MINUTE_MS
