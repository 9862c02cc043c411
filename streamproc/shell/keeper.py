"""Keeps recovery short and the state folder small: snapshots beside the rounds, and old batches forgotten.

A snapshot is taken at once and written in the background; a write that fails ends the next round.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from streamproc.config.settings import State
from streamproc.shell.journal import SqliteJournal

Take = Callable[[int | None], Iterable[bytes]]
"""Takes a snapshot now; with the clock of a full one, only what is new since then."""

MS_PER_H = 3_600_000
BYTES_PER_MB = 1_000_000
SHARE_AT_ONCE = 10
"""Too large a journal loses a tenth of its batches, then is measured again."""


class Base(NamedTuple):
    """The full snapshot that others go on from."""

    position: int
    clock_ms: int
    taken_s: float


@dataclass(slots=True)
class Keeper:
    """When to take a snapshot, and of what: by time, and by what a restart would have to live through."""

    journal: SqliteJournal
    state: State
    steady_s: Callable[[], float]
    messages: int = 0
    """Taken over since the last snapshot."""
    _due_s: float = 0.0
    _base: Base | None = None
    _saved_position: int = 0
    _task: asyncio.Task[None] | None = field(default=None)

    @property
    def due(self) -> bool:
        """Whether a snapshot is due and can be taken."""
        overdue = self.messages >= self.state.snapshot_every_messages or self.steady_s() >= self._due_s
        return overdue and self._task is None

    async def look(self, position: int, clock_ms: int, messages: int, take: Take) -> None:
        """After each round: whether a snapshot is due, and whether the last one was written."""
        self.messages += messages
        if self._task is not None and self._task.done():
            task, self._task = self._task, None
            task.result()
        if self.due:
            self._task = asyncio.create_task(self._save(position, clock_ms, take), name="snapshot")
            await asyncio.sleep(0)  # its first part is written before the next batch

    async def finish(self, position: int, clock_ms: int, take: Take) -> None:
        """A last snapshot, so that the next start has nothing to live through."""
        if self._task is not None:
            await self._task
        if position > self._saved_position:
            await self._save(position, clock_ms, take)

    def _save(self, position: int, clock_ms: int, take: Take) -> Coroutine[Any, Any, None]:
        """Take it now; what is returned writes it."""
        now_s, base = self.steady_s(), self._base
        self._due_s, self.messages = now_s + self.state.snapshot_every_s, 0
        if base is None or now_s - base.taken_s >= self.state.full_snapshot_every_s:
            return self._write(Base(position, clock_ms, now_s), take(None), None)
        return self._write(Base(position, clock_ms, now_s), take(base.clock_ms), base.position)

    async def _write(self, taken: Base, parts: Iterable[bytes], base: int | None) -> None:
        await self.journal.save_snapshot(taken.position, parts, base)
        if base is None:
            self._base = taken
        self._saved_position = taken.position
        await self._forget(taken.clock_ms)

    async def _forget(self, clock_ms: int) -> None:
        """By age, then by size; what a kept snapshot needs stays."""
        journal = self.journal
        oldest_ms = clock_ms - round(self.state.journal_retention_h * MS_PER_H)
        await journal.forget_before(journal.position_at(oldest_ms))
        await journal.forget_events_before(clock_ms - round(self.state.feed_retention_h * MS_PER_H))
        while journal.bytes_used > self.state.journal_max_mb * BYTES_PER_MB:
            first = journal.first_position
            if not await journal.forget_before(first + 1 + (journal.position - first) // SHARE_AT_ONCE):
                return
