"""The network between processor and broker: it sees each packet before the other side does.

It passes a packet on, withholds it and all that follows, falls silent, or is cut, as it is told.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from .frames import Frame, Frames

_CHUNK_BYTES = 65536


class Way(Enum):
    """Which way a packet goes."""

    TO_BROKER = auto()
    TO_PROCESSOR = auto()


class Passage(Enum):
    """What becomes of a packet."""

    ON = auto()
    WITHHELD = auto()
    """It and all that comes after it, both ways: for either side the other is gone."""


def all_pass(way: Way, frame: Frame) -> Passage:
    """The network as it should be."""
    return Passage.ON


@dataclass(slots=True)
class Proxy:
    """Listens for the processor on `port`; each of its links is one more to the broker."""

    broker_port: int
    look: Callable[[Way, Frame], Passage] = all_pass
    port: int = 0
    links: int = 0
    """Links that the processor has opened so far."""
    silent: set[Way] = field(default_factory=set)
    """What is sent this way vanishes, the end of the link too: half-open, or open for nobody."""
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _away: bool = False
    _silenced: set[asyncio.StreamWriter] = field(default_factory=set)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One link of the processor's, to its end."""
        if self._away:
            writer.transport.abort()
            return
        self.links += 1
        try:
            from_broker, to_broker = await asyncio.open_connection("127.0.0.1", self.broker_port)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, to_broker}
        self._open |= both
        up = asyncio.create_task(self._pass(Way.TO_BROKER, reader, to_broker, both))
        down = asyncio.create_task(self._pass(Way.TO_PROCESSOR, from_broker, writer, both))
        await asyncio.wait({up, down})
        self._open -= both
        for end in both:
            end.transport.abort()

    async def _pass(
        self,
        way: Way,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        both: set[asyncio.StreamWriter],
    ) -> None:
        frames = Frames()
        with contextlib.suppress(OSError):
            while chunk := await reader.read(_CHUNK_BYTES):
                for frame in frames.feed(chunk):
                    if way in self.silent:
                        self._silenced |= both
                        continue
                    if self.look(way, frame) is Passage.WITHHELD:
                        self._abort(both)
                        return
                    if writer.is_closing():
                        return
                    writer.write(frame.raw)
        if way not in self.silent:
            self._abort(both)

    def _abort(self, ends: set[asyncio.StreamWriter]) -> None:
        for end in ends:
            end.transport.abort()

    def cut(self) -> None:
        """Every link ends at once, and none can be opened until `mend`."""
        self._away = True
        self._abort(self._open)

    def mend(self) -> None:
        """Links can be opened again, and carry what is sent; those that have lost something are closed."""
        self._away = False
        self.silent.clear()
        self._abort(self._silenced)
        self._silenced.clear()


@contextlib.asynccontextmanager
async def proxying(broker_port: int) -> AsyncIterator[Proxy]:
    """A proxy for the length of the block."""
    proxy = Proxy(broker_port)
    server = await asyncio.start_server(proxy.carry, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
        await asyncio.sleep(0)
