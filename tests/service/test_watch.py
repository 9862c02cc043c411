"""What nobody watched is told: while we were down, stood still, or had lost our session at the broker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from streamproc.wire.instant import instant_ms

from .bedside import Bedside
from .conftest import StartProcessor
from .journaled import taken_over
from .oracle import assert_told_as_uninterrupted
from .station import FEED, Station, listening
from .telemetry import QUICK, now_ms

ROSTERED, HEARD = "icu-a/bed-1", "icu-a/bed-2"
ROSTER = f"roster=[{ROSTERED}]"
SHORT = (*QUICK, ROSTER, "rules.TECH-GAP.unwatched_s=1")
AWAY_S = 1.5
HOUR = "rules.TECH-GAP.unwatched_s=3600"


async def heard(station: Station, *beds: str) -> None:
    """Each bed says a word."""
    for bed in beds:
        await station.publish(*Bedside(bed).map(now_ms(), 70))


async def test_a_crash_is_told_to_every_monitored_bed_as_it_is_in_a_replay(
    mosquitto: Any, new_processor: StartProcessor
) -> None:
    """kill -9 and a restart: from when until when, to the bed that was heard and to the one on the roster."""
    processor = await (await new_processor(mosquitto.port, *SHORT).start()).ready()
    async with listening(mosquitto.port, FEED) as station:
        await heard(station, HEARD)
        await processor.took_over(1)
        killed_ms = now_ms()
        await processor.kill()
        await asyncio.sleep(AWAY_S)
        await (await processor.start()).ready()
        told = await processor.said("ward_unwatched")
        for bed in (ROSTERED, HEARD):
            gap = (await station.alert(bed, "TECH-GAP"))["data"]
            assert gap["text"].endswith(told["why"])
            assert gap["unit"] == "s"
            assert gap["value"] >= AWAY_S
        assert told["why"].startswith("this program was down")
        assert abs(instant_ms(told["since"]) - killed_ms) < 1000
        await processor.until(lambda metrics: metrics.value("alerts_undelivered") == 0, "all delivered")
        assert await processor.stop() == 0
        fed = [one.payload for one in station.on(FEED)]
    await assert_told_as_uninterrupted(fed, await taken_over(processor), SHORT)


async def test_standing_still_is_told_like_a_crash(mosquitto: Any, new_processor: StartProcessor) -> None:
    """SIGSTOP: whoever slept through it did not watch either."""
    processor = await (await new_processor(mosquitto.port, *SHORT).start()).ready()
    async with listening(mosquitto.port, FEED) as station:
        await heard(station, HEARD)
        await processor.took_over(1)
        with processor.frozen():
            await asyncio.sleep(AWAY_S)
        gap = await station.alert(HEARD, "TECH-GAP")
    assert "this program stood still" in gap["data"]["text"]


async def test_a_lost_session_is_told_however_short_it_was(
    start_mosquitto: Callable[..., Any], new_processor: StartProcessor
) -> None:
    """A broker that kept nothing: what was sent meanwhile nobody has."""
    broker = start_mosquitto()
    processor = await (await new_processor(broker.port, *QUICK, ROSTER, HOUR).start()).ready()
    async with listening(broker.port) as devices:
        await heard(devices, HEARD)
    await processor.took_over(1)
    await asyncio.to_thread(broker.restart)
    gap = {"rule": "TECH-GAP", "priority": "low", "phase": "start"}
    await processor.until(lambda metrics: metrics.value("alerts_total", **gap) == 2, "both beds told")
    _, feed = await processor.get("/api/v1/alerts?after=0")  # a station may come back later than we
    gaps = [each for each in json.loads(feed)["events"] if each["data"]["rule"] == "TECH-GAP"]
    assert {each["subject"] for each in gaps} == {ROSTERED, HEARD}
    assert all("the broker had lost our session" in each["data"]["text"] for each in gaps)


async def test_a_first_start_and_a_quick_restart_tell_of_no_gap(
    mosquitto: Any, new_processor: StartProcessor
) -> None:
    """A restart within the site's limit, with the session in place, missed nothing: the broker kept it."""
    processor = await (await new_processor(mosquitto.port, *QUICK, ROSTER, HOUR).start()).ready()
    async with listening(mosquitto.port, FEED) as station:
        await heard(station, HEARD)
        await processor.took_over(1)
        await processor.kill()
        await (await processor.start()).ready()
        await station.publish(*Bedside(HEARD).pump(now_ms(), 0.3))
        await station.alert(HEARD, "ESC-THRESHOLD")
        assert station.alerts(rule="TECH-GAP") == []


async def test_a_bed_that_never_spoke_alarms_in_time_although_we_were_killed(
    mosquitto: Any, new_processor: StartProcessor
) -> None:
    """The wait goes on from the first start, not from the last."""
    processor = new_processor(mosquitto.port, *QUICK, ROSTER, HOUR, "rules.TECH-BED-SILENT.after_s=5")
    started_ms = now_ms()
    await (await processor.start()).ready()
    ready_ms = now_ms()
    await processor.kill()
    await (await processor.start()).ready()
    async with listening(mosquitto.port, FEED) as station:
        silent = (await station.alert(ROSTERED, "TECH-BED-SILENT"))["data"]
    assert started_ms + 5000 <= instant_ms(silent["detected"]) <= ready_ms + 5000


async def test_silence_goes_on_through_a_restart(mosquitto: Any, new_processor: StartProcessor) -> None:
    """When a bed was last heard outlives a crash: its loss is dated from that, not from the restart."""
    processor = new_processor(mosquitto.port, *QUICK, HOUR, "terms.map_lost_s=4")
    await (await processor.start()).ready()
    async with listening(mosquitto.port, FEED) as station:
        spoke_ms = now_ms()
        await station.publish(*Bedside(HEARD).map(spoke_ms, 70))
        await processor.took_over(1)
        await processor.kill()
        await (await processor.start()).ready()
        lost = (await station.alert(HEARD, "TECH-MAP-LOST"))["data"]
    assert abs(instant_ms(lost["detected"]) - spoke_ms - 4000) < 2


async def test_a_retained_pressure_ends_no_silence(mosquitto: Any, new_processor: StartProcessor) -> None:
    """What the broker kept is old, whatever its time says: MAP-OVERDUE and TECH-MAP-LOST stay open when a
    new session brings it, with a time as fresh as can be."""
    quick = ("terms.map_lost_s=1", "rules.MAP-OVERDUE.low_s=2", "rules.MAP-OVERDUE.titrating_low_s=2")
    processor = await (await new_processor(mosquitto.port, *QUICK, *quick).start()).ready()
    bedside = Bedside(HEARD)
    async with listening(mosquitto.port, FEED) as station:
        await station.publish(*bedside.map(now_ms(), 70))
        await station.publish(*bedside.pump(now_ms(), 0.1))
        await station.alert(HEARD, "TECH-MAP-LOST")
        await station.alert(HEARD, "MAP-OVERDUE")
        await processor.kill()
        processor.overrides += ("mqtt.client_id=another",)
        await station.publish(*bedside.map(now_ms() + 2000, 70), retain=True)
        await (await processor.start()).ready()
        await processor.until(
            lambda metrics: metrics.value("messages_rejected_total", reason="retained") >= 1, "it was refused"
        )
        await station.publish(*bedside.pump(now_ms() + 2500, 0.3))
        await station.alert(HEARD, "ESC-THRESHOLD")
        ended = {event["data"]["rule"] for event in station.alerts(HEARD) if event["data"]["phase"] == "end"}
    assert not ended & {"TECH-MAP-LOST", "MAP-OVERDUE"}
