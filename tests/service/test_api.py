"""What a station asks over HTTP is what the feed told, after a crash as well; and it may acknowledge."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from streamproc.wire.instant import instant_ms

from .bedside import Bedside, instant
from .conftest import StartProcessor
from .journaled import taken_over
from .processor import SOON_S, Processor
from .station import FEED, listening
from .telemetry import QUICK, now_ms

BEDS = ("icu-a/bed-1", "icu-a/bed-2")


@pytest.fixture
def processor(mosquitto: Any, new_processor: StartProcessor) -> Processor:
    return new_processor(mosquitto.port, *QUICK)


async def asked(processor: Processor, path: str) -> Any:
    """The JSON of an answer."""
    status, text = await processor.get(path)
    assert status == 200, text
    return json.loads(text)


def post(url: str, body: Any) -> int:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, payload, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=SOON_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


async def test_the_feed_after_a_number_is_what_was_published_though_we_were_killed(
    mosquitto: Any, processor: Processor
) -> None:
    """Byte for byte, without a gap, from any number on."""
    await (await processor.start()).ready()
    async with listening(mosquitto.port, FEED) as station:
        for bed in BEDS:
            await station.publish(*Bedside(bed).pump(now_ms(), 0.3))
            await station.alert(bed, "ESC-THRESHOLD")
            await processor.kill()
            await (await processor.start()).ready()
        await processor.until(lambda metrics: metrics.value("alerts_undelivered") == 0, "all delivered")
        fed = {one.content["data"]["feed_seq"]: one.content for one in station.on(FEED)}
        kept = await asked(processor, "/api/v1/alerts?after=0")
        fed |= {one.content["data"]["feed_seq"]: one.content for one in station.on(FEED)}
    assert kept["events"] == [fed[seq] for seq in sorted(fed)][: len(kept["events"])]
    assert kept["next"] == len(kept["events"]) >= len(BEDS)
    later = await asked(processor, f"/api/v1/alerts?after={kept['next'] - 1}")
    assert later["events"][0] == kept["events"][-1]


async def test_open_alerts_are_listed_until_they_end_and_beds_with_them(
    mosquitto: Any, processor: Processor
) -> None:
    await (await processor.start()).ready()
    bedside = Bedside(BEDS[0])
    async with listening(mosquitto.port, FEED) as station:
        await station.publish(*bedside.pump(now_ms(), 0.3))
        opened = await station.alert(bedside.bed, "ESC-THRESHOLD")
        assert opened in await asked(processor, "/api/v1/alerts?state=active")
        assert [bed["bed"] for bed in await asked(processor, "/api/v1/beds")] == [bedside.bed]
        assert (await asked(processor, f"/api/v1/beds/{bedside.bed}"))["dose"]["ug_per_kg_min"] == 0.3
        await station.publish(*bedside.pump(now_ms(), 0.1))
        await station.alert(bedside.bed, "ESC-THRESHOLD", "end")
        rules = [alert["data"]["rule"] for alert in await asked(processor, "/api/v1/alerts?state=active")]
    assert "ESC-THRESHOLD" not in rules


async def test_an_acknowledgement_over_http_goes_the_way_of_all(mosquitto: Any, processor: Processor) -> None:
    """Counted, journaled and told in the feed; nonsense is refused with what would be right."""
    await (await processor.start()).ready()
    async with listening(mosquitto.port, FEED) as station:
        await station.publish(*Bedside(BEDS[0]).pump(now_ms(), 0.3))
        opened = await station.alert(BEDS[0], "ESC-THRESHOLD")
        url = f"{processor.address}/api/v1/alerts/{opened['data']['alert_id']}/ack"
        assert await asyncio.to_thread(post, url, {"by": "", "time": "yesterday"}) == 400
        assert await asyncio.to_thread(post, url.replace("al-", "xx-"), {}) == 404
        ahead = {"by": "rn-7", "time": instant(now_ms() + 3_600_000)}
        assert await asyncio.to_thread(post, url, ahead) == 400
        before = {"by": "rn-7", "time": instant(instant_ms(opened["data"]["onset"]) - 1)}
        assert await asyncio.to_thread(post, url, before) == 409
        assert await asyncio.to_thread(post, url, {"by": "r" * 20_000, "time": instant(now_ms())}) == 413
        told = {"by": "rn-7", "time": instant(now_ms())}
        assert await asyncio.to_thread(post, url, told | {"alert_id": "al-another"}) == 400
        twice = b'{"by":"rn-8","by":"rn-7","time":"%s"}' % told["time"].encode()
        assert await asyncio.to_thread(post, url, twice) == 400
        assert await asyncio.to_thread(post, url, told) == 202
        update = await station.alert(BEDS[0], "ESC-THRESHOLD", "update")
    assert update["data"]["acknowledged_by"] == "rn-7"
    metrics = await processor.metrics()
    assert metrics.value("messages_received_total", kind="ack") == 4
    refused = {reason: 1 for reason in ("future", "ack_outdated", "bad_text")}
    assert metrics.by("messages_rejected_total", "reason") == refused
    assert metrics.received == metrics.accounted


async def test_what_was_answered_is_on_disk(mosquitto: Any, new_processor: StartProcessor) -> None:
    """Killed with the answer: whoever was told that it counts does not ask again."""
    processor = new_processor(mosquitto.port, *QUICK, "clock.tick_s=1")  # a round is late to come
    await (await processor.start()).ready()
    async with listening(mosquitto.port, FEED) as station:
        await station.publish(*Bedside(BEDS[0]).pump(now_ms(), 0.3))
        opened = (await station.alert(BEDS[0], "ESC-THRESHOLD"))["data"]["alert_id"]
        url = f"{processor.address}/api/v1/alerts/{opened}/ack"
        assert await asyncio.to_thread(post, url, {"by": "rn-7", "time": instant(now_ms())}) == 202
        await processor.kill()
    kept = [message.payload for message in (await taken_over(processor)).messages if "ack" in message.topic]
    assert [json.loads(payload)["alert_id"] for payload in kept] == [opened]


def streamed(url: str, after: int, events: int) -> Iterator[tuple[int, Any]]:
    """So many server-sent events after a number, with their ids."""
    heard = {} if "after=" in url else {"Last-Event-ID": str(after)}
    request = urllib.request.Request(url, headers=heard)
    with urllib.request.urlopen(request, timeout=SOON_S) as answer:
        number = 0
        for line in answer:
            if line.startswith(b"id: "):
                number = int(line[4:])
            elif line.startswith(b"data: "):
                yield number, json.loads(line[6:])
                events -= 1
                if not events:
                    return


@pytest.mark.parametrize("by_address", [False, True])
async def test_a_stream_goes_on_from_the_last_event_heard(
    mosquitto: Any, processor: Processor, by_address: bool
) -> None:
    """First what came meanwhile, then what comes; a browser can only say in the address where it begins."""
    await (await processor.start()).ready()
    async with listening(mosquitto.port, FEED) as station:
        await station.publish(*Bedside(BEDS[0]).pump(now_ms(), 0.3))
        first = await station.alert(BEDS[0], "ESC-THRESHOLD")
        url = f"{processor.address}/api/v1/alerts/stream"
        after = first["data"]["feed_seq"] - 1
        url += f"?after={after}" if by_address else ""
        following = asyncio.create_task(asyncio.to_thread(lambda: list(streamed(url, after, 2))))
        await station.publish(*Bedside(BEDS[1]).pump(now_ms(), 0.3))
        (number, event), (next_number, _) = await following
    assert (number, event, next_number) == (after + 1, first, after + 2)


@pytest.mark.parametrize("path", ["alerts?after=50", "alerts/stream?after=50"])
async def test_a_number_of_another_feed_is_told_so(processor: Processor, path: str) -> None:
    """A station that waits for the next number of a feed that was before would be deaf to this one."""
    await (await processor.start()).ready()
    status, text = await processor.get(f"/api/v1/{path}")
    assert (status, "right would be 0" in text) == (409, True)


@pytest.mark.parametrize("query", ["after=x", "after=-1", "after=" + "9" * 20, "", "state=all"])
async def test_a_question_that_cannot_be_answered_says_what_would_be_right(
    processor: Processor, query: str
) -> None:
    await (await processor.start()).ready()
    status, text = await processor.get(f"/api/v1/alerts?{query}")
    assert status == 400
    assert "right would be" in text
