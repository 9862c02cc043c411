"""A processing path that hangs in a commit, while all else lives: nothing may say that all is well."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest_asyncio

from tests.service.bedside import Bedside
from tests.service.processor import Processor
from tests.service.station import STATUS, listening
from tests.service.telemetry import QUICK, now_ms

from .frames import Frame
from .life import Life
from .proxy import Passage, Way, proxying

HUNG_S = 3.0
"""Several heartbeats, and less than the journal waits for a lock before it gives up."""
BEAT_S = 0.5


@pytest_asyncio.fixture
async def seen(mosquitto: Any, tmp_path: Path) -> AsyncIterator[tuple[Processor, Life]]:
    """A processor that is ready, and what the network sees of it."""
    life = Life()

    def look(way: Way, frame: Frame) -> Passage:
        life.see(way, frame)
        return Passage.ON

    async with proxying(mosquitto.port) as proxy:
        proxy.look = look
        processor = await Processor(proxy.port, tmp_path / "state", QUICK).start()
        yield await processor.ready(), life
        if processor.running:
            await processor.kill()


@contextmanager
def no_commit(processor: Processor) -> Iterator[None]:
    """Another holds the database: until it lets go, nothing can be made durable."""
    with closing(sqlite3.connect(processor.state / "journal.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def test_no_heartbeat_comes_while_nothing_can_be_committed(
    mosquitto: Any, seen: tuple[Processor, Life]
) -> None:
    """The heartbeat is the processing path's own: one of a task beside it would say that all is well (P7)."""
    processor, _ = seen
    async with listening(mosquitto.port, STATUS) as station:
        await station.hears("a heartbeat", lambda one: one.content["state"] == "running")
        with no_commit(processor):
            hung_ms = time.time_ns() / 1e6 + BEAT_S * 1000  # one may be on its way
            await asyncio.sleep(HUNG_S)  # that nothing comes can only be seen by waiting
            let_go_ms = time.time_ns() / 1e6
            assert (await processor.get("/metrics"))[0] == 200, "all else of the process lives"
        await station.hears("a heartbeat again", lambda one: one.arrived_ms > let_go_ms)
        meanwhile = [one for one in station.heard if hung_ms < one.arrived_ms < let_go_ms]
        assert not meanwhile, f"told that all was well: {meanwhile}"


async def test_nothing_is_acknowledged_while_nothing_can_be_committed(
    mosquitto: Any, seen: tuple[Processor, Life]
) -> None:
    """What the broker is told that we have, it forgets: it must be on disk by then (P1)."""
    processor, life = seen
    message = Bedside("icu-a/bed-1").map(now_ms(), 70)
    async with listening(mosquitto.port, "alerts/v1/bed/icu-a/bed-1") as station:
        with no_commit(processor):
            await station.publish(*message)
            await asyncio.sleep(HUNG_S)
            assert message in life.unacknowledged.values(), "it has been handed over"
            assert message not in life.acknowledged
        await station.until(lambda: bool(station.heard), "the bed")
        await station.until(lambda: message in life.acknowledged, "its acknowledgement")
