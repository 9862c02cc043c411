"""Histories of a small ward made of spells, and wards that live through them.

A spell is some minutes of one thing: a pressure, silence, artefacts, a cuff; a dose, a stop, a bag of
another strength; a lactate, a rhythm, a fluid. The messages follow from the spells, so that a counterexample
is a few spells that a nurse could read.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any

from quick_site import every_rule, quick_site, ruleset
from read_again import read_again

from streamproc.core.alert import Phase
from streamproc.core.bed import Bed
from streamproc.core.change import Change
from streamproc.core.events import (
    MILLI,
    Acknowledged,
    BedEvent,
    BedFreed,
    MapSample,
    MapSource,
    Observation,
    ObservationKind,
    PatientContext,
    PumpState,
    PumpStatus,
    Quantity,
)
from streamproc.core.remembered import Verdict
from streamproc.core.ward import Ward
from streamproc.wire import digest, encode
from streamproc.wire.announce import alert_event

START_MS = 1_790_000_000_123
MINUTE_MS = 60_000
LENGTH_MIN = 16
AFTERMATH_MIN = 8
"""For so long nothing more comes, and what ends by itself ends."""
BEDS = ("icu-a/bed-1", "icu-a/bed-2")
HOLD_BACK_MS = quick_site().core_limits().hold_back_ms
INSTANCE = "streamproc-1"
SITE_WEIGHT_KG = 70.0


# what is said


@dataclass(frozen=True)
class Bag:
    """How a channel is set up, as its pump reports it; `strength` in ug (or U) per mL."""

    strength: float | None = None
    diluent: str | None = None
    route: str | None = None
    line: str | None = None
    alarms: tuple[str, ...] = ()
    volume_ml: float | None = None
    weight_kg: float | None = None


@dataclass(frozen=True)
class Spell:
    """Some minutes of one thing; `value` is what is measured, or the rate of a pump.

    Of any source: `silence` (nothing is sent), `lost` (sent, and it never comes), `ahead` and `behind` (sent
    with a wrong clock)."""

    kind: str
    minutes: float
    value: float = 0.0
    bag: Bag | None = None


CLOCK_OFF_MS = {"ahead": 20_000, "behind": -90_000}
"""How wrong a wrong clock is: beyond what the ward takes in."""
UNITS = {"rate": "ug/kg/min", "units": "U/min", "blind": "mL/h", "ahead": "ug/kg/min", "behind": "ug/kg/min"}
"""The kinds of spell in which a pump infuses; `blind` is mL/h of nobody knows what."""
Sent = tuple[int, BedEvent]
"""When something was sent, and what it says (of which its own time is a part)."""


@dataclass(frozen=True)
class Line:
    """One source of messages: its spells, and how far apart its messages are."""

    spells: tuple[Spell, ...]
    step_s: int
    silent_min: float = 0

    def without(self, kind: str) -> Line:
        """The same, but that nothing is sent in spells of one kind."""
        spells = (replace(s, kind="silence") if s.kind == kind else s for s in self.spells)
        return replace(self, spells=tuple(spells))

    def messages(self) -> Iterator[tuple[int, int, Spell]]:
        """(when, its number, spell) of each that comes; odd ms, so that nothing falls on whole seconds."""
        number, slot, at_ms = 0, 0, START_MS + round(self.silent_min * MINUTE_MS)
        for spell in self.spells:
            end_ms = min(at_ms + round(spell.minutes * MINUTE_MS), START_MS + LENGTH_MIN * MINUTE_MS)
            while at_ms < end_ms:
                slot += 1
                number += spell.kind != "silence"
                if spell.kind not in ("silence", "lost"):
                    yield at_ms + slot * 379 % 1_000, number, spell
                at_ms += self.step_s * 1_000


@dataclass(frozen=True)
class Stay:
    """What happens at one bed: pressure, pumps, readings, and what is known of the patient and from when."""

    bed: str
    pressure: Line
    pumps: tuple[tuple[str, str, Line], ...]
    charted: tuple[tuple[ObservationKind, Line], ...] = ()
    patient: tuple[tuple[str, Any], ...] = ()
    contexts: tuple[tuple[int, str, Any], ...] = ()
    wobble: bool = False
    silent_min: float = 0

    def messages(self) -> list[Sent]:
        made = [(context.time_ms, context) for context in self._contexts()] + self._pressures()
        for channel, drug, line in self.pumps:
            made += self._reports(channel, drug, line)
        for kind, line in self.charted:
            made += self._readings(kind, line)
        heard_ms = START_MS + round(self.silent_min * MINUTE_MS)
        return [(sent_ms, said) for sent_ms, said in made if sent_ms >= heard_ms or not is_telemetry(said)]

    def _pressures(self) -> list[Sent]:
        made: list[Sent] = []
        for at_ms, number, spell in self.pressure.messages():
            source = MapSource.CUFF if spell.kind == "cuff" else MapSource.ARTERIAL
            off = (number * 37 % 7 - 3) / 2 if self.wobble else 0
            value = round((spell.value + off) * MILLI)
            device = monitor(neighbour(self.bed) if spell.kind == "borrowed" else self.bed, source)
            time_ms = at_ms + CLOCK_OFF_MS.get(spell.kind, 0)
            valid = spell.kind != "artefact"
            made.append((at_ms, MapSample(time_ms, self.bed, device, "b1", number, source, value, valid)))
            if self.wobble and number % 5 == 0:  # a second transducer, at the very same instant
                twin, other = f"{device}-twin", number // 5
                sample = MapSample(time_ms, self.bed, twin, "b1", other, source, value + 4_000, valid)
                made.append((at_ms, sample))
        return made

    def _reports(self, channel: str, drug: str, line: Line) -> list[Sent]:
        made: list[Sent] = []
        for told, (at_ms, number, spell) in enumerate(line.messages()):
            time_ms = at_ms + CLOCK_OFF_MS.get(spell.kind, 0)
            infuses = spell.kind in UNITS
            state = PumpState.INFUSING if infuses else PumpState(spell.kind)
            rate = Quantity(spell.value, UNITS[spell.kind]) if infuses else None
            device = f"PMP-{channel}-{self.bed[-1]}"
            status = PumpStatus(time_ms, self.bed, device, "b1", number, channel, state, drug, rate=rate)
            made.append((at_ms, status if spell.bag is None else set_up(status, spell.bag, told)))
        return made

    def _readings(self, kind: ObservationKind, line: Line) -> list[Sent]:
        """A figure is the spell's value; a sign or a fluid is named by the spell's kind."""
        made: list[Sent] = []
        numbered = kind is ObservationKind.SYSTOLIC
        for at_ms, number, spell in line.messages():
            origin = (f"CHT-{kind}-{self.bed[-1]}", *(("b1", number) if numbered else (None, None)))
            value: float | str = spell.kind if kind in SIGNS else spell.value
            fluid = spell.kind if kind is ObservationKind.FLUID_BOLUS else None
            unit = OBSERVED_IN.get(kind)
            made.append((at_ms, Observation(at_ms, self.bed, *origin, kind, value, unit, fluid)))
        return made

    def _contexts(self) -> list[BedEvent]:
        """The patient as known at first, and every change of that."""
        known = PatientContext(START_MS, self.bed, "S-1", weight_kg=SITE_WEIGHT_KG)
        known = replace(known, **dict(self.patient))
        made: list[BedEvent] = [known]
        for minute, what, value in sorted(self.contexts, key=lambda context: context[0]):
            known = replace(known, time_ms=START_MS + minute * MINUTE_MS + 17)
            if what == "freed":
                made.append(BedFreed(known.time_ms, self.bed))
            else:
                known = replace(known, **{what: value})
                made.append(known)
        return made


SIGNS = (ObservationKind.ARRHYTHMIA, ObservationKind.EXTRAVASATION)
OBSERVED_IN = {
    ObservationKind.SYSTOLIC: "mm[Hg]",
    ObservationKind.LACTATE: "mmol/L",
    ObservationKind.URINE_OUTPUT: "mL",
    ObservationKind.FLUID_BOLUS: "mL",
    ObservationKind.CAPILLARY_REFILL: "s",
}


def monitor(bed: str, source: MapSource) -> str:
    """The serial of a bed's own monitor."""
    return f"MON-{source[0]}-{bed[-1]}"


def neighbour(bed: str) -> str:
    """The other bed of the ward."""
    return BEDS[1 - BEDS.index(bed)]


def set_up(status: PumpStatus, bag: Bag, told: int) -> PumpStatus:
    """The report with its bag; what is left in it falls from report to report."""
    per_ml = "U/mL" if status.drug == "vasopressin" else "ug/mL"
    return replace(
        status,
        concentration=None if bag.strength is None else Quantity(bag.strength, per_ml),
        weight_kg=bag.weight_kg,
        volume_remaining_ml=None if bag.volume_ml is None else round(bag.volume_ml * 0.98**told, 3),
        diluent=bag.diluent,
        route=bag.route,
        line=bag.line,
        alarms=bag.alarms,
    )


@dataclass(frozen=True)
class Arrival:
    """A message, when it came in, and the digest of what was sent."""

    received_ms: int
    event: BedEvent | Acknowledged
    digest: int

    @property
    def in_order(self) -> bool:
        """Whether it came within the hold-back of its own time."""
        return 0 <= self.received_ms - self.event.time_ms < HOLD_BACK_MS


@dataclass(frozen=True)
class History:
    """Everything that came in, in order of receipt, and until when it is lived through."""

    stays: tuple[Stay, ...]
    arrivals: tuple[Arrival, ...] = field(repr=False)
    until_ms: int = START_MS + (LENGTH_MIN + AFTERMATH_MIN) * MINUTE_MS

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """A counterexample is shown by its spells, not by its thousand messages."""
        printer.text(repr(self))

    @property
    def roster(self) -> frozenset[str]:
        return frozenset(stay.bed for stay in self.stays)

    def arriving(self, arrivals: Iterable[Arrival]) -> History:
        """The same ward with other arrivals."""
        return replace(self, arrivals=in_order(arrivals))


def digest_of(event: BedEvent | Acknowledged) -> int:
    """A digest of an event's content (the wire's works on payload bytes)."""
    return digest(repr(event).encode())


def in_order(arrivals: Iterable[Arrival]) -> tuple[Arrival, ...]:
    return tuple(sorted(arrivals, key=lambda arrival: (arrival.received_ms, arrival.digest)))


# how it is on its way


def within_hold_back(number: int, salt: int) -> int:
    """A delay that still lets its message be in order."""
    return random.Random(salt * 1_000_003 + number).randrange(HOLD_BACK_MS)


def arrived(drawn: tuple[Stay, ...], salt: int = 0, late_every: int = 0) -> History:
    """The stays' messages on their way: most within the hold-back, each so-manieth device message late."""
    arrivals = []
    for stay in drawn:
        for number, (sent_ms, event) in enumerate(stay.messages()):
            delay_ms = within_hold_back(number, salt)
            if late_every and number % late_every == late_every - 1 and is_telemetry(event):
                delay_ms += HOLD_BACK_MS + number * 977 % 45_000
            arrivals.append(Arrival(sent_ms + delay_ms, event, digest_of(event)))
    return History(drawn, in_order(arrivals))


def redelayed(history: History, salt: int) -> History:
    """The same messages, each with another delay within the hold-back; for histories without late ones.

    What is noticed at receipt stays where it is: a wrong clock, and a device that is at two beds."""
    shared = at_two_beds(history)
    arrivals = [
        replace(arrival, received_ms=arrival.event.time_ms + within_hold_back(number, salt))
        if arrival.in_order and getattr(arrival.event, "device", "") not in shared
        else arrival
        for number, arrival in enumerate(history.arrivals)
    ]
    return history.arriving(arrivals)


def at_two_beds(history: History) -> set[str]:
    """The devices that speak for more than one bed."""
    heard = {(a.event.device, a.event.bed) for a in history.arrivals if is_telemetry(a.event)}
    devices = [device for device, _ in heard]
    return {device for device in devices if devices.count(device) > 1}


def is_telemetry(event: BedEvent | Acknowledged) -> bool:
    return isinstance(event, MapSample | PumpStatus | Observation)


def acknowledging(history: History, after_halves: Sequence[int]) -> History:
    """The history with as many alerts acknowledged, each so many half minutes after it was told; first those
    that latch, then others in the order of their names, which is that of chance."""
    starts = [change for change in run(history).changes if change.phase is Phase.START]
    starts.sort(key=lambda start: (not start.rule.latches, start.alert_id))
    acks = []
    for number, (start, halves) in enumerate(zip(starts, after_halves, strict=False)):
        at_ms = start.time_ms + HOLD_BACK_MS + halves * MINUTE_MS // 2 + 7
        ack = Acknowledged(at_ms, "station-1", start.alert_id, "rn")
        acks.append(Arrival(at_ms + within_hold_back(number, halves), ack, digest_of(ack)))
    return history.arriving([*history.arrivals, *acks])


# how it is lived through


@dataclass
class Run:
    """What a ward made of a history."""

    ward: Ward
    changes: list[Change]
    verdicts: list[Verdict]

    @property
    def beds(self) -> list[Bed]:
        return list(self.ward.beds.values())

    @property
    def feed(self) -> list[bytes]:
        """What is announced, byte for byte."""
        return [encode(alert_event(change, INSTANCE, ruleset())) for change in self.changes]

    def told(self) -> list[tuple[Any, ...]]:
        """What is announced, without its numbering, names and evidence."""
        return [
            (
                c.time_ms,
                c.bed,
                c.rule.id,
                c.phase,
                c.priority,
                c.state,
                c.wording.text,
                c.wording.value,
                c.reason,
            )
            for c in self.changes
        ]


def new_ward(history: History) -> Ward:
    site = quick_site()
    return Ward(every_rule(), site.core_terms(), site.core_limits(), history.roster)


def run(
    history: History,
    *,
    ticks_ms: Iterable[int] = (),
    restarts_ms: Iterable[int] = (),
    looks_ms: Iterable[int] = (),
    start_ms: int = START_MS,
    new_alone: bool = False,
) -> Run:
    """Live through a history: a tick before each message, further ticks, restarts from JSON, and further
    looks, instants of event time at which every bed is to judge although nothing happens.

    With `new_alone` the first restart is from a full snapshot, the others from what is new since that one."""
    lived = Run(new_ward(history), [], [])
    restarts, looks = set(restarts_ms), {look_ms + HOLD_BACK_MS - 1: look_ms for look_ms in looks_ms}
    arrivals, at, base = history.arrivals, 0, None
    instants = {start_ms, history.until_ms, *ticks_ms, *restarts, *looks}
    for now_ms in sorted(instants.union(each.received_ms for each in arrivals)):
        lived.changes += lived.ward.tick(now_ms)
        if now_ms in restarts:
            kept = read_again(lived.ward.snapshot(base and base["clock_ms"]))
            lived.ward = restarted(kept, base and base["beds"], history)
            base = base or (kept if new_alone else None)
        if now_ms in looks:
            look_at_every_bed(lived.ward, looks[now_ms])
        while at < len(arrivals) and arrivals[at].received_ms == now_ms:
            arrival = arrivals[at]
            lived.verdicts.append(lived.ward.offer(arrival.event, now_ms, arrival.digest))
            at += 1
    return lived


def look_at_every_bed(ward: Ward, look_ms: int) -> None:
    """A deadline that no rule asked for."""
    for bed in ward.beds.values():
        bed.deadline_ms = min(bed.deadline_ms, look_ms)
        ward._schedule(bed)


def restarted(kept: Any, base: Any, history: History) -> Ward:
    """A fresh ward that takes over what the last one kept."""
    other = new_ward(history)
    other.restore(kept, base)
    return other


def assert_same_feed(one: Run, other: Run) -> None:
    """Both announce the same, byte for byte; if not, the first announcement in which they differ is told."""
    for here, there in zip_longest(one.feed, other.feed, fillvalue=b"(nothing)"):
        if here != there:
            raise AssertionError(f"the feeds differ first in\n  {here.decode()}\nagainst\n  {there.decode()}")
