"""Histories made of spells: so many minutes at one pressure, dose or silence, from a seed.

Written down as charts, so that a history on which two readers disagree can be cut down and read.
Must know nothing of the product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from random import Random

from tests.reference.facts import Acknowledgement, Fact, Patient, Pressure, Report, Terms

START_MS = 1_790_000_000_000
MINUTE_MS = 60_000
MONITORED = Terms()
WEIGHT_KG = 70
STATES = {"off": "stopped", "paused": "paused", "kvo": "kvo", "standby": "standby", "unknown": "infusing"}


@dataclass(frozen=True)
class Spell:
    """A word or a figure (thousandths of a mmHg, ten-thousandths of a dose) for some minutes."""

    value: str | int
    minutes: int
    slope: int = 0

    def text(self, scale: int) -> str:
        """As a chart's series has it: `60x12`, `70-1x5`, `_x3`."""
        if isinstance(self.value, str):
            return f"{self.value}x{self.minutes}"
        return f"{self.value / scale:g}{f'{self.slope / scale:+g}' if self.slope else ''}x{self.minutes}"


@dataclass(frozen=True)
class Track:
    """One device's spells, and how often and when in the minute it speaks."""

    spells: tuple[Spell, ...] = ()
    every_s: int = 5
    phase_ms: int = 0
    unit: str = "ug/kg/min"
    bags: tuple[tuple[int, int], ...] = ()
    """From which minute on which concentration hangs, in mcg/mL; the rate is still the first one's."""

    def moments(self) -> Iterator[tuple[int, str | int]]:
        """(time, value) of each message."""
        minute = 0
        step_ms = self.every_s * 1000
        end_ms = sum(spell.minutes for spell in self.spells) * MINUTE_MS
        values: list[str | int] = []
        for spell in self.spells:
            for nth in range(spell.minutes):
                value = spell.value if isinstance(spell.value, str) else spell.value + nth * spell.slope
                values.append(value)
        for at_ms in range(0, end_ms, step_ms):
            minute = at_ms // MINUTE_MS
            if values[minute] != "_":
                yield START_MS + self.phase_ms + at_ms, values[minute]


@dataclass(frozen=True)
class History:
    """All devices of a bed, what the context said when, and which alerts were acknowledged when."""

    tracks: dict[str, Track]
    patients: tuple[Patient, ...] = (Patient(0),)
    acknowledged: tuple[tuple[int, str], ...] = ()
    terms: Terms = MONITORED

    def chart(self) -> str:
        """The history as a reviewer reads it."""
        lines = [
            f"{name + ':':16}{' '.join(s.text(_scale(name)) for s in track.spells)}"
            f"  # every {track.every_s} s, {track.phase_ms} ms past, {track.unit} {track.bags or ''}"
            for name, track in self.tracks.items()
        ]
        lines += [f"{each.time_ms / MINUTE_MS:g}m {each}" for each in self.patients]
        lines += [f"{at / MINUTE_MS:g}m acknowledge {rule}" for at, rule in self.acknowledged]
        return "\n".join([*lines, str(self.terms)])

    def facts(self) -> list[Fact]:
        """In order of time; of one instant, first the context, then pressures, then pumps."""
        told: list[Fact] = [replace(each, time_ms=START_MS + each.time_ms) for each in self.patients]
        for name, track in self.tracks.items():
            told += [FACTS[name](at_ms, value, track) for at_ms, value in track.moments()]
        told += [Acknowledgement(START_MS + at, rule) for at, rule in self.acknowledged]
        return sorted(told, key=lambda fact: fact.time_ms)

    def until_ms(self) -> int:
        """The end of the longest track."""
        lengths = [sum(spell.minutes for spell in track.spells) for track in self.tracks.values()]
        return START_MS + max(lengths, default=0) * MINUTE_MS


def _scale(track: str) -> int:
    return 1_000 if track in ("map", "cuff") else 10_000


def _pressure(source: str) -> Callable[[int, str | int, Track], Fact]:
    def fact(at_ms: int, value: str | int, _: Track) -> Fact:
        return Pressure(at_ms, 0 if isinstance(value, str) else value, source, not isinstance(value, str))

    return fact


def _report(channel: str, drug: str) -> Callable[[int, str | int, Track], Fact]:
    def fact(at_ms: int, value: str | int, track: Track) -> Fact:
        if isinstance(value, str):
            return Report(at_ms, channel, STATES[value], None, drug)
        strength = [each for minute, each in track.bags if START_MS + minute * MINUTE_MS <= at_ms]
        hangs = Fraction(strength[-1]) if strength else None
        rate = Fraction(value, 10_000) * _per_dose(track)
        unit = track.unit if drug == "norepinephrine" else "U/min"
        return Report(at_ms, channel, "infusing", rate, drug, unit, hangs)

    return fact


def _per_dose(track: Track) -> Fraction:
    """What the pump shows for 1 mcg/kg/min, by the weight and the bag that it was set up for."""
    match track.unit:
        case "ug/min":
            return Fraction(WEIGHT_KG)
        case "mg/h":
            return Fraction(WEIGHT_KG * 60, 1_000)
        case "mL/h":
            return Fraction(WEIGHT_KG * 60, track.bags[0][1] if track.bags else 16)
        case _:
            return Fraction(1)


FACTS: dict[str, Callable[[int, str | int, Track], Fact]] = {
    "map": _pressure("arterial"),
    "cuff": _pressure("cuff"),
    "norepinephrine": _report("1", "norepinephrine"),
    "second_bag": _report("2", "norepinephrine"),
    "vasopressin": _report("3", "vasopressin"),
}

PRESSURES = (45, 50, 54, 55, 58, 60, 62, 64, 65, 66, 67, 68, 70, 72, 75, 80, 90)
EDGES = (54_999, 55_000, 59_999, 60_000, 64_999, 65_000, 66_999, 67_000)
DOSES = (100, 200, 499, 500, 750, 799, 800, 999, 1000, 1333, 1500, 2000, 2199, 2200, 2499, 2500, 3000, 4000)
STEPS = (Fraction(1, 2), Fraction(3, 4), Fraction(7, 10), Fraction(9, 10), Fraction(101, 100), Fraction(4, 3))
STEPS_ASTRAY = (Fraction(1, 10), Fraction(1, 4), Fraction(1, 3), Fraction(3), Fraction(4), Fraction(10))
MINUTES = (1, 1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 35)
UNITS = ("ug/kg/min", "ug/kg/min", "ug/min", "mg/h", "mL/h", "mL/h")
STRENGTHS = (4, 16, 16, 32, 64)
WEIGHTS = (*[Fraction(WEIGHT_KG)] * 4, Fraction(50), Fraction("61.2"), Fraction("93.64"), None)
LATCHED = ("WEAN-STOP", "WEAN-STOP", "DOSE-STEP", "DOSE-START")
HOUR = 60
CHARTED = Terms(
    hold_ms=(("arterial", 3_600_000), ("cuff", 3_600_000)),
    pump_lost_ms=14_400_000,
)
"""The terms of a charted stay: a figure now and then stands for hours."""


def history(seed: int) -> History:
    """One bed for one to three hours, or one in five charted for days."""
    chance = Random(seed)
    return _charted(chance) if chance.random() < 0.2 else _monitored(chance)


def _monitored(chance: Random) -> History:
    minutes = chance.choice((45, 60, 90, 90, 120, 150))
    line, pump = (_calm_line, _calm_pump) if chance.random() < 0.35 else (_line, _pump)
    tracks = {}
    if chance.random() < 0.9:
        tracks["map"] = _track(chance, minutes, (5, 5, 10, 15, 20, 30), line)
    if not tracks or chance.random() < 0.25:
        tracks["cuff"] = _track(chance, minutes, (60, 150, 300, 600), line)
    tracks["norepinephrine"] = _set_up(chance, minutes, (5, 10, 20, 30, 60), pump)
    if chance.random() < 0.25:
        tracks["second_bag"] = _set_up(chance, minutes, (5, 10, 30), _pump)
    if chance.random() < 0.25:
        tracks["vasopressin"] = _track(chance, minutes, (5, 10, 30), _vasopressin)
    return History(tracks, _patients(chance, minutes), _acknowledged(chance, minutes))


def _charted(chance: Random) -> History:
    """Days of sparse figures, so that a day's mass and a week's infusion come about."""
    minutes = chance.choice((2, 3, 7, 8, 9)) * 24 * HOUR
    dose = chance.choice((_steady_pump, _steady_pump, _charted_pump))
    tracks = {
        chance.choice(("map", "cuff")): _track(chance, minutes, (300, 900, 1_800, 3_600), _charted_line),
        "norepinephrine": _set_up(chance, minutes, (600, 1_800, 3_600), dose),
    }
    if chance.random() < 0.5:
        pump = tracks["norepinephrine"]
        tracks["norepinephrine"] = replace(pump, spells=(*pump.spells, Spell("off", 6 * HOUR)))
    if chance.random() < 0.25:
        tracks["second_bag"] = _set_up(chance, minutes, (1_800, 3_600), _charted_pump)
    return History(tracks, _patients(chance, minutes), _acknowledged(chance, minutes), CHARTED)


def _set_up(
    chance: Random,
    minutes: int,
    every_s: Sequence[int],
    next_spell: Callable[[Random, Spell | None], Spell],
) -> Track:
    """A pump's track in some unit; now and then a bag of another strength follows, at the old rate."""
    track = replace(_track(chance, minutes, every_s, next_spell), unit=chance.choice(UNITS))
    if track.unit != "mL/h":
        return track
    bags = [(0, chance.choice(STRENGTHS))]
    if chance.random() < 0.5:
        bags.append((chance.randrange(minutes), chance.choice(STRENGTHS)))
    return replace(track, bags=tuple(bags))


def _patients(chance: Random, minutes: int) -> tuple[Patient, ...]:
    """What the context says, and sometimes what it says later."""
    first = Patient(
        0,
        chance.choice((65_000, 65_000, 65_000, 70_000, 60_000)),
        chance.choice(WEIGHTS),
        chance.choice((*["general"] * 4, *["septic_shock"] * 4, "hepatorenal", "pediatric", "anaphylaxis")),
        chance.choice((*["adult"] * 9, "pediatric")),
        chance.random() < 0.1,
    )
    if chance.random() < 0.7:
        return (first,)
    later = replace(first, time_ms=chance.randrange(minutes) * MINUTE_MS)
    match chance.random():
        case dice if dice < 0.5:
            later = replace(later, target=chance.choice((60_000, 70_000, 75_000)))
        case dice if dice < 0.9:
            later = replace(later, weight=chance.choice((Fraction(7), Fraction(65), *WEIGHTS)))
        case _:
            later = replace(later, profile=chance.choice(("general", "hepatorenal")))
    return (first, later)


def _acknowledged(chance: Random, minutes: int) -> tuple[tuple[int, str], ...]:
    """When somebody came by and acknowledged what."""
    if chance.random() < 0.4:
        return ()
    times = sorted(chance.sample(range(5, minutes), 4))
    return tuple((at * MINUTE_MS, chance.choice(LATCHED)) for at in times)


def _track(
    chance: Random,
    minutes: int,
    every_s: Sequence[int],
    next_spell: Callable[[Random, Spell | None], Spell],
) -> Track:
    spells: list[Spell] = []
    while (told := sum(spell.minutes for spell in spells)) < minutes:
        spell = next_spell(chance, spells[-1] if spells else None)
        spells.append(replace(spell, minutes=min(spell.minutes, minutes - told)))
    phase_ms = chance.choice((0, 0, 1_500, 2_345, 4_999))
    return Track(tuple(spells), chance.choice(every_s), phase_ms)


def _line(chance: Random, last: Spell | None) -> Spell:
    minutes = chance.choice(MINUTES)
    before = last.value if last and isinstance(last.value, int) else 70_000
    if chance.random() < 0.25 and not 60_000 < before < 80_000:  # a rebound, and what is left of it
        return Spell(90_000, 10) if before <= 60_000 else Spell(66_500, 10)
    match chance.random():
        case dice if dice < 0.08:
            return Spell("_", min(minutes, chance.choice((1, 3, 20))))
        case dice if dice < 0.14:
            return Spell("artefact", min(minutes, 6))
        case dice if dice < 0.24:
            return Spell(chance.choice(EDGES), minutes)
        case dice if dice < 0.34:
            return Spell(
                chance.choice((60_000, 66_000, 72_000)), min(minutes, 10), chance.choice((-1000, 700))
            )
        case dice if dice < 0.65:
            return Spell(chance.choice((70_000, 72_000, 68_500)), minutes)
        case _:
            return Spell(chance.choice(PRESSURES) * 1000, minutes)


def _pump(chance: Random, last: Spell | None) -> Spell:
    minutes = chance.choice(MINUTES)
    rate = last.value if last and isinstance(last.value, int) else chance.choice(DOSES)
    match chance.random():
        case dice if dice < 0.1:
            return Spell(chance.choice(("_", "unknown", "paused", "kvo")), min(minutes, 10))
        case dice if dice < 0.25:
            return Spell("off", minutes)
        case dice if dice < 0.6:
            return Spell(max(round(rate * chance.choice(STEPS)), 1), minutes)
        case dice if dice < 0.68 and 30 <= rate <= 4_000:
            return Spell(round(rate * chance.choice(STEPS_ASTRAY)), minutes)
        case _:
            return Spell(chance.choice(DOSES), minutes)


def _calm_line(chance: Random, last: Spell | None) -> Spell:
    if chance.random() < 0.2:
        return Spell(chance.choice(("_", "artefact", 60_000, 58_000)), chance.choice((1, 2, 4)))
    return Spell(chance.choice((65_000, 70_000, 72_000, 75_000)), chance.choice((20, 30, 45)))


def _calm_pump(chance: Random, last: Spell | None) -> Spell:
    rate = last.value if last and isinstance(last.value, int) else chance.choice(DOSES)
    if chance.random() < 0.1:
        return Spell(chance.choice(("_", "off", "unknown")), chance.choice((1, 3, 10)))
    return Spell(max(round(rate * chance.choice(STEPS)), 1), chance.choice((10, 30, 36, 45)))


def _charted_line(chance: Random, last: Spell | None) -> Spell:
    """Hours at one pressure; now and then nobody charted any."""
    spell = _line(chance, last)
    value = 70_000 if spell.value == "_" and chance.random() < 0.5 else spell.value
    return Spell(value, chance.choice((1, 2, 4, 8, 24)) * HOUR)


def _charted_pump(chance: Random, last: Spell | None) -> Spell:
    """Hours at one dose, stops and silences between."""
    return replace(_pump(chance, last), minutes=chance.choice((1, 2, 3, 6, 12)) * HOUR)


def _steady_pump(chance: Random, last: Spell | None) -> Spell:
    """Days of a high dose, seldom left off or unheard."""
    if chance.random() < 0.07 and last is not None:
        return Spell(chance.choice(("_", "off", "unknown", "paused")), chance.choice((1, 3, 6, 24)) * HOUR)
    return Spell(
        chance.choice((1_500, 3_000, 6_000, 6_700, 6_800, 7_000, 9_000)), chance.choice((6, 12, 24)) * HOUR
    )


def _vasopressin(chance: Random, last: Spell | None) -> Spell:
    return Spell(chance.choice(("off", "off", "_", 200, 299, 300, 400)), chance.choice(MINUTES))


def cut(whole: History, wrong: Callable[[History], bool]) -> History:
    """The smallest history that one cut after another leaves and that is still wrong."""
    again = True
    while again:
        again = False
        for smaller in _smaller(whole):
            if wrong(smaller):
                whole, again = smaller, True
                break
    return whole


def _smaller(whole: History) -> Iterator[History]:
    yield from (_shorter(whole, part) for part in (2, 4, 8))
    for name in whole.tracks:
        yield replace(whole, tracks={n: t for n, t in whole.tracks.items() if n != name})
    for at in whole.acknowledged:
        yield replace(whole, acknowledged=tuple(a for a in whole.acknowledged if a != at))
    yield from (replace(whole, patients=whole.patients[:n]) for n in range(len(whole.patients)))
    for n, each in enumerate(whole.patients):
        for plain in (replace(each, profile="general"), replace(each, age_group="adult", pregnant=False)):
            if plain != each:
                yield replace(whole, patients=(*whole.patients[:n], plain, *whole.patients[n + 1 :]))
    for name, track in whole.tracks.items():
        for spells in _fewer(track.spells):
            yield replace(whole, tracks={**whole.tracks, name: replace(track, spells=spells)})
        if track.bags or track.unit != "ug/kg/min":
            plain_track = replace(track, unit="ug/kg/min", bags=())
            yield replace(whole, tracks={**whole.tracks, name: plain_track})
        if track.phase_ms:
            yield replace(whole, tracks={**whole.tracks, name: replace(track, phase_ms=0)})


def _shorter(whole: History, part: int) -> History:
    """Without the last `part`th of every track."""
    tracks = {}
    for name, track in whole.tracks.items():
        kept = len(track.spells) * (part - 1) // part
        tracks[name] = replace(track, spells=track.spells[:kept])
    return replace(whole, tracks=tracks)


def _fewer(spells: tuple[Spell, ...]) -> Iterator[tuple[Spell, ...]]:
    for n, spell in enumerate(spells):
        yield (*spells[:n], *spells[n + 1 :])
        if spell.value != "_":
            yield (*spells[:n], Spell("_", spell.minutes), *spells[n + 1 :])
        if spell.slope:
            yield (*spells[:n], replace(spell, slope=0), *spells[n + 1 :])
        for minutes in (spell.minutes // 2, spell.minutes - 1):
            if minutes > 0:
                yield (*spells[:n], replace(spell, minutes=minutes), *spells[n + 1 :])
