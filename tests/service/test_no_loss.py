"""Whatever ends the processor or the broker: nothing taken over is lost, and nothing is told two ways."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from streamproc.shell.journal import read_only

from .bedside import Bedside
from .conftest import StartProcessor
from .journaled import taken_over
from .oracle import assert_told_as_uninterrupted
from .processor import Metrics, Processor
from .station import FEED, STATUS, Station, listening
from .telemetry import QUICK, Telemetry, flowing, now_ms

SLOWLY = "rules.ESC-THRESHOLD.for_s=3"
"""Long enough for the broker to be stopped in between."""


async def ten_more(station: Station) -> None:
    """Wait for ten more messages than there are now."""
    enough = len(station.heard) + 10
    await station.until(lambda: len(station.heard) >= enough, "ten more alert events")


@pytest.mark.parametrize(("end", "exit_code"), [(Processor.kill, -signal.SIGKILL), (Processor.stop, 0)])
async def test_a_processor_ended_again_and_again_tells_what_an_uninterrupted_one_would(
    mosquitto: Any,
    new_processor: StartProcessor,
    end: Callable[[Processor], Awaitable[int]],
    exit_code: int,
) -> None:
    """kill -9 or SIGTERM under load, and a restart on the same state: everything published is in the journal,
    and the feed is, byte for byte, what `replay` makes of the journal without any interruption."""
    processor = await new_processor(mosquitto.port, *QUICK).start()
    await processor.ready()
    async with listening(mosquitto.port, FEED) as station:
        async with flowing(mosquitto.port) as telemetry:
            for _ in range(3):
                await ten_more(station)
                assert await end(processor) == exit_code
                await (await processor.start()).ready()
            await ten_more(station)
        await telemetry.last_word(mosquitto.port, processor)
        assert await processor.stop() == 0
        fed = list(station.heard)

    taken = await taken_over(processor)
    assert set(taken.contents) == set(telemetry.published)
    await assert_told_as_uninterrupted([one.payload for one in fed], taken, QUICK)


async def test_a_processor_that_is_told_to_stop_says_so_and_leaves_no_will(
    mosquitto: Any, new_processor: StartProcessor
) -> None:
    """SIGTERM: exit 0, and `stopping` is the last that the ward hears; a Will would cry wolf."""
    processor = await (await new_processor(mosquitto.port, *QUICK).start()).ready()
    async with listening(mosquitto.port, STATUS, "after/all") as station:
        await station.hears("a heartbeat", lambda one: one.content["state"] == "running")
        assert await processor.stop() == 0
        await station.publish("after/all", b"{}")
        await station.hears("what we said after the end", lambda one: one.topic == "after/all")
        assert station.on(STATUS)[-1].content["state"] == "stopping"
        assert "lost" not in {one.content["state"] for one in station.on(STATUS)}
    async with listening(mosquitto.port, STATUS) as late_comer:
        await late_comer.hears("the kept status", lambda one: one.content["state"] == "stopping")
    await processor.said("service_stopped")


async def test_a_processor_that_stopped_in_good_order_repeats_nothing(
    mosquitto: Any, new_processor: StartProcessor
) -> None:
    """What the broker has acknowledged until the very end is remembered."""
    processor = await (await new_processor(mosquitto.port, *QUICK).start()).ready()
    async with listening(mosquitto.port, FEED) as station:
        for number in range(1, 4):
            await station.publish(*Bedside(f"icu-a/bed-{number}").pump(now_ms(), 0.3))
            await station.alert(f"icu-a/bed-{number}", "ESC-THRESHOLD")
            assert await processor.stop() == 0
            assert (await processor.said("service_stopped"))["undelivered"] == 0
            await (await processor.start()).ready()
        await station.publish(*Bedside("icu-a/last").pump(now_ms(), 0.3))
        await station.alert("icu-a/last", "ESC-THRESHOLD")
        numbers = [one.content["data"]["feed_seq"] for one in station.heard]
        assert numbers == list(range(1, len(numbers) + 1))


async def test_a_processor_that_dies_is_said_to_be_lost(
    mosquitto: Any, new_processor: StartProcessor
) -> None:
    """kill -9: the broker says so for it, to whoever listens now and to whoever comes later."""
    processor = await (await new_processor(mosquitto.port, *QUICK).start()).ready()
    async with listening(mosquitto.port, STATUS) as station:
        await station.hears("a heartbeat", lambda one: one.content["state"] == "running")
        await processor.kill()
        lost = await station.hears("the Will", lambda one: one.content["state"] == "lost")
        assert lost.payload == b'{"state":"lost"}'
    async with listening(mosquitto.port, STATUS) as late_comer:
        await late_comer.hears("the kept Will", lambda one: one.content == {"state": "lost"})


async def test_a_broker_that_is_restarted_costs_nothing_that_it_had_acknowledged(
    start_mosquitto: Callable[..., Any], new_processor: StartProcessor, tmp_path: Path
) -> None:
    """It has a thousand messages for us when it stops; started again, it hands over each of them."""
    (tmp_path / "kept").mkdir()
    broker = start_mosquitto("persistence true", f"persistence_location {tmp_path}/kept/")
    processor = await (await new_processor(broker.port, *QUICK).start()).ready()
    telemetry, bedside = Telemetry(), Bedside("icu-a/bed-1")
    with processor.frozen():
        async with listening(broker.port) as devices:
            for _ in range(1000):
                await telemetry.publish(devices, bedside.map(now_ms(), 70))
        await asyncio.to_thread(broker.restart)
    await processor.ready()
    await telemetry.last_word(broker.port, processor)
    scrape = await processor.metrics()
    assert scrape.received == scrape.accounted >= 1000
    assert scrape.value("reconnects_total") == 1
    assert await processor.stop() == 0
    assert set((await taken_over(processor)).contents) == set(telemetry.published)


async def test_a_broker_that_forgets_is_told_again_what_stands(
    start_mosquitto: Callable[..., Any], new_processor: StartProcessor
) -> None:
    """A broker without a memory comes back without our session and our retained states: both are renewed."""
    broker = start_mosquitto()
    processor = await (await new_processor(broker.port, *QUICK).start()).ready()
    alert_state = "alerts/v1/icu-a/bed-1/ESC-THRESHOLD"
    async with listening(broker.port, alert_state) as station:
        await station.publish(*Bedside("icu-a/bed-1").pump(now_ms(), 0.3))
        before = await station.hears("the alert", lambda one: True)
    await asyncio.to_thread(broker.restart)
    async with listening(broker.port, alert_state, STATUS) as station:
        again = await station.hears("the alert again", lambda one: one.topic == alert_state)
        assert again.payload == before.payload
        await station.hears("a heartbeat", lambda one: one.topic == STATUS)
    await processor.ready()
    async with listening(broker.port, FEED) as station:
        await station.publish(*Bedside("icu-a/bed-2").pump(now_ms(), 0.3))
        await station.alert("icu-a/bed-2", "ESC-THRESHOLD")


async def outage(broker: Any, processor: Processor, in_the_outage: Callable[[], Awaitable[object]]) -> None:
    """An alert is decided while the broker is away, and heard once it is back; the feed shows no gap."""
    await (await processor.start()).ready()
    async with listening(broker.port) as devices:
        await devices.publish(*Bedside("icu-a/bed-1").pump(now_ms(), 0.3))
    await processor.took_over(1)
    broker.stop()
    await processor.until(lambda metrics: metrics.value("alerts_undelivered") >= 1, "an alert waits")
    await in_the_outage()
    broker.start()
    async with listening(broker.port, FEED) as station:
        await station.alert("icu-a/bed-1", "ESC-THRESHOLD")
        await processor.until(
            lambda metrics: metrics.value("alerts_undelivered") == 0, "all alerts delivered"
        )
    numbers = {one.content["data"]["feed_seq"] for one in station.heard}
    assert numbers == set(range(1, len(numbers) + 1))


async def test_alerts_of_an_outage_are_delivered_when_the_broker_is_back(
    start_mosquitto: Callable[..., Any], new_processor: StartProcessor
) -> None:
    """What is decided while the broker is away waits for it."""
    broker = start_mosquitto()

    async def nothing() -> None:
        """The processor is left alone."""

    await outage(broker, new_processor(broker.port, *QUICK, SLOWLY), nothing)


async def snapshot_of_now(processor: Processor) -> None:
    """Wait for a snapshot that holds what is decided by now: no suffix of the journal tells it again."""
    position = (await processor.metrics()).value("journal_position")

    def holds(scrape: Metrics) -> bool:
        with read_only(processor.state / "journal.db") as view:
            return any(kept.position >= position for kept in view.snapshots())

    await processor.until(holds, "a snapshot of now")


@pytest.mark.parametrize("snapshot_every_s", [1, 3600])
async def test_alerts_of_an_outage_outlive_a_crash(
    start_mosquitto: Callable[..., Any], new_processor: StartProcessor, snapshot_every_s: int
) -> None:
    """Killed before the broker was back: snapshot and journal have kept what was never delivered."""
    broker = start_mosquitto()
    processor = new_processor(broker.port, *QUICK, SLOWLY, f"state.snapshot_every_s={snapshot_every_s}")

    async def crash() -> None:
        if snapshot_every_s == 1:
            await snapshot_of_now(processor)
        await processor.kill()
        await processor.start()

    await outage(broker, processor, crash)


async def test_an_alert_that_the_broker_refuses_is_not_taken_for_delivered(
    start_mosquitto: Callable[..., Any], new_processor: StartProcessor, tmp_path: Path
) -> None:
    """A wrong access list must be seen, in log and figures; once it is mended, the alert goes out."""
    access = tmp_path / "access"
    access.write_text(f"topic read #\ntopic write bedside/#\ntopic write {STATUS}\n")
    broker = start_mosquitto(f"acl_file {access}", "max_queued_messages 100000")  # at 0 it hangs up instead
    processor = await (await new_processor(broker.port, *QUICK).start()).ready()
    async with listening(broker.port) as devices:
        await devices.publish(*Bedside("icu-a/bed-1").pump(now_ms(), 0.3))
    refused = await processor.said("alert_refused")
    assert (refused["feed_seq"], refused["why"]) == (1, "NOT_AUTHORIZED")
    assert (await processor.metrics()).value("alerts_undelivered") >= 1
    access.write_text("topic readwrite #\n")
    await asyncio.to_thread(broker.restart)
    async with listening(broker.port, FEED) as station:
        await station.alert("icu-a/bed-1", "ESC-THRESHOLD")
    await processor.until(lambda metrics: metrics.value("alerts_undelivered") == 0, "delivered")


async def test_a_second_processor_on_the_same_state_refuses_to_start(
    mosquitto: Any, new_processor: StartProcessor
) -> None:
    """Two writers would ruin the journal: the second says who holds it, exits 1, and the first goes on."""
    first = await (await new_processor(mosquitto.port, *QUICK).start()).ready()
    second = await new_processor(mosquitto.port, *QUICK, "mqtt.client_id=another").launch()
    assert await second.ended() == 1
    failed = await second.said("service_failed")
    assert failed["why"] == "JournalInUse"
    assert str(first.pid) in failed["detail"]
    assert (await first.get("/readyz"))[0] == 200


async def test_two_processors_with_one_client_id_do_not_fight(
    mosquitto: Any, new_processor: StartProcessor, tmp_path: Path
) -> None:
    """The broker lets in one of them at a time: soon one stops by itself and says why, the other stays."""
    twins = [new_processor(mosquitto.port, *QUICK, state=tmp_path / name) for name in ("one", "other")]
    for twin in twins:
        await twin.start()
    ends = [asyncio.create_task(twin.ended(60)) for twin in twins]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    (stopped,) = [twin for twin in twins if not twin.running]
    (staying,) = [twin for twin in twins if twin.running]
    assert await stopped.ended() == 1
    failed = await stopped.said("service_failed")
    assert failed["why"] == "SessionTakenOver"
    assert "client id" in failed["detail"] or "the id" in failed["detail"]
    await staying.ready()
    taken = (await staying.metrics()).value("reconnects_total")
    async with listening(mosquitto.port, FEED) as station:
        await station.publish(*Bedside("icu-a/bed-1").pump(now_ms(), 0.3))
        await station.alert("icu-a/bed-1", "ESC-THRESHOLD")
    assert (await staying.metrics()).value("reconnects_total") == taken
    await staying.kill()
    await asyncio.wait(ends)
