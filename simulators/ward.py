"""Several beds at once, as one stream in order of event time; with the clock that a fast ward needs.

Pure: it decides what is sent in which order, never when by the wall.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from simulators.bedside import MINUTE_S
from simulators.messages import Message, clock
from simulators.scenarios import WARD_ORDER, Scenario

SECOND_MS = 1000


@dataclass(frozen=True, slots=True)
class Ward:
    """Who lies where: bed 1 to N of a unit get the scenarios in turn, over and over if `endless`."""

    scenarios: Sequence[Scenario]
    beds: int
    unit: str
    seed: int
    start_ms: int
    duration_s: int | None = None
    endless: bool = False

    def play(self) -> Iterator[Message]:
        """Everything that all beds send, by time, then by bed."""
        return heapq.merge(*(self._bed(i) for i in range(self.beds)), key=lambda message: message.time_ms)

    def _bed(self, index: int) -> Iterator[Message]:
        scenario = self.scenarios[index % len(self.scenarios)]
        start_ms = self.start_ms
        for stay, stay_s in enumerate(self._stays_s(scenario)):
            seed = f"{self.seed}/{stay}"
            yield from scenario.play(self.unit, f"bed-{index + 1}", seed, start_ms, stay_s)
            start_ms += stay_s * SECOND_MS

    def _stays_s(self, scenario: Scenario) -> Iterator[int]:
        """How long one patient after another stays in the bed."""
        length_s = scenario.minutes * MINUTE_S
        if not self.endless:
            yield length_s if self.duration_s is None else self.duration_s
            return
        for stay in count():
            left_s = length_s if self.duration_s is None else self.duration_s - stay * length_s
            if left_s <= 0:
                return
            yield min(length_s, left_s)


def showcase(beds: int, unit: str, seed: int, start_ms: int, duration_s: int | None) -> Ward:
    """The ward: each bed another scenario, and a new patient in the bed when it is over."""
    return Ward(WARD_ORDER, beds, unit, seed, start_ms, duration_s, endless=True)


def with_clock(messages: Iterator[Message], start_ms: int) -> Iterator[Message]:
    """After each second's telemetry, the simulated time that is now reached."""
    next_ms = start_ms
    for message in messages:
        while message.time_ms > next_ms:
            yield clock(next_ms)
            next_ms += SECOND_MS
        yield message
    yield clock(next_ms)
