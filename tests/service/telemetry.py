"""Telemetry of a few beds that alarm again and again, while a test does its worst to the processor.

What the broker has acknowledged to the devices is kept: it is what must not be lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import count

from .bedside import Bedside
from .processor import SOON_S, Processor
from .station import Station, listening

CYCLE_S = 0.1
QUICK = (
    "event_time.hold_back_s=0.5",
    "rules.ESC-THRESHOLD.for_s=1",
    "rules.ESC-THRESHOLD.clear_for_s=1",
    "alerts.heartbeat_s=0.5",
    "alerts.bed_state_s=1",
    "state.snapshot_every_s=1",
)


@dataclass(slots=True)
class Telemetry:
    """Beds that send ten times a second, each going up and down through the dose that alarms."""

    beds: list[Bedside] = field(default_factory=lambda: bedsides(10))
    published: list[tuple[str, bytes]] = field(default_factory=list)
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def flow(self, station: Station) -> None:
        """Publish until it is enough; what is in `published`, the broker has acknowledged."""
        for cycle in count():
            for place, bedside in enumerate(self.beds):
                high = (cycle + 3 * place) // 15 % 2
                await self.publish(station, bedside.map(now_ms(), 70 + place))
                await self.publish(station, bedside.pump(now_ms(), 0.3 if high else 0.2))
            if self.enough.is_set():
                return
            await asyncio.sleep(CYCLE_S)

    async def publish(self, station: Station, message: tuple[str, bytes]) -> None:
        """Publish one message, and note it once the broker has it."""
        await station.publish(*message)
        self.published.append(message)

    async def last_word(self, port: int, processor: Processor, within_s: float = SOON_S) -> None:
        """Wait until everything published so far has been taken over and every alert delivered."""
        async with listening(port, "alerts/v1/bed/icu-z/last") as station:
            await self.publish(station, Bedside("icu-z/last").map(now_ms(), 70))
            await station.until(lambda: bool(station.heard), "the bed that spoke last", within_s)
        await processor.until(
            lambda metrics: metrics.value("alerts_undelivered") == 0, "all alerts delivered", within_s
        )


def bedsides(beds: int) -> list[Bedside]:
    return [Bedside(f"icu-a/bed-{number}") for number in range(1, beds + 1)]


def now_ms() -> float:
    return time.time_ns() / 1e6


@contextlib.asynccontextmanager
async def flowing(port: int, beds: int = 10) -> AsyncIterator[Telemetry]:
    """Telemetry for the length of the block."""
    telemetry = Telemetry(bedsides(beds))
    async with listening(port) as devices, asyncio.TaskGroup() as tasks:
        tasks.create_task(telemetry.flow(devices))
        try:
            yield telemetry
        finally:  # not left to a cancellation, which may be lost in a publish
            telemetry.enough.set()
