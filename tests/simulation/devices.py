"""The ward's devices: what each of them sends and when, decided by the seed alone, whatever befalls the rest.

Each device publishes until the broker has acknowledged: again after an outage, and twice where only
the acknowledgement was lost.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from streamproc.wire.instant import rfc3339

from .broker import Broker
from .world import World

EPOCH_S = 1_795_000_000
"""The instant at which every world begins, in seconds since 1970."""

PRESSURES = (52, 58, 63, 64, 66, 70, 78, 88)
DOSES = (0.04, 0.08, 0.12, 0.2, 0.24, 0.26, 0.3, 0.45)
SPEAK_FROM_S = 20
"""By then our subscription stands, on the slowest line as well: before it, a broker keeps nothing for us."""
SLOTS = 6
"""In so many groups the beds' gateways send, one group after the other."""
PUMP_AFTER_S = (0, 0, 0, 0.25, 3.0)
SPELL_S = (240, 2400)
"""How long a bed stays as it is."""


QUICK_S = (0.003, 0.003, 0.003, 0.2)
"""The longest ways of most messages."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One message, and the world's time at which its device first sends it."""

    at_s: float
    topic: str
    payload: bytes
    retain: bool = False


@dataclass(slots=True)
class Device:
    """A serial, its present boot, its number and how wrong its clock is."""

    serial: str
    boot: int = 1
    seq: int = 0
    ahead_s: float = 0.0

    def stamp(self, at_s: float) -> str:
        """The fields that every message begins with."""
        self.seq += 1
        time = rfc3339(round((EPOCH_S + at_s + self.ahead_s) * 1000))
        return f'"device":"{self.serial}","boot":"b{self.boot}","seq":{self.seq},"time":"{time}"'

    def reboot(self) -> None:
        """Start anew: another boot, and the numbers from the beginning."""
        self.boot, self.seq = self.boot + 1, 0


@dataclass(frozen=True, slots=True)
class Ways:
    """How the ward's devices behave."""

    beds: int
    hours: float
    interval_s: float
    honest: bool
    """No lost message, no wrong clock, no nonsense: what an uninterrupted run can be compared with."""


def bed_names(beds: int) -> list[str]:
    """The beds of the ward."""
    return [f"icu-a/bed-{number}" for number in range(1, beds + 1)]


def messages(chance: random.Random, ways: Ways) -> list[Sent]:
    """Everything that the ward's devices send, by the time of sending."""
    sent = [one for bed in bed_names(ways.beds) for one in _bed(chance, ways, bed)]
    return sorted(sent, key=lambda one: (one.at_s, one.topic))


def _bed(chance: random.Random, ways: Ways, bed: str) -> Iterator[Sent]:
    end_s = ways.hours * 3600
    serial = bed.replace("/", "-")
    monitor, pump = Device(f"MON-{serial}"), Device(f"PMP-{serial}")
    yield _context(chance, bed, 0.5, "S1")
    course = _course(chance, end_s)
    silent = _silences(chance, end_s)
    at_s = SPEAK_FROM_S + chance.randrange(SLOTS) * ways.interval_s / SLOTS
    while at_s < end_s:
        mmhg, dose = course(at_s)
        if not ways.honest:
            _mishap(chance, (monitor, pump))
            yield from _oddities(chance, bed, at_s)
        if not silent("map", at_s):
            yield map_sample(monitor, bed, at_s, mmhg, retain=not ways.honest and chance.random() < 0.02)
        if not silent("pump", at_s):
            yield pump_status(pump, bed, at_s + chance.choice(PUMP_AFTER_S), dose)
        at_s += ways.interval_s


def _course(chance: random.Random, end_s: float):  # type: ignore[no-untyped-def]
    """Pressure and dose over time: spells of one value each, as long as the seed says."""
    pressures, doses = _spells(chance, end_s, PRESSURES), _spells(chance, end_s, DOSES)

    def at(now_s: float) -> tuple[float, float]:
        for spells in (pressures, doses):
            while len(spells) > 1 and spells[1][0] <= now_s:
                spells.pop(0)
        return pressures[0][1], doses[0][1]

    return at


def _spells(chance: random.Random, end_s: float, values: tuple[float, ...]) -> list[tuple[float, float]]:
    spells, at_s = [], 0.0
    while at_s < end_s:
        spells.append((at_s, chance.choice(values)))
        at_s += chance.uniform(*SPELL_S)
    return spells


def _silences(chance: random.Random, end_s: float):  # type: ignore[no-untyped-def]
    """Once in a while a device says nothing for some minutes."""
    spells = [
        (what, begin := chance.uniform(0, end_s), begin + chance.uniform(120, 1500))
        for what in ("map", "pump")
        for _ in range(int(end_s / 7200) + 1)
        if chance.random() < 0.7  # number: most of the time
    ]
    return lambda what, at_s: any(what == which and a <= at_s < b for which, a, b in spells)


def _mishap(chance: random.Random, devices: tuple[Device, ...]) -> None:
    for device in devices:
        draw = chance.random()
        if draw < 0.004:
            device.reboot()
        elif draw < 0.008:
            device.ahead_s = chance.choice((0, 0, 3, 30, 400, -20, -90, -900))
        elif draw < 0.012:
            device.seq += chance.randint(1, 3)


def _oddities(chance: random.Random, bed: str, at_s: float) -> Iterator[Sent]:
    draw = chance.random()
    topic = f"bedside/v1/{bed}/map"
    if draw < 0.003:
        yield Sent(at_s, topic, chance.randbytes(chance.randint(0, 40)))
    elif draw < 0.006:
        yield _context(chance, bed, at_s, f"S{chance.randint(1, 4)}")
    elif draw < 0.008:
        yield Sent(at_s, f"bedside/v1/{bed}/patient", b"", retain=True)
    elif draw < 0.010:
        strange = Device(f"MON-{chance.randint(1, 3)}", chance.randint(1, 2), chance.randint(1, 9))
        yield map_sample(strange, bed, at_s, 61)


def _context(chance: random.Random, bed: str, at_s: float, session: str) -> Sent:
    time = rfc3339(round((EPOCH_S + at_s) * 1000))
    weight = chance.choice((50, 70, 90))
    payload = f'{{"time":"{time}","session":"{session}","weight":{{"value":{weight},"unit":"kg"}},'
    payload += f'"profile":"{chance.choice(("general", "septic_shock"))}"}}'
    return Sent(at_s, f"bedside/v1/{bed}/patient", payload.encode(), retain=True)


def map_sample(device: Device, bed: str, at_s: float, mmhg: float, retain: bool = False) -> Sent:
    """One arterial sample."""
    value = f'"metric":"MDC_PRESS_BLD_ART_ABP_MEAN","value":{mmhg},"unit":"mm[Hg]"'
    return Sent(at_s, f"bedside/v1/{bed}/map", f"{{{device.stamp(at_s)},{value}}}".encode(), retain)


def pump_status(device: Device, bed: str, at_s: float, dose: float) -> Sent:
    """One report of a running norepinephrine pump."""
    status = '"status":"infusing","drug":"norepinephrine","form":"base"'
    rate = f'"rate":{{"value":{dose},"unit":"ug/kg/min"}}'
    return Sent(at_s, f"bedside/v1/{bed}/pump/1", f"{{{device.stamp(at_s)},{status},{rate}}}".encode())


@dataclass(slots=True)
class Publishers:
    """The devices' way to the broker."""

    world: World
    broker: Broker
    chance: random.Random
    late_s: float
    """The longest way of a message."""
    lossy: bool
    under_way: int = 0
    lost: int = 0
    twice: int = field(default=0)

    def publish(self, sent: list[Sent]) -> None:
        """Have each message set out at its time."""
        for one in sent:
            self.under_way += 1
            self.world.at(one.at_s + self._way_s(), lambda one=one: self._arrive(one))

    def _way_s(self) -> float:
        return self.chance.uniform(0, self.chance.choice((*QUICK_S, self.late_s)))

    def _arrive(self, one: Sent) -> None:
        broker, chance = self.broker, self.chance
        if not broker.up:
            self.world.after(chance.uniform(1, 5), lambda: self._arrive(one))
            return
        draw = chance.random()
        if self.lossy and draw < 0.01:
            self.lost += 1
        else:
            broker.accept(one.topic, one.payload, one.retain)
            if draw > 0.98:  # its acknowledgement was lost: the device sends it again
                self.twice += 1
                self.world.after(self._way_s(), lambda: broker.up and broker.accept(one.topic, one.payload))
        self.under_way -= 1
