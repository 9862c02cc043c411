"""What a central station hears: every message valid, and the newest state there for whoever comes later."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import Any

import pytest
import pytest_asyncio
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from .bedside import Bedside, encoded, instant
from .conftest import StartProcessor
from .processor import ROOT, Processor
from .station import DEAD_LETTERS, FEED, STATUS, Station, listening

BED = "icu-a/bed-1"
THRESHOLD = f"alerts/v1/{BED}/ESC-THRESHOLD"
BED_STATE = f"alerts/v1/bed/{BED}"
QUICK = (
    "event_time.hold_back_s=0.2",
    "rules.ESC-THRESHOLD.for_s=1",
    "rules.ESC-THRESHOLD.clear_for_s=1",
    "rules.MAP-LOW.window_s=1",
    "rules.MAP-LOW.long_window_s=4",
    "alerts.heartbeat_s=0.5",
    "alerts.bed_state_s=1",
    "alerts.tombstone_after_s=3",
)
"""The rules' waits cut to a second, so that a whole life of an alert fits into a test."""


def now_ms() -> float:
    return time.time_ns() / 1e6


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    """The published schemas, by name."""
    files = (ROOT / "docs" / "schemas").glob("*.json")
    validator: Any = Draft202012Validator
    return {file.stem: validator(json.loads(file.read_text())) for file in files}


@pytest_asyncio.fixture
async def processor(mosquitto: Any, new_processor: StartProcessor) -> Processor:
    """A running processor whose rules wait a second at most."""
    started = await new_processor(mosquitto.port, *QUICK).start()
    return await started.ready()


@pytest_asyncio.fixture
async def station(mosquitto: Any, processor: Processor) -> AsyncIterator[Station]:
    """A station that hears all that the processor says."""
    async with listening(mosquitto.port, "alerts/v1/#") as connected:
        yield connected


async def test_every_message_is_valid_by_its_published_schema(
    station: Station, schemas: dict[str, Any]
) -> None:
    """Feed, alert state, bed state, heartbeat and dead letter: another team builds against these alone."""
    bedside = Bedside(BED)
    await station.publish(*bedside.pump(now_ms(), 0.3))
    await station.publish(bedside.map_topic, b"{")
    await station.publish(*bedside.map(now_ms(), 71))
    await station.alert(BED, "ESC-THRESHOLD")
    await station.hears("state of the bed", lambda one: one.topic == f"alerts/v1/bed/{BED}")
    kinds: dict[str, Callable[[str], bool]] = {
        "alert": lambda topic: topic == FEED or topic.startswith("alerts/v1/icu-a/"),
        "bed": lambda topic: topic.startswith("alerts/v1/bed/"),
        "status": lambda topic: topic == STATUS,
        "dead-letter": lambda topic: topic.startswith(DEAD_LETTERS),
    }
    for name, ours in kinds.items():
        messages = [one for one in station.heard if ours(one.topic)]
        assert messages, f"nothing to hold against {name}.json"
        for one in messages:
            schemas[name].validate(one.content)


async def retained(port: int, topic: str) -> list[Any]:
    """What somebody who comes only now finds on a topic; the end of it is a message of their own."""
    async with listening(port, topic, "late/comer") as late_comer:
        await late_comer.publish("late/comer", b"0")
        await late_comer.hears("our own message", lambda one: one.topic == "late/comer")
        found = [one for one in late_comer.heard if one.topic != "late/comer"]
    assert all(one.retained for one in found)
    return [one.content for one in found]


async def test_an_alert_shows_its_newest_state_until_some_time_after_its_end(
    mosquitto: Any, station: Station
) -> None:
    """Active, then ended, for whoever comes late; `tombstone_after_s` later it is taken down."""
    bedside = Bedside(BED)
    await station.publish(*bedside.pump(now_ms(), 0.3))
    started = await station.alert(BED, "ESC-THRESHOLD")
    await station.until(lambda: len(station.on(THRESHOLD)) == 1, "the state of the alert")
    assert await retained(mosquitto.port, THRESHOLD) == [started]

    await station.publish(*bedside.pump(now_ms(), 0.2))
    ended = await station.alert(BED, "ESC-THRESHOLD", "end")
    await station.until(lambda: len(station.on(THRESHOLD)) == 2, "the state of the ended alert")
    assert await retained(mosquitto.port, THRESHOLD) == [ended]
    assert (started["data"]["state"], ended["data"]["state"]) == ("active", "ended")
    assert started["data"]["alert_id"] == ended["data"]["alert_id"]

    await station.until(lambda: len(station.on(THRESHOLD)) == 3, "the tombstone")
    tombstone = station.on(THRESHOLD)[2]
    assert tombstone.payload == b""
    assert instant(tombstone.arrived_ms - 3000) >= ended["time"]
    assert await retained(mosquitto.port, THRESHOLD) == []


async def test_an_alert_that_comes_back_is_not_taken_down_with_the_one_before(
    mosquitto: Any, station: Station
) -> None:
    """The tombstone is for one alert: a new one of the same rule on the same topic outlives it."""
    bedside = Bedside(BED)
    await station.publish(*bedside.pump(now_ms(), 0.3))
    await station.alert(BED, "ESC-THRESHOLD")
    await station.publish(*bedside.pump(now_ms(), 0.2))
    first = await station.alert(BED, "ESC-THRESHOLD", "end")
    await station.publish(*bedside.pump(now_ms(), 0.3))
    await station.until(lambda: len(station.on(THRESHOLD)) == 3, "the second alert")
    async with listening(mosquitto.port, STATUS) as clock:
        await clock.until(
            lambda: any(one.content["time"] > _later(first["time"], 3500) for one in clock.heard),
            "the processor's clock is past the first one's tombstone",
        )
    assert [one.content["data"]["phase"] for one in station.on(THRESHOLD)] == ["start", "end", "start"]
    (shown,) = await retained(mosquitto.port, THRESHOLD)
    assert shown["data"]["state"] == "active"
    assert shown["data"]["alert_id"] != first["data"]["alert_id"]


async def test_an_acknowledgement_is_shown_and_a_higher_priority_breaks_through_it(station: Station) -> None:
    """Acknowledged at medium: the same alert says so, and by whom; at high it is active again."""
    await station.publish(*Bedside(BED).map(now_ms(), 60))
    started = await station.alert(BED, "MAP-LOW")
    alert_id = started["data"]["alert_id"]
    ack = {"alert_id": alert_id, "by": "nurse-7", "time": instant(now_ms())}
    await station.publish("alerts/v1/ack/station-1", encoded(ack))
    acknowledged = await station.alert(BED, "MAP-LOW", "update")
    escalated = await station.alert(BED, "MAP-LOW", "escalate")
    told = ("alert_id", "event_seq", "priority", "state", "acknowledged_by")
    course = [tuple(event["data"][key] for key in told) for event in (started, acknowledged, escalated)]
    assert course == [
        (alert_id, 1, "medium", "active", None),
        (alert_id, 2, "medium", "acknowledged", "nurse-7"),
        (alert_id, 3, "high", "active", None),
    ]
    assert acknowledged["data"]["acknowledged_at"] == ack["time"]
    shown = [one.content for one in station.on(f"alerts/v1/{BED}/MAP-LOW")]
    assert shown == [started, acknowledged, escalated]


async def test_an_acknowledgement_of_an_alert_that_is_not_open_is_refused(
    station: Station, processor: Processor
) -> None:
    ack = {"alert_id": "al-0123456789", "by": "nurse-7", "time": instant(now_ms())}
    await station.publish("alerts/v1/ack/station-1", encoded(ack))
    letter = await station.hears("the refusal", lambda one: one.topic == DEAD_LETTERS + "unknown_alert")
    assert letter.content["topic"] == "alerts/v1/ack/station-1"
    scrape = await processor.metrics()
    assert scrape.value("messages_rejected_total", reason="unknown_alert") == 1


async def test_the_feed_is_numbered_without_a_gap_and_in_order(station: Station) -> None:
    """Over all beds: 1, 2, 3 …, each alert counting its own events as well."""
    bedsides = [Bedside(f"icu-a/bed-{number}") for number in range(1, 6)]
    for dose in (0.3, 0.2):
        for bedside in bedsides:
            await station.publish(*bedside.pump(now_ms(), dose))
        for bedside in bedsides:
            await station.alert(bedside.bed, "ESC-THRESHOLD", "start" if dose == 0.3 else "end")
    fed = [one.content["data"] for one in station.on(FEED)]
    assert [event["feed_seq"] for event in fed] == list(range(1, len(fed) + 1))
    assert len(fed) >= 10
    lives: dict[str, list[int]] = {}
    for event in fed:
        lives.setdefault(event["alert_id"], []).append(event["event_seq"])
    assert all(life == list(range(1, len(life) + 1)) for life in lives.values())


async def test_the_heartbeat_comes_when_it_is_due_and_says_how_far_we_are(
    mosquitto: Any, station: Station, processor: Processor
) -> None:
    """Every `heartbeat_s`, with the last committed position, which also goes on while nothing happens."""
    await station.until(lambda: len(station.on(STATUS)) >= 6, "six heartbeats")
    beats = station.on(STATUS)[1:]  # the first may be the retained one of long ago
    assert {one.content["state"] for one in beats} == {"running"}
    gaps_ms = [after.arrived_ms - before.arrived_ms for before, after in pairwise(beats)]
    assert 400 <= median(gaps_ms) <= 1000
    positions = [one.content["position"] for one in beats]
    assert all(before < after for before, after in pairwise(positions))
    scrape = await processor.metrics()
    assert positions[-1] <= scrape.value("journal_position")
    (kept,) = await retained(mosquitto.port, STATUS)
    assert kept["position"] >= positions[-1]


async def test_the_state_of_a_bed_is_kept_and_told_once_a_second_at_most(
    mosquitto: Any, station: Station
) -> None:
    """The wall display finds MAP, dose and open alerts at once; ten messages a second don't flood it."""
    bedside = Bedside(BED)
    await station.publish(*bedside.pump(now_ms(), 0.3))
    alert = await station.alert(BED, "ESC-THRESHOLD")
    for mmhg in range(70, 100):
        await station.publish(*bedside.map(now_ms(), mmhg))
    state = await station.hears(
        "the last pressure",
        lambda one: one.topic == BED_STATE and (one.content["map"] or {}).get("value") == 99,
    )
    assert state.content["dose"]["ug_per_kg_min"] == 0.3
    assert alert["data"]["alert_id"] in {one["alert_id"] for one in state.content["alerts"]}
    await station.until(lambda: len(station.on(BED_STATE)) >= 4, "four states of the bed")
    told = [one for one in station.on(BED_STATE) if not one.retained]
    assert min(after.arrived_ms - before.arrived_ms for before, after in pairwise(told)) > 800
    (kept,) = await retained(mosquitto.port, BED_STATE)
    assert kept["map"]["value"] == 99


def _later(time: str, by_ms: int) -> str:
    return instant(datetime.fromisoformat(time).timestamp() * 1000 + by_ms)
