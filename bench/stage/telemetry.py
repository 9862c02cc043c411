"""What the measured ward sends, the same each time: a bed's MAP and pump, each so many times a second.

Most beds are well, with a wandering pressure and a bag that empties. The pressure of some falls until its
mean of 15 min is below target, and the dose of others rises above the one that alarms. Only the times of a
run are its own, and there is a quarter of an hour of history that every program is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from streamproc.wire import rfc3339

UNIT = "icu-a"
HISTORY_S = 900
"""As long as the longest window that is judged, so that every program's windows are full."""
ONE_IN = 20
FALLING, RISING = 7, 3
"""Of so many beds one falls and one rises, by what its number leaves over."""
NEAR_MMHG, FALLEN_MMHG = 65.2, 40
"""Eight seconds of 40 bring a mean of 65.2 below 65. It is 65.2 all the time, so that a pause before the
start, which differs from program to program, changes no mean."""
LOW_ML_PER_H, HIGH_ML_PER_H = 36.0, 90.0
"""0.12 and 0.30 ug/kg/min at 16 ug/mL and 80 kg: less than the threefold step that would alarm as well."""
BAG_ML, LASTS_ML, MS_PER_ML = 250, 240, 100_000
"""A bag, what is used of it before the next is hung, and how long a mL lasts at the low rate."""
FIRST_STEP_S = 1
WANDER_MMHG = (74, 73, 75, 78, 76, 72, 71, 73, 77, 79, 78, 75, 72)


@dataclass(frozen=True, slots=True)
class Ward:
    """How many beds, for how long, how often each device speaks, one in how many has its dose raised.

    A quiet one has no falls and no rises; each boot counts its messages anew, after
    `before` that each device has sent already."""

    beds: int
    seconds: int
    per_second: int = 1
    rising_one_in: int = ONE_IN
    boot: int = 1
    before: int = 0
    quiet: bool = False

    @property
    def names(self) -> list[str]:
        """The beds in topics."""
        return [bed_name(number) for number in range(1, self.beds + 1)]

    @property
    def messages(self) -> int:
        """All that is sent."""
        return 2 * self.beds * self.seconds * self.per_second

    def rises(self, number: int) -> bool:
        """Whether this bed's dose is raised."""
        return not self.quiet and number % self.rising_one_in == RISING % self.rising_one_in

    def falls(self, number: int) -> bool:
        """Whether this bed's pressure falls."""
        return not self.quiet and number % ONE_IN == FALLING

    def step_s(self, number: int, last_s: int) -> int:
        """The second in which it happens to this bed: spread over those from the first to `last_s`."""
        return FIRST_STEP_S + number // ONE_IN % max(1, last_s - FIRST_STEP_S)

    def decided_ms(self, number: int, last_s: int) -> int:
        """When this bed's pump first tells the raised dose, after the start."""
        half_ms = 1000 // self.per_second // 2
        return 1000 * self.step_s(number, last_s) + self.offset_ms(number) + half_ms

    def offset_ms(self, number: int) -> int:
        """When within each interval this bed's monitor speaks; its pump speaks half an interval later."""
        return number * 500 // (self.per_second * (self.beds + 1))


@dataclass(frozen=True, slots=True)
class Sent:
    """One message: when it is due after the start, in ms, and its payload but for the time in its middle."""

    due_ms: int
    topic: str
    before_time: bytes
    after_time: bytes

    def payload(self, start_ms: int) -> bytes:
        """As it is sent in a run that began then."""
        return self.before_time + rfc3339(start_ms + self.due_ms).encode() + self.after_time


def bed_name(number: int) -> str:
    """Its name in topics."""
    return f"{UNIT}/bed-{number:05}"


def history(ward: Ward, number: int) -> Iterator[Sent]:
    """What a bed sent in a quarter of an hour, once a second, in order; times are before its end."""
    for second in range(-HISTORY_S, 0):
        yield from interval(ward, number, second, 1000)


def history_of_map(ward: Ward, number: int) -> Iterator[tuple[int, float]]:
    """Of the same quarter of an hour the pressures alone: when, in ms before its end, and how much."""
    for second in range(-HISTORY_S, 0):
        yield 1000 * second + ward.offset_ms(number), _mmhg(number, second)


def run(ward: Ward, settle_s: int) -> Iterator[Sent]:
    """What the whole ward sends, in order; the last steps come `settle_s` before the end."""
    every_ms = 1000 // ward.per_second
    for beat in range(ward.seconds * ward.per_second):
        together = list(_beat(ward, beat, every_ms, ward.seconds - settle_s))
        together.sort(key=lambda sent: sent.due_ms)
        yield from together


def _beat(ward: Ward, beat: int, every_ms: int, last_s: int) -> Iterator[Sent]:
    second = beat // ward.per_second
    for number in range(1, ward.beds + 1):
        stepped = second >= ward.step_s(number, last_s)
        fallen = stepped and ward.falls(number)
        mmhg = FALLEN_MMHG if fallen else _mmhg(number, beat)
        ml_per_h = HIGH_ML_PER_H if stepped and ward.rises(number) else LOW_ML_PER_H
        yield from _second(ward, number, beat, every_ms, mmhg, ml_per_h)


def interval(
    ward: Ward, number: int, beat: int, every_ms: int, ml_per_h: float = LOW_ML_PER_H
) -> Iterator[Sent]:
    """What a bed sends in one interval in which nothing happens to its pressure."""
    yield from _second(ward, number, beat, every_ms, _mmhg(number, beat), ml_per_h)


def _mmhg(number: int, beat: int) -> float:
    """A pressure that wanders, or lies just above target."""
    if number % ONE_IN == FALLING:
        return NEAR_MMHG
    return WANDER_MMHG[(7 * number + beat) % len(WANDER_MMHG)]


def _second(
    ward: Ward, number: int, beat: int, every_ms: int, mmhg: float, ml_per_h: float
) -> Iterator[Sent]:
    """A bed's two messages of one interval."""
    seq, due_ms = ward.before + beat + HISTORY_S, beat * every_ms + ward.offset_ms(number)
    topic = f"bedside/v1/{bed_name(number)}"
    sample = f'","metric":"MDC_PRESS_BLD_ART_ABP_MEAN","value":{mmhg},"unit":"mm[Hg]","quality":"good"}}'
    yield Sent(due_ms, f"{topic}/map", _stamp(ward, "MON", number, seq), sample.encode())
    bag_ml = BAG_ML - seq * every_ms // MS_PER_ML % LASTS_ML
    pump = (
        f'","status":"infusing","drug":"norepinephrine","form":"base",'
        f'"rate":{{"value":{ml_per_h},"unit":"mL/h"}},"concentration":{{"value":16,"unit":"ug/mL"}},'
        f'"volume_remaining":{{"value":{bag_ml},"unit":"mL"}},"weight":{{"value":80,"unit":"kg"}}}}'
    )
    yield Sent(due_ms + every_ms // 2, f"{topic}/pump/1", _stamp(ward, "PMP", number, seq), pump.encode())


def _stamp(ward: Ward, device: str, number: int, seq: int) -> bytes:
    return f'{{"device":"{device}-{number:05}","boot":"{ward.boot}","seq":{seq},"time":"'.encode()
