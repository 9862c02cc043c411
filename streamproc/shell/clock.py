"""What time it is for the processor: the wall's, or in simulated runs the telemetry's.

Never goes back: a wall clock that is set back stands still until it has caught up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from streamproc.shell.machine import REAL
from streamproc.wire.instant import instant_ms
from streamproc.wire.rejected import Refused

SIMULATION_CLOCK = "simulation/v1/clock"
"""Where a simulator that runs faster than real time says what time it is."""

LEAP_MS = 60_000
"""Telemetry may pull a simulated clock on by this much at once; only the simulator's own clock may leap."""


class Clock(Protocol):
    """The processor's clock; milliseconds since 1970."""

    topics: tuple[str, ...]
    """What it listens to, beside the telemetry."""

    def read(self) -> int | None:
        """The time now; None while there is none yet."""
        ...

    def follow(self, times_ms: Iterable[int]) -> None:
        """Event times of messages that have just come in."""
        ...

    def hear(self, payload: bytes) -> None:
        """A message on one of its topics."""
        ...


class Message(Protocol):
    """What has come in, and where."""

    @property
    def topic(self) -> str: ...
    @property
    def payload(self) -> bytes: ...


Addressed = TypeVar("Addressed", bound=Message)


class ClockWrong(Exception):
    """The wall clock is behind what was already processed; the message says by how much."""


class WallClock:
    """Real time. Set back by less than `patience_ms` it stands still; by more it stops the service:
    a processor that waits for time to pass would be blind and look alive."""

    topics: tuple[str, ...] = ()

    def __init__(
        self,
        not_before_ms: int = 0,
        patience_ms: int = 5_000,
        wall_s: Callable[[], float] = REAL.wall_s,
    ) -> None:
        self._now_ms, self._patience_ms, self._wall_s = not_before_ms, patience_ms, wall_s

    def read(self) -> int:
        """The wall's time, or the latest it has shown if it was set back a little since."""
        wall_ms = int(self._wall_s() * 1000)
        behind_ms = self._now_ms - wall_ms
        if behind_ms > self._patience_ms:
            raise ClockWrong(
                f"the clock is {behind_ms / 1000:g} s behind what was processed already; right would be "
                "to set it, or if it was ahead before, to start with another state.dir"
            )
        self._now_ms = max(self._now_ms, wall_ms)
        return self._now_ms

    def follow(self, times_ms: Iterable[int]) -> None:
        """Devices' clocks do not move the wall's."""

    def hear(self, payload: bytes) -> None:
        """Nobody tells the wall's clock."""


class TelemetryClock:
    """Simulated time: as far as the telemetry, or its simulator, has come."""

    topics: tuple[str, ...] = (SIMULATION_CLOCK,)

    def __init__(self, not_before_ms: int = 0) -> None:
        self._now_ms = not_before_ms

    def read(self) -> int | None:
        """The latest time that was told; None before the first."""
        return self._now_ms or None

    def follow(self, times_ms: Iterable[int]) -> None:
        """Go on to the latest of these that is not out of all proportion."""
        for time_ms in times_ms:
            if not self._now_ms or self._now_ms < time_ms <= self._now_ms + LEAP_MS:
                self._now_ms = time_ms

    def hear(self, payload: bytes) -> None:
        """`{"time": …}` of the simulator; what cannot be read is passed over."""
        try:
            self._now_ms = max(self._now_ms, instant_ms(json.loads(payload)["time"]))
        except (ValueError, KeyError, TypeError, Refused):
            return


def telemetry_of(
    clock: Clock, deliveries: Iterable[Addressed], times_ms: Callable[[list[Addressed]], Iterable[int]]
) -> list[Addressed]:
    """What has come in without what is for the clock, which has then gone on with both."""
    if not clock.topics:
        return list(deliveries)
    telemetry = []
    for delivery in deliveries:
        if delivery.topic in clock.topics:
            clock.hear(delivery.payload)
        else:
            telemetry.append(delivery)
    clock.follow(times_ms(telemetry))
    return telemetry


def clock_from(source: str, not_before_ms: int, wall_s: Callable[[], float] = REAL.wall_s) -> Clock:
    """The clock that `clock.source` names."""
    if source == "telemetry":
        return TelemetryClock(not_before_ms)
    return WallClock(not_before_ms, wall_s=wall_s)
