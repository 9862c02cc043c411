"""The messages of one bed that may come again: what comes twice counts once.

Of each start of a device its numbers in order, in one column: a minute of 1 Hz takes some 2 KB.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass, field
from enum import StrEnum
from struct import Struct
from typing import Any

from streamproc.core.events import Telemetry
from streamproc.core.reason import Reason
from streamproc.core.samples import column_of, written

NONE_YET = -1
GIVEN_UP = 1 << 62
"""No number comes next to this: who still knows the start of a device must find it anew."""
SPARED_MS = 6_000
"""What is too old to come again is forgotten so much later: not one message at a time."""
_TOLD = Struct("=3q")
EACH = 3
"""A message takes so many places in its start's column: its number, its time, and its digest."""
LOOKED_AT = 2
"""Starts that are looked at when one more begins, whether all of theirs is forgotten: none stays for ever."""


class Taken(StrEnum):
    """What became of a message that was not rejected."""

    ACCEPTED = "accepted"
    LATE = "late"
    DUPLICATE = "duplicate"


Verdict = Taken | Reason
"""Each message gets one: accepted, late, duplicate, or rejected with its reason."""


@dataclass(slots=True)
class Start:
    """One start of a device: the numbers that it gave, each with its message's time and digest."""

    newest: int = NONE_YET
    seen: array[int] = field(default_factory=lambda: array("q"))
    """Number, time and digest of each message, in the order of their numbers."""

    def __len__(self) -> int:
        return len(self.seen) // EACH

    @property
    def newest_ms(self) -> int:
        """The latest time that is remembered; one of them is."""
        return max(self.seen[1::EACH])

    def find(self, seq: int) -> tuple[int, int] | None:
        """The time and digest of the message of this number, if it is remembered."""
        at, seen = self._place(seq), self.seen
        if at == len(seen) or seen[at] != seq:
            return None
        return seen[at + 1], seen[at + 2]

    def _place(self, seq: int) -> int:
        """Where this number stands, or would."""
        return EACH * bisect_left(range(len(self)), seq, key=lambda place: self.seen[EACH * place])

    def put(self, seq: int, time_ms: int, digest: int) -> int:
        """Remember a message at the place of its number; how many more are remembered now."""
        if seq > self.newest:
            self.newest = seq
            self.seen.frombytes(_TOLD.pack(seq, time_ms, digest))  # half of what `extend` takes
            return 1
        at, seen = self._place(seq), self.seen
        told = array("q", (seq, time_ms, digest))
        if seen[at] == seq:  # there is one: the newest is never forgotten before the others
            seen[at : at + EACH] = told
            return 0
        seen[at:at] = told
        return 1

    def forget_before(self, oldest_ms: int) -> int:
        """Forget the first messages that are older; how many they were."""
        seen, end = self.seen, 0
        while seen[end + 1] < oldest_ms:
            end += EACH
        del seen[:end]
        return end // EACH

    def drop_first(self) -> None:
        """Forget the message of the least number."""
        del self.seen[:EACH]


@dataclass(slots=True)
class Remembered:
    """What was seen, by the device's start and number; where a message has none, by content and time."""

    starts: dict[tuple[str, str], Start] = field(default_factory=dict)
    unnumbered: dict[tuple[str, str, int, int], int] = field(default_factory=dict)
    """Each message's time, oldest first."""
    count: int = 0

    def check(self, event: Telemetry, digest: int, oldest_ms: int) -> Taken | Reason | None:
        """Whether this was seen before: as the same, or under the same number with another payload."""
        boot, seq = event.boot, event.seq
        if boot is None or seq is None:
            seen = (event.order, event.device, event.time_ms, digest) in self.unnumbered
            return Taken.DUPLICATE if seen else None
        start = self.starts.get((event.device, boot))
        if start is None or seq > start.newest:
            return None
        known = start.find(seq)
        if known is None:
            return None
        if known[1] == digest:
            return Taken.DUPLICATE
        return Reason.CONFLICT if known[0] >= oldest_ms else None  # so old a number may be used again

    def keep(self, event: Telemetry, digest: int, oldest_ms: int, most: int) -> None:
        """Remember it, and forget what is too old to be taken in again anyway, or too many."""
        boot, seq, time_ms = event.boot, event.seq, event.time_ms
        if boot is None or seq is None:
            self._keep_unnumbered((event.order, event.device, time_ms, digest), time_ms, oldest_ms, most)
            return
        start = self.starts.get((event.device, boot))
        if start is None:
            self._look_for_forgotten(oldest_ms)
            start = self.starts[event.device, boot] = Start()
        self.put(start, seq, time_ms, digest, oldest_ms, most)

    def put(self, start: Start, seq: int, time_ms: int, digest: int, oldest_ms: int, most: int) -> None:
        """Remember a message of a start that is known."""
        self.count += start.put(seq, time_ms, digest)
        if start.seen[1] < oldest_ms - SPARED_MS:
            self.count -= start.forget_before(oldest_ms)
        if self.count > most:
            self._give_up_first(start)

    def _keep_unnumbered(
        self, identity: tuple[str, str, int, int], time_ms: int, oldest_ms: int, most: int
    ) -> None:
        before = len(self.unnumbered)
        self.unnumbered[identity] = time_ms
        first = next(iter(self.unnumbered))
        while self.unnumbered[first] < oldest_ms or (
            self.count + len(self.unnumbered) - before > most and len(self.unnumbered) > 1
        ):
            del self.unnumbered[first]
            first = next(iter(self.unnumbered))
        self.count += len(self.unnumbered) - before
        if self.count > most:  # numbered ones fill the limit
            self._give_up_first(next(iter(self.starts.values())))

    def _look_for_forgotten(self, oldest_ms: int) -> None:
        """Starts that nothing can come again of make room; one that lives on goes behind the others."""
        for key in list(self.starts)[:LOOKED_AT]:
            start = self.starts.pop(key)
            if len(start) and start.newest_ms >= oldest_ms:
                self.starts[key] = start
            else:
                self.count -= len(start)
                start.newest = GIVEN_UP

    def _give_up_first(self, start: Start) -> None:
        """The start that goes on gives up its first message; if this is its only one, the oldest does."""
        if len(start) == 1:
            key, start = next(iter(self.starts.items()))
            if len(start) == 1:
                del self.starts[key]
                start.newest = GIVEN_UP
        start.drop_first()
        self.count -= 1

    def snapshot(self) -> dict[str, Any]:
        """All state as plain values, each column as its bytes."""
        return {
            "starts": [[*key, each.newest, written(each.seen[:])] for key, each in self.starts.items()],
            "unnumbered": [[*identity, time_ms] for identity, time_ms in self.unnumbered.items()],
        }

    def restore(self, kept: dict[str, Any]) -> None:
        """Take over what `snapshot` gave."""
        self.starts = {
            (device, boot): Start(newest, column_of("q", seen))
            for device, boot, newest, seen in kept["starts"]
        }
        self.unnumbered = {tuple(identity): time_ms for *identity, time_ms in kept["unnumbered"]}
        self.count = len(self.unnumbered) + sum(map(len, self.starts.values()))
