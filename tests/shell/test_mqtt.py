"""What the broker connection promises, against real brokers, a real crash and a scripted liar."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mqtt5
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc.shell.mqtt import (
    BrokerRefused,
    Connection,
    Delivery,
    LastWill,
    MqttSettings,
    PublishQueueFull,
    SessionTakenOver,
)
from streamproc.shell.packets import (
    BrokenStream,
    OwedAcknowledgements,
    PacketReader,
    Publish,
    PublishWindow,
    Undecodable,
)

if TYPE_CHECKING:
    from tests.conftest import Mosquitto
    from tests.shell.conftest import ScriptedBroker, ScriptedLink

    StartMosquitto = Callable[..., Mosquitto]

SOON_S = 10.0
"""Longer than anything here takes on a loaded machine; what fails, fails after it."""
QUIET_S = 0.5
"""How long nothing must arrive before we say that nothing does."""
QOS_1 = mqtt5.QoS.AT_LEAST_ONCE


def settings(port: int, client_id: str = "ward", **changed: Any) -> MqttSettings:
    chosen: dict[str, Any] = {"keepalive_s": 5, "reconnect_min_s": 0.02, "reconnect_max_s": 0.2} | changed
    return MqttSettings("127.0.0.1", port, client_id, **chosen)


async def arrivals(connection: Connection, count: int, *, acknowledge: bool = True) -> list[Delivery]:
    """The next deliveries, `count` at least, or as many as come."""
    received: list[Delivery] = []
    while len(received) < count and (batch := await connection.batch(SOON_S)):
        received += batch
        if acknowledge:
            connection.acknowledge(batch)
    return received


async def told(broker_port: int, *messages: tuple[str, bytes], retain: bool = False) -> None:
    """Publish these and wait until the broker has taken them over."""
    async with Connection(settings(broker_port, "teller")) as teller:
        for topic, payload in messages:
            teller.publish(topic, payload, retain=retain)
        assert await teller.settled(SOON_S)


def numbered(count: int, topic: str = "ward/map") -> list[tuple[str, bytes]]:
    return [(topic, b"%d" % number) for number in range(count)]


def numbers(deliveries: list[Delivery]) -> list[int]:
    return [int(delivery.payload) for delivery in deliveries]


# --- bytes to packets --------------------------------------------------------------------------


def publish_frame(payload: bytes, packet_id: int = 7, topic: str = "ward/map") -> bytes:
    return mqtt5.PublishPacket(topic, payload, qos=QOS_1, packet_id=packet_id).write()


codec_panics = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""The codec's panic at a string that is not UTF-8 leaves its first error behind, which pytest finds."""
STREAM = b"".join(
    [
        mqtt5.ConnAckPacket(session_present=True, receive_max=20).write(),
        publish_frame(b"x" * 300),
        b"\x32\x07\x00\x01\xff\x00\x05\x00x",  # a topic that is not UTF-8
        mqtt5.PubAckPacket(9).write(),
        publish_frame(b"", packet_id=8),
        mqtt5.PingRespPacket().write(),
    ]
)


def shown(packets: list[Any]) -> list[str]:
    return [repr(packet) for packet in packets]


@codec_panics
def test_a_stream_cut_at_any_byte_reads_the_same() -> None:
    whole = shown(PacketReader(1 << 20).feed(STREAM))
    assert len(whole) == 6
    for cut in range(len(STREAM) + 1):
        reader = PacketReader(1 << 20)
        assert shown(reader.feed(STREAM[:cut]) + reader.feed(STREAM[cut:])) == whole, f"cut at {cut}"


@codec_panics
@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_a_stream_cut_into_any_pieces_reads_the_same(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    reader = PacketReader(1 << 20)
    pieces = [STREAM[start:end] for start, end in itertools.pairwise(edges)]
    packets = [packet for piece in pieces for packet in reader.feed(piece)]
    assert shown(packets) == shown(PacketReader(1 << 20).feed(STREAM))


UNDECODABLE = {
    "topic is not UTF-8": (b"\x32\x07\x00\x01\xff\x00\x05\x00x", 1, 5),
    "topic holds a surrogate": (b"\x32\x09\x00\x03\xed\xa0\x80\x00\x05\x00x", 1, 5),
    "user property is not UTF-8": (b"\x32\x0e\x00\x01A\x00\x05\x07\x26\x00\x01\xff\x00\x01bx", 1, 5),
    "unknown property": (b"\x32\x09\x00\x01A\x00\x05\x02\x7f\x00x", 1, 5),
    "properties longer than the frame": (b"\x32\x08\x00\x01A\x00\x05\x20xx", 1, 5),
    "topic longer than the frame": (b"\x32\x04\x00\x09A\x00", 1, 0),
    "nothing in it": (b"\x32\x00", 1, 0),
    "QoS 3": (b"\x36\x07\x00\x01A\x00\x05\x00x", 1, 5),
    "no topic and no alias": (b"\x32\x06\x00\x00\x00\x05\x00x", 1, 5),
    "a reason code that does not exist": (b"\x40\x04\x00\x05\x07\x00", 0, 0),
    "a packet type that does not exist": (b"\x00\x00", 0, 0),
}


@codec_panics
@pytest.mark.parametrize(("frame", "qos", "packet_id"), UNDECODABLE.values(), ids=UNDECODABLE)
def test_an_undecodable_frame_hides_neither_neighbour(frame: bytes, qos: int, packet_id: int) -> None:
    before, bad, after = PacketReader(1 << 20).feed(publish_frame(b"1") + frame + publish_frame(b"2"))
    assert isinstance(bad, Undecodable)
    assert (bad.raw, bad.qos, bad.packet_id) == (frame, qos, packet_id)
    assert bad.reason
    assert isinstance(before, Delivery)
    assert isinstance(after, Delivery)
    assert (before.payload, after.payload) == (b"1", b"2")


@codec_panics
@given(st.binary(max_size=60))
def test_no_bytes_at_all_raise_anything_but_a_broken_stream(stream: bytes) -> None:
    reader = PacketReader(1 << 20)
    try:
        packets = reader.feed(stream)
    except BrokenStream:
        return
    assert all(isinstance(packet, Delivery | mqtt5.Packet | Undecodable) for packet in packets)


# --- messages that need no codec ---------------------------------------------------------------


class ByCodec(PacketReader):
    """Reads every frame by the codec."""

    def _take_plain(self, stream: bytes, start: int, packets: list[Any]) -> int:
        return start


def length_bytes(length: int, places: int) -> bytes:
    """A length on so many bytes, which may be more than it needs."""
    septets = [(length >> (7 * place)) & 0x7F for place in range(places)]
    return bytes([*(septet | 0x80 for septet in septets[:-1]), septets[-1]])


LARGEST_BYTES = 16_384
TOPICS = [b"ward/map", b"", b"ward/new", b"w/\xff", b"w/\0", b"w/#", b"\xed\xa0\x80"]
IDS = [b"\0\1", b"\0\0", b"\xff\xff"]
PROPERTIES = [b"\0", b"\2\1\1", b"\5\2\0\0\0\5", b"\x80\0", b"\x20"]
SIZES = [200, 0, 120, 16_371, 16_372]
LENGTHS = [(0, 2), (0, 1), (0, 3), (0, 4), (-3, 2), (5, 2), (-10_000, 2)]
"""By how much the length is wrong, and on how many bytes it stands at least."""
ANNOUNCED = [0, 1, 300]
"""How much longer the topic is said to be."""


def message_frame(
    kind: int,
    topic: bytes,
    packet_id: bytes,
    properties: bytes,
    size: int,
    length: tuple[int, int],
    more: int,
) -> bytes:
    """A PUBLISH, sound or not."""
    rest = (len(topic) + more).to_bytes(2, "big") + topic
    rest += (packet_id if kind & 6 else b"") + properties + b"x" * size
    wrong, places = length
    told = max(0, len(rest) + wrong)
    least = 1 if told < 128 else 2 if told < 16_384 else 3
    return bytes([kind]) + length_bytes(told, max(places, least)) + rest


PARTS = (TOPICS, IDS, PROPERTIES, SIZES, LENGTHS, ANNOUNCED)
TWO_ODD = [
    (kind, *parts)
    for kind, *parts in itertools.product(range(0x30, 0x40), *PARTS)
    if (kind > 0x33) + sum(part != usual for part, (usual, *_) in zip(parts, PARTS, strict=True)) <= 2
]
"""Every frame that is unusual in two ways at most."""
LIKELY = [st.one_of(st.just(each[0]), st.sampled_from(each)) for each in (TOPICS, IDS, PROPERTIES, SIZES)]
MESSAGE_FRAMES = st.builds(
    message_frame,
    st.integers(0x30, 0x33),
    *LIKELY,
    st.sampled_from(LENGTHS[:4]),
    st.sampled_from([0, 0, 0, 300]),
)


def read_in_pieces(reader: PacketReader, stream: bytes, cuts: list[int]) -> list[str]:
    """What is read of it, up to where the stream breaks; the topic is known before."""
    packets: list[Any] = [*reader.feed(publish_frame(b"", topic="ward/map"))]
    edges = sorted({0, *(cut for cut in cuts if cut < len(stream)), len(stream)})
    try:
        for start, end in itertools.pairwise(edges):
            packets += reader.feed(stream[start:end])
    except BrokenStream as broken:
        packets.append(broken)
    return shown(packets)


@codec_panics
def test_what_needs_no_codec_is_read_as_the_codec_reads_it() -> None:
    for parts in TWO_ODD:
        stream = message_frame(*parts)
        by_codec = read_in_pieces(ByCodec(LARGEST_BYTES), stream, [])
        assert read_in_pieces(PacketReader(LARGEST_BYTES), stream, []) == by_codec, parts


@codec_panics
@given(st.lists(MESSAGE_FRAMES, min_size=1, max_size=6), st.lists(st.integers(1, 2000), max_size=4))
def test_messages_in_a_row_are_read_as_the_codec_reads_them(frames: list[bytes], cuts: list[int]) -> None:
    by_codec = read_in_pieces(ByCodec(LARGEST_BYTES), b"".join(frames), cuts)
    assert read_in_pieces(PacketReader(LARGEST_BYTES), b"".join(frames), cuts) == by_codec


IN_A_TOPIC = b"t" * 97 + b"\2\1\1" + b"x" * 155
MISLEADING = {
    "one byte of length": (b"ward/map", b"\x30\x7d\x01\0\x08ward/map\0" + b"x" * 113),
    "three bytes of length": (
        b"a" + IN_A_TOPIC,
        b"\x30\x80\x80\1\0a" + IN_A_TOPIC + b"\0" * (16_384 - 2 - len(IN_A_TOPIC)),
    ),
}
"""Frames that, read as if their length had two bytes, would be on the first topic."""


@codec_panics
@pytest.mark.parametrize(("topic", "frame"), MISLEADING.values(), ids=MISLEADING)
def test_a_length_of_one_or_three_bytes_is_not_taken_for_one_of_two(topic: bytes, frame: bytes) -> None:
    stream = publish_frame(b"", topic=topic.decode()) + frame + publish_frame(b"x" * 200)
    wanted = shown(ByCodec(1 << 20).feed(stream))
    assert len(wanted) == 3
    assert shown(PacketReader(1 << 20).feed(stream)) == wanted


PLAIN = [
    mqtt5.PublishPacket("ward/map", b"x" * size, qos=qos, retain=retain, packet_id=packet_id).write()
    for size in (118, 119, 16_000)
    for qos, packet_id in ((mqtt5.QoS.AT_MOST_ONCE, None), (QOS_1, 9))
    for retain in (False, True)
]


def test_a_plain_message_goes_past_the_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = PacketReader(1 << 20)
    wanted = shown(ByCodec(1 << 20).feed(b"".join(PLAIN)))
    reader.feed(PLAIN[0])
    monkeypatch.setattr(mqtt5, "read", None)
    assert shown(reader.feed(b"".join(PLAIN))) == wanted


def test_equal_topics_are_one_object() -> None:
    first, *others = [
        packet for packet in PacketReader(1 << 20).feed(b"".join(PLAIN)) if type(packet) is Delivery
    ]
    assert len(others) == len(PLAIN) - 1
    assert all(other.topic is first.topic for other in others[1:])


@pytest.mark.parametrize("cut", range(1, len(PLAIN[2])))
def test_a_plain_message_cut_at_any_byte_waits_for_its_rest(cut: int) -> None:
    reader, stream = PacketReader(1 << 20), PLAIN[2] * 2
    reader.feed(stream)
    cut += len(PLAIN[2])
    first, second = reader.feed(stream[:cut]), reader.feed(stream[cut:])
    assert (len(first), len(second)) == (1, 1)
    assert first == second


def test_topics_known_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamproc.shell.packets._TOPICS_KNOWN", 3)
    reader, payload = PacketReader(1 << 20), b"x" * 200
    topics = [f"ward/{number}" for number in range(20)] + ["l" * 257]
    for topic in topics:
        assert len(reader._topics) <= 3
        (read,) = reader.feed(publish_frame(payload, topic=topic))
        assert isinstance(read, Delivery)
        assert (read.topic, read.payload) == (topic, payload)
    assert "l" * 257 not in reader._topics.values()


@pytest.mark.parametrize("stream", [b"\x30\xff\xff\xff\xff\x01", b"\x30\x80\x80\x80\x80"])
def test_a_length_of_five_bytes_breaks_the_stream(stream: bytes) -> None:
    with pytest.raises(BrokenStream):
        PacketReader(1 << 28).feed(stream)


def test_a_frame_above_the_limit_is_refused_before_it_is_collected() -> None:
    frame = publish_frame(b"x" * 2000)
    with pytest.raises(BrokenStream, match="1000 were allowed"):
        PacketReader(1000).feed(frame[:3])


# --- acknowledgements owed ---------------------------------------------------------------------


def delivery(packet_id: int, qos: int = 1) -> Delivery:
    return Delivery("ward/map", b"", qos, False, packet_id, 1)


def owing(*deliveries: Delivery) -> OwedAcknowledgements:
    owed = OwedAcknowledgements()
    owed.received(deliveries)
    return owed


def acknowledged_ids(frames: bytes) -> list[int]:
    packets = PacketReader(100).feed(frames)
    return [packet.packet_id for packet in packets if isinstance(packet, mqtt5.PubAckPacket)]


@given(st.permutations(range(1, 9)), st.integers(1, 8))
def test_acknowledgements_leave_in_receive_order_whatever_order_they_come_in(
    order: list[int], at_a_time: int
) -> None:
    received = {packet_id: delivery(packet_id) for packet_id in range(1, 9)}
    owed, sent, told_ids = owing(*received.values()), list[int](), set[int]()
    for start in range(0, len(order), at_a_time):
        some = order[start : start + at_a_time]
        told_ids.update(some)
        sent += acknowledged_ids(owed.settle([received[packet_id] for packet_id in some]))
        assert set(sent) <= told_ids
    assert sent == sorted(received)


def test_acknowledging_twice_does_not_acknowledge_the_next_message_of_that_id() -> None:
    first, second = delivery(1), delivery(1)
    owed = owing(first)
    assert owed.settle([first])
    assert not owed.settle([first])
    owed.received([second])
    assert not owed.settle([first])
    assert acknowledged_ids(owed.settle([second])) == [1]


def test_nothing_is_owed_for_qos_0() -> None:
    unowed, owed = delivery(0, qos=0), delivery(1)
    assert owing(unowed, owed).settle([unowed, owed]) == mqtt5.PubAckPacket(1).write()


def test_qos_2_is_answered_with_pubrec() -> None:
    received = delivery(3, qos=2)
    assert owing(received).settle([received]) == mqtt5.PubRecPacket(3).write()


# --- publishes under way -----------------------------------------------------------------------


def window(count: int, *, receive_maximum: int = 2) -> PublishWindow:
    opened = PublishWindow(queue_max=100, in_flight_max=50)
    for number in range(count):
        opened.offer(Publish("ward/alert", b"%d" % number, False, 1, number))
    opened.open(False, receive_maximum, None)
    return opened


def frames_of(opened: PublishWindow) -> list[mqtt5.PublishPacket]:
    packets = [mqtt5.read(memoryview(frame))[0] for frame in opened.next_frames(0.0, 1 << 20)[0]]
    return [packet for packet in packets if isinstance(packet, mqtt5.PublishPacket)]


def payloads(packets: list[mqtt5.PublishPacket]) -> list[bytes]:
    return [packet.payload for packet in packets]


def acknowledge(opened: PublishWindow, packet: mqtt5.PublishPacket) -> object:
    ended = opened.acknowledged(packet.packet_id or 0, mqtt5.PubAckReasonCode.SUCCESS, 0.0)
    return ended and ended.token


def test_no_more_is_under_way_than_the_broker_will_take() -> None:
    opened = window(4)
    first, second = frames_of(opened)
    assert frames_of(opened) == []
    assert acknowledge(opened, first) == 0
    assert payloads(frames_of(opened)) == [b"2"]
    assert acknowledge(opened, second) == 1
    assert acknowledge(opened, second) is None


@pytest.mark.parametrize("session_present", [True, False])
def test_what_was_under_way_is_sent_again_first_and_in_order(session_present: bool) -> None:
    """The same message (DUP, the same id) where the broker still has the session, else a new one."""
    opened = window(5)
    first, second = frames_of(opened)
    acknowledge(opened, first)
    opened.open(session_present, 10, None)
    again = frames_of(opened)
    assert payloads(again) == [b"1", b"2", b"3", b"4"]
    assert [packet.duplicate for packet in again] == [session_present, False, False, False]
    assert (again[0].packet_id == second.packet_id) is session_present


def test_a_smaller_window_after_a_reconnect_is_kept() -> None:
    opened = window(5, receive_maximum=4)
    assert len(frames_of(opened)) == 4
    opened.open(True, 1, None)
    (only,) = frames_of(opened)
    opened.open(False, 2, None)
    assert payloads(frames_of(opened)) == [b"0", b"1"]
    assert only.payload == b"0"


def test_a_full_queue_tells_the_caller() -> None:
    full = PublishWindow(queue_max=1, in_flight_max=1)
    full.offer(Publish("ward/alert", b"", False, 1, None))
    with pytest.raises(PublishQueueFull):
        full.offer(Publish("ward/alert", b"", False, 1, None))


def test_what_the_broker_would_hang_up_on_is_refused_instead() -> None:
    """A packet above the server's maximum would end every link on which it is tried again."""
    opened = PublishWindow(queue_max=10, in_flight_max=10)
    opened.offer(Publish("ward/alert", b"x" * 500, False, 1, "large"))
    opened.offer(Publish("ward/alert", b"x", False, 1, "small"))
    opened.open(False, 1, 100)
    frames, ended = opened.next_frames(0.0, 1 << 20)
    assert len(frames) == 1
    assert [(publish.token, publish.refused) for publish in ended] == [("large", "PACKET_TOO_LARGE")]


@pytest.mark.parametrize("topic", ["", "ward/#", "ward/+", "ward\0", "x" * 65536])
async def test_a_topic_that_ends_the_link_is_refused_at_once(topic: str) -> None:
    with pytest.raises(ValueError, match="not a topic"):
        Connection(settings(1)).publish(topic, b"")


# --- against real brokers ----------------------------------------------------------------------

CLIENT = """
import asyncio, sys, structlog
from streamproc.shell.mqtt import Connection, LastWill, MqttSettings
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
ward = MqttSettings("127.0.0.1", int(sys.argv[1]), "ward", keepalive_s=5, will=LastWill("status", b"lost"))
received = []
async def consume():
    async with Connection(ward, ["ward/#"]) as connection:
        await connection.ready(10)
        print("ready", flush=True)
        for _ in range(15):
            while not received:
                received.extend(await connection.batch(10))
            print(received[0].payload.decode(), flush=True)
            connection.acknowledge([received.pop(0)])
        await asyncio.Event().wait()
asyncio.run(consume())
"""
"""A ward client in a process of its own; it prints the first 15 that it processes, then stands still."""


@contextlib.asynccontextmanager
async def client_process(port: int) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", CLIENT, str(port), stdout=PIPE)
    try:
        assert await line_of(process) == "ready"
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def line_of(process: Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(SOON_S):
        return (await process.stdout.readline()).decode().strip()


async def test_a_killed_consumer_loses_nothing(broker_port: int) -> None:
    """200 messages, SIGKILL after 15 were processed, another process goes on: each is processed."""
    async with client_process(broker_port) as consumer:
        await told(broker_port, *numbered(200))
        processed = [int(await line_of(consumer)) for _ in range(15)]
        consumer.send_signal(signal.SIGKILL)
    async with Connection(settings(broker_port), ["ward/#"]) as ward:
        while 199 not in processed and (batch := await ward.batch(SOON_S)):
            processed += numbers(batch)
            ward.acknowledge(batch)
    assert sorted(set(processed)) == list(range(200))
    assert len(processed) < 220


async def test_a_stale_acknowledgement_acknowledges_nothing(mosquitto: Mosquitto) -> None:
    """After a broker lost its sessions its ids start at 1 again; an old id 1 must not settle a new one."""
    lost = asyncio.Event()
    async with Connection(
        settings(mosquitto.port), ["ward/#"], on_disconnected=lambda reason: lost.set()
    ) as ward:
        assert await ward.ready(SOON_S)
        await told(mosquitto.port, ("ward/map", b"old"))
        (old,) = await arrivals(ward, 1, acknowledge=False)
        mosquitto.restart()
        async with asyncio.timeout(SOON_S):
            await lost.wait()
        assert await ward.ready(SOON_S)
        await told(mosquitto.port, ("ward/map", b"new"))
        (new,) = await arrivals(ward, 1, acknowledge=False)
        assert (old.packet_id, old.connection) == (new.packet_id, new.connection - 1)
        ward.acknowledge([old])
    async with Connection(settings(mosquitto.port), ["ward/#"]) as ward:
        assert [again.payload for again in await arrivals(ward, 1)] == [b"new"]


async def test_a_broker_that_greets_twice_is_left_for_a_new_link(scripted_broker: ScriptedBroker) -> None:
    async with Connection(settings(scripted_broker.port), ["ward/#"]) as ward:
        link = await scripted_broker.accept()
        await link.greet()
        link.say(mqtt5.ConnAckPacket().write(), publish_frame(b"1"))
        again = await scripted_broker.accept()
        await again.greet()
        again.say(publish_frame(b"2"))
        (*_, last) = await arrivals(ward, 2)
        assert (last.payload, last.connection) == (b"2", 2)
        assert (await again.hear(mqtt5.PubAckPacket)).packet_id == 7


async def test_the_broker_sees_acknowledgements_in_the_order_of_its_messages(
    start_mosquitto: StartMosquitto,
) -> None:
    broker = start_mosquitto(log_type="debug")
    async with Connection(settings(broker.port), ["ward/#"]) as ward:
        assert await ward.ready(SOON_S)
        await told(broker.port, *numbered(20))
        received = await arrivals(ward, 20, acknowledge=False)
        ward.acknowledge(received[10:])
        ward.acknowledge([*reversed(received[:10])])
    broker.stop()
    seen = [line for line in broker.log if line.startswith("Received PUBACK from ward")]
    assert [line.split("Mid: ")[1].split(",")[0] for line in seen] == [str(one.packet_id) for one in received]


async def test_a_killed_broker_comes_back_and_gets_what_was_published_meanwhile(mosquitto: Mosquitto) -> None:
    states: list[str] = []
    async with (
        Connection(
            settings(mosquitto.port),
            ["ward/#"],
            on_connected=lambda session_present: states.append(f"connected {session_present}"),
            on_disconnected=lambda reason: states.append("disconnected"),
        ) as ward,
        Connection(settings(mosquitto.port, "alerter")) as alerter,
    ):
        assert await ward.ready(SOON_S)
        alerter.publish("ward/map", b"0", token=0)
        assert numbers(await arrivals(ward, 1)) == [0]
        mosquitto.kill()
        for number in range(1, 100):
            alerter.publish("ward/map", b"%d" % number, retain=True, token=number)
        mosquitto.start()
        assert await alerter.settled(SOON_S)
        received = await arrivals(ward, 1)
        while received[-1].payload != b"99":
            received += await arrivals(ward, 1)
        ended = alerter.drain_acknowledged()
    assert [publish.token for publish in ended] == list(range(100))
    assert {publish.refused for publish in ended} == {None}
    assert numbers(received)[-1] == 99
    assert states == ["connected False", "disconnected", "connected False", "disconnected"]


async def test_published_meanwhile_reaches_a_subscriber_whose_session_lives(
    start_mosquitto: StartMosquitto, tmp_path: Path
) -> None:
    """Every publish of ours arrives, in order, over a broker that was stopped in the middle of them."""
    broker = start_mosquitto("persistence true", f"persistence_location {tmp_path}/")
    async with (
        Connection(settings(broker.port), ["ward/#"]) as ward,
        Connection(settings(broker.port, "alerter")) as alerter,
    ):
        assert await ward.ready(SOON_S)
        for number in range(300):
            alerter.publish("ward/map", b"%d" % number, token=number)
        received = numbers(await arrivals(ward, 1))
        broker.restart()
        while 299 not in received:
            received += numbers(await arrivals(ward, 1))
        assert await alerter.settled(SOON_S)
    first_seen = list(dict.fromkeys(received))
    assert sorted(first_seen) == list(range(300))
    assert first_seen == sorted(first_seen)


async def test_of_two_with_one_id_one_stops_and_the_other_goes_on(broker_port: int) -> None:
    """These brokers don't say "session taken over"; the one that is thrown out too often gives up."""
    async with (
        Connection(settings(broker_port), ["ward/#"]) as first,
        Connection(settings(broker_port), ["ward/#"]) as second,
    ):
        ends = [asyncio.create_task(until_stopped(ward)) for ward in (first, second)]
        stopped, _ = await asyncio.wait(ends, timeout=SOON_S, return_when=asyncio.FIRST_COMPLETED)
        assert [await end for end in stopped] == [SessionTakenOver]
        left = second if ends[0] in stopped else first
        (waiting,) = set(ends) - stopped
        waiting.cancel()
        assert await left.ready(SOON_S)
        await told(broker_port, ("ward/map", b"1"))
        assert numbers(await arrivals(left, 1)) == [1]


async def until_stopped(ward: Connection) -> type[Exception]:
    try:
        while True:
            await ward.batch(SOON_S)
    except SessionTakenOver as error:
        return type(error)


async def test_the_will_speaks_for_a_killed_client(broker_port: int) -> None:
    async with Connection(settings(broker_port, "watcher"), ["status"]) as watcher:
        assert await watcher.ready(SOON_S)
        async with client_process(broker_port) as client:
            client.send_signal(signal.SIGKILL)
            assert [will.payload for will in await arrivals(watcher, 1)] == [b"lost"]
    async with Connection(settings(broker_port, "later"), ["status"]) as later:
        assert [(will.payload, will.retained) for will in await arrivals(later, 1)] == [(b"lost", True)]


async def test_the_will_keeps_silent_for_a_client_that_takes_leave(broker_port: int) -> None:
    async with Connection(settings(broker_port, "watcher"), ["status"]) as watcher:
        assert await watcher.ready(SOON_S)
        will = LastWill("status", b"lost")
        async with Connection(settings(broker_port, will=will), ["ward/#"]) as ward:
            assert await ward.ready(SOON_S)
        assert await watcher.batch(QUIET_S) == []


async def test_leaving_with_much_unread_is_still_a_farewell(mosquitto: Mosquitto) -> None:
    """A reset in place of the DISCONNECT would publish the Will of a processor that stopped in good order."""
    chosen = settings(mosquitto.port, will=LastWill("status", b"lost"), coalesce_ms=20)
    async with Connection(chosen, ["ward/#"]) as ward:
        assert await ward.ready(SOON_S)
    await told(mosquitto.port, *[("ward/map", b"x" * 1000)] * 300)
    async with Connection(settings(mosquitto.port, "watcher"), ["status"]) as watcher:
        assert await watcher.ready(SOON_S)
        for _ in range(5):
            async with Connection(chosen, ["ward/#"]) as ward:
                assert await ward.batch(SOON_S)
        assert await watcher.batch(QUIET_S) == []


async def test_a_burst_arrives_whole_and_never_more_than_receive_maximum_unacknowledged(
    start_mosquitto: StartMosquitto,
) -> None:
    broker = start_mosquitto("max_inflight_messages 5000", "sys_interval 1")
    async with Connection(settings(broker.port, receive_maximum=1000), ["ward/#"]) as ward:
        assert await ward.ready(SOON_S)
        await told(broker.port, *numbered(5000))
        held = await arrivals(ward, 1000, acknowledge=False)
        assert len(held) == 1000
        assert await ward.batch(QUIET_S) == []
        ward.acknowledge(held)
        received = numbers(held + await arrivals(ward, 4000))
    assert received == list(range(5000))
    dropped = "$SYS/broker/publish/messages/dropped"
    async with Connection(settings(broker.port, "watcher"), [dropped]) as watcher:
        assert numbers(await arrivals(watcher, 1)) == [0]


async def test_a_large_payload_passes_both_ways(broker_port: int) -> None:
    payload = bytes(range(256)) * 2000
    async with Connection(settings(broker_port), ["ward/#"]) as ward:
        assert await ward.ready(SOON_S)
        await told(broker_port, ("ward/map", payload))
        assert [one.payload for one in await arrivals(ward, 1)] == [payload]


async def test_an_empty_retained_payload_arrives_and_ends_what_was_retained(broker_port: int) -> None:
    await told(broker_port, ("ward/patient", b"in"), retain=True)
    async with Connection(settings(broker_port), ["ward/#"]) as ward:
        assert await ward.ready(SOON_S)
        assert [(one.payload, one.retained) for one in await arrivals(ward, 1)] == [(b"in", True)]
        await told(broker_port, ("ward/patient", b""), retain=True)
        assert [(one.payload, one.retained) for one in await arrivals(ward, 1)] == [(b"", False)]
    async with Connection(settings(broker_port, "later"), ["ward/#"]) as later:
        assert await later.ready(SOON_S)
        assert await later.batch(QUIET_S) == []


async def test_a_filter_no_longer_wanted_is_unsubscribed(mosquitto: Mosquitto) -> None:
    """A session keeps its subscriptions over a restart of ours; an old one must not deliver for ever."""
    async with Connection(settings(mosquitto.port), ["old/#", "ward/#"]) as ward:
        assert await ward.ready(SOON_S)
    async with Connection(settings(mosquitto.port), ["ward/#"], obsolete=["old/#"]) as ward:
        assert await ward.ready(SOON_S)
        await told(mosquitto.port, ("old/map", b"0"), ("ward/map", b"1"))
        assert numbers(await arrivals(ward, 1)) == [1]


async def test_qos_2_left_by_an_older_subscription_is_finished(mosquitto: Mosquitto) -> None:
    """More of them than the window holds: each must be answered to the end, or the rest never come."""
    older = mqtt5.SubscribePacket(1, [mqtt5.TopicFilter("ward/#", max_qos=mqtt5.QoS.EXACTLY_ONCE)])
    reader, writer = await asyncio.open_connection("127.0.0.1", mosquitto.port)
    writer.write(mqtt5.ConnectPacket("ward", session_expiry_interval=600).write() + older.write())
    await reader.readuntil(b"\x90")
    writer.write(mqtt5.DisconnectPacket().write())
    writer.close()
    publisher_reader, publisher = await asyncio.open_connection("127.0.0.1", mosquitto.port)
    publisher.write(mqtt5.ConnectPacket("pump").write())
    for number in range(20):
        packet = mqtt5.PublishPacket(
            "ward/map", b"%d" % number, qos=mqtt5.QoS.EXACTLY_ONCE, packet_id=number + 1
        )
        publisher.write(packet.write() + mqtt5.PubRelPacket(number + 1).write())
    await publisher_reader.readuntil(b"\x70\x02\x00\x14")
    publisher.close()
    async with Connection(settings(mosquitto.port, receive_maximum=5), ["ward/#"]) as ward:
        received = await arrivals(ward, 20)
    assert numbers(received) == list(range(20))
    assert {one.qos for one in received} == {2}
    async with Connection(settings(mosquitto.port), ["ward/#"]) as ward:
        assert await ward.ready(SOON_S)
        assert await ward.batch(QUIET_S) == []


async def test_wrong_credentials_are_tried_until_somebody_mends_them(
    start_mosquitto: StartMosquitto, tmp_path: Path
) -> None:
    passwords = tmp_path / "passwords"
    passwords.touch()
    broker = start_mosquitto("allow_anonymous false", f"password_file {passwords}")
    chosen = settings(broker.port, username="ward", password="secret")
    assert "secret" not in repr(chosen)
    async with Connection(chosen, ["ward/#"]) as ward:
        assert not await ward.ready(QUIET_S)
        assert await ward.batch(0) == []
        added = await asyncio.create_subprocess_exec("mosquitto_passwd", "-b", passwords, "ward", "secret")
        assert await added.wait() == 0
        broker.reload()
        assert await ward.ready(SOON_S)


async def test_a_publish_that_the_broker_refuses_is_told(
    start_mosquitto: StartMosquitto, tmp_path: Path
) -> None:
    (tmp_path / "acl").write_text("topic write allowed/#\n")
    broker = start_mosquitto(f"acl_file {tmp_path}/acl")
    async with Connection(settings(broker.port)) as ward:
        ward.publish("forbidden/x", b"", token="forbidden")
        ward.publish("allowed/x", b"", token="allowed")
        assert await ward.settled(SOON_S)
        ended = {publish.token: publish.refused for publish in ward.drain_acknowledged()}
    assert ended == {"forbidden": "NOT_AUTHORIZED", "allowed": None}


async def test_a_broker_that_falls_silent_is_left_and_found_again(mosquitto: Mosquitto) -> None:
    reasons: asyncio.Queue[str] = asyncio.Queue()
    chosen = settings(mosquitto.port, keepalive_s=1, connect_timeout_s=2)
    async with Connection(chosen, ["ward/#"], on_disconnected=reasons.put_nowait) as ward:
        assert await ward.ready(SOON_S)
        with mosquitto.frozen():
            async with asyncio.timeout(SOON_S):
                assert await reasons.get() == "keepalive timeout"
            assert not ward.connected
        assert await ward.ready(SOON_S)


async def test_a_quiet_line_is_kept_open(mosquitto: Mosquitto) -> None:
    """Nothing to say on either side for three keepalives is no reason to part."""
    async with Connection(settings(mosquitto.port, keepalive_s=1), ["ward/#"]) as ward:
        assert await ward.ready(SOON_S)
        assert await ward.batch(3.2) == []
        assert ward.connection == 1
        assert ward.connected


# --- against a broker that the test plays ------------------------------------------------------


async def test_many_messages_in_a_moment_cost_few_wakes(scripted_broker: ScriptedBroker) -> None:
    """200 messages, each on its way alone, a millisecond apart: read in a few goes."""

    async def say_one_by_one(link: ScriptedLink) -> None:
        for number in range(200):
            link.say(publish_frame(b"%d" % number))
            await asyncio.sleep(0.001)

    async with Connection(settings(scripted_broker.port, coalesce_ms=50), ["ward/#"]) as ward:
        link = await scripted_broker.accept()
        await link.greet()
        saying = asyncio.create_task(say_one_by_one(link))
        received, wakes = list[Delivery](), 0
        while len(received) < 200:
            received += await ward.batch(SOON_S)
            wakes += 1
        await saying
    assert numbers(received) == list(range(200))
    assert wakes < 40


async def test_a_broker_that_waits_for_acknowledgements_does_not_wait_for_the_pause(
    scripted_broker: ScriptedBroker,
) -> None:
    """Two messages unacknowledged are all that it allows itself; with pauses, it took 40 s."""

    async def say_two_by_two(link: ScriptedLink) -> None:
        for number in range(0, 80, 2):
            link.say(*(publish_frame(b"%d" % each, packet_id=each + 1) for each in (number, number + 1)))
            for _ in range(2):
                await link.hear(mqtt5.PubAckPacket)

    async with Connection(settings(scripted_broker.port, coalesce_ms=1000), ["ward/#"]) as ward:
        link = await scripted_broker.accept()
        await link.greet()
        received = list[Delivery]()
        async with asyncio.timeout(SOON_S), asyncio.TaskGroup() as playing:
            playing.create_task(say_two_by_two(link))
            while len(received) < 80:
                received += (batch := await ward.batch(SOON_S))
                ward.acknowledge(batch)
    assert numbers(received) == list(range(80))


@codec_panics
async def test_an_undecodable_message_is_handed_on_and_acknowledged_in_its_turn(
    scripted_broker: ScriptedBroker,
) -> None:
    bad = UNDECODABLE["topic is not UTF-8"][0]
    async with Connection(settings(scripted_broker.port), ["ward/#"]) as ward:
        link = await scripted_broker.accept()
        await link.greet()
        link.say(publish_frame(b"1", packet_id=4), bad, publish_frame(b"2", packet_id=6))
        received = await arrivals(ward, 3)
        answers = [(await link.hear(mqtt5.PubAckPacket)).packet_id for _ in range(3)]
        assert ward.undecodable_total == 1
    assert [one.topic for one in received] == ["ward/map", "", "ward/map"]
    assert [one.payload for one in received] == [b"1", bad, b"2"]
    assert answers == [4, 5, 6]


@pytest.mark.parametrize(
    "greeting",
    [
        mqtt5.ConnAckPacket(reason_code=mqtt5.ConnAckReasonCode.CLIENT_ID_NOT_VALID).write(),
        mqtt5.ConnAckPacket(reason_code=mqtt5.ConnAckReasonCode.UNSUPPORTED_PROTOCOL_VERSION).write(),
        b"\x20\x02\x00\x01",
    ],
    ids=["client id", "version", "MQTT 3"],
)
async def test_a_refusal_that_nothing_can_mend_is_raised(
    scripted_broker: ScriptedBroker, greeting: bytes
) -> None:
    async with Connection(settings(scripted_broker.port), ["ward/#"]) as ward:
        link = await scripted_broker.accept()
        link.say(greeting)
        with pytest.raises(BrokerRefused):
            await ward.batch(SOON_S)


async def test_a_session_taken_over_is_left_to_the_other(scripted_broker: ScriptedBroker) -> None:
    async with Connection(settings(scripted_broker.port), ["ward/#"]) as ward:
        link = await scripted_broker.accept()
        await link.greet()
        taken_over = mqtt5.DisconnectReasonCode.SESSION_TAKEN_OVER
        link.say(publish_frame(b"1"), mqtt5.DisconnectPacket(reason_code=taken_over).write())
        assert numbers(await ward.batch(SOON_S)) == [1]
        with pytest.raises(SessionTakenOver):
            await ward.batch(SOON_S)
        with pytest.raises(SessionTakenOver):
            ward.publish("ward/map", b"")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(QUIET_S):
                await scripted_broker.accept()


async def test_a_refused_filter_is_not_called_subscribed(scripted_broker: ScriptedBroker) -> None:
    async with Connection(settings(scripted_broker.port), ["ward/#", "secret/#"]) as ward:
        link = await scripted_broker.accept()
        link.say(mqtt5.ConnAckPacket().write())
        wanted = await link.hear(mqtt5.SubscribePacket)
        codes = [
            mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE,
            mqtt5.SubAckReasonCode.NOT_AUTHORIZED,
        ]
        link.say(mqtt5.SubAckPacket(wanted.packet_id, codes).write())
        assert not await ward.ready(SOON_S)
        assert ward.connected
        assert ward.refused_subscriptions == ("secret/#",)
    assert [(one.pattern, int(one.max_qos), one.retain_as_published) for one in wanted.topic_filters] == [
        ("ward/#", 1, False),
        ("secret/#", 1, False),
    ]


async def test_a_publish_without_an_answer_is_sent_again_on_a_new_link(
    scripted_broker: ScriptedBroker,
) -> None:
    """A broker may answer pings and swallow publishes; MQTT 5 lets us send again only after a reconnect."""
    chosen = settings(scripted_broker.port, publish_answer_s=0.3, keepalive_s=60)
    async with Connection(chosen, ["ward/#"]) as ward:
        link = await scripted_broker.accept()
        await link.greet()
        ward.publish("alert", b"1", token="alert")
        first = await link.hear(mqtt5.PublishPacket)
        again = await scripted_broker.accept()
        await again.greet(session_present=True)
        second = await again.hear(mqtt5.PublishPacket)
        again.say(mqtt5.PubAckPacket(second.packet_id or 0).write())
        assert await ward.settled(SOON_S)
        assert [publish.token for publish in ward.drain_acknowledged()] == ["alert"]
    assert (first.packet_id, first.duplicate) == (second.packet_id, False)
    assert second.duplicate


async def test_a_caller_who_takes_nothing_stops_the_reading_and_loses_nothing(
    scripted_broker: ScriptedBroker,
) -> None:
    """QoS 0 knows no receive maximum: the socket must push back, not our memory grow."""
    count, payload = 4000, b"x" * 10_000
    frame = mqtt5.PublishPacket("ward/map", payload).write()
    chosen = settings(scripted_broker.port, pending_max_bytes=1_000_000, keepalive_s=1)
    async with Connection(chosen, ["ward/#"]) as ward:
        link = await scripted_broker.accept()
        await link.greet()
        link.say(*[frame] * count)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2):  # longer than the keepalive: the silence is ours
                await link.said()
        assert len(await ward.batch(0)) < count / 4
        saying = asyncio.create_task(link.said())
        received = 0
        async with asyncio.timeout(SOON_S):
            while not saying.done():
                received += len(await ward.batch(1))
        assert received > count / 4
        assert ward.connection == 1


async def test_a_broker_that_takes_nothing_stops_the_sending_and_loses_nothing(
    scripted_broker: ScriptedBroker,
) -> None:
    chosen = settings(scripted_broker.port, publish_in_flight_max=500)
    async with Connection(chosen, ["ward/#"]) as ward:
        link = await scripted_broker.accept()
        await link.greet()
        for number in range(400):
            ward.publish("alert", b"%07d" % number * 10_000, token=number)
        for number in range(400):
            packet = await link.hear(mqtt5.PublishPacket)
            assert packet.payload[:7] == b"%07d" % number
            assert ward._link is not None
            assert ward._link._transport is not None
            assert ward._link._transport.get_write_buffer_size() < 1_000_000
        link.say(*[mqtt5.PubAckPacket(packet_id).write() for packet_id in range(1, 401)])
        assert await ward.settled(SOON_S)
        assert [publish.token for publish in ward.drain_acknowledged()] == list(range(400))


async def test_an_error_in_a_callback_reaches_the_caller(mosquitto: Mosquitto) -> None:
    def broken(session_present: bool) -> None:
        raise RuntimeError("a fault of ours")

    async with Connection(settings(mosquitto.port), ["ward/#"], on_connected=broken) as ward:
        with pytest.raises(RuntimeError, match="a fault of ours"):
            await ward.batch(SOON_S)


async def test_nobody_listening_is_no_error_and_closing_is_quick() -> None:
    async with asyncio.timeout(SOON_S):
        async with Connection(settings(1, reconnect_min_s=60, reconnect_max_s=60), ["ward/#"]) as ward:
            assert await ward.batch(0.1) == []
            assert not ward.connected
