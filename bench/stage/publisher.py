"""The ward's devices in a process of their own: one lean client that publishes on time with QoS 1.

Must never delay what it measures with: packets are made beforehand, and only their times are filled in.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection

import mqtt5

from bench.stage.processes import HOST
from bench.stage.telemetry import Sent, Ward, run

SLICE_S = 0.005
"""What is due within so long goes out in one write."""
READ_BYTES = 1 << 20
PUBACK = 0x40
PACKET_IDS = 65_000
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Published:
    """What the broker has taken over, how far behind it was at most, and the CPU of publishing."""

    messages: int
    behind_max_ms: float
    cpu_s: float


@contextmanager
def publisher(port: int, ward: Ward, settle_s: int) -> Iterator[Connection]:
    """A publisher that is ready: send it the start in ms, and receive `Published` in the end."""
    processes = get_context("spawn")
    ours, theirs = processes.Pipe()
    process = processes.Process(target=publish, args=(port, ward, settle_s, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        ours.recv()
        yield ours
    finally:
        process.terminate()
        process.join()


def publish(port: int, ward: Ward, settle_s: int, told: Connection) -> None:
    """Make the packets, connect, wait for the start, publish."""
    packets = [Packet.of(sent) for sent in run(ward, settle_s)]
    link = Link(port)
    told.send("ready")
    start_ms = told.recv()
    before_s = time.process_time()
    behind_max_s = link.publish_all(packets, start_ms)
    told.send(Published(link.acknowledged, 1000 * behind_max_s, time.process_time() - before_s))


@dataclass(frozen=True, slots=True)
class Packet:
    """A PUBLISH up to its packet id, and what follows."""

    sent: Sent
    head: bytes

    @classmethod
    def of(cls, sent: Sent) -> Packet:
        """QoS 1, without any property."""
        topic = sent.topic.encode()
        size = 2 + len(topic) + 3 + len(sent.payload(0))
        head = bytes([0x32, *length(size)]) + len(topic).to_bytes(2, "big") + topic
        return cls(sent, head)

    def filled(self, packet_id: int, start_ms: int) -> bytes:
        """As it goes out."""
        return self.head + packet_id.to_bytes(2, "big") + b"\0" + self.sent.payload(start_ms)


def length(size: int) -> list[int]:
    """A remaining length in MQTT's variable bytes."""
    digits = []
    while size >= 0x80:
        digits.append(size & 0x7F | 0x80)
        size >>= 7
    return [*digits, size]


class Link:
    """One connection that never has more under way than the broker allows."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((HOST, port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(
            mqtt5.ConnectPacket(f"ward-{os.getpid()}", clean_start=True, keep_alive=0).write()
        )
        greeting, _ = mqtt5.read(memoryview(self._socket.recv(READ_BYTES)))
        assert isinstance(greeting, mqtt5.ConnAckPacket), greeting
        self._most, self._sent, self.acknowledged, self._rest = greeting.receive_max, 0, 0, b""

    def publish_all(self, packets: list[Packet], start_ms: int) -> float:
        """Each when it is due; how far behind the latest was, in s."""
        left, behind_max_s, began_s = deque(packets), 0.0, start_ms / 1000
        while left or self.acknowledged < self._sent:
            now_s = time.time()
            due = list(self._due(left, 1000 * (now_s - began_s)))
            if due:
                behind_max_s = max(behind_max_s, now_s - began_s - due[0].sent.due_ms / 1000)
                self._send(due, start_ms)
            self._hear(SLICE_S)
        return behind_max_s

    def _due(self, left: deque[Packet], elapsed_ms: float) -> Iterator[Packet]:
        room = self._most - (self._sent - self.acknowledged)
        while left and room > 0 and left[0].sent.due_ms <= elapsed_ms:
            room -= 1
            yield left.popleft()

    def _send(self, packets: list[Packet], start_ms: int) -> None:
        frames = []
        for packet in packets:
            self._sent += 1
            frames.append(packet.filled(self._sent % PACKET_IDS + 1, start_ms))
        self._socket.sendall(b"".join(frames))

    def _hear(self, at_most_s: float) -> None:
        """Count acknowledgements; without room for more, until there is one."""
        full = self._sent - self.acknowledged >= self._most
        readable, _, _ = select.select([self._socket], [], [], PATIENCE_S if full else at_most_s)
        if not readable:
            assert not full, "the broker acknowledges nothing any more"
            return
        heard = self._socket.recv(READ_BYTES)
        assert heard, "the broker has closed the connection"
        stream, at = self._rest + heard, 0
        while at + 1 < len(stream) and at + 2 + stream[at + 1] <= len(stream):
            self.acknowledged += stream[at] == PUBACK
            at += 2 + stream[at + 1]
        self._rest = stream[at:]
        if not full:
            time.sleep(at_most_s / 2)
