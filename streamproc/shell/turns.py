"""Whose state is shown next: each bed once a period, one after the other, so that alerts never wait for all.

A bed of which something was announced comes first, yet no bed twice within a second (the contract).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field

LEAST_S = 1.0
MOST_AT_ONCE = 50
"""So many states take some milliseconds, in which nothing else is done; then messages come first."""


@dataclass(slots=True)
class Turns:
    """When each bed was shown last, the longest ago first, and which are in a hurry."""

    period_s: float
    _shown_s: OrderedDict[str, float] = field(default_factory=OrderedDict)
    _hurried: dict[str, None] = field(default_factory=dict)

    def hurry(self, bed: str) -> None:
        """Something was announced of it."""
        self._hurried[bed] = None

    def take(self, beds: Collection[str], now_s: float) -> list[str]:
        """The beds whose turn it is; asking takes them as shown."""
        if len(self._shown_s) < len(beds):
            self._welcome([bed for bed in beds if bed not in self._shown_s], now_s)
        taken = [bed for bed in self._hurried if now_s - self._shown_s[bed] >= LEAST_S][:MOST_AT_ONCE]
        for bed in taken:
            self._show(bed, now_s)
        while len(taken) < MOST_AT_ONCE and self._shown_s:
            bed, shown_s = next(iter(self._shown_s.items()))
            if now_s - shown_s < self.period_s:
                break
            self._show(bed, now_s)
            taken.append(bed)
        return taken

    def _welcome(self, new: list[str], now_s: float) -> None:
        """Beds that came together are shown in turn from the first time on."""
        for number, bed in enumerate(new):
            self._shown_s[bed] = now_s - self.period_s * (1 - number / len(new))

    def _show(self, bed: str, now_s: float) -> None:
        self._hurried.pop(bed, None)
        self._shown_s[bed] = now_s
        self._shown_s.move_to_end(bed)
