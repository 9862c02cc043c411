"""A scrape reads a few beds at a time: what else is to be done has its turn in between."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from prometheus_client.exposition import generate_latest

from streamproc.config import load
from streamproc.shell.intake import Intake
from streamproc.shell.metrics import AT_ONCE, Meters, gathered, registry

BEDS = 4 * AT_ONCE


def watched() -> Any:
    """A service that watches many beds, as far as a scrape looks at it."""
    roster = ",".join(f"icu-a/bed-{number}" for number in range(1, BEDS + 1))
    intake = Intake.from_settings(load(None, [f"roster=[{roster}]"]))
    intake.tick(1_795_421_702_000)
    counts = {"position": 7, "undelivered": 0, "last_step_s": 1.0, "ready": True, "connected": True}
    wrong = {"failure": None, "refused_configuration": (), "problems": []}
    return SimpleNamespace(ward=intake.ward, tally=intake.tally, meters=Meters(), **counts, **wrong)


async def test_others_have_their_turn_while_many_beds_are_read() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    busy = asyncio.create_task(others())
    await gathered(watched())
    busy.cancel()
    assert turns >= 2 * BEDS / AT_ONCE


async def test_a_few_beds_at_a_time_give_what_all_at_once_give() -> None:
    service = watched()
    families: Any = await gathered(service)
    text = generate_latest(families)
    assert text == generate_latest(registry(service))
    assert text.count(b"streamproc_map_target_mmhg{") == BEDS
