"""The event loop of one process in the world: it waits by letting the world's time pass.

Nothing here runs in another thread; what the service gives to its writer's thread is done by the world,
a while later, so that everything else can happen in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from .world import World


class Crashed(BaseException):
    """The process is dead; none of its code runs any more."""


class _Waiting:
    """In the selector's place: to wait for the network is to let the world go on."""

    def __init__(self, loop: ProcessLoop) -> None:
        self._loop = loop

    def select(self, timeout_s: float | None) -> list[Any]:
        loop, world = self._loop, self._loop.world
        if loop.frozen_until_s > world.now_s:
            world.run_until(loop.frozen_until_s, lambda: loop.crashed)
        deadline_s = None if timeout_s is None else world.now_s + timeout_s
        world.run_until(deadline_s, lambda: loop.crashed or loop._ready)
        if loop.crashed:
            raise Crashed
        return []

    def close(self) -> None:
        """Nothing is open."""


class ProcessLoop(asyncio.BaseEventLoop):
    """`crash` ends it where it stands; `frozen_until_s` stops it for a while, as SIGSTOP would."""

    def __init__(self, world: World, connect: Callable[..., Any], commit_s: Callable[[], float]) -> None:
        super().__init__()
        self.world = world
        self.crashed = False
        self.frozen_until_s = 0.0
        self.complaints: list[dict[str, Any]] = []
        self._selector = _Waiting(self)
        self._connect, self._commit_s = connect, commit_s
        self._writer_free_s = 0.0
        self.set_exception_handler(lambda loop, context: self.complaints.append(context))

    def crash(self) -> None:
        """Kill the process; whoever runs the loop meets `Crashed`."""
        self.crashed = True

    def time(self) -> float:
        return self.world.now_s

    async def create_connection(self, factory: Any, host: Any = None, port: Any = None, **told: Any) -> Any:  # type: ignore[override]
        """The world's network in place of sockets."""
        return await self._connect(self, factory)

    def run_in_executor(self, executor: Any, work: Callable[..., Any], *arguments: Any) -> Any:  # type: ignore[override]
        """The writer's thread: one piece of work after the other, each done at one instant."""
        done = self.create_future()
        self._writer_free_s = max(self._writer_free_s, self.world.now_s) + self._commit_s()
        self.world.at(self._writer_free_s, lambda: self._work(done, work, arguments))
        return done

    def _work(self, done: asyncio.Future[Any], work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        if self.crashed:
            return
        try:
            result = work(*arguments)
        except Exception as error:
            self._tell(done.set_exception, error, done)
        else:
            self._tell(done.set_result, result, done)

    def _tell(self, tell: Callable[[Any], None], what: Any, done: asyncio.Future[Any]) -> None:
        if not self.crashed:  # the work itself may have been the end of us
            self.call_soon(lambda: done.done() or tell(what))

    def discard(self) -> None:
        """Drop the dead process's tasks: what they would still do is done to nobody."""
        self.crashed = True
        for task in asyncio.all_tasks(self):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            try:
                task.get_coro().close()  # type: ignore[union-attr]
            except RuntimeError:  # it waits in a `finally`: nobody will wake it
                continue
        self._ready.clear()
        self._scheduled.clear()
        self.close()

    def _process_events(self, events: list[Any]) -> None:
        """There are none: the world calls us."""

    def _write_to_self(self) -> None:
        """Nothing wakes us from another thread."""
