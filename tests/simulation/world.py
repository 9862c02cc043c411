"""A world with its own time: what happens in it happens at an instant, in an order that the seed decides.

Must never look at a real clock or at real chance: the same seed is the same world, and the same trace.
"""

from __future__ import annotations

import hashlib
import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

AT_ONCE_MOST = 100_000
"""More than this at one instant is a loop that never ends."""


@dataclass(slots=True)
class World:
    """Virtual time, and what is going to happen in it."""

    seed: str
    now_s: float = 0.0
    _to_come: list[tuple[float, int, Callable[[], Any]]] = field(default_factory=list)
    _order: count[int] = field(default_factory=count)
    _trace: Any = field(default_factory=hashlib.sha256)
    keep_trace: bool = False
    told: list[str] = field(default_factory=list)
    _at_once: int = 0

    def chance(self, of: str) -> random.Random:
        """A source of chance of its own for each part, so that one part's faults don't change another's."""
        return random.Random(f"{self.seed}/{of}")

    def at(self, when_s: float, act: Callable[[], Any]) -> None:
        """Have it happen then; what happens at one instant happens in the order in which it was asked for."""
        heapq.heappush(self._to_come, (max(when_s, self.now_s), next(self._order), act))

    def after(self, delay_s: float, act: Callable[[], Any]) -> None:
        """Have it happen so much later."""
        self.at(self.now_s + delay_s, act)

    def run_until(self, deadline_s: float | None, enough: Callable[[], object] = lambda: False) -> None:
        """Let time pass until then, or until there is enough; without a deadline something must come."""
        while not enough():
            if not self._to_come or (deadline_s is not None and self._to_come[0][0] > deadline_s):
                assert deadline_s is not None, "nothing will ever happen again: somebody waits in vain"
                self.now_s = max(self.now_s, deadline_s)
                return
            when_s, _, act = heapq.heappop(self._to_come)
            self._at_once = self._at_once + 1 if when_s == self.now_s else 0
            assert self._at_once < AT_ONCE_MOST, f"time stands still at {when_s!r} s, before {act}"
            self.now_s = when_s
            act()

    def note(self, what: str, content: bytes = b"") -> None:
        """Make it part of the trace."""
        self._trace.update(f"{self.now_s!r} {what} {len(content)} ".encode())
        self._trace.update(content)
        if self.keep_trace:
            self.told.append(f"{self.now_s:12.3f} {what} {content[:200]!r}")

    @property
    def trace(self) -> str:
        """All that was noted, as one hash."""
        return str(self._trace.hexdigest())
