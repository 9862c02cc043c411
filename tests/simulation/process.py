"""One life of the service on the world's machine, from its start to its crash, its failure or its stop.

It is `Service.run()` as it is shipped; only the machine below it and the loop are the world's.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import apsw

from streamproc.config import Settings
from streamproc.shell.lifetime import STOPPED_FOR_GOOD
from streamproc.shell.machine import Machine
from streamproc.shell.service import Service

from .broker import Broker
from .database import databases
from .devices import EPOCH_S
from .disk import Disk
from .loop import Crashed, ProcessLoop
from .network import Cable
from .world import World

COMMIT_S = (0.0005, 0.02)
CONNECT_S = (0.001, 0.2)


@dataclass(slots=True)
class Wall:
    """The machine's clock, and how far it is ahead of the world's."""

    world: World
    ahead_s: float = 0.0

    def read(self) -> float:
        """Seconds since 1970, as the machine has them."""
        return EPOCH_S + self.world.now_s + self.ahead_s


@dataclass(slots=True)
class Process:
    """The service between two starts."""

    world: World
    disk: Disk
    broker: Broker
    wall: Wall
    settings: Settings
    chance: random.Random
    service: Service = field(init=False)
    loop: ProcessLoop = field(init=False)
    crash_in: int = 0
    """Crash at this step of input or output from now; 0 is never."""
    fault_in: int = 0
    fault: str = ""
    slow_until_s: float = 0.0
    steps: list[str] = field(default_factory=list)
    """Each step of input and output that it has made, by its kind."""
    cables: list[Cable] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.loop = ProcessLoop(self.world, self._connect, self._commit_s)
        machine = Machine(self.wall.read, lambda: self.world.now_s, self.chance.uniform, databases(self.disk))
        self.service = Service(self.settings, machine)
        self.disk.before_step = self.step

    def live(self) -> str:
        """Run until it ends; how it ended."""
        ended = "stopped"
        try:
            self.loop.run_until_complete(self.service.run())
        except Crashed:
            ended = "crashed"
        except STOPPED_FOR_GOOD as error:
            ended = type(error).__name__
        if self.loop.crashed or self.disk.off:
            ended = "crashed"
        assert not self.loop.complaints, self.loop.complaints
        self.world.note(f"process {ended}")
        return ended

    def bury(self) -> None:
        """Let go of what it had open, as the kernel does."""
        self.disk.off = True
        for cable in self.cables:
            cable.died()
        self.loop.discard()
        self.disk.close()
        journal = getattr(self.service, "journal", None)
        if journal is not None and not journal._closed:
            os.close(journal._lock)

    def step(self, kind: str) -> None:
        """Count a step of input or output, which may be the last one, or may fail."""
        self.world.note(kind)
        self.steps.append(kind)
        if self.crash_in:
            self.crash_in -= 1
            if not self.crash_in:
                self._die()
        if kind != "send" and self.fault_in:
            self.fault_in -= 1
            if not self.fault_in:
                self._fail(kind)

    def _die(self) -> None:
        self.loop.crash()
        self.disk.off = True

    def _fail(self, kind: str) -> None:
        """The fault stays: whatever is tried meets it again until the process ends."""
        self.fault_in = 1
        if self.fault == "full" and kind == "write":
            raise _error(apsw.FullError, apsw.SQLITE_FULL)
        if self.fault == "write" and kind == "write":
            raise _error(apsw.IOError, apsw.SQLITE_IOERR_WRITE)
        if self.fault == "sync" and kind == "sync":
            raise _error(apsw.IOError, apsw.SQLITE_IOERR_FSYNC)

    def _commit_s(self) -> float:
        slow_s = 2.0 if self.world.now_s < self.slow_until_s else 0.0
        return slow_s + self.chance.uniform(*COMMIT_S)

    async def _connect(self, loop: ProcessLoop, factory: Callable[[], Any]) -> tuple[Any, Any]:
        await asyncio.sleep(self.chance.uniform(*CONNECT_S))
        if not self.broker.reachable:
            await asyncio.sleep(3600)
        if not self.broker.up:
            raise ConnectionRefusedError("connection refused")
        protocol = factory()
        cable = Cable(self.world, loop, protocol, self.step)
        self.cables.append(cable)
        self.broker.plug_in(cable)
        return cable, protocol


def _error(kind: type[apsw.Error], code: int) -> apsw.Error:
    error = kind("simulated")
    error.extendedresult, error.result = code, code & 0xFF
    return error
