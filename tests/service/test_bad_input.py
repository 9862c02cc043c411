"""Whatever comes in is counted under one reason, is shown in the dead letters, and disturbs no other bed."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mqtt5
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from streamproc.shell.clock import SIMULATION_CLOCK

from .bad_input import ABUSED_BED, BadInput, bad_inputs, bad_topics, same_number_another_figure
from .bedside import Bedside, encoded, instant
from .conftest import StartProcessor
from .processor import ROOT, SOON_S, Metrics, Processor
from .station import DEAD_LETTERS, FEED, Heard, Station, listening

START_MS = 1_795_420_800_000
LENGTH_S, BAD_SECOND = 150, 60
HEALTHY = ("icu-a/bed-1", "icu-a/bed-2")
ROSTER = f"roster=[{', '.join([*HEALTHY, ABUSED_BED])}]"
SETTINGS = ("clock.source=telemetry", "limits.dead_letters_per_s=1000", ROSTER)

Wrong = Callable[[int, tuple[str, bytes]], Sequence[BadInput]]
"""What goes wrong at a second, given the abused bed's last sample."""


def now_ms() -> float:
    return time.time_ns() / 1e6


def nothing_wrong(second: int, last: tuple[str, bytes]) -> Sequence[BadInput]:
    return []


def everything_wrong(second: int, last: tuple[str, bytes]) -> Sequence[BadInput]:
    """All of it in one second, while alerts of every bed are pending."""
    if second != BAD_SECOND:
        return []
    now_ms = START_MS + 1000 * second
    return [*bad_inputs(ABUSED_BED, now_ms), *bad_topics(now_ms), same_number_another_figure(*last)]


@dataclass(slots=True)
class Outcome:
    """A run: what was published, and what was heard of it."""

    good: int = 0
    wrong: list[BadInput] = field(default_factory=list)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    letters: list[Heard] = field(default_factory=list)
    scrape: Metrics | None = None

    @property
    def published(self) -> int:
        return self.good + len(self.wrong)

    def alerts_of(self, *beds: str, kind: str = "") -> list[bytes]:
        """The alert events of these beds, of one kind if it is named, without their place among others'."""
        return [
            encoded(event)
            for event in self.alerts
            if event["subject"] in beds and kind in ("", event["data"]["kind"])
        ]


async def play(processor: Processor, station: Station, outcome: Outcome, wrong: Wrong) -> None:
    """Two and a half minutes of three beds, second by second: each is taken over before the next is sent."""
    bedsides = [Bedside(bed) for bed in (*HEALTHY, ABUSED_BED)]
    for second in range(LENGTH_S):
        for place, bedside in enumerate(bedsides):
            at_ms = START_MS + 1000 * second + 100 * place
            sample = bedside.map(at_ms, 50 if 20 <= second < 110 else 75)
            await station.publish(*sample)
            await station.publish(*bedside.pump(at_ms + 50, 0.3 if place else 0.1))
            outcome.good += 2
        for bad in wrong(second, sample):
            await station.publish(bad.topic, bad.payload)
            outcome.wrong.append(bad)
        scrape = await processor.took_over(outcome.published)
        assert scrape.accounted == scrape.received == outcome.published


async def lived(broker_port: int, processor: Processor, wrong: Wrong) -> Outcome:
    """The whole run, until every alert and dead letter has been heard."""
    outcome = Outcome()
    await (await processor.start()).ready()
    async with listening(broker_port, FEED, DEAD_LETTERS + "+") as station:
        await play(processor, station, outcome, wrong)
        quiet = lambda metrics: metrics.value("alerts_undelivered") == 0  # noqa: E731
        outcome.scrape = await processor.until(quiet, "all alerts delivered")
        all_shown = len(outcome.wrong)
        await station.until(lambda: len(letters(station)) >= all_shown, f"{all_shown} dead letters")
        outcome.alerts, outcome.letters = unnumbered(station), letters(station)
    assert await processor.stop() == 0
    return outcome


def unnumbered(station: Station) -> list[dict[str, Any]]:
    """The alert events, without their numbers in the feed."""
    events = [one.content for one in station.on(FEED)]
    for event in events:
        del event["data"]["feed_seq"]
    return events


def letters(station: Station) -> list[Heard]:
    """The dead letters."""
    return [one for one in station.heard if one.topic.startswith(DEAD_LETTERS)]


async def test_bad_input_disturbs_nothing(
    mosquitto: Any, start_mosquitto: Callable[..., Any], new_processor: StartProcessor, tmp_path: Path
) -> None:
    """With and without it, the other beds' alerts are the same bytes, and so are those about the patient in
    the abused bed; each piece of it is counted once, under its reason, and shown with topic and payload;
    the figures are served all the while."""
    other = start_mosquitto()
    clean = await lived(
        mosquitto.port, new_processor(mosquitto.port, *SETTINGS, state=tmp_path / "clean"), nothing_wrong
    )
    dirty = await lived(
        other.port, new_processor(other.port, *SETTINGS, state=tmp_path / "dirty"), everything_wrong
    )

    assert clean.alerts_of(*HEALTHY) == dirty.alerts_of(*HEALTHY)
    of_the_patient = clean.alerts_of(ABUSED_BED, kind="physiological")
    assert of_the_patient == dirty.alerts_of(ABUSED_BED, kind="physiological")
    assert {event["data"]["rule"] for event in clean.alerts} >= {"MAP-CRIT", "ESC-THRESHOLD"}
    assert clean.scrape is not None
    assert clean.scrape.by("messages_rejected_total", "reason") == {}
    assert dirty.scrape is not None
    reasons = Counter(bad.reason for bad in dirty.wrong)
    assert dirty.scrape.by("messages_rejected_total", "reason") == reasons
    assert dirty.scrape.value("messages_accepted_total") == dirty.good
    shown = Counter(
        (one.topic, one.content["topic"], one.content["payload_bytes"], one.content["payload_base64"])
        for one in dirty.letters
    )
    assert shown == Counter(
        (DEAD_LETTERS + bad.reason, in_ascii(bad.topic), len(bad.payload), head_in_base64(bad.payload))
        for bad in dirty.wrong
    )
    schema: Any = Draft202012Validator(json.loads((ROOT / "docs/schemas/dead-letter.json").read_text()))
    for one in dirty.letters:
        schema.validate(one.content)


def in_ascii(topic: str) -> str:
    """Every character that is not printable ASCII as its escape."""
    return "".join(char if " " <= char <= "~" else ascii(char)[1:-1] for char in topic)


def head_in_base64(payload: bytes) -> str:
    return base64.b64encode(payload[:1024]).decode()


async def test_a_retained_sample_is_old_whatever_its_time_says(
    mosquitto: Any, new_processor: StartProcessor
) -> None:
    """It was there before us, so it satisfies nothing: refused, though its device time is now."""
    processor = new_processor(mosquitto.port, "limits.dead_letters_per_s=1000")
    bedside = Bedside(ABUSED_BED)
    async with listening(mosquitto.port, DEAD_LETTERS + "+") as station:
        for message in (bedside.map(now_ms(), 40), bedside.pump(now_ms(), 0.3)):
            await station.publish(*message, retain=True)
        await (await processor.start()).ready()
        scrape = await processor.took_over(2)
        assert scrape.by("messages_rejected_total", "reason") == {"retained": 2}
        assert scrape.value("beds") == 0
        await station.until(lambda: len(station.on(DEAD_LETTERS + "retained")) == 2, "both are shown")


async def test_a_retained_patient_context_is_taken(mosquitto: Any, new_processor: StartProcessor) -> None:
    """The one message that is retained by contract: who lies in the bed was said long ago."""
    processor = new_processor(mosquitto.port)
    async with listening(mosquitto.port) as station:
        stay = {"time": instant(now_ms() - 8 * 3_600_000), "session": "S-1"}
        await station.publish(f"bedside/v1/{ABUSED_BED}/patient", encoded(stay), retain=True)
        await (await processor.start()).ready()
        scrape = await processor.took_over(1)
    assert scrape.value("messages_accepted_total") == 1


async def test_a_pump_without_concentration_is_taken_and_its_dose_called_unknown(
    mosquitto: Any, new_processor: StartProcessor
) -> None:
    """Nothing is wrong with the message; but nobody may guess what is in the bag."""
    processor = await new_processor(mosquitto.port, f"roster=[{ABUSED_BED}]").start()
    await processor.ready()
    async with listening(mosquitto.port, FEED) as station:
        in_ml_per_h = {"rate": {"value": 9.375, "unit": "mL/h"}}
        await station.publish(*Bedside(ABUSED_BED).pump(now_ms(), 0, **in_ml_per_h))
        event = await station.alert(ABUSED_BED, "TECH-DOSE")
        assert "no concentration is known" in event["data"]["text"]
    scrape = await processor.metrics()
    assert scrape.value("messages_accepted_total") == 1
    assert ("streamproc_norepinephrine_dose_mcg_per_kg_min") not in {name for name, _ in scrape.samples}


@pytest.mark.parametrize("sign", ["+", "#"])
async def test_a_wildcard_in_a_bed_never_gets_past_the_broker(
    mosquitto: Any, new_processor: StartProcessor, sign: str
) -> None:
    """No client library publishes such a topic; one that does is thrown out, and we don't hear of it."""
    processor = await (await new_processor(mosquitto.port).start()).ready()
    reader, writer = await asyncio.open_connection("127.0.0.1", mosquitto.port)
    topic = f"bedside/v1/icu-a/bed{sign}/map".encode()
    body = len(topic).to_bytes(2) + topic + b"\x00\x01\x00{}"  # packet id 1, no properties
    writer.write(mqtt5.ConnectPacket("wild").write() + bytes([0x32, len(body)]) + body)
    async with asyncio.timeout(SOON_S):
        await reader.read()
    writer.close()
    async with listening(mosquitto.port) as station:
        await station.publish(*Bedside("icu-a/bed-1").map(now_ms(), 70))
    scrape = await processor.took_over(1)
    assert (scrape.received, scrape.value("messages_accepted_total")) == (1, 1)


async def test_a_slash_in_a_bed_is_another_topic(mosquitto: Any, new_processor: StartProcessor) -> None:
    """One level more is none of the topics that we listen to, unless it makes a pump's: that is refused."""
    processor = await (await new_processor(mosquitto.port).start()).ready()
    async with listening(mosquitto.port) as station:
        _, sample = Bedside("icu-a/bed-1").map(now_ms(), 70)
        await station.publish("bedside/v1/icu-a/bed/9/map", sample)
        await station.publish("bedside/v1/icu-a/bed/pump/map", sample)
    scrape = await processor.took_over(1)
    assert scrape.by("messages_received_total", "kind") == {"pump": 1}
    assert scrape.by("messages_rejected_total", "reason") == {"missing_field": 1}


async def test_dead_letters_are_bounded_and_counted_all_the_same(
    mosquitto: Any, new_processor: StartProcessor
) -> None:
    """A broken gateway must not flood the ward's broker through us."""
    processor = await new_processor(mosquitto.port, "limits.dead_letters_per_s=1").start()
    await processor.ready()
    async with listening(mosquitto.port, DEAD_LETTERS + "+") as station:
        for _ in range(200):
            await station.publish(f"bedside/v1/{ABUSED_BED}/map", b"{")
        scrape = await processor.took_over(200)
        assert scrape.by("messages_rejected_total", "reason") == {"not_json": 200}
        withheld = round(scrape.value("publishes_withheld_total", kind="dead_letter"))
        assert withheld > 150
        await station.until(lambda: len(letters(station)) == 200 - withheld, "those that were not withheld")


async def test_the_simulators_clock_is_not_heard_once_the_wall_counts_again(
    mosquitto: Any, new_processor: StartProcessor
) -> None:
    """The session at the broker outlives us; a subscription that nobody wants any more is taken back."""
    simulated = new_processor(mosquitto.port, "clock.source=telemetry", ROSTER)
    await (await simulated.start()).ready()
    await simulated.kill()
    processor = await (await new_processor(mosquitto.port, ROSTER).start()).ready()
    async with listening(mosquitto.port, FEED) as station:
        await station.publish(SIMULATION_CLOCK, encoded({"time": instant(now_ms())}))
        await station.publish(*Bedside(HEALTHY[0]).map(now_ms(), 70))
        scrape = await processor.took_over(1)
    assert (scrape.received, scrape.by("messages_rejected_total", "reason")) == (1, {})
