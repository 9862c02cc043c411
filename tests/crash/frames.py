"""MQTT 5 packets cut out of a stream of bytes, and what a bystander needs to read in them.

It must never share code with the processor: an error in its codec would then go unseen.
"""

from __future__ import annotations

from dataclasses import dataclass

CONNECT, PUBLISH, PUBACK = 1, 3, 4
_CONTINUES = 0x80


@dataclass(frozen=True, slots=True)
class Frame:
    """One whole packet as it stood on the wire."""

    raw: bytes
    body_at: int

    @property
    def kind(self) -> int:
        """The packet type (MQTT 5, 2.1.2)."""
        return self.raw[0] >> 4

    @property
    def topic(self) -> str:
        """Of a PUBLISH."""
        start, end = self.body_at + 2, self._topic_end
        return self.raw[start:end].decode()

    @property
    def packet_id(self) -> int:
        """Of a PUBACK, or of a PUBLISH; 0 where it has none."""
        if self.kind == PUBACK:
            return self._number(self.body_at)
        return self._number(self._topic_end) if self._qos else 0

    @property
    def payload(self) -> bytes:
        """Of a PUBLISH."""
        properties_at = self._topic_end + (2 if self._qos else 0)
        length, start = _variable(self.raw, properties_at)
        return self.raw[start + length :]

    @property
    def _qos(self) -> int:
        return (self.raw[0] >> 1) & 3

    @property
    def _topic_end(self) -> int:
        return self.body_at + 2 + self._number(self.body_at)

    def _number(self, at: int) -> int:
        return int.from_bytes(self.raw[at : at + 2], "big")


class Frames:
    """Cuts one direction of a connection into packets."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[Frame]:
        """The packets that are whole with this chunk."""
        stream, start, whole = self._rest + chunk, 0, list[Frame]()
        while (header_end := _header_end(stream, start)) is not None:
            length, body_at = _variable(stream, start + 1)
            if body_at + length > len(stream):
                break
            whole.append(Frame(stream[start : body_at + length], header_end - start))
            start = body_at + length
        self._rest = stream[start:]
        return whole


def _header_end(stream: bytes, start: int) -> int | None:
    """Where the body begins; None while the length has not all arrived."""
    at = start + 1
    while at < len(stream):
        at += 1
        if stream[at - 1] < _CONTINUES:
            return at
    return None


def _variable(stream: bytes, at: int) -> tuple[int, int]:
    """A variable byte integer (MQTT 5, 1.5.5), and where it ends."""
    value = shift = 0
    while True:
        byte = stream[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < _CONTINUES:
            return value, at
