"""A trend computed the slow way: every sample kept, every window summed up anew.

The judge of `streamproc.core.trend`: as plain as the sentence "a sample holds until the next one, at
most its own hold", so that nobody need trust it. Never used outside tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from streamproc.core.finding import State


@dataclass
class NaiveTrend:
    """Samples as (time, value, hold), in order of time, then of arrival."""

    samples: list[tuple[int, int, int]] = field(default_factory=list)

    def add(self, time_ms: int, value: int, hold_ms: int) -> None:
        self.samples.append((time_ms, value, hold_ms))
        self.samples.sort(key=lambda sample: sample[0])  # stable: of two at one time, the later arrival rules

    def stretches(self) -> list[tuple[int, int, int]]:
        """(from, until, value) of each sample's own stretch of time."""
        following = [time_ms for time_ms, _, _ in self.samples[1:]]
        return [
            (time_ms, min([time_ms + hold_ms, *following[i : i + 1]]), value)
            for i, (time_ms, value, hold_ms) in enumerate(self.samples)
        ]

    def now(self, at_ms: int) -> int | None:
        return next((value for since, until, value in self.stretches() if since <= at_ms < until), None)

    def window(self, at_ms: int, span_ms: int) -> tuple[int, int]:
        """(integral, held ms) of the last `span_ms`."""
        area = held_ms = 0
        for since, until, value in self.stretches():
            overlap_ms = max(0, min(until, at_ms) - max(since, at_ms - span_ms))
            area += value * overlap_ms
            held_ms += overlap_ms
        return area, held_ms

    def mean_below(self, limit: int, at_ms: int, span_ms: int, coverage: float) -> State:
        area, held_ms = self.window(at_ms, span_ms)
        if held_ms == 0 or held_ms < Fraction(repr(coverage)) * span_ms:
            return State.UNKNOWN
        return answer(Fraction(area, held_ms) < limit)

    def area_at_least(self, limit: int, at_ms: int, span_ms: int) -> State:
        return answer(self.window(at_ms, span_ms)[0] >= limit)

    def coverage_at_least(self, coverage: float, at_ms: int, span_ms: int) -> State:
        return answer(Fraction(self.window(at_ms, span_ms)[1], span_ms) >= Fraction(repr(coverage)))

    def share_above(self, share: float, at_ms: int, span_ms: int) -> State:
        return answer(Fraction(self.window(at_ms, span_ms)[0], span_ms) > Fraction(repr(share)))

    def share_below(self, share: float, at_ms: int, span_ms: int) -> State:
        return answer(Fraction(self.window(at_ms, span_ms)[0], span_ms) < Fraction(repr(share)))


def answer(holds: bool) -> State:
    return State.MET if holds else State.NOT_MET
