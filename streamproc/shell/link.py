"""One TCP connection to the broker: bytes in, many packets at a time; bytes out while they are taken.

It knows nothing of sessions or of what a packet means to us; `mqtt.Connection` opens one after the
other for as long as it lasts.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, cast

from streamproc.shell.packets import BrokenStream, Incoming, PacketReader

_LARGE_READ_BYTES = 65536
"""A read of this size or more is followed by the next at once: the socket is full enough."""


@dataclass(frozen=True, slots=True)
class LastWill:
    """What the broker publishes for us when we vanish without a DISCONNECT."""

    topic: str
    payload: bytes
    qos: Literal[0, 1] = 1
    retain: bool = True


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """Where the broker is, who we are there, and every limit of the connection."""

    host: str
    port: int
    client_id: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    keepalive_s: int = 15
    session_expiry_s: int = 86_400
    receive_maximum: int = 1_000
    tls: ssl.SSLContext | None = None
    will: LastWill | None = None
    coalesce_ms: float = 5.0
    connect_timeout_s: float = 10.0
    reconnect_min_s: float = 0.2
    reconnect_max_s: float = 30.0
    silent_closes_max: int = 5
    publish_queue_max: int = 10_000
    publish_in_flight_max: int = 500
    publish_answer_s: float = 30.0
    packet_max_bytes: int = 1 << 20
    pending_max_bytes: int = 1 << 20
    """Some 4,000 messages, less than a second of work: more would be late by the time it is taken over."""


class Link(asyncio.Protocol):
    """One TCP connection: bytes in, many packets at a time; bytes out, while the other side takes them."""

    def __init__(
        self,
        settings: MqttSettings,
        connection: int,
        on_packets: Callable[[list[Incoming], int], None],
        on_writable: Callable[[], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._coalesce_s = settings.coalesce_ms / 1000
        self._reader = PacketReader(settings.packet_max_bytes, connection)
        self._on_packets, self._on_writable = on_packets, on_writable
        self._transport: asyncio.Transport | None = None
        self._reason: str | None = None
        self.lost: asyncio.Future[str] = self._loop.create_future()
        self.opened_s = self.listening_s = self.heard_s = self.pinged_s = self._loop.time()
        self.writable = True
        self.held = False
        self._leaving = False
        self._rest: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.writable = False
        if not self.lost.done():
            self.lost.set_result(self._reason or (str(exc) if exc else "closed by the broker"))

    @property
    def explained(self) -> bool:
        """Whether we know why the link ended, or ended it."""
        return self._reason is not None

    def data_received(self, data: bytes) -> None:
        if self._leaving:
            return
        self.heard_s = self._loop.time()
        try:
            packets = self._reader.feed(data)
        except BrokenStream as error:
            self.abort(str(error))
            return
        self._on_packets(packets, len(data))
        if self._coalesce_s and len(data) < _LARGE_READ_BYTES:
            self._reading(False)
            self._rest = self._loop.call_later(self._coalesce_s, self._resume)

    def _resume(self) -> None:
        self._rest = None
        if not self.held:
            self._reading(True)

    def read_on(self) -> None:
        """Rest no longer: the other side seems to wait for what we have just written."""
        if self._rest is not None:
            self._rest.cancel()
            self._resume()

    def _reading(self, wanted: bool) -> None:
        if self._transport is not None and not self._transport.is_closing():
            (self._transport.resume_reading if wanted else self._transport.pause_reading)()

    def hold(self) -> None:
        """Read no more until `release`: what has arrived has not been taken over yet."""
        self.held = True
        self._reading(False)

    def release(self) -> None:
        """Read on; the silence so far was ours, not the broker's."""
        if self.held:
            self.held = False
            self.listening_s = self.heard_s = self._loop.time()
            self._reading(True)

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        self._on_writable()

    def write(self, frames: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frames)

    def leave(self, farewell: bytes) -> None:
        """Say farewell, then read and discard until the broker closes.

        Closing with bytes unread would make the kernel reset the connection, and the broker lose
        the farewell: it would publish our Will.
        """
        self.write(farewell)
        self._reason = self._reason or "closed by us"
        self._leaving, self.held = True, False
        self._reading(True)

    def abort(self, reason: str) -> None:
        self._reason = self._reason or reason
        if self._transport is not None:
            self._transport.abort()
