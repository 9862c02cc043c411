"""A scrape reads a few beds at a time: what else is to be done has its turn in between."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client.exposition import choose_encoder, generate_latest

from streamproc.config import load
from streamproc.core.events import MapSample, MapSource, PumpState, PumpStatus, Quantity
from streamproc.shell.exposition import exposition
from streamproc.shell.intake import Intake
from streamproc.shell.metrics import AT_ONCE, Meters, gathered, registry
from streamproc.shell.service import Service

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
    text, _ = exposition(await gathered(service), "")
    assert text == generate_latest(registry(service))
    assert text.count(b"streamproc_map_target_mmhg{") == BEDS


ASKED_BY_PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


@pytest.mark.parametrize(
    "accept", ["", "*/*", "text/plain;version=1.0.0", "application/openmetrics-text", ASKED_BY_PROMETHEUS]
)
async def test_a_scrape_is_written_as_the_client_library_writes_it(accept: str) -> None:
    """In each format: pressures of both kinds, doses, long times, and a bed that is not on the roster."""
    service, at_ms = watched(), 1_795_421_702_000
    for number, name in enumerate(["icu-a/bed-1", "icu-a/bed-2", "icu-b/bed-9"]):
        bed = service.ward._bed(name)
        source = MapSource.CUFF if number else MapSource.ARTERIAL
        bed.chart.take_map(MapSample(at_ms, name, "MON", "b", number, source, 64_999 + number))
        bed.chart.take_pump(infusing(name, at_ms))
        bed.chart.settle()
        bed.chart.now_ms, bed.chart.below_target_ms = at_ms, 12_345_678_900 * number
    encoder, wanted_type = choose_encoder(accept)
    text, content_type = exposition(await gathered(service), accept)
    assert text == encoder(registry(service))
    assert content_type == wanted_type
    for series in (
        b'map_mmhg{bed="bed-1",source="arterial",unit="icu-a"} 64.999',
        b'{bed="other",unit="other"} 2.4',
    ):
        assert series in text


def infusing(bed: str, at_ms: int) -> PumpStatus:
    rate = Quantity(0.1, "ug/kg/min")
    return PumpStatus(at_ms, bed, "PMP", "b", 1, "1", PumpState.INFUSING, "norepinephrine", rate=rate)


def test_every_message_counts_in_the_lag_also_those_that_were_judged_together() -> None:
    meters, ward = Meters(), SimpleNamespace(lags_ms=[5_000, 5_000, 2_000, 5_000])
    Service._observe_lag(cast(Any, SimpleNamespace(meters=meters)), cast(Any, ward), 6_000)
    at_most = dict(meters.lag.buckets())
    assert (at_most["1.0"], at_most["5.0"], at_most["+Inf"], meters.lag.sum) == (3, 4, 4, 7.0)
