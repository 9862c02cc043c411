"""What damage, a newer format and forged names may do: be said, be bounded, and never empty the ward."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from .bedside import Bedside
from .conftest import StartProcessor
from .journaled import taken_over
from .oracle import assert_told_as_uninterrupted
from .processor import Metrics, Processor
from .station import FEED, listening
from .telemetry import QUICK, now_ms

OPEN = ("icu-a/bed-1", "ESC-THRESHOLD")
LAST = "(SELECT max(position) FROM batch)"
FORGED, KNOWN = 10_000, 50
"""Beds that nobody has, and how many strangers the site lets in."""


def change(processor: Processor, statement: str) -> None:
    """Change what a processor that has ended has left."""
    with closing(sqlite3.connect(processor.state / "journal.db")) as database, database:
        database.execute(statement)


async def with_an_open_alert(processor: Processor, port: int) -> list[bytes]:
    """A processor that was killed while an alert was open, with some snapshots; what the feed had told."""
    await (await processor.start()).ready()
    async with listening(port, FEED) as station:
        await station.publish(*Bedside(OPEN[0]).pump(now_ms(), 0.3))
        await station.alert(*OPEN)
        taken = (await processor.metrics()).value("journal_position") + 15
        await processor.until(lambda metrics: metrics.value("journal_position") > taken, "another snapshot")
        await processor.kill()
        return [one.payload for one in station.on(FEED)]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE part SET body = x'00' WHERE position = (SELECT max(position) FROM snapshot)",
        "UPDATE snapshot SET version = 99 WHERE position = (SELECT max(position) FROM snapshot)",
        "DELETE FROM part WHERE position = (SELECT max(position) FROM snapshot) AND number > 0",
        "UPDATE part SET body = x'00'",
    ],
    ids=["the newest is corrupt", "the newest has a newer format", "a part is missing", "all are corrupt"],
)
async def test_a_snapshot_that_cannot_be_read_is_rebuilt_from_what_can(
    mosquitto: Any, new_processor: StartProcessor, damage: str
) -> None:
    """An older one and the journal's suffix, or the whole journal: said, and the feed goes on as ever."""
    processor = new_processor(mosquitto.port, *QUICK)
    fed = await with_an_open_alert(processor, mosquitto.port)
    change(processor, damage)
    async with listening(mosquitto.port, FEED) as station:
        await (await processor.start()).ready()
        await processor.said("snapshot_found_corrupt")
        assert (await processor.metrics()).value("alerts_active", unit="other", priority="medium") >= 1
        await processor.until(lambda metrics: metrics.value("alerts_undelivered") == 0, "all delivered")
        await processor.stop()
        fed += [one.payload for one in station.on(FEED)]
    await assert_told_as_uninterrupted(fed, await taken_over(processor), QUICK)


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (
            "UPDATE batch SET frames = x'00' WHERE position = (SELECT max(position) FROM batch)",
            "JournalCorrupt",
        ),
        ("PRAGMA user_version = 99", "JournalTooNew"),
        ("DELETE FROM snapshot", "JournalCorrupt"),
        ("INSERT OR REPLACE INTO mark VALUES ('feed_forgotten', 3, 77)", "JournalCorrupt"),
    ],
    ids=[
        "the suffix is damaged",
        "the journal has a newer format",
        "its start and all snapshots are gone",
        "the mark of what the feed has forgotten",
    ],
)
async def test_what_cannot_be_rebuilt_is_refused_and_said(
    mosquitto: Any, new_processor: StartProcessor, damage: str, why: str
) -> None:
    """Exit 1 with the place and what would be right, rather than a ward that looks empty."""
    processor = new_processor(mosquitto.port, *QUICK)
    await with_an_open_alert(processor, mosquitto.port)
    change(processor, f"DELETE FROM snapshot WHERE position = {LAST}")  # it would tell what the batch held
    change(processor, damage)
    if damage.startswith("DELETE"):
        change(processor, "DELETE FROM batch WHERE position < 5")
    await processor.launch()
    assert await processor.ended() == 1
    assert (await processor.said("service_failed"))["why"] == why


async def test_a_damaged_event_of_the_kept_feed_is_said_and_never_passed_over(
    mosquitto: Any, new_processor: StartProcessor
) -> None:
    """503 with the number to go on from; a stream ends and says the same; what stands behind it is told."""
    processor = new_processor(mosquitto.port, *QUICK)
    await with_an_open_alert(processor, mosquitto.port)
    change(processor, "UPDATE event SET payload = replace(payload, 'start', 'stars') WHERE feed_seq = 1")
    await (await processor.start()).ready()
    why = "event 1 of the feed that is kept, damaged or missing; right would be after=1"
    status, text = await processor.get("/api/v1/alerts?after=0")
    assert (status, why in text) == (503, True)
    await processor.said("feed_found_damaged")
    status, text = await processor.get("/api/v1/alerts/stream?after=0")
    assert (status, text.startswith("event: standing-still"), why in text) == (200, True, True)
    status, text = await processor.get("/api/v1/alerts?after=1")
    assert (status, '"next":1' in text) == (200, False)


def series(metrics: Metrics) -> int:
    """How many there are, but for what each scrape may add for the first time."""
    return len([name for name, _ in metrics.samples if not name.startswith("streamproc_alerts_total")])


async def test_ten_thousand_forged_beds_cost_one_series_and_one_table(
    mosquitto: Any, new_processor: StartProcessor
) -> None:
    """So many get in as the site allows, the others are refused; the bed on the roster alarms as ever."""
    rostered = Bedside("icu-a/bed-1")
    limits = (f"roster=[{rostered.bed}]", f"limits.beds={KNOWN}", "rules.FLUID-FIRST.enabled=false")
    processor = await (await new_processor(mosquitto.port, *QUICK, *limits).start()).ready()
    async with listening(mosquitto.port, FEED) as station:
        await station.publish(*rostered.map(now_ms(), 70))
        await station.publish(*Bedside("forged/first").map(now_ms(), 70))
        before = series(await processor.took_over(2))
        for number in range(FORGED):
            topic, payload = Bedside(f"forged/bed-{number}").map(now_ms(), 70)
            await station.client.publish(topic, payload, qos=0)
        await station.publish(*rostered.pump(now_ms(), 0.3))
        await station.alert(rostered.bed, "ESC-THRESHOLD")
        after = await processor.took_over(FORGED + 3)
    assert after.value("beds") == KNOWN + 1
    assert after.value("messages_rejected_total", reason="beds_full") == FORGED + 1 - KNOWN
    assert after.received == after.accounted == FORGED + 3
    assert series(after) - before <= len(("map_mmhg", "dose"))
