"""What a message costs in the core alone: facts that are decoded already, straight to the ward.

Every bed sends MAP and pump once a second, and all rules are on. A `steady` stream repeats itself as
`ward300`'s does; in a `living` one the pressure wanders and the bag empties, and nothing alarms. In an
`emptying` one each report tells another volume, in `low` and `critical` ones the pressure wanders about a
limit, and in `pulse` and `systolic` ones the monitor sends a heart rate or a systolic pressure besides.
With `--settle 0` the beds are young. The clock is told `--rounds` times a second, as often as the processor
takes over a batch. It passes no judgement.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import json
import pstats
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from streamproc.config import load
from streamproc.core.change import Change
from streamproc.core.events import (
    MILLI,
    BedEvent,
    DrugForm,
    MapSample,
    MapSource,
    Observation,
    ObservationKind,
    PatientContext,
    PumpState,
    PumpStatus,
    Quantity,
)
from streamproc.core.ward import Ward

START_MS = 1_790_000_000_000
TRANSIT_MS = 40
BAG_ML = 250.0
SLOWEST, STRENGTH = Quantity(9.0, "mL/h"), Quantity(16.0, "ug/mL")
"""One object each, as the door gives them."""
SEED = 20261123
AT_A_TIME_S = 20
"""Made and measured together: asking for the CPU time costs as much as some messages."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Between which pressures a bed wanders, at what rate its bag empties, and the digits of that."""

    low_mmhg: int = 68
    high_mmhg: int = 78
    rate: Quantity = SLOWEST
    digits: int = 1
    living: bool = True
    besides: ObservationKind | None = None
    """What else the monitor sends each second."""


STREAMS = {
    "living": Stream(),
    "steady": Stream(living=False),
    "emptying": Stream(rate=Quantity(36.0, "mL/h"), digits=2),
    "low": Stream(63, 70),
    "critical": Stream(53, 58),
    "pulse": Stream(besides=ObservationKind.HEART_RATE),
    "systolic": Stream(besides=ObservationKind.SYSTOLIC),
}


def ward_as_configured() -> Ward:
    """The ward of `config/`, with every rule that is on there."""
    settings = load(Path("config"))
    return Ward(settings.core_rules(), settings.core_terms(), settings.core_limits())


class Beds:
    """What so many beds say in each second."""

    def __init__(self, beds: int, stream: Stream = STREAMS["living"]) -> None:
        self.names = [f"icu-a/bed-{number}" for number in range(beds)]
        self.stream = stream
        self.random = Random(SEED)
        self.seq = 0
        self.mmhg = [(stream.low_mmhg + stream.high_mmhg) / 2] * beds

    def patients(self) -> list[PatientContext]:
        """Who lies there."""
        return [PatientContext(START_MS, name, "S-1", weight_kg=80.0) for name in self.names]

    def second(self, number: int) -> list[BedEvent]:
        """The messages of one second, as they come: the beds one after the other, spread over it."""
        said: list[BedEvent] = []
        self.seq += 1
        for place, name in enumerate(self.names):
            at_ms = START_MS + number * 1000 + place * 1000 // len(self.names)
            said += [self._sample(place, name, number, at_ms), self._report(place, name, number, at_ms)]
            if (kind := self.stream.besides) is not None:
                said.append(Observation(at_ms, name, f"OBS-{place}", "1", self.seq, kind, 110.0))
        return said

    def _sample(self, place: int, name: str, number: int, at_ms: int) -> MapSample:
        milli = (72 + number % 5) * MILLI
        if self.stream.living:
            wandered = self.mmhg[place] + self.random.gauss(0.0, 0.6)
            self.mmhg[place] = min(max(wandered, self.stream.low_mmhg), self.stream.high_mmhg)
            milli = round(self.mmhg[place]) * MILLI
        return MapSample(at_ms, name, f"MON-{place}", "1", self.seq, MapSource.ARTERIAL, milli)

    def _report(self, place: int, name: str, number: int, at_ms: int) -> PumpStatus:
        stream, lasts_s = self.stream, 0.9 * BAG_ML * 3600 / self.stream.rate.value
        left_ml = round(BAG_ML - stream.rate.value * (number % lasts_s) / 3600, stream.digits)
        return PumpStatus(
            at_ms,
            name,
            f"PMP-{place}",
            "1",
            self.seq,
            "1",
            PumpState.INFUSING,
            "norepinephrine",
            DrugForm.BASE,
            stream.rate,
            STRENGTH,
            weight_kg=80.0,
            volume_remaining_ml=left_ml if stream.living else None,
            diluent="D5W",
            route="central",
        )


def live(ward: Ward, said: Sequence[BedEvent], rounds: int, second: int) -> list[Change]:
    """One second: in each round the clock comes first, as in the service."""
    changes: list[Change] = []
    for part in range(rounds):
        now_ms = START_MS + second * 1000 + (part + 1) * 1000 // rounds + TRANSIT_MS
        changes += ward.tick(now_ms)
        for event in said[len(said) * part // rounds : len(said) * (part + 1) // rounds]:
            ward.offer(event, now_ms, event.time_ms)
        changes += ward.tick(now_ms)
        ward.lags_ms.clear()
    return changes


def measured(beds: int, seconds: int, settle_s: int, rounds: int, stream: Stream) -> dict[str, float]:
    """CPU us a message after the first `settle_s` seconds; the messages are made outside of it."""
    ward, said = ward_as_configured(), Beds(beds, stream)
    ward.tick(START_MS)
    for patient in said.patients():
        ward.offer(patient, START_MS, 0)
    taken_s, messages, changes = 0.0, 0, 0
    gc.freeze()
    for first in range(0, settle_s + seconds, AT_A_TIME_S):
        made = [said.second(second) for second in range(first, first + AT_A_TIME_S)]
        began_s = time.process_time()
        for second, each in enumerate(made, first):
            changes += len(live(ward, each, rounds, second))
        if first >= settle_s:
            taken_s += time.process_time() - began_s
            messages += sum(map(len, made))
    return {"messages": messages, "changes": changes, "us_per_message": round(taken_s / messages * 1e6, 2)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures as one line of JSON."""
    parser = argparse.ArgumentParser(prog="./run bench core", description=__doc__)
    parser.add_argument("--beds", type=int, default=15)
    parser.add_argument("--seconds", type=int, default=1200)
    parser.add_argument("--settle", type=int, default=1000, help="seconds before it is measured")
    parser.add_argument("--rounds", type=int, default=10, help="rounds a second")
    parser.add_argument("--stream", choices=STREAMS, default="living")
    parser.add_argument("--profile", action="store_true")
    asked = parser.parse_args(arguments)
    profile = cProfile.Profile()
    if asked.profile:
        profile.enable()
    figures = measured(asked.beds, asked.seconds, asked.settle, asked.rounds, STREAMS[asked.stream])
    if asked.profile:
        profile.disable()
        pstats.Stats(profile).sort_stats("tottime").print_stats(45)
    print(json.dumps(vars(asked) | figures))


if __name__ == "__main__":
    main()
