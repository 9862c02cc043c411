"""The network cut, half-open or silent, the broker killed, the processor stopped for longer than its
keepalive: each ends in a connection again, and costs nothing that was taken over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from streamproc.shell.watch import OUT_OF_REACH
from tests.service.bedside import Bedside
from tests.service.journaled import taken_over
from tests.service.oracle import assert_told_as_uninterrupted, fed_once
from tests.service.processor import Processor
from tests.service.station import FEED, STATUS, Heard, Station, listening
from tests.service.telemetry import QUICK, Telemetry, flowing, now_ms

from .frames import Frame
from .life import Life
from .proxy import Passage, Proxy, Way, proxying

KEEPALIVE = "mqtt.keepalive_s=1"
LONG_S = 30.0


@dataclass(slots=True)
class Line:
    """A processor that reaches its broker through a network that we hold in our hands."""

    broker: Any
    proxy: Proxy
    processor: Processor
    life: Life = field(default_factory=Life)

    def look(self, way: Way, frame: Frame) -> Passage:
        """Every packet passes, and is noted."""
        self.life.see(way, frame)
        return Passage.ON

    async def reconnected(self, links_before: int) -> None:
        """Wait for a link that was opened since, and granted everything."""
        await self.processor.until(
            lambda metrics: self.proxy.links > links_before and metrics.value("ready") == 1,
            "connected anew",
            LONG_S,
        )

    async def lost(self) -> None:
        """Wait until the processor knows that its link is gone."""
        await self.processor.until(lambda metrics: metrics.value("ready") == 0, "the loss noticed", LONG_S)


@pytest_asyncio.fixture
async def line(start_mosquitto: Callable[..., Any], tmp_path: Path) -> AsyncIterator[Line]:
    """Broker, network and a processor that is ready."""
    (tmp_path / "kept").mkdir()
    broker = start_mosquitto("persistence true", f"persistence_location {tmp_path}/kept/")
    async with proxying(broker.port) as proxy:
        processor = Processor(proxy.port, tmp_path / "state", (*QUICK, KEEPALIVE))
        line = Line(broker, proxy, processor)
        proxy.look = line.look
        await (await processor.start()).ready()
        yield line
        if processor.running:
            await processor.kill()


def is_will(one: Heard) -> bool:
    """Whether the broker has announced our loss."""
    return one.topic == STATUS and one.content["state"] == "lost"


async def cut(line: Line, station: Station) -> None:
    """Both ways at once, as when a cable is pulled and somebody says so (a reset)."""
    line.proxy.cut()
    await line.lost()
    line.proxy.mend()


async def silent_both_ways(line: Line, station: Station) -> None:
    """Packets vanish both ways, and nobody says so: only the keepalive can tell."""
    line.proxy.silent |= set(Way)
    await line.lost()
    line.proxy.mend()


async def deaf(line: Line, station: Station) -> None:
    """Half-open: we are heard, and hear nothing."""
    line.proxy.silent.add(Way.TO_PROCESSOR)
    await line.lost()
    line.proxy.mend()


async def mute(line: Line, station: Station) -> None:
    """Half-open the other way: we hear, and are not heard; the broker gives us up, and tells the ward."""
    line.proxy.silent.add(Way.TO_BROKER)
    await station.hears("the Will", is_will, LONG_S)
    await line.lost()
    line.proxy.mend()


async def stopped(line: Line, station: Station) -> None:
    """SIGSTOP for longer than the keepalive: the broker announces our loss, and takes us back."""
    with line.processor.frozen():
        await station.hears("the Will", is_will, LONG_S)


@pytest.mark.parametrize("mishap", [cut, silent_both_ways, deaf, mute, stopped])
async def test_a_mishap_on_the_line_costs_nothing(
    line: Line, mishap: Callable[[Line, Station], Awaitable[None]]
) -> None:
    """Everything published is taken over, and the feed is what an uninterrupted processor would have told."""
    async with listening(line.broker.port, FEED, STATUS) as station:
        async with flowing(line.broker.port, 5) as telemetry:
            await five_alerts_more(station)
            links = line.proxy.links
            await mishap(line, station)
            await line.reconnected(links)
            await five_alerts_more(station)
        await telemetry.last_word(line.broker.port, line.processor)
        assert await line.processor.stop() == 0
    taken = await taken_over(line.processor)
    assert set(taken.contents) == set(telemetry.published)
    told = [one.payload for one in station.on(FEED)]
    await assert_told_as_uninterrupted(told, taken, QUICK)


async def test_a_line_that_was_cut_for_long_is_told_and_blamed_on_no_clock(line: Line) -> None:
    """What waited at the broker comes late, and the past is not judged again: nobody watched it."""
    processor, bedside = line.processor, Bedside("icu-a/bed-1")
    await processor.kill()
    processor.overrides += ("rules.TECH-GAP.unwatched_s=1", "terms.map_lost_s=2", "terms.clock_behind_s=1")
    await (await processor.start()).ready()
    async with listening(line.broker.port, FEED) as station:
        await station.publish(*bedside.map(now_ms(), 70))
        await processor.took_over(1)
        links = line.proxy.links
        line.proxy.cut()
        await line.lost()
        await station.publish(*bedside.map(now_ms(), 70))
        silence: dict[str, str] = {"unit": "other", "priority": "low"}
        await processor.until(lambda metrics: metrics.value("alerts_active", **silence) >= 1, "silence")
        line.proxy.mend()
        await line.reconnected(links)
        gap = await station.alert(bedside.bed, "TECH-GAP")
        await station.publish(*bedside.map(now_ms(), 70))
        await station.alert(bedside.bed, "TECH-MAP-LOST", "end")
        assert station.alerts(rule="TECH-CLOCK") == []
    assert OUT_OF_REACH in gap["data"]["text"]


async def five_alerts_more(station: Station) -> None:
    """Wait for five more alert events than there are now."""
    enough = len(station.on(FEED)) + 5
    await station.until(lambda: len(station.on(FEED)) >= enough, "five more alert events")


async def test_a_broker_that_is_killed_costs_nothing_that_we_took_over(line: Line) -> None:
    """kill -9 of the broker, twice: it may forget what it had for us, and we nothing that we acknowledged;
    each event of the feed has been answered by a broker in the end."""
    telemetry = Telemetry(Telemetry().beds[:5])
    for _ in range(2):
        async with listening(line.broker.port, FEED) as station:
            flow = asyncio.create_task(telemetry.flow(station))
            await station.until(lambda: len(station.heard) >= 5, "five alert events")
            await asyncio.to_thread(line.broker.kill)
            flow.cancel()
            await asyncio.wait([flow])
        await line.lost()
        await asyncio.to_thread(line.broker.start)
        await line.processor.ready()
    await telemetry.last_word(line.broker.port, line.processor)
    assert await line.processor.stop() == 0
    taken = await taken_over(line.processor)
    assert set(line.life.acknowledged) <= set(taken.contents)
    assert len(fed_once(line.life.answered)) >= 10
    await assert_told_as_uninterrupted(line.life.answered, taken, QUICK)
