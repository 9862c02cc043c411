"""Publishing keeps order and pace, skips nothing when the broker goes away, and ends when it is told to."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import aiomqtt
import mqtt5
import pytest
import pytest_asyncio

from simulators.messages import CLOCK_TOPIC, Message
from simulators.publish import (
    GROUP_MESSAGES,
    Broker,
    Pace,
    Publisher,
    parse_broker,
)
from simulators.scenarios import SCENARIOS
from simulators.ward import Ward, with_clock
from streamproc.shell.broker import EmbeddedBroker

PATIENCE_S = 20.0
FAST = 3600.0


def beds(count: int, duration_s: int) -> list[Message]:
    """Some beds' telemetry, from now on."""
    start_ms = int(time.time()) * 1000
    return list(Ward((SCENARIOS["stable"],), count, "icu-a", 1, start_ms, duration_s).play())


async def send(messages: list[Message], broker: Broker, speed: float = FAST) -> Publisher:
    """Publish these, and come back when the broker has them all."""
    publisher = Publisher(broker)
    work = publisher.publish(iter(messages), Pace(messages[0].time_ms, speed))
    await asyncio.wait_for(work, PATIENCE_S)
    return publisher


@pytest_asyncio.fixture
async def broker() -> AsyncIterator[Broker]:
    """A real broker in a process of its own, on a free port."""
    async with EmbeddedBroker() as running:
        yield Broker("127.0.0.1", running.port)


@asynccontextmanager
async def listening(broker: Broker, *filters: str) -> AsyncIterator[aiomqtt.Client]:
    """A subscriber of its own, at QoS 1."""
    async with aiomqtt.Client(
        broker.host, broker.port, protocol=aiomqtt.ProtocolVersion.V5, timeout=PATIENCE_S
    ) as client:
        for topic in filters:
            await client.subscribe(topic, qos=1)
        yield client


async def heard(client: aiomqtt.Client, count: int) -> list[tuple[str, bytes]]:
    """The next so many messages."""
    received: list[tuple[str, bytes]] = []
    async with asyncio.timeout(PATIENCE_S):
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            received.append((str(message.topic), message.payload))
            if len(received) == count:
                return received
    raise AssertionError("unreachable")


async def test_every_message_arrives_once_and_in_order(broker: Broker) -> None:
    """A broker that stays up hears the stream as it is: several beds, one order of event time."""
    messages = beds(count=4, duration_s=60)
    async with listening(broker, "bedside/v1/#") as client:
        publisher = await send(messages, broker)
        received = await heard(client, len(messages))
    assert received == [(m.topic, m.payload) for m in messages]
    assert (publisher.acknowledged, publisher.connections_lost) == (len(messages), 0)


async def test_contexts_are_retained_and_telemetry_is_not(broker: Broker) -> None:
    messages = beds(count=3, duration_s=3)
    await send(messages, broker)
    async with listening(broker, "bedside/v1/#") as client:
        late = await heard(client, 3)
        assert sorted(late) == sorted((m.topic, m.payload) for m in messages if m.retain)
        await client.publish("bedside/v1/icu-a/bed-1/map", b"next", qos=1)
        assert await heard(client, 1) == [("bedside/v1/icu-a/bed-1/map", b"next")]


async def test_the_clock_comes_after_the_telemetry_of_its_second(broker: Broker) -> None:
    """A processor that follows the clock has heard what the clock has passed."""
    messages = beds(count=2, duration_s=20)
    told = list(with_clock(iter(messages), messages[0].time_ms))
    async with listening(broker, "#") as client:  # the embedded broker keeps order only within a filter
        await send(told, broker)
        received = await heard(client, len(told))
    reached = ""
    for topic, payload in received:
        moment = json.loads(payload)["time"]
        assert moment > reached
        reached = moment if topic == CLOCK_TOPIC else reached
    assert [topic for topic, _ in received].count(CLOCK_TOPIC) == 21


@pytest.mark.parametrize("speed", [1.0, 10.0])
async def test_the_pace_is_the_speed_and_nothing_is_early(broker: Broker, speed: float) -> None:
    """`speed` simulated seconds take one real second."""
    start_ms = int(time.time()) * 1000
    messages = [Message(start_ms + n * 100, "bedside/v1/icu-a/bed-1/map", b"%d" % n) for n in range(6)]
    waits_s = []
    async with listening(broker, "bedside/v1/#") as client:
        work = asyncio.create_task(send(messages, broker, speed))
        began_s = asyncio.get_running_loop().time()
        for _ in messages:
            await heard(client, 1)
            waits_s.append(asyncio.get_running_loop().time() - began_s)
        await work
    due_s = [n * 0.1 / speed for n in range(6)]
    assert all(wait >= due for wait, due in zip(waits_s, due_s, strict=True))
    assert waits_s[-1] < due_s[-1] + 2.0


class ForgetfulBroker:
    """Takes publishes, acknowledges only so many of the first connection's, then drops it."""

    def __init__(self, acknowledges: int) -> None:
        self.connections = 0
        self.taken: list[list[bytes]] = []
        self._acknowledges = acknowledges

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a publisher."""
        self.connections += 1
        first, taken, buffer = self.connections == 1, [], bytearray()  # type: ignore[var-annotated]
        self.taken.append(taken)
        while chunk := await reader.read(65536):
            buffer += chunk
            for packet in packets(buffer):
                if isinstance(packet, mqtt5.ConnectPacket):
                    writer.write(mqtt5.ConnAckPacket(assigned_client_id="one").write())
                elif isinstance(packet, mqtt5.PublishPacket):
                    assert packet.packet_id is not None
                    taken.append(bytes(packet.payload or b""))
                    if not first or len(taken) <= self._acknowledges:
                        writer.write(mqtt5.PubAckPacket(packet.packet_id).write())
            await writer.drain()
            if first and len(taken) > self._acknowledges:
                break
        writer.close()


def packets(buffer: bytearray) -> Iterator[mqtt5.Packet]:
    """The whole packets at the buffer's beginning, which they leave."""
    while buffer:
        try:
            packet, length = mqtt5.read(buffer)
        except IndexError:
            return
        del buffer[:length]
        yield packet


async def test_what_was_not_acknowledged_is_sent_again_and_nothing_is_skipped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a lost connection the unacknowledged come first, in their order, then the rest."""
    monkeypatch.setattr("simulators.publish.ANSWER_S", 0.5)
    monkeypatch.setattr("simulators.publish.PATIENCE_S", (0.0,))
    forgetful = ForgetfulBroker(acknowledges=7)
    server = await asyncio.start_server(forgetful.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    messages = beds(count=1, duration_s=2 * GROUP_MESSAGES)
    publisher = await send(messages, Broker("127.0.0.1", port))
    server.close()
    sent = [m.payload for m in messages]
    assert forgetful.taken[0] == sent[: len(forgetful.taken[0])]
    assert forgetful.taken[1] == sent[7:]
    assert (publisher.acknowledged, publisher.connections_lost) == (len(messages), 1)
    assert f"mqtt://127.0.0.1:{port} is out of reach" in capsys.readouterr().err


async def test_a_broker_that_comes_later_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = asyncio.Event()
    monkeypatch.setattr("simulators.publish.PATIENCE_S", (0.05,))
    monkeypatch.setattr("simulators.publish.print", lambda *_, **__: refused.set(), raising=False)
    async with EmbeddedBroker() as gone:
        port = gone.port
    messages = beds(count=1, duration_s=3)
    work = asyncio.create_task(send(messages, Broker("127.0.0.1", port)))
    await asyncio.wait_for(refused.wait(), PATIENCE_S)
    async with EmbeddedBroker(port):
        publisher = await work
    assert publisher.acknowledged == len(messages)
    assert publisher.connections_lost >= 1


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
async def test_a_running_ward_ends_cleanly_when_it_is_told_to(broker: Broker, told: signal.Signals) -> None:
    async with listening(broker, "bedside/v1/#") as client:
        ward = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "simulators", "ward", "--broker", str(broker)),
            stderr=asyncio.subprocess.PIPE,
        )
        await heard(client, 20)
        ward.send_signal(told)
        _, said = await asyncio.wait_for(ward.communicate(), PATIENCE_S)
    assert ward.returncode == 0
    assert b"messages acknowledged by" in said
    assert b"Traceback" not in said


@pytest.mark.parametrize("url", ["mqtt://ward-broker:1884", "mqtt://127.0.0.1:1884/"])
def test_a_broker_is_a_host_and_a_port(url: str) -> None:
    assert parse_broker(url).port == 1884
    assert parse_broker("mqtt://ward-broker") == Broker("ward-broker", 1883)


@pytest.mark.parametrize(
    "url", ["", "ward-broker", "http://a:1883", "mqtt://", "mqtt://a:0x5", "mqtt://a:99999"]
)
def test_what_is_no_broker_is_told_what_would_be(url: str) -> None:
    with pytest.raises(ValueError, match="mqtt://host:port was expected"):
        parse_broker(url)
