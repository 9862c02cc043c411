"""MQTT 5 without a socket or a clock: bytes to packets, acknowledgements owed, publishes under way.

A complete frame that can't be decoded becomes `Undecodable`: it never raises, never loops and
never hides its neighbours. Nothing here acknowledges before it is told to.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
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


Incoming = mqtt5.Packet | Undecodable


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


def _decode(frame: memoryview) -> Incoming:
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
    """Cuts the stream into frames, wherever the network has cut it."""

    __slots__ = ("_largest_bytes", "_rest")

    def __init__(self, largest_bytes: int) -> None:
        self._largest_bytes = largest_bytes
        self._rest = b""

    def feed(self, chunk: bytes) -> list[Incoming]:
        """All packets that are complete with this chunk; the rest is kept for the next."""
        stream = self._rest + chunk if self._rest else chunk
        view, start, packets = memoryview(stream), 0, list[Incoming]()
        while (end := _frame_end(stream, start)) is not None:
            if end - start > self._largest_bytes:
                raise BrokenStream(f"a frame of {end - start} bytes, {self._largest_bytes} were allowed")
            if end > len(stream):
                break
            packets.append(_decode(view[start:end]))
            start = end
        self._rest = stream[start:]
        return packets


class OwedAcknowledgements:
    """What the broker is owed on one connection, in the order in which it sent it.

    An acknowledgement overtakes nothing that was received before it: rumqttd redelivers without
    end when they come out of order. Deliveries are told apart by identity, because packet ids are
    used again: acknowledging one twice must not acknowledge the next message of its id.
    """

    __slots__ = ("_early", "_owed")

    def __init__(self) -> None:
        self._owed: deque[Delivery] = deque()
        self._early: dict[int, Delivery] = {}

    def __len__(self) -> int:
        return len(self._owed)

    def received(self, delivery: Delivery) -> None:
        """Owe this delivery's acknowledgement, where it has an id to acknowledge."""
        if delivery.packet_id:
            self._owed.append(delivery)

    def settle(self, deliveries: Iterable[Delivery]) -> bytes:
        """The acknowledgements that may now be sent, joined; what is not owed here is ignored."""
        ready = list[int]()
        for delivery in deliveries:
            if self._owed and self._owed[0] is delivery:
                ready.append(self._pop())
            elif delivery.packet_id:
                self._early[delivery.packet_id] = delivery
            while self._early and self._owed and self._early.get(self._owed[0].packet_id) is self._owed[0]:
                del self._early[self._owed[0].packet_id]
                ready.append(self._pop())
        return struct.pack(f">{len(ready)}I", *ready)

    def _pop(self) -> int:
        delivery = self._owed.popleft()
        return _ACKNOWLEDGEMENT_WORD[delivery.qos] | delivery.packet_id


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
