"""Counts what became of every message; plain numbers on the hot path, rendered when scraped.

At all times accepted + rejected + duplicate + late = received: each message is counted once as
received and once with its verdict, in one step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from streamproc.core.reason import Reason
from streamproc.core.remembered import Taken, Verdict

OTHER = "other"
"""The kind of a message whose topic is none of ours."""


@dataclass(slots=True)
class Tally:
    """Messages by what they were and what became of them."""

    received: Counter[str] = field(default_factory=Counter)
    taken: Counter[Taken] = field(default_factory=Counter)
    rejected: Counter[Reason] = field(default_factory=Counter)

    def count(self, kind: str | None, verdict: Verdict) -> None:
        """One message: its kind, and what became of it."""
        self.received[kind or OTHER] += 1
        if isinstance(verdict, Reason):
            self.rejected[verdict] += 1
        else:
            self.taken[verdict] += 1

    def count_accepted(self, kinds: Sequence[str]) -> None:
        """Messages that were accepted, each by what it was."""
        if kinds:
            self.received.update(kinds)
            self.taken[Taken.ACCEPTED] += len(kinds)

    @property
    def accounted(self) -> int:
        """Accepted, rejected, duplicate and late together."""
        return self.taken.total() + self.rejected.total()

    def add(self, other: Tally) -> None:
        """Count what another has counted."""
        self.received += other.received
        self.taken += other.taken
        self.rejected += other.rejected
