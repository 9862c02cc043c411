"""TCP between the service and the broker: bytes in order, cut anywhere, late, or lost with the link.

A cable carries nothing of a dead process, and a half-open one swallows everything without a word.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from .loop import ProcessLoop
from .world import World

if TYPE_CHECKING:
    import random

CUT_AT_MOST = 3
"""Into so many pieces more one write may be cut."""
QUICK_S, SLOW_S = 0.002, 0.4
HIGH_WATER_BYTES = 65536


class Listener(Protocol):
    """The broker's end of one cable."""

    def heard(self, chunk: bytes) -> None: ...
    def hung_up(self) -> None: ...


class Cable(asyncio.Transport):
    """One connection, seen from the service as its transport."""

    def __init__(self, world: World, loop: ProcessLoop, protocol: Any, step: Callable[[str], None]) -> None:
        super().__init__()
        self._world, self._loop, self._protocol, self._step = world, loop, protocol, step
        self._chance: random.Random = world.chance(f"network at {world.now_s!r}")
        self.listener: Listener | None = None
        self.slow = self._chance.random() < 0.3  # number: a bad line now and then
        self.half_open = False
        self._closing = False
        self._broken = False
        self._paused = False
        self._writable = True
        self._unread: list[bytes] = []
        self._unsent_bytes = 0
        self._arrival_s = {"up": 0.0, "down": 0.0}
        protocol.connection_made(self)

    # the service's end

    def write(self, data: Any) -> None:
        if self._closing or self._loop.crashed:
            return
        self._world.note("sent", bytes(data))
        self._step("send")
        if self._loop.crashed and self._chance.random() < 0.5:  # number: it died before or after the call
            return
        self._unsent_bytes += len(data)
        for piece in self._pieces(bytes(data)):
            self._carry("up", lambda piece=piece: self._arrived(piece))
        if self._unsent_bytes > HIGH_WATER_BYTES and self._writable:
            self._writable = False
            self._protocol.pause_writing()

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        if self._paused:
            self._paused = False
            if self._unread:
                self._loop.call_soon(self._read)

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        if not self._closing:
            self._closing = True
            self._soon(lambda: self._protocol.connection_lost(None))
            self._carry("up", self._reset)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    # the broker's end

    def say(self, frames: bytes) -> None:
        """Bytes for the service."""
        for piece in self._pieces(frames):
            self._carry("down", lambda piece=piece: self._came(piece))

    def hang_up(self) -> None:
        """The broker closes: what is under way still arrives, then the end."""
        self._carry("down", self._ended)

    # what happens to the cable

    def cut(self) -> None:
        """Broken in between: what is under way is lost, and both ends are told."""
        self._ended()
        self._reset()

    def died(self) -> None:
        """The service's machine closes what its dead process had open; what was sent still arrives."""
        self._closing = True
        self._carry("up", self._reset)

    def _pieces(self, data: bytes) -> list[bytes]:
        chance = self._chance
        if len(data) < 2 or chance.random() < 0.7:  # number: mostly in one piece
            return [data]
        cuts = sorted(chance.randrange(1, len(data)) for _ in range(chance.randint(1, CUT_AT_MOST)))
        return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]

    def _carry(self, way: str, arrive: Callable[[], None]) -> None:
        late_s = self._chance.uniform(0, SLOW_S if self.slow else QUICK_S)
        self._arrival_s[way] = max(self._arrival_s[way], self._world.now_s + late_s)
        self._world.at(self._arrival_s[way], lambda: None if self.half_open or self._broken else arrive())

    def _arrived(self, piece: bytes) -> None:
        self._unsent_bytes -= len(piece)
        if not self._writable and not self._unsent_bytes:
            self._writable = True
            self._soon(self._protocol.resume_writing)
        if self.listener is not None:
            self.listener.heard(piece)

    def _came(self, piece: bytes) -> None:
        if not self._closing:
            self._unread.append(piece)
            self._soon(self._read)

    def _read(self) -> None:
        if self._unread and not self._paused and not self._closing:
            together, self._unread = b"".join(self._unread), []
            self._protocol.data_received(together)

    def _ended(self) -> None:
        if not self._closing:
            self._closing = True
            self._soon(lambda: self._protocol.connection_lost(ConnectionResetError("connection reset")))

    def _reset(self) -> None:
        if not self._broken:
            self._broken = True
            if self.listener is not None:
                self.listener.hung_up()

    def _soon(self, call: Callable[[], Any]) -> None:
        if not self._loop.crashed:
            self._loop.call_soon(call)
