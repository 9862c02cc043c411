"""Our own death or hang is seen at a station within 15 s, as the simulators' example station does it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from simulators.heartbeat import SILENT_S, Heartbeat, watch
from simulators.publish import Broker

from .conftest import StartProcessor
from .processor import Processor

VISIBLE_S = 15.0


class Told:
    """What the station said, in order."""

    def __init__(self) -> None:
        self.words: asyncio.Queue[str | None] = asyncio.Queue()

    async def next(self, within_s: float) -> str | None:
        """Its next word; none in time fails the test."""
        async with asyncio.timeout(within_s):
            return await self.words.get()


@contextlib.asynccontextmanager
async def station(port: int) -> AsyncIterator[Told]:
    """The example station at work."""
    told = Told()
    task = asyncio.create_task(watch(Broker("127.0.0.1", port), told.words.put_nowait))
    yield told
    task.cancel()
    await asyncio.wait([task])


@pytest.fixture
def processor(mosquitto: Any, new_processor: StartProcessor) -> Processor:
    """As it is shipped: a heartbeat every 5 s, a keepalive of 10 s."""
    return new_processor(mosquitto.port)


async def test_a_killed_processor_alarms_by_its_will(mosquitto: Any, processor: Processor) -> None:
    """And is taken for alive again only once it has sent a heartbeat of its own."""
    await (await processor.start()).ready()
    async with station(mosquitto.port) as told:
        assert await told.next(VISIBLE_S) is None
        await processor.kill()
        assert await told.next(VISIBLE_S) == "the processor is lost"
        await (await processor.start()).ready()
        assert await told.next(VISIBLE_S) is None


async def test_a_processor_that_stands_still_alarms_by_its_silence(
    mosquitto: Any, processor: Processor
) -> None:
    """SIGSTOP: its connection is open, its last heartbeat retained, and nothing of that counts."""
    await (await processor.start()).ready()
    async with station(mosquitto.port) as told:
        assert await told.next(VISIBLE_S) is None
        with processor.frozen():
            why = await told.next(VISIBLE_S)
            assert why is not None
        assert await told.next(VISIBLE_S) is None


async def test_a_station_that_never_heard_a_processor_alarms(mosquitto: Any) -> None:
    async with station(mosquitto.port) as told:
        why = await told.next(VISIBLE_S)
    assert why is not None
    assert "not heard yet" in why


def beat(position: int, state: str = "running") -> bytes:
    return json.dumps({"state": state, "position": position}).encode()


@pytest.mark.parametrize(
    "hear",
    [
        lambda heart, at_s: heart.hear(beat(7), False, at_s),
        lambda heart, at_s: heart.hear(beat(int(at_s) + 8), True, at_s),
        lambda heart, at_s: heart.hear(b"{", False, at_s),
    ],
    ids=["a position that stands still", "a retained one", "no JSON"],
)
def test_what_is_no_sign_of_life(hear: Callable[[Heartbeat, float], None]) -> None:
    """A process that says the same again and again is a process whose work hangs."""
    heart = Heartbeat(0.0)
    heart.hear(beat(7), False, 0.0)
    for second in range(1, int(SILENT_S)):
        hear(heart, float(second))
        assert heart.look(float(second)) is None
    assert "no heartbeat for 12 s" in (heart.look(SILENT_S) or "")


def test_a_processor_that_says_it_fails_alarms_at_once() -> None:
    heart = Heartbeat(0.0)
    heart.hear(beat(7), False, 0.0)
    heart.hear(beat(7, "failing"), False, 1.0)
    assert heart.look(1.0) == "the processor is failing"
