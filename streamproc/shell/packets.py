"""MQTT 5 without a socket or a clock: bytes to packets, acknowledgements owed, publishes under way.

A complete frame that can't be decoded becomes `Undecodable`: it never raises, never loops and
never hides its neighbours. Nothing here acknowledges before it is told to.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from operator import is_
from typing import NamedTuple

import mqtt5

PUBLISH = 3
"""The packet type of an application message (MQTT 5, 2.1.2)."""
_ACKNOWLEDGEMENT_WORD = {1: 0x4002 << 16, 2: 0x5002 << 16}
"""By QoS, the first half of the four bytes of a successful PUBACK or PUBREC."""
SUBSCRIBE_ID, UNSUBSCRIBE_ID = 65535, 65534
"""Set aside, so that they never meet the id of a publish under way."""
_LARGEST_PUBLISH_ID = 65533
_LARGEST_TOPIC_BYTES = 65535
_PLAIN_HEAD = struct.Struct(">BBBH")
"""Of a PUBLISH of 128 bytes or more: kind, the two bytes of its length, bytes of the topic."""
_PLAIN_ID = struct.Struct(">HB")
"""What follows the topic with QoS 1: packet id, bytes of properties."""
_PLAIN_KINDS = frozenset(b"\x30\x31\x32\x33")
"""PUBLISH with QoS 0 or 1, retained or not, for the first time."""
_TOPICS_KNOWN = 50_000
_KNOWN_TOPIC_BYTES = 256
"""So many topics are known at most, and none longer; beyond that all begin anew."""


class BrokenStream(Exception):
    """The bytes can't be cut into frames any more, or a frame is larger than was allowed."""


class PublishQueueFull(Exception):
    """As many publishes wait as the setting allows; this one was not taken."""


class Delivery(NamedTuple):
    """One received message. An empty topic is a frame that could not be decoded: payload is the frame.

    Of everything that is made of a message this is made most often; a tuple is made in half the time."""

    topic: str
    payload: bytes
    qos: int
    retained: bool
    packet_id: int
    connection: int


@dataclass(frozen=True, slots=True)
class Published:
    """The broker has answered a publish; `refused` names its reason where it did not take it over."""

    token: Hashable
    refused: str | None
    at_s: float


@dataclass(frozen=True, slots=True)
class Undecodable:
    """A whole frame that the codec refused, and why."""

    raw: bytes
    reason: str

    @property
    def packet_type(self) -> int:
        return self.raw[0] >> 4

    @property
    def qos(self) -> int:
        """The QoS of a PUBLISH; the illegal 3 counts as 1, so that it is acknowledged and not sent again."""
        return (0, 1, 2, 1)[(self.raw[0] >> 1) & 3] if self.packet_type == PUBLISH else 0

    @property
    def packet_id(self) -> int:
        """The packet id where there is one to be read, else 0."""
        topic_at = 2
        while self.raw[topic_at - 1] >= 0x80:
            topic_at += 1
        id_at = topic_at + 2 + int.from_bytes(self.raw[topic_at : topic_at + 2], "big")
        if not self.qos or id_at + 2 > len(self.raw):
            return 0
        return int.from_bytes(self.raw[id_at : id_at + 2], "big")


Incoming = Delivery | mqtt5.Packet | Undecodable


def _frame_end(stream: bytes, start: int) -> int | None:
    """Where the frame that begins at `start` ends; None while its length has not all arrived."""
    length = 0
    for place in range(4):
        if start + 1 + place >= len(stream):
            return None
        length |= (stream[start + 1 + place] & 0x7F) << (7 * place)
        if stream[start + 1 + place] < 0x80:
            return start + 2 + place + length
    raise BrokenStream("a remaining length of more than four bytes")


def _decode(frame: memoryview) -> mqtt5.Packet | Undecodable:
    """Read one whole frame; the codec panics (a BaseException of pyo3) where a string is not UTF-8."""
    try:
        packet, used = mqtt5.read(frame)
    except (ValueError, IndexError) as error:
        return Undecodable(bytes(frame), str(error))
    except BaseException as error:
        if type(error).__module__ != "pyo3_runtime":
            raise
        return Undecodable(bytes(frame), "a string that is not UTF-8")
    return packet if used == len(frame) else Undecodable(bytes(frame), "bytes left over in the frame")


class PacketReader:
    """Cuts the stream of one connection into frames, wherever the network has cut it.

    A message without properties, on a topic that the codec has read before, needs no codec: what is
    left of it is numbers. Equal topics are one object, so that a look-up finds its hash computed.
    """

    __slots__ = ("_connection", "_largest_bytes", "_rest", "_topics")

    def __init__(self, largest_bytes: int, connection: int = 0) -> None:
        self._largest_bytes, self._connection = largest_bytes, connection
        self._rest = b""
        self._topics: dict[bytes, str] = {}

    def feed(self, chunk: bytes) -> list[Incoming]:
        """All packets that are complete with this chunk; the rest is kept for the next."""
        stream = self._rest + chunk if self._rest else chunk
        view, packets = memoryview(stream), list[Incoming]()
        start = self._take_plain(stream, 0, packets)
        while (end := _frame_end(stream, start)) is not None:
            if end - start > self._largest_bytes:
                raise BrokenStream(f"a frame of {end - start} bytes, {self._largest_bytes} were allowed")
            if end > len(stream):
                break
            packets.append(self._read(view[start:end]))
            start = self._take_plain(stream, end, packets)
        self._rest = stream[start:]
        return packets

    def _take_plain(self, stream: bytes, start: int, packets: list[Incoming]) -> int:
        """Take messages without the codec, one after the other; where the first that needs it begins.

        It needs it that is not all there, too large, shorter than 128 bytes or longer than two bytes
        of length can say, or that has properties or a topic that is not known.
        """
        topics, connection, new = self._topics, self._connection, tuple.__new__
        last = len(stream) - _PLAIN_HEAD.size
        while start < last:
            kind, low, high, topic_bytes = _PLAIN_HEAD.unpack_from(stream, start)
            end, id_at = start - 125 + low + (high << 7), start + 5 + topic_bytes
            if kind not in _PLAIN_KINDS or low < 128 or not 0 < high < 128:
                break
            if end > len(stream) or id_at + _PLAIN_ID.size > end or end - start > self._largest_bytes:
                break
            packet_id, properties = _PLAIN_ID.unpack_from(stream, id_at)
            payload_at, qos = id_at + 3, 1
            if kind < 0x32:
                packet_id, properties, payload_at, qos = 0, stream[id_at], id_at + 1, 0
            topic = topics.get(stream[start + 5 : id_at])
            if topic is None or properties:
                break
            message = (topic, stream[payload_at:end], qos, kind & 1 > 0, packet_id, connection)
            packets.append(new(Delivery, message))  # what Delivery(…) does, in half the time
            start = end
        return start

    def _read(self, frame: memoryview) -> Incoming:
        packet = _decode(frame)
        if not isinstance(packet, mqtt5.PublishPacket):
            return packet
        topic = packet.topic.encode()
        if 0 < len(topic) <= _KNOWN_TOPIC_BYTES:
            if len(self._topics) >= _TOPICS_KNOWN:
                self._topics.clear()
            self._topics[topic] = packet.topic
        return Delivery(
            packet.topic,
            packet.payload,
            int(packet.qos),
            packet.retain,
            packet.packet_id or 0,
            self._connection,
        )


class OwedAcknowledgements:
    """What the broker is owed on one connection, in the order in which it sent it.

    An acknowledgement overtakes nothing that was received before it: rumqttd redelivers without
    end when they come out of order. Deliveries are told apart by identity, because packet ids are
    used again: acknowledging one twice must not acknowledge the next message of its id.
    """

    __slots__ = ("_early", "_owed")

    def __init__(self) -> None:
        self._owed: list[Delivery] = []
        self._early: set[int] = set()
        """The identities of those in the queue that are to be acknowledged once it is their turn."""

    def __len__(self) -> int:
        return len(self._owed)

    def received(self, deliveries: Sequence[Delivery]) -> None:
        """Owe the acknowledgement of each that has an id to acknowledge."""
        self._owed += [delivery for delivery in deliveries if delivery.packet_id]

    def settle(self, deliveries: Sequence[Delivery]) -> bytes:
        """The acknowledgements that may now be sent, joined; what is not owed here is ignored."""
        if not self._owed:
            return b""
        ready = self._owed[: len(deliveries)]
        if self._early or not all(map(is_, ready, deliveries)):
            ready = self._ready_with(deliveries)
        del self._owed[: len(ready)]
        words = [_ACKNOWLEDGEMENT_WORD[delivery.qos] | delivery.packet_id for delivery in ready]
        return struct.pack(f">{len(ready)}I", *words)

    def _ready_with(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Those at the head of the queue that are settled with these, some of them out of turn."""
        self._early |= set(map(id, self._owed)).intersection(map(id, deliveries))
        ready = list(takewhile(lambda delivery: id(delivery) in self._early, self._owed))
        self._early.difference_update(map(id, ready))
        return ready


@dataclass(slots=True)
class Publish:
    """One message on its way out; it has a packet id once it was sent with QoS 1."""

    topic: str
    payload: bytes
    retain: bool
    qos: int
    token: Hashable
    packet_id: int = 0
    sent_s: float = 0.0
    again: bool = False

    def frame(self) -> bytes:
        return mqtt5.PublishPacket(
            self.topic,
            self.payload,
            qos=mqtt5.QoS.AT_LEAST_ONCE if self.qos else mqtt5.QoS.AT_MOST_ONCE,
            retain=self.retain,
            packet_id=self.packet_id or None,
            duplicate=self.again,
        ).write()


def checked_topic(topic: str) -> str:
    """Refuse a topic that would make the broker close the connection, and again at each new try."""
    size = len(topic.encode())
    if not 0 < size <= _LARGEST_TOPIC_BYTES or any(sign in topic for sign in "+#\0"):
        raise ValueError(f"not a topic to publish on: {topic[:80]!r}")
    return topic


class PublishWindow:
    """Publishes in order: waiting, then under way until the broker has acknowledged them.

    What was under way when a connection ended goes first on the next one.
    """

    def __init__(self, queue_max: int, in_flight_max: int) -> None:
        self._queue_max = queue_max
        self._in_flight_max = in_flight_max
        self._waiting: deque[Publish] = deque()
        self._in_flight: dict[int, Publish] = {}
        self._room = 0
        self._largest_bytes: int | None = None
        self._last_id = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._in_flight)

    @property
    def room(self) -> int:
        """How many more publishes would be taken."""
        return self._queue_max - len(self)

    @property
    def oldest_sent_s(self) -> float | None:
        """When the oldest publish under way was sent, on the clock of `next_frames`."""
        return next(iter(self._in_flight.values())).sent_s if self._in_flight else None

    def offer(self, publish: Publish) -> None:
        if self.room <= 0:
            raise PublishQueueFull(f"{len(self)} publishes wait for the broker")
        self._waiting.append(publish)

    def open(self, session_present: bool, receive_maximum: int, largest_bytes: int | None) -> None:
        """A connection begins: send again what was under way, as the same message if the session lives."""
        self._waiting.extendleft(reversed(self._in_flight.values()))
        self._in_flight.clear()
        for publish in self._waiting:
            if not publish.packet_id:
                break
            publish.again = session_present
            if not session_present:
                publish.packet_id = 0
        self._room = min(receive_maximum, self._in_flight_max)
        self._largest_bytes = largest_bytes

    def next_frames(self, now_s: float, most_bytes: int) -> tuple[list[bytes], list[Published]]:
        """Frames to send now, and the publishes that ended without an answer to wait for."""
        frames, ended, size = list[bytes](), list[Published](), 0
        while self._waiting and len(self._in_flight) < self._room and size < most_bytes:
            publish = self._waiting.popleft()
            frame = self._send(publish, now_s)
            if self._largest_bytes is not None and len(frame) > self._largest_bytes:
                self._in_flight.pop(publish.packet_id, None)
                ended.append(Published(publish.token, "PACKET_TOO_LARGE", now_s))
                continue
            frames.append(frame)
            size += len(frame)
            if not publish.qos:
                ended.append(Published(publish.token, None, now_s))
        return frames, ended

    def _send(self, publish: Publish, now_s: float) -> bytes:
        if publish.qos:
            publish.packet_id = publish.packet_id or self._free_id()
            publish.sent_s = now_s
            self._in_flight[publish.packet_id] = publish
        return publish.frame()

    def _free_id(self) -> int:
        while True:
            self._last_id = self._last_id % _LARGEST_PUBLISH_ID + 1
            if self._last_id not in self._in_flight:
                return self._last_id

    def acknowledged(self, packet_id: int, reason: mqtt5.PubAckReasonCode, now_s: float) -> Published | None:
        """The publish that this PUBACK ends; None where nothing of that id is under way."""
        publish = self._in_flight.pop(packet_id, None)
        if publish is None:
            return None
        return Published(publish.token, reason.name if int(reason) >= 128 else None, now_s)
