"""A central station: an independent MQTT 5 client that keeps everything it hears, in order.

It must never share code with the processor: what it hears is what any other system would.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiomqtt

from .processor import SOON_S

FEED = "alerts/v1/feed"
STATUS = "alerts/v1/status"
DEAD_LETTERS = "alerts/v1/deadletter/"


@dataclass(frozen=True, slots=True)
class Heard:
    """One message as it came in."""

    topic: str
    payload: bytes
    retained: bool
    arrived_ms: float

    @property
    def content(self) -> Any:
        """The JSON that it carries; None for an empty one."""
        return json.loads(self.payload) if self.payload else None


@dataclass(slots=True)
class Station:
    """A connected client; `heard` grows as messages come in."""

    client: aiomqtt.Client
    heard: list[Heard] = field(default_factory=list)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def listen(self) -> None:
        """Keep what comes in, for as long as the connection lasts."""
        async for message in self.client.messages:
            assert isinstance(message.payload, bytes)
            arrived_ms = time.time_ns() / 1e6
            async with self._news:
                self.heard.append(Heard(str(message.topic), message.payload, message.retain, arrived_ms))
                self._news.notify_all()

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish, and wait until the broker has it."""
        await self.client.publish(topic, payload, qos=1, retain=retain, timeout=SOON_S)

    async def until(self, holds: Callable[[], bool], claim: str, within_s: float = SOON_S) -> None:
        """Wait until this holds of what was heard."""
        try:
            async with asyncio.timeout(within_s), self._news:
                await self._news.wait_for(holds)
        except TimeoutError:
            last = "\n".join(f"{one.topic} {one.payload[:300]!r}" for one in self.heard[-10:])
            raise AssertionError(f"not heard within {within_s} s: {claim}; the last was\n{last}") from None

    async def hears(self, claim: str, fits: Callable[[Heard], bool], within_s: float = SOON_S) -> Heard:
        """The first message that fits, heard before or after now."""
        await self.until(lambda: any(map(fits, self.heard)), claim, within_s)
        return next(filter(fits, self.heard))

    def on(self, topic: str) -> list[Heard]:
        """What came on a topic."""
        return [one for one in self.heard if one.topic == topic]

    def alerts(self, bed: str | None = None, rule: str | None = None) -> list[dict[str, Any]]:
        """The feed's events, of a bed and a rule if they are named; a repeated event is there once."""
        events = {one.content["id"]: one.content for one in self.on(FEED)}
        return [
            event
            for event in events.values()
            if bed in (None, event["subject"]) and rule in (None, event["data"]["rule"])
        ]

    async def alert(self, bed: str, rule: str, phase: str = "start") -> dict[str, Any]:
        """The first such event of the feed."""

        def found() -> Iterator[dict[str, Any]]:
            return (event for event in self.alerts(bed, rule) if event["data"]["phase"] == phase)

        await self.until(lambda: any(True for _ in found()), f"{bed} {rule} {phase}")
        return next(found())


@contextlib.asynccontextmanager
async def listening(port: int, *filters: str) -> AsyncIterator[Station]:
    """A station that hears these topics, and all that is retained on them."""
    async with aiomqtt.Client(
        "127.0.0.1", port, protocol=aiomqtt.ProtocolVersion.V5, timeout=SOON_S
    ) as client:
        client.pending_calls_threshold = 1000
        station = Station(client)
        for wanted in filters:
            await client.subscribe(wanted, qos=1)
        task = asyncio.create_task(station.listen())
        try:
            yield station
        finally:
            task.cancel()
            await asyncio.wait([task])
