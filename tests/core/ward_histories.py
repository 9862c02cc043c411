"""Histories of a small ward made of spells, and wards that live through them.

A spell is some minutes of one thing: a pressure, silence, artefacts, a cuff; a dose, a pause, a stop,
silence, a rate that nobody can resolve. Hypothesis draws the spells; the events follow from them, so
that a counterexample shrinks to a few spells that a nurse could read.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import zip_longest
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import Phase as Stage
from hypothesis import strategies as st
from pump_reports import site

from streamproc.core.alert import Phase
from streamproc.core.change import Change
from streamproc.core.events import (
    MILLI,
    Acknowledged,
    BedEvent,
    BedFreed,
    MapSample,
    MapSource,
    PatientContext,
    PumpState,
    PumpStatus,
    Quantity,
)
from streamproc.core.rule import Rule
from streamproc.core.ward import Verdict, Ward
from streamproc.wire import digest, encode
from streamproc.wire.announce import alert_event

START_MS = 1_790_000_000_123
MINUTE_MS = 60_000
LENGTH_MIN = 75
BEDS = ("icu-a/bed-1", "icu-a/bed-2")
HOLD_BACK_MS = site().core_limits().hold_back_ms
INSTANCE = "streamproc-1"

laws = settings(
    max_examples=8,
    deadline=None,
    print_blob=True,
    derandomize=False,
    phases=(Stage.explicit, Stage.reuse, Stage.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
"""Each example is an hour of two beds, lived through at least twice. Not shrunk: that would take minutes,
and spells can be read as they are; to shrink one, add `Stage.shrink` here."""


# what is said


@dataclass(frozen=True)
class Spell:
    """Some minutes of one thing; `value` is mmHg, or the rate of a pump."""

    kind: str
    minutes: int
    value: float = 0.0


@dataclass(frozen=True)
class Line:
    """One source of messages: its spells, and how far apart its messages are."""

    spells: tuple[Spell, ...]
    step_s: int
    silent_min: int = 0

    def instants(self) -> Iterator[tuple[int, int, Spell]]:
        """(event time, number, spell) of each message; odd ms, so that nothing falls on whole seconds."""
        number, at_ms = 0, START_MS + self.silent_min * MINUTE_MS
        for spell in self.spells:
            end_ms = at_ms + spell.minutes * MINUTE_MS
            while at_ms < min(end_ms, START_MS + LENGTH_MIN * MINUTE_MS):
                number += 1
                yield at_ms + number * 379 % 1_000, number, spell
                at_ms += self.step_s * 1_000


@dataclass(frozen=True)
class Stay:
    """What happens at one bed: pressure, pumps, and what is known of the patient and from when."""

    bed: str
    pressure: Line
    pumps: tuple[tuple[str, str, Line], ...]
    contexts: tuple[tuple[int, str, float | None], ...] = ()
    wobble: bool = False

    def events(self) -> list[BedEvent]:
        made = self._contexts() + self._pressures()
        for channel, drug, line in self.pumps:
            made += self._reports(channel, drug, line)
        return made

    def _pressures(self) -> list[BedEvent]:
        made: list[BedEvent] = []
        for at_ms, number, spell in self.pressure.instants():
            if spell.kind == "silence":
                continue
            source = MapSource.CUFF if spell.kind == "cuff" else MapSource.ARTERIAL
            off = (number * 37 % 7 - 3) / 2 if self.wobble else 0
            value = round((spell.value + off) * MILLI)
            valid = spell.kind != "artefact"
            device = f"MON-{source[0]}-{self.bed[-1]}"
            made.append(MapSample(at_ms, self.bed, device, "b1", number, source, value, valid))
            if self.wobble and number % 5 == 0:  # a second transducer, at the very same instant
                twin = f"MON-{source[0]}-t{self.bed[-1]}"
                made.append(MapSample(at_ms, self.bed, twin, "b1", number // 5, source, value + 4_000, valid))
        return made

    def _reports(self, channel: str, drug: str, line: Line) -> list[BedEvent]:
        made: list[BedEvent] = []
        for at_ms, number, spell in line.instants():
            if spell.kind == "silence":
                continue
            device = f"PMP-{channel}-{self.bed[-1]}"
            infuses = spell.kind in UNITS
            state = PumpState.INFUSING if infuses else PumpState(spell.kind)
            rate = Quantity(spell.value, UNITS[spell.kind]) if infuses else None
            made.append(PumpStatus(at_ms, self.bed, device, "b1", number, channel, state, drug, rate=rate))
        return made

    def _contexts(self) -> list[BedEvent]:
        """The patient as known at first, and every change of that."""
        known = PatientContext(START_MS, self.bed, "S-1", weight_kg=70.0)
        made: list[BedEvent] = [known]
        for minute, kind, value in sorted(self.contexts, key=lambda context: context[0]):
            known = replace(known, time_ms=START_MS + minute * MINUTE_MS + 17)
            match kind:
                case "target":
                    known = replace(known, map_target_milli_mmhg=round((value or 65) * MILLI))
                case "weight":
                    known = replace(known, weight_kg=value)
                case "session":
                    known = replace(known, session=f"S-{minute}")
            made.append(BedFreed(known.time_ms, self.bed) if kind == "freed" else known)
        return made


UNITS = {"rate": "ug/kg/min", "units": "U/min", "blind": "mL/h"}
"""The kinds of spell in which a pump infuses; `blind` is mL/h of nobody knows what."""


@dataclass(frozen=True)
class Arrival:
    """A message, when it came in, and the digest of what was sent."""

    received_ms: int
    event: BedEvent | Acknowledged
    digest: int

    @classmethod
    def of(cls, event: BedEvent | Acknowledged, delay_ms: int) -> Arrival:
        return cls(event.time_ms + delay_ms, event, digest_of(event))


@dataclass(frozen=True)
class History:
    """Everything that came in, in order of receipt, and until when it is lived through."""

    stays: tuple[Stay, ...]
    arrivals: tuple[Arrival, ...] = field(repr=False)
    until_ms: int = START_MS + (LENGTH_MIN + 20) * MINUTE_MS

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


def within_hold_back(number: int, salt: int) -> int:
    """A delay that still lets its message be in order."""
    return random.Random(salt * 1_000_003 + number).randrange(HOLD_BACK_MS)


# how it is drawn


STEADY_MMHG = [60.0, 64.999, 65.0, 67.0, 70.0, 80.0]
MMHG = [48.0, 54.999, 55.0, 58.0, 60.0, 64.9, 64.999, 65.0, 66.9, 67.0, 70.0, 80.0]
PRESSURE_STEPS_S = [5, 20, 30, 45]
PUMP_STEPS_S = [20, 30, 45]
RATES = [0.02, 0.04, 0.05, 0.07, 0.08, 0.0999, 0.1, 0.12, 0.15, 0.2, 0.22, 0.2499, 0.25, 0.3]


def lasting(calm: bool) -> st.SearchStrategy[int]:
    return st.sampled_from([30, 40, 60]) if calm else st.sampled_from([1, 2, 5, 10, 20])


def pressure_spells(calm: bool) -> st.SearchStrategy[Spell]:
    levels = st.builds(Spell, st.just("level"), lasting(calm), st.sampled_from(STEADY_MMHG if calm else MMHG))
    if calm:
        return levels
    others = st.builds(
        Spell, st.sampled_from(["silence", "artefact", "cuff"]), lasting(calm), st.sampled_from(MMHG)
    )
    return st.one_of(levels, levels, others)


def dose_spells(calm: bool) -> st.SearchStrategy[Spell]:
    rates = st.builds(Spell, st.just("rate"), lasting(calm), st.sampled_from(RATES))
    if calm:
        return rates
    others = st.builds(
        Spell, st.sampled_from(["stopped", "paused", "kvo", "silence", "blind"]), lasting(calm), st.just(5.0)
    )
    return st.one_of(rates, rates, others)


VASOPRESSIN = st.builds(
    Spell, st.sampled_from(["units", "stopped", "silence"]), lasting(False), st.sampled_from([0.02, 0.03])
)
CONTEXTS = st.tuples(
    st.integers(1, LENGTH_MIN), st.just("target"), st.sampled_from([60.0, 65.0, 75.0])
) | st.tuples(
    st.integers(1, LENGTH_MIN),
    st.sampled_from(["weight", "session", "freed"]),
    st.sampled_from([None, 60.0, 80.0]),
)


contexts_apart = st.lists(CONTEXTS, max_size=2, unique_by=lambda context: context[0])
"""Two contexts of one instant are in the order of their topic, which is that of their arrival."""


def spells(kind: st.SearchStrategy[Spell], calm: bool) -> st.SearchStrategy[tuple[Spell, ...]]:
    return st.lists(kind, min_size=2 if calm else 3, max_size=3 if calm else 10).map(tuple)


@st.composite
def lines(
    draw: st.DrawFn, kind: Callable[[bool], st.SearchStrategy[Spell]], calm: bool, steps_s: Sequence[int]
) -> Line:
    silent_min = draw(st.sampled_from([0, 0, 0, 3]))
    return Line(draw(spells(kind(calm), calm)), draw(st.sampled_from(steps_s)), silent_min)


@st.composite
def stays(draw: st.DrawFn, bed: str, contexts: bool = True) -> Stay:
    """One bed: calm (long spells, nothing lost) or not."""
    calm = draw(st.booleans())
    pumps = [("1", "norepinephrine", draw(lines(dose_spells, calm, PUMP_STEPS_S)))]
    if draw(st.booleans()):
        pumps.append(("3", "vasopressin", draw(lines(lambda _: VASOPRESSIN, False, PUMP_STEPS_S))))
    elif not calm and draw(st.booleans()):
        pumps.append(("2", "norepinephrine", draw(lines(dose_spells, False, PUMP_STEPS_S))))
    changes = draw(contexts_apart) if contexts and not calm else []
    pressure = draw(lines(pressure_spells, calm, PRESSURE_STEPS_S))
    return Stay(bed, pressure, tuple(pumps), tuple(changes), draw(st.booleans()))


@st.composite
def histories(draw: st.DrawFn, late: bool = True, contexts: bool = True, acks: bool = True) -> History:
    """Two beds for an hour and more; some messages late, some alerts acknowledged."""
    drawn = tuple(draw(stays(bed, contexts)) for bed in BEDS)
    late_every = draw(st.sampled_from([0, 11, 41])) if late else 0
    history = arrived(drawn, draw(st.integers(0, 999)), late_every)
    if not acks or draw(st.booleans()):
        return history
    return acknowledging(
        history, draw(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 20)), max_size=3))
    )


def arrived(drawn: tuple[Stay, ...], salt: int = 0, late_every: int = 0) -> History:
    """The stays' messages on their way: most within the hold-back, each so-manieth device message late."""
    arrivals = []
    for stay in drawn:
        for number, event in enumerate(stay.events()):
            delay_ms = within_hold_back(number, salt)
            if late_every and number % late_every == late_every - 1 and is_telemetry(event):
                delay_ms += HOLD_BACK_MS + number * 977 % 45_000
            arrivals.append(Arrival.of(event, delay_ms))
    return History(drawn, in_order(arrivals))


def redelayed(history: History, salt: int) -> History:
    """The same messages, each with another delay within the hold-back; for histories without late ones."""
    arrivals = [
        Arrival(arrival.event.time_ms + within_hold_back(number, salt), arrival.event, arrival.digest)
        for number, arrival in enumerate(history.arrivals)
    ]
    return history.arriving(arrivals)


def is_telemetry(event: BedEvent | Acknowledged) -> bool:
    return isinstance(event, MapSample | PumpStatus)


def acknowledging(history: History, answers: Sequence[tuple[int, int]]) -> History:
    """The history with acknowledgements: of which start, and how many minutes after it was told."""
    starts = [change for change in run(history).changes if change.phase is Phase.START]
    acks = []
    for number, minutes in answers:
        if number < len(starts):
            start = starts[number]
            at_ms = start.time_ms + HOLD_BACK_MS + minutes * MINUTE_MS + 7
            ack = Acknowledged(at_ms, "station-1", start.alert_id, "rn")
            acks.append(Arrival.of(ack, within_hold_back(number, minutes)))
    return history.arriving([*history.arrivals, *acks])


# how it is lived through


@dataclass
class Run:
    """What a ward made of a history."""

    ward: Ward
    changes: list[Change]
    verdicts: list[Verdict]

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


@cache
def ruleset() -> str:
    return site().ruleset()


@cache
def rules() -> tuple[Rule, ...]:
    return site().core_rules()


def new_ward(history: History, in_force: Sequence[Rule] | None = None) -> Ward:
    return Ward(in_force or rules(), site().core_terms(), site().core_limits(), history.roster)


def run(
    history: History,
    *,
    ticks_ms: Iterable[int] = (),
    restarts_ms: Iterable[int] = (),
    looks_ms: Iterable[int] = (),
    in_force: Sequence[Rule] | None = None,
    start_ms: int = START_MS,
) -> Run:
    """Live through a history: a tick before each message, further ticks, restarts from JSON, and further
    looks, instants of event time at which every bed is to judge although nothing happens."""
    lived = Run(new_ward(history, in_force), [], [])
    restarts, looks = set(restarts_ms), {look_ms + HOLD_BACK_MS - 1: look_ms for look_ms in looks_ms}
    arrivals, at = history.arrivals, 0
    instants = {start_ms, history.until_ms, *ticks_ms, *restarts, *looks}
    for now_ms in sorted(instants.union(each.received_ms for each in arrivals)):
        lived.changes += lived.ward.tick(now_ms)
        if now_ms in restarts:
            lived.ward = restarted(lived.ward, history, in_force)
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


def restarted(ward: Ward, history: History, in_force: Sequence[Rule] | None = None) -> Ward:
    """A fresh ward that takes over what the last one kept, by way of JSON."""
    other = new_ward(history, in_force)
    other.restore(json.loads(json.dumps(ward.snapshot())))
    return other


def assert_same_feed(one: Run, other: Run) -> None:
    """Both announce the same, byte for byte; if not, the first announcement in which they differ is told."""
    for here, there in zip_longest(one.feed, other.feed, fillvalue=b"(nothing)"):
        if here != there:
            raise AssertionError(f"the feeds differ first in\n  {here.decode()}\nagainst\n  {there.decode()}")


def open_spans(lived: Run, rule: str, bed: str, until_ms: int) -> list[tuple[int, int]]:
    """From when until when a rule's alert was open on a bed."""
    spans: list[tuple[int, int]] = []
    since_ms: int | None = None
    for change in lived.changes:
        if (change.rule.id, change.bed) != (rule, bed):
            continue
        if change.phase is Phase.START:
            since_ms = change.time_ms
        elif change.phase is Phase.END and since_ms is not None:
            spans.append((since_ms, change.time_ms))
            since_ms = None
    return spans if since_ms is None else [*spans, (since_ms, until_ms)]
