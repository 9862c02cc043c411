"""A broker that has nothing to do but to serve: packets made beforehand, as fast as the processor takes them.

Only the time, the sequence number and the packet id of each are filled in. It keeps to the processor's
receive maximum, counts its acknowledgements, and answers what it publishes.
"""

from __future__ import annotations

import re
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from multiprocessing import get_context
from multiprocessing.connection import Connection

import mqtt5

from bench.stage.processes import HOST
from bench.stage.publisher import PACKET_IDS, PUBACK, READ_BYTES, length
from bench.stage.telemetry import Sent, Ward, run
from streamproc.wire import rfc3339

CHUNK = 200
"""Messages of one write."""
BUFFER_BYTES = 1 << 18
"""Little is under way in the kernel, so that a message's time is nearly that of its receipt."""
SEQ_DIGITS = 9
FIRST_SEQ = 10 ** (SEQ_DIGITS - 1)
PUBLISH_QOS_1 = 0x32
ANSWER_S = 60.0


@dataclass(slots=True)
class Chunk:
    """Some PUBLISH packets in a row, and where in them the parts are that differ each time."""

    packets: bytearray
    ids: list[int]
    seqs: list[int]
    times: list[int]

    @classmethod
    def of(cls, sent: list[Sent], qos: int) -> Chunk:
        """These messages, with a place for a sequence number of fixed width."""
        chunk = cls(bytearray(), [], [], [])
        for each in sent:
            chunk._add(each, qos)
        return chunk

    def _add(self, sent: Sent, qos: int) -> None:
        before = re.sub(rb'"seq":\d+', b'"seq":%d' % FIRST_SEQ, sent.before_time)
        topic, stamp = sent.topic.encode(), rfc3339(0).encode()
        payload = before + stamp + sent.after_time
        size = 2 + len(topic) + 2 * (qos > 0) + 1 + len(payload)
        self.packets += bytes([PUBLISH_QOS_1 if qos else 0x30, *length(size)])
        self.packets += len(topic).to_bytes(2, "big") + topic
        if qos:
            self.ids.append(len(self.packets))
            self.packets += b"\0\0"
        self.packets += b"\0"
        self.seqs.append(len(self.packets) + before.index(b"%d" % FIRST_SEQ))
        self.times.append(len(self.packets) + len(before))
        self.packets += payload

    def filled(self, seq: int, time_ms: int, first_id: int) -> bytearray:
        """The packets as they go out now."""
        packets, number, stamp = self.packets, b"%d" % seq, rfc3339(time_ms).encode()
        for at in self.seqs:
            packets[at : at + SEQ_DIGITS] = number
        for at in self.times:
            packets[at : at + len(stamp)] = stamp
        for packet_id, at in enumerate(self.ids, start=first_id):
            packets[at : at + 2] = (packet_id % PACKET_IDS + 1).to_bytes(2, "big")
        return packets


@contextmanager
def fake_broker(ward: Ward, qos: int) -> Iterator[tuple[int, Connection]]:
    """Its port, and where to say for how many seconds to serve; then it says how many messages it sent."""
    processes = get_context("spawn")
    ours, theirs = processes.Pipe()
    process = processes.Process(target=serve, args=(ward, qos, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours.recv(), ours
    finally:
        process.terminate()
        process.join()


def serve(ward: Ward, qos: int, told: Connection) -> None:
    """Greet whoever comes, then flood when told to."""
    chunks = [Chunk.of(some, qos) for some in in_chunks(ward)]
    listener = socket.create_server((HOST, 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    told.send(listener.getsockname()[1])
    while True:
        client = Client(listener.accept()[0])
        if client.idle_until(told):
            told.send(client.flood(ward, chunks, qos, told.recv()))


def in_chunks(ward: Ward) -> Iterator[list[Sent]]:
    """What the ward sends, cut so that no device speaks twice in one chunk; as many chunks for each beat."""
    sent = list(run(ward, 0))
    for beat in range(0, len(sent), 2 * ward.beds):
        for at in range(beat, beat + 2 * ward.beds, CHUNK):
            yield sent[at : min(at + CHUNK, beat + 2 * ward.beds)]


class Client:
    """The processor, as its broker sees it."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket, self._rest = connected, b""
        self._receive_maximum, self._acknowledged, self._sent = PACKET_IDS, 0, 0

    def idle_until(self, told: Connection) -> bool:
        """Answer it until there is something to do; false once it is gone."""
        while True:
            readable, _, _ = select.select([self._socket.fileno(), told.fileno()], [], [])
            if told.fileno() in readable:
                return True
            if not self._hear():
                return False

    def flood(self, ward: Ward, chunks: list[Chunk], qos: int, seconds: float) -> int:
        """Chunk after chunk, as fast as it takes them, then answer it until it has acknowledged all."""
        until_s, a_beat = time.monotonic() + seconds, len(chunks) // ward.seconds
        for number, chunk in enumerate(cycle(chunks)):
            if time.monotonic() > until_s:
                break
            seq = FIRST_SEQ + number // a_beat
            self._send(chunk.filled(seq, time.time_ns() // 1_000_000, self._sent), qos)
            self._sent += len(chunk.times)
        while qos and self._acknowledged < self._sent and self._hear():
            pass
        return self._sent

    def _send(self, packets: bytearray, qos: int) -> None:
        left = memoryview(packets)
        while left:
            room = not qos or self._sent + CHUNK - self._acknowledged <= self._receive_maximum
            wanted = [self._socket] if room or len(left) < len(packets) else []
            readable, writable, _ = select.select([self._socket], wanted, [], ANSWER_S)
            assert readable or writable, "the processor takes nothing any more"
            if readable:
                assert self._hear(), "the processor has closed the connection"
            if writable:
                left = left[self._socket.send(left, socket.MSG_DONTWAIT) :]

    def _hear(self) -> bool:
        heard = self._socket.recv(READ_BYTES)
        stream, at, answers = self._rest + heard, 0, list[bytes]()
        while (end := frame_end(stream, at)) is not None and end <= len(stream):
            if stream[at] == PUBACK:
                self._acknowledged += 1
            else:
                answers.append(self._answer(memoryview(stream)[at:end]))
            at = end
        self._rest = stream[at:]
        self._socket.sendall(b"".join(answers))
        return bool(heard)

    def _answer(self, frame: memoryview) -> bytes:
        packet, _ = mqtt5.read(frame)
        match packet:
            case mqtt5.ConnectPacket():
                self._receive_maximum = packet.receive_max
                return mqtt5.ConnAckPacket(session_present=True).write()
            case mqtt5.SubscribePacket():
                granted = [mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE] * len(packet.topic_filters)
                return mqtt5.SubAckPacket(packet.packet_id, granted).write()
            case mqtt5.PublishPacket() if packet.packet_id:
                return mqtt5.PubAckPacket(packet.packet_id).write()
            case mqtt5.PingReqPacket():
                return mqtt5.PingRespPacket().write()
        return b""


def frame_end(stream: bytes, start: int) -> int | None:
    """Where the packet that begins at `start` ends; None while its length has not all arrived."""
    size = 0
    for place, digit in enumerate(stream[start + 1 : start + 5]):
        size |= (digit & 0x7F) << (7 * place)
        if digit < 0x80:
            return start + 2 + place + size
    return None
