"""A processing path that hangs, while all else of the process lives: the ward must see it (P7)."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.service.processor import Processor
from tests.service.station import STATUS, listening
from tests.service.telemetry import QUICK

HUNG_S = 3.0
"""Several heartbeats, and less than the journal waits for a lock before it gives up."""
BEAT_S = 0.5


async def test_no_heartbeat_comes_while_nothing_can_be_committed(mosquitto: Any, tmp_path: Path) -> None:
    """The heartbeat is the processing path's own: one of a thread beside it would say that all is well."""
    processor = await Processor(mosquitto.port, tmp_path / "state", QUICK).start()
    try:
        await processor.ready()
        async with listening(mosquitto.port, STATUS) as station:
            await station.hears("a heartbeat", lambda one: one.content["state"] == "running")
            with closing(sqlite3.connect(processor.state / "journal.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                hung_ms = time.time_ns() / 1e6 + BEAT_S * 1000  # one may be on its way
                await asyncio.sleep(HUNG_S)  # that nothing comes can only be seen by waiting
                let_go_ms = time.time_ns() / 1e6
                assert (await processor.get("/metrics"))[0] == 200, "all else of the process lives"
                other.execute("ROLLBACK")
            await station.hears("a heartbeat again", lambda one: one.arrived_ms > let_go_ms)
            meanwhile = [one for one in station.heard if hung_ms < one.arrived_ms < let_go_ms]
            assert not meanwhile, f"told that all was well: {meanwhile}"
        assert await processor.stop() == 0
    finally:
        if processor.running:
            await processor.kill()
