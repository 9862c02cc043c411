"""Histories of a ward as they come over the wire: topics and payloads, with all that goes wrong on the way.

The stays are drawn by theme, with devices that speak each second or few. What then happens to their messages
is drawn too: repeated, contradicted, lost, late, out of order; devices swapped, started anew, sharing their
numbers, or speaking for another's channel; bags that run down around the limit of an answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, NamedTuple

from other_units import PUMP_UNITS, sent
from quick_site import RULES
from themed_stays import ward_of
from ward_histories import (
    HOLD_BACK_MS,
    MINUTE_MS,
    SITE_WEIGHT_KG,
    START_MS,
    Line,
    Stay,
    is_telemetry,
    monitor,
)

from streamproc.core.events import (
    BedEvent,
    BedFreed,
    MapSample,
    MapSource,
    Observation,
    ObservationKind,
    PumpState,
    PumpStatus,
)

STEPS_S = (1, 1, 1, 2, 5)
PROMPT_MS = (5, 80)
"""How long a message is on its way where the network is idle."""
LATE_MS = 45_000
JITTER_MS = (100, 400, 1_600)
HOLES_MS = (2_500, 3_990, 4_010, 14_500, 15_500, 16_100, 31_000)
"""How long a device says nothing: around what is taken for a loss."""
CUFF_STEP_MS = 20_000
MANY_CHANNELS = 40
NEAR_END_MIN = RULES["TECH-PUMP"]["near_end_s"] / 60
COMPACT, SPACED = (",", ":"), (", ", ": ")
IMPOSSIBLE_MMHG = (5, 300)


class Posted(NamedTuple):
    """A message of the history; what the journal has of one, and when it came in."""

    received_ms: int
    topic: str
    payload: bytes
    retained: bool = False


Source = tuple[str, str, str]


@dataclass
class Sending:
    """An event on its way: when it was sent, when it comes in, and what of it is still to be decided."""

    sent_ms: int
    event: BedEvent
    source: Source = ("", "", "")
    """Its bed, topic and device as the stay has them."""
    received_ms: int = 0


@dataclass(frozen=True)
class Style:
    """How one device writes: its units, the order of its fields, and its blanks."""

    pressure_unit: str
    pump_unit: str
    separators: tuple[str, str]
    order: int

    def written(self, event: BedEvent) -> tuple[str, bytes]:
        topic, payload = sent(event, self.pressure_unit, self.pump_unit)
        fields = list(json.loads(payload).items())
        Random(self.order).shuffle(fields)
        return topic, json.dumps(dict(fields), separators=self.separators).encode()


Mishap = Callable[[Random, list[Sending]], None]
"""What may happen to the devices of a ward before their messages are numbered."""


@dataclass
class Mail:
    """A history on the wire, in order of receipt."""

    number: int
    minutes: float
    posted: list[Posted] = field(default_factory=list)
    beds: tuple[str, ...] = ()

    @property
    def until_ms(self) -> int:
        return START_MS + round(self.minutes * MINUTE_MS)


def mail_of(number: int, minutes: float) -> Mail:
    """The history that follows from a number, of its first minutes."""
    chance = Random(f"mail {number}")
    stays = tuple(spoken_often(chance, stay) for stay in ward_of(number, acks=False).stays)
    mail = Mail(number, minutes, beds=tuple(stay.bed for stay in stays))
    sendings = [each for stay in stays for each in sent_from(chance, stay) if each.sent_ms < mail.until_ms]
    sendings.sort(key=lambda each: each.sent_ms)
    for mishap in MISHAPS:
        mishap(chance, sendings)
    numbered(sendings)
    mail.posted = sorted(on_the_way(chance, sendings), key=lambda each: each.received_ms)
    return mail


# what the stays say


def spoken_often(chance: Random, stay: Stay) -> Stay:
    """The stay with devices that speak often, so that something waits in most seconds."""
    pumps = tuple((channel, drug, often(chance, line)) for channel, drug, line in stay.pumps)
    wobble = stay.wobble or chance.random() < 1 / 2
    return replace(stay, pressure=often(chance, stay.pressure), pumps=pumps, wobble=wobble)


def often(chance: Random, line: Line) -> Line:
    return replace(line, step_s=chance.choice(STEPS_S))


def sent_from(chance: Random, stay: Stay) -> Iterator[Sending]:
    """What a stay sends; now and then beside it a cuff, or very many channels."""
    for sent_ms, event in stay.messages():
        yield Sending(sent_ms, event, (stay.bed, event.order, event.device))
    if chance.random() < 1 / 4:
        device = monitor(stay.bed, MapSource.CUFF) + "-beside"
        for number in range(1, 40):
            at_ms = START_MS + number * CUFF_STEP_MS + 3
            sample = MapSample(at_ms, stay.bed, device, "b1", number, MapSource.CUFF, 71_000)
            yield Sending(at_ms, sample, (stay.bed, "map", device))
    if chance.random() < 1 / 20:
        yield from many_channels(stay.bed)
    for _ in range(chance.choice([0, 0, 0, 3])):
        yield from a_flood(chance, stay.bed)


def many_channels(bed: str) -> Iterator[Sending]:
    """More channels than a bed has expected messages of."""
    for channel in range(MANY_CHANNELS):
        for number in range(1, 200):
            at_ms = START_MS + number * 5_000 + channel * 7
            device, name = f"RACK-{channel // 8}", f"r{channel}"
            status = PumpStatus(at_ms, bed, device, "b1", number, name, PumpState.STANDBY, "norepinephrine")
            yield Sending(at_ms, status, (bed, status.order, device))


def a_flood(chance: Random, bed: str) -> Iterator[Sending]:
    """About as many heart rates at once as a small bed can hold."""
    from_ms = START_MS + chance.randrange(4 * MINUTE_MS)
    for number in range(chance.randrange(80, 110)):
        at_ms, kind = from_ms + number * 10, ObservationKind.HEART_RATE
        rate = Observation(at_ms, bed, "FLOOD", None, None, kind, 80.0, "/min")
        yield Sending(at_ms, rate, (bed, "observation", "FLOOD"))


# what happens to the devices


def devices_of(sendings: Sequence[Sending]) -> list[str]:
    return sorted({each.event.device for each in sendings if is_telemetry(each.event)})


def renamed(sendings: Sequence[Sending], serial: str, from_ms: int, **changed: Any) -> None:
    """From an instant on a device says otherwise who it is."""
    for each in sendings:
        if each.event.device == serial and each.sent_ms >= from_ms:
            each.event = replace(each.event, **changed)


def some_instant(chance: Random, sendings: Sequence[Sending]) -> int:
    return chance.choice(sendings).sent_ms


def devices_swapped(chance: Random, sendings: list[Sending]) -> None:
    """Another device, the same one started anew, or one that numbers nothing."""
    for device in devices_of(sendings):
        if chance.random() < 1 / 4:
            at_ms = some_instant(chance, sendings)
            kinds: list[dict[str, Any]] = [{"device": device + "-2"}, {"boot": "b2"}]
            kinds += [{"device": device + "-3", "boot": "b3"}, {"boot": None, "seq": None}]
            renamed(sendings, device, at_ms, **chance.choice(kinds))


def devices_joined(chance: Random, sendings: list[Sending]) -> None:
    """From some time on one device speaks for another: a channel handed over, or a gateway's own numbers."""
    devices = devices_of(sendings)
    if len(devices) > 1 and chance.random() < 1 / 3:
        at_ms = chance.choice([START_MS, some_instant(chance, sendings)])
        here, *others = chance.sample(devices, chance.randrange(2, min(4, len(devices)) + 1))
        for device in others:
            beds = {each.event.bed for each in sendings if each.event.device in (here, device)}
            if len(beds) == 1 or chance.random() < 1 / 4:
                renamed(sendings, device, at_ms, device=here)


def clocks_off(chance: Random, sendings: list[Sending]) -> None:
    """A device's clock is off for a while, within bounds or at them, or unsteady for good."""
    for device in devices_of(sendings):
        if chance.random() < 1 / 8:
            off_ms = chance.choice([-1_500, -2_100, -59_000, -61_000, 1_500, 4_990, 5_100])
            from_ms = some_instant(chance, sendings)
            until_ms, unsteady = from_ms + chance.choice([3_000, 20_000]), chance.choice([0, *JITTER_MS])
            for each in sendings:
                if each.event.device != device:
                    continue
                if unsteady:
                    by_ms = chance.randrange(-unsteady, unsteady)
                else:
                    by_ms = off_ms if from_ms <= each.sent_ms < until_ms else 0
                each.event = replace(each.event, time_ms=each.event.time_ms + by_ms)


def devices_silent(chance: Random, sendings: list[Sending]) -> None:
    """Now and then a device says nothing for about as long as it may."""
    for source in sorted({each.source for each in sendings if is_telemetry(each.event)}):
        for _ in range(chance.choice([0, 0, 2, 5])):
            from_ms = some_instant(chance, sendings)
            silence = (from_ms, from_ms + chance.choice(HOLES_MS))
            silent(sendings, source, silence, lost=chance.random() < 1 / 2)


def silent(sendings: list[Sending], source: Source, silence: tuple[int, int], lost: bool) -> None:
    """Nothing comes of a source between two instants; what is not lost was never sent, and has no number."""
    from_ms, until_ms = silence
    kept, unsent = list[Sending](), 0
    for each in sendings:
        if each.source == source and from_ms < each.sent_ms < until_ms:
            unsent += not lost
            continue
        if each.source == source and unsent and is_telemetry(each.event) and each.event.seq is not None:
            each.event = replace(each.event, seq=each.event.seq - unsent)
        kept.append(each)
    sendings[:] = kept


def bags_running_down(chance: Random, sendings: list[Sending]) -> None:
    """Some channels report volumes around what their bag needs to last."""
    channels = sorted({each.source for each in sendings if isinstance(each.event, PumpStatus)})
    for source in channels:
        if chance.random() < 1 / 2:
            left, fall, strength = chance.choice([1.01, 1.2, 3.0]), chance.choice([0, 1e-4, 1e-3]), 16.0
            for each in sendings:
                if each.source == source and isinstance(each.event, PumpStatus):
                    left -= fall
                    each.event = with_volume(each.event, strength, left + chance.choice([0, 0, 1e-9, -1e-3]))


def with_volume(status: PumpStatus, strength: float, share: float) -> PumpStatus:
    """The report with so much left, as a share of what lasts as long as is asked for."""
    rate = 0.1 if status.rate is None else status.rate.value
    per_ml = strength if status.concentration is None else status.concentration.value
    asked_ml = NEAR_END_MIN * rate * (status.weight_kg or SITE_WEIGHT_KG) / per_ml
    return replace(status, volume_remaining_ml=max(0.0, round(asked_ml * share, 6)))


MISHAPS: tuple[Mishap, ...] = (
    devices_joined,
    devices_swapped,
    devices_silent,
    clocks_off,
    bags_running_down,
)


def numbered(sendings: list[Sending]) -> None:
    """Each start of a device counts what it sends, and what is lost of that."""
    given: dict[tuple[str, str], int] = {}
    before: dict[Source, int] = {}
    for each in sendings:
        event = each.event
        if not is_telemetry(event) or event.boot is None or event.seq is None:
            continue
        start, steps = (event.device, event.boot), event.seq - before.get(each.source, 0)
        before[each.source] = event.seq
        given[start] = given.get(start, 0) + max(1, steps)
        each.event = replace(event, seq=given[start])


# what happens on the way


def on_the_way(chance: Random, sendings: list[Sending]) -> Iterator[Posted]:
    """Every message when it comes in; some late, lost, repeated or contradicted."""
    prompt = chance.random() < 3 / 4
    trouble = chance.choice([0.0, 0.005, 0.02])
    styles: dict[tuple[str, str], Style] = {}
    for each in sendings:
        style = styles.setdefault((each.event.bed, each.event.device), drawn_style(chance))
        on_way_ms = chance.randrange(*PROMPT_MS) if prompt else chance.randrange(HOLD_BACK_MS)
        posted = as_posted(each.event, style, each.sent_ms + on_way_ms)
        if not is_telemetry(each.event) or chance.random() >= trouble:
            yield posted
        else:
            yield from troubled(chance, each.event, style, posted)


def drawn_style(chance: Random) -> Style:
    return Style(
        chance.choice(["mm[Hg]", "mm[Hg]", "kPa"]),
        chance.choice([*PUMP_UNITS, *["as charted"] * 6]),
        chance.choice([COMPACT, SPACED]),
        chance.randrange(1_000),
    )


def as_posted(event: BedEvent, style: Style, received_ms: int) -> Posted:
    if isinstance(event, BedFreed):
        return Posted(received_ms, f"bedside/v1/{event.bed}/patient", b"")
    return Posted(received_ms, *style.written(event))


def troubled(chance: Random, event: Any, style: Style, posted: Posted) -> Iterator[Posted]:
    """One of the things that may happen to a message."""
    soon_ms = chance.choice([0, 1, 300, 5_000, 20_000])
    match chance.choice(["lost", "late", "again", "otherwise", "impossible", "retained", "half"]):
        case "late":
            yield posted._replace(received_ms=posted.received_ms + chance.randrange(HOLD_BACK_MS, LATE_MS))
        case "again":
            yield from (posted, posted._replace(received_ms=posted.received_ms + soon_ms))
        case "otherwise":
            yield posted
            other = replace(event, time_ms=event.time_ms + chance.choice([0, 1, 700]))
            if isinstance(other, MapSample):
                other = replace(other, milli_mmhg=other.milli_mmhg + chance.choice([-500, 500]))
            yield as_posted(other, style, posted.received_ms + soon_ms)
        case "impossible" if isinstance(event, MapSample):
            yield as_posted(
                replace(event, milli_mmhg=chance.choice(IMPOSSIBLE_MMHG) * 1000), style, posted[0]
            )
        case "retained":
            yield posted._replace(retained=True)
        case "half":
            yield posted._replace(payload=posted.payload[: len(posted.payload) // 2])
