"""A broker that the test plays, for what a real one can't be made to do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Self, TypeVar

import mqtt5
import pytest_asyncio

_ANSWER_S = 10.0
PacketT = TypeVar("PacketT", bound=mqtt5.Packet)


class ScriptedLink:
    """The broker's side of one connection, played by the test; it hangs up on a DISCONNECT."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._heard: asyncio.Queue[mqtt5.Packet] = asyncio.Queue(maxsize=1)  # unheard packets push back
        self.listening = asyncio.create_task(self._listen())

    async def hear(self, kind: type[PacketT]) -> PacketT:
        """The next packet of this kind; what comes before it is passed over."""
        async with asyncio.timeout(_ANSWER_S):
            while True:
                packet = await self._heard.get()
                if isinstance(packet, kind):
                    return packet

    async def _listen(self) -> None:
        unread = b""
        while more := await self._reader.read(65536):
            unread += more
            with contextlib.suppress(IndexError):  # the codec's way of saying: not all here
                while unread:
                    packet, used = mqtt5.read(memoryview(unread))
                    unread = unread[used:]
                    await self._heard.put(packet)
                    if isinstance(packet, mqtt5.DisconnectPacket):
                        self.close()

    def say(self, *frames: bytes) -> None:
        self._writer.write(b"".join(frames))

    async def greet(self, *, session_present: bool = False, receive_maximum: int = 65535) -> None:
        """Take the client's CONNECT and SUBSCRIBE, and grant both."""
        await self.hear(mqtt5.ConnectPacket)
        self.say(mqtt5.ConnAckPacket(session_present=session_present, receive_max=receive_maximum).write())
        wanted = await self.hear(mqtt5.SubscribePacket)
        granted = [mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE] * len(wanted.topic_filters)
        self.say(mqtt5.SubAckPacket(wanted.packet_id, granted).write())

    async def said(self) -> None:
        """Wait until the client has taken what was said, or stops taking it for good."""
        await self._writer.drain()

    def close(self) -> None:
        self._writer.close()


class ScriptedBroker:
    """A listener whose every answer the test gives, for faults that no real broker shows on demand."""

    async def __aenter__(self) -> Self:
        self._links: asyncio.Queue[ScriptedLink] = asyncio.Queue()
        self._opened: list[ScriptedLink] = []
        self._server = await asyncio.start_server(self._on_link, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *raised: object) -> None:
        self._server.close()
        for link in self._opened:
            link.listening.cancel()
            link.close()

    def _on_link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = ScriptedLink(reader, writer)
        self._opened.append(link)
        self._links.put_nowait(link)

    async def accept(self) -> ScriptedLink:
        """The next connection that a client opens."""
        async with asyncio.timeout(_ANSWER_S):
            return await self._links.get()


@pytest_asyncio.fixture
async def scripted_broker() -> AsyncIterator[ScriptedBroker]:
    """A broker that the test plays."""
    async with ScriptedBroker() as broker:
        yield broker
