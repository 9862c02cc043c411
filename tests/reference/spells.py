"""Histories made of spells: so many minutes at one pressure, dose or silence, from a seed.

Written down as charts, so that a history on which two readers disagree can be cut down and read.
Must know nothing of the product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from random import Random

from tests.reference.facts import Acknowledgement, Fact, Pressure, Report, Target

START_MS = 1_790_000_000_000
MINUTE_MS = 60_000
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
    """All devices of a bed, its targets, and when somebody acknowledged WEAN-STOP."""

    tracks: dict[str, Track]
    targets: tuple[tuple[int, int], ...] = ((0, 65_000),)
    acknowledged: tuple[int, ...] = ()

    def chart(self) -> str:
        """The history as a reviewer reads it."""
        lines = [
            f"{name + ':':16}{' '.join(s.text(_scale(name)) for s in track.spells)}"
            f"  # every {track.every_s} s, {track.phase_ms} ms past"
            for name, track in self.tracks.items()
        ]
        lines += [f"map_target:     {mmhg / 1000:g} from {at / MINUTE_MS:g}m" for at, mmhg in self.targets]
        lines += [f"acknowledge:    WEAN-STOP {at / MINUTE_MS:g}m" for at in self.acknowledged]
        return "\n".join(lines)

    def facts(self) -> list[Fact]:
        """In order of time; of one instant, first the context, then pressures, then pumps."""
        told: list[Fact] = [Target(START_MS + at, mmhg) for at, mmhg in self.targets]
        for name, track in self.tracks.items():
            told += [FACTS[name](at_ms, value) for at_ms, value in track.moments()]
        told += [Acknowledgement(START_MS + at, "WEAN-STOP") for at in self.acknowledged]
        return sorted(told, key=lambda fact: fact.time_ms)

    def until_ms(self) -> int:
        """The end of the longest track."""
        lengths = [sum(spell.minutes for spell in track.spells) for track in self.tracks.values()]
        return START_MS + max(lengths, default=0) * MINUTE_MS


def _scale(track: str) -> int:
    return 1_000 if track in ("map", "cuff") else 10_000


def _pressure(source: str) -> Callable[[int, str | int], Fact]:
    def fact(at_ms: int, value: str | int) -> Fact:
        return Pressure(at_ms, 0 if isinstance(value, str) else value, source, not isinstance(value, str))

    return fact


def _report(channel: str, drug: str) -> Callable[[int, str | int], Fact]:
    def fact(at_ms: int, value: str | int) -> Fact:
        if isinstance(value, str):
            return Report(at_ms, channel, STATES[value], None, drug)
        return Report(at_ms, channel, "infusing", Fraction(value, 10_000), drug)

    return fact


FACTS: dict[str, Callable[[int, str | int], Fact]] = {
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
MINUTES = (1, 1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 35)


def history(seed: int) -> History:
    """One bed for one to three hours."""
    chance = Random(seed)
    minutes = chance.choice((45, 60, 90, 90, 120, 150))
    line, pump = (_calm_line, _calm_pump) if chance.random() < 0.35 else (_line, _pump)
    tracks = {}
    if chance.random() < 0.9:
        tracks["map"] = _track(chance, minutes, (5, 5, 10, 15, 20, 30), line)
    if not tracks or chance.random() < 0.25:
        tracks["cuff"] = _track(chance, minutes, (60, 150, 300, 600), line)
    tracks["norepinephrine"] = _track(chance, minutes, (5, 10, 20, 30, 60), pump)
    if chance.random() < 0.25:
        tracks["second_bag"] = _track(chance, minutes, (5, 10, 30), _pump)
    if chance.random() < 0.25:
        tracks["vasopressin"] = _track(chance, minutes, (5, 10, 30), _vasopressin)
    targets = [(0, chance.choice((65_000, 65_000, 65_000, 70_000, 60_000)))]
    if chance.random() < 0.15:
        targets.append((chance.randrange(minutes) * MINUTE_MS, chance.choice((60_000, 70_000, 75_000))))
    acknowledged = sorted(chance.sample(range(5, minutes), 4)) if chance.random() < 0.6 else []
    return History(tracks, tuple(targets), tuple(at * MINUTE_MS for at in acknowledged))


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
    yield from (replace(whole, targets=whole.targets[:n]) for n in range(len(whole.targets)))
    for name, track in whole.tracks.items():
        for spells in _fewer(track.spells):
            yield replace(whole, tracks={**whole.tracks, name: replace(track, spells=spells)})
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
