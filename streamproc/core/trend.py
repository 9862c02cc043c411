"""One quantity over event time, and the closed set of questions that guidelines ask of it.

Time-weighted means come from prefix integrals, so any window costs two look-ups; every answer says
exactly when it may change. Values are integers (thousandths of the unit): sums are exact and never drift.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor

from streamproc.core.finding import NEVER, Finding, found, unknown
from streamproc.core.frozen import frozen
from streamproc.core.samples import SampleId, Samples
from streamproc.core.sight import Of, sight

MAP = Of.MAP


@lru_cache(maxsize=256)
def part_ms(share: float, span_ms: int) -> int:
    """The least whole number of ms that is `share` (0..1, as written) of `span_ms`."""
    return ceil(Fraction(repr(share)) * span_ms)


@lru_cache(maxsize=256)
def most_ms(share: float, span_ms: int) -> int:
    """The greatest whole number of ms that is not more than `share` (0..1, as written) of `span_ms`."""
    return floor(Fraction(repr(share)) * span_ms)


@frozen
class Window:
    """The last `span_ms` as it was: integral of value over held time, and how much was held."""

    start_ms: int
    end_ms: int
    area: int
    held_ms: int

    @property
    def span_ms(self) -> int:
        """How long the window is."""
        return self.end_ms - self.start_ms


@frozen
class WindowSamples:
    """Which samples a window's figure was computed from."""

    count: int
    first: SampleId | None
    last: SampleId | None


@dataclass(slots=True)
class Trend(Samples):
    """Samples, and what may be asked of them."""

    _means: dict[tuple[str, int, int, float, bool], Finding] = field(default_factory=dict)
    """What was answered at `_asked_ms`: several rules ask for the same mean at one instant."""
    _windows: dict[int, Window] = field(default_factory=dict)
    """The windows of that instant."""

    def window(self, at_ms: int, span_ms: int) -> Window:
        """Integral and held time of `(at_ms - span_ms, at_ms]`."""
        if at_ms != self._asked_ms:
            self._ask_at(at_ms)
        window = self._windows.get(span_ms)
        if window is None:
            window = self._windows[span_ms] = self._summed(at_ms, span_ms)
        return window

    def _ask_at(self, at_ms: int) -> None:
        """What is asked from now on is of another instant, or of other samples."""
        self._forget_answers()
        self._asked_ms = at_ms

    def _forget_answers(self) -> None:
        self._asked_ms = -1
        self._means.clear()
        self._windows.clear()

    def _summed(self, at_ms: int, span_ms: int) -> Window:
        start = at_ms - span_ms
        if not self._time:
            return Window(start, at_ms, 0, 0)
        area, held = self._totals_now(at_ms)
        tail = self._tail(span_ms, start)
        # before the first sample there is what its own totals hold
        area_before, held_before = (
            self._totals_at(tail, start) if tail >= 0 else (self._area[0], self._held[0])
        )
        return Window(start, at_ms, area - area_before, held - held_before)

    def mean_below(self, name: str, limit: int, at_ms: int, span_ms: int, coverage: float) -> Finding:
        """Whether the time-weighted mean of the last `span_ms` is below `limit`; unknown where less
        than `coverage` (0..1) of the window is held."""
        return self._mean_once(name, limit, at_ms, span_ms, coverage, above=False)

    def mean_above(self, name: str, limit: int, at_ms: int, span_ms: int, coverage: float) -> Finding:
        """Whether that mean is above `limit`; at the limit it is not."""
        return self._mean_once(name, limit, at_ms, span_ms, coverage, above=True)

    def _mean_once(
        self, name: str, limit: int, at_ms: int, span_ms: int, coverage: float, *, above: bool
    ) -> Finding:
        if at_ms != self._asked_ms:
            self._ask_at(at_ms)
        question = (name, limit, span_ms, coverage, above)
        answer = self._means.get(question)
        if answer is None:
            answer = self._means[question] = self._mean_compared(
                name, limit, at_ms, span_ms, coverage, above=above
            )
        return answer

    def _mean_compared(
        self, name: str, limit: int, at_ms: int, span_ms: int, coverage: float, *, above: bool
    ) -> Finding:
        window, saw = self.window(at_ms, span_ms), sight(self.of, "", span_ms)
        need_ms = part_ms(coverage, span_ms)
        excess = window.area - limit * window.held_ms
        if window.held_ms < need_ms:
            why = f"only {window.held_ms / span_ms:.0%} of {span_ms // 1000} s is covered"
            until_ms = self._coverage_comes(at_ms, window, need_ms)
            return unknown(name, why, until_ms, at_ms + need_ms - window.held_ms, saw=saw)
        # excess is whole: above the limit is one more than at it
        until_ms = self._mean_stands_until(window, limit, excess - int(above), need_ms)
        holds = excess > 0 if above else excess < 0
        firm_ms = until_ms
        if self.of is MAP:
            one_sided = self.one_sided(limit + int(above))
            firm_ms = NEVER if one_sided else at_ms + self._unturned_ms(limit, excess, at_ms)
        return found(
            name,
            holds,
            until_ms,
            value=window.area / window.held_ms / 1000,
            limit=limit / 1000,
            unit="mm[Hg]",
            firm_ms=firm_ms,
            saw=saw,
        )

    def area_at_least(
        self, name: str, limit: int, at_ms: int, span_ms: int, scale: int = 1, unit: str = ""
    ) -> Finding:
        """Whether the integral over the window is at or above the limit; what is not held adds nothing.

        `scale` is how much of it is one `unit`."""
        saw = sight(self.of, "", span_ms)
        if not self._time:
            return found(name, limit <= 0, value=0, limit=limit / scale, unit=unit, saw=saw)
        window = self.window(at_ms, span_ms)
        short = limit - window.area
        step, slope, _ = self._linear_piece(window, 0)
        if short > 0 and slope > 0:
            step = min(step, -(-short // slope))
        if short <= 0 and slope < 0:
            step = min(step, -short // -slope + 1)
        until_ms = NEVER if step >= NEVER // 2 else at_ms + max(step, 1)
        value = window.area / scale
        return found(name, short <= 0, until_ms, value=value, limit=limit / scale, unit=unit, saw=saw)

    def coverage_at_least(self, name: str, coverage: float, at_ms: int, span_ms: int) -> Finding:
        """Whether at least `coverage` (0..1) of the last `span_ms` is held."""
        window = self.window(at_ms, span_ms)
        need_ms = part_ms(coverage, span_ms)
        enough = window.held_ms >= need_ms
        until_ms = (
            self._coverage_stands_until(window, need_ms)
            if enough
            else self._coverage_comes(at_ms, window, need_ms)
        )
        # while the line goes on, what is held grows, and at most by all of the time
        firm_ms = (NEVER if enough else until_ms) if self.of is MAP else until_ms
        return found(
            name,
            enough,
            until_ms,
            value=window.held_ms / span_ms,
            limit=coverage,
            unit="1",
            firm_ms=firm_ms,
            saw=sight(self.of, "", span_ms),
        )

    def share_above(self, name: str, share: float, at_ms: int, span_ms: int) -> Finding:
        """Whether the integral of a 0/1 quantity is more than `share` of the whole window."""
        area, limit_ms = self.window(at_ms, span_ms).area, most_ms(share, span_ms)
        until_ms = at_ms + (area - limit_ms if area > limit_ms else limit_ms - area + 1)
        if area <= limit_ms and not self.now(at_ms):
            until_ms = NEVER  # nothing adds to it until a sample comes
        saw = sight(self.of, "", span_ms)
        return found(name, area > limit_ms, until_ms, value=area / span_ms, limit=share, unit="1", saw=saw)

    def share_below(self, name: str, share: float, at_ms: int, span_ms: int) -> Finding:
        """Whether the integral of a 0/1 quantity is less than `share` of the whole window."""
        area, limit_ms = self.window(at_ms, span_ms).area, part_ms(share, span_ms)
        until_ms = at_ms + (limit_ms - area if area < limit_ms else area - limit_ms + 1)
        if area < limit_ms and not self.now(at_ms):
            until_ms = NEVER
        saw = sight(self.of, "", span_ms)
        return found(name, area < limit_ms, until_ms, value=area / span_ms, limit=share, unit="1", saw=saw)

    def samples(self, at_ms: int, span_ms: int) -> WindowSamples:
        """The samples that a window's figure used: those in it, and the one that held at its start."""
        first = max(0, self._tail(span_ms, at_ms - span_ms) if span_ms else self._index(at_ms))
        last = self._index(at_ms)
        if last < first or last < 0:
            return WindowSamples(0, None, None)
        if self._at(first) + self._hold(first) <= at_ms - span_ms and first < last:
            first += 1
        return WindowSamples(last - first + 1, self._id(first), self._id(last))

    # the arithmetic

    def _coverage_comes(self, at_ms: int, window: Window, need_ms: int) -> int:
        if self.holds_until(at_ms) == NEVER:
            return NEVER  # coverage can only shrink
        return at_ms + need_ms - window.held_ms

    def _coverage_stands_until(self, window: Window, need_ms: int) -> int:
        """The first instant at which too little may be held, or a later look is due."""
        step, _, held_slope = self._linear_piece(window, 0)
        if held_slope < 0:
            step = min(step, window.held_ms - need_ms + 1)
        return NEVER if step >= NEVER else window.end_ms + max(step, window.held_ms - need_ms, 1)

    def _mean_stands_until(self, window: Window, limit: int, excess: int, need_ms: int) -> int:
        """The first instant at which the comparison may turn, or a later look is due.

        Either the bound that no slope can beat, or the end of the present linear piece."""
        bound = self._unbeaten_ms(window, limit, excess, need_ms)
        piece, slope, held_slope = self._linear_piece(window, limit)
        step = piece
        if excess >= 0 and slope < 0:
            step = min(step, excess // -slope + 1)
        if excess < 0 and slope > 0:
            step = min(step, -(excess // slope))
        if held_slope < 0:
            step = min(step, window.held_ms - need_ms + 1)
        return NEVER if step >= NEVER else window.end_ms + max(step, bound, 1)

    def _unbeaten_ms(self, window: Window, limit: int, excess: int, need_ms: int) -> int:
        """For how long no values that there can be can turn a comparison, held or not."""
        steepest = 2 * max(self.high - limit, limit - self.low, 1)
        return min(abs(excess) // steepest, window.held_ms - need_ms)

    def one_sided(self, limit: int) -> bool:
        """Whether all values that are kept are below the limit, or none is: so is any mean of such values."""
        return self.lowest >= limit or self.highest < limit

    def _unturned_ms(self, limit: int, excess: int, at_ms: int) -> int:
        """For how long no values like those that are kept can turn a comparison, while something holds: what
        comes in at the window's head is at worst the one extreme, what leaves at its tail the other.

        What held since the newest sample may be another value, of one that still comes late."""
        falls, rises = max(self.highest, limit) - self.lowest, self.highest - min(self.lowest, limit)
        unsure = (self.highest - self.lowest) * max(at_ms - self.newest_ms, 0)
        return max(abs(excess) - unsure, 0) // max(falls if excess > 0 else rises, 1)

    def _linear_piece(self, window: Window, limit: int) -> tuple[int, int, int]:
        """For how long both ends of the window lie in one held stretch each; the excess's slope."""
        length, slope, held_slope = NEVER, 0, 0
        if not self._time:
            return length, slope, held_slope
        last, tail = len(self._time) - 1, self._tails[window.span_ms]
        head_left = self.newest_until_ms - window.end_ms
        if head_left > 0:
            length, slope, held_slope = head_left, self.newest_value - limit, 1
        if tail < last:
            length = min(length, self._at(tail + 1) - window.start_ms)
        if tail >= 0:
            tail_left = self._at(tail) + self._hold(tail) - window.start_ms
            if tail_left > 0:
                length = min(length, tail_left)
                slope -= self._value[tail] - limit
                held_slope -= 1
        return length, slope, held_slope
