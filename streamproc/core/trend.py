"""One quantity over event time, and the closed set of questions that guidelines ask of it.

A sample holds until the next one, at most its own hold. Time-weighted means come from prefix
integrals, so any window costs two look-ups; every answer says exactly when it may change.
Values are integers (thousandths of the unit): sums are exact and never drift.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor
from typing import Any

from streamproc.core.finding import NEVER, Finding, found, unknown
from streamproc.core.sight import Of, sight

LOWEST_BYTE_FIRST = array("H", [1]).tobytes()[0] == 1
"""Whether this machine keeps numbers as a snapshot has them."""
COMPACT_AFTER = 256
"""Forgotten samples are cut off in runs of this many, so that forgetting costs O(1) amortised."""


@lru_cache(maxsize=256)
def part_ms(share: float, span_ms: int) -> int:
    """The least whole number of ms that is `share` (0..1, as written) of `span_ms`."""
    return ceil(Fraction(repr(share)) * span_ms)


@lru_cache(maxsize=256)
def most_ms(share: float, span_ms: int) -> int:
    """The greatest whole number of ms that is not more than `share` (0..1, as written) of `span_ms`."""
    return floor(Fraction(repr(share)) * span_ms)


@dataclass(frozen=True, slots=True)
class SampleId:
    """What identifies a sample in the raw telemetry."""

    device: str
    boot: str | None
    seq: int | None


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class WindowSamples:
    """Which samples a window's figure was computed from."""

    count: int
    first: SampleId | None
    last: SampleId | None


CODES = "qqqqqqi"
"""The columns' types of whole number: time, value, hold, area, held, seq, origin."""


@dataclass(slots=True)
class Trend:
    """A quantity's samples of the last `retention_ms`; `low` and `high` bound every value."""

    retention_ms: int
    low: int
    high: int
    of: Of = Of.MAP
    _time: array[int] = field(default_factory=lambda: array("q"))
    _value: array[int] = field(default_factory=lambda: array("q"))
    _hold: array[int] = field(default_factory=lambda: array("q"))
    _area: array[int] = field(default_factory=lambda: array("q"))
    _held: array[int] = field(default_factory=lambda: array("q"))
    _seq: array[int] = field(default_factory=lambda: array("q"))
    _origin: array[int] = field(default_factory=lambda: array("i"))
    _origins: list[tuple[str, str | None]] = field(default_factory=list)
    _tails: dict[int, int] = field(default_factory=dict)
    _asked_ms: int = -1
    lowest: int = NEVER
    highest: int = -NEVER
    """Between these lies every value that is kept, and more: they are narrowed now and then."""
    _means: dict[tuple[str, int, int, float, bool], Finding] = field(default_factory=dict)
    """What was answered at `_asked_ms`: several rules ask for the same mean at one instant."""

    def __len__(self) -> int:
        return len(self._time)

    def add(self, time_ms: int, value: int, hold_ms: int, sample: SampleId) -> None:
        """Take in a sample; one older than the newest enters the history at its own place."""
        self._means.clear()
        if not self.lowest <= value <= self.highest:
            self.lowest, self.highest = min(self.lowest, value), max(self.highest, value)
        if self._time and time_ms < self._time[-1]:
            self._insert(bisect_right(self._time, time_ms), time_ms, value, hold_ms, sample)
            return
        area, held = self._totals_at(len(self._time) - 1, time_ms) if self._time else (0, 0)
        self._append(time_ms, value, hold_ms, sample, area, held)
        self._forget(time_ms - self.retention_ms)

    def now(self, at_ms: int) -> int | None:
        """The value that holds at `at_ms`, or None if nothing does."""
        index = len(self._time) - 1
        if index >= 0 and at_ms < self._time[index]:
            index = bisect_right(self._time, at_ms) - 1
        if index < 0 or at_ms >= self._time[index] + self._hold[index]:
            return None
        return self._value[index]

    def holds_until(self, at_ms: int) -> int:
        """When the value of `at_ms` stops holding if nothing new comes; NEVER if nothing holds."""
        if not self._time or self.now(at_ms) is None:
            return NEVER
        return self._time[-1] + self._hold[-1]

    def window(self, at_ms: int, span_ms: int) -> Window:
        """Integral and held time of `(at_ms - span_ms, at_ms]`."""
        start = at_ms - span_ms
        if not self._time:
            return Window(start, at_ms, 0, 0)
        area, held = self._totals_at(len(self._time) - 1, at_ms)
        tail = self._tail(span_ms, start)
        area_before, held_before = self._totals_at(tail, start) if tail >= 0 else (0, 0)
        if tail < 0:  # the first sample's totals are what was before it
            area_before, held_before = self._area[0], self._held[0]
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
            self._asked_ms = at_ms
            self._means.clear()
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
        if self.of is Of.MAP:
            one_sided = self._one_sided(limit + int(above))
            firm_ms = NEVER if one_sided else at_ms + self._unturned_ms(limit, excess)
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
        firm_ms = (NEVER if enough else until_ms) if self.of is Of.MAP else until_ms
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
        first = max(0, bisect_right(self._time, at_ms - span_ms) - 1)
        last = bisect_right(self._time, at_ms) - 1
        if last < first or last < 0:
            return WindowSamples(0, None, None)
        if self._time[first] + self._hold[first] <= at_ms - span_ms and first < last:
            first += 1
        return WindowSamples(last - first + 1, self._id(first), self._id(last))

    def newest(self) -> tuple[int, int] | None:
        """The newest sample's time and value, whether it still holds or not."""
        return (self._time[-1], self._value[-1]) if self._time else None

    # the arithmetic

    def _totals_at(self, index: int, at_ms: int) -> tuple[int, int]:
        held_ms = min(at_ms - self._time[index], self._hold[index])
        return self._area[index] + self._value[index] * held_ms, self._held[index] + held_ms

    def _tail(self, span_ms: int, start_ms: int) -> int:
        """The last sample at or before the window's start; the cursor only ever moves on."""
        index, times, count = self._tails.get(span_ms, -1), self._time, len(self._time)
        while index + 1 < count and times[index + 1] <= start_ms:
            index += 1
        self._tails[span_ms] = index
        return index

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

    def _one_sided(self, limit: int) -> bool:
        """Whether all values that are kept are below the limit, or none is: so is any mean of such values."""
        return self.lowest >= limit or self.highest < limit

    def _unturned_ms(self, limit: int, excess: int) -> int:
        """For how long no values like those that are kept can turn a comparison, while something holds: what
        comes in at the window's head is at worst the one extreme, what leaves at its tail the other."""
        falls, rises = max(self.highest, limit) - self.lowest, self.highest - min(self.lowest, limit)
        return abs(excess) // max(falls if excess > 0 else rises, 1)

    def _linear_piece(self, window: Window, limit: int) -> tuple[int, int, int]:
        """For how long both ends of the window lie in one held stretch each; the excess's slope."""
        length, slope, held_slope = NEVER, 0, 0
        if not self._time:
            return length, slope, held_slope
        last, tail = len(self._time) - 1, self._tails[window.span_ms]
        head_left = self._time[last] + self._hold[last] - window.end_ms
        if head_left > 0:
            length, slope, held_slope = head_left, self._value[last] - limit, 1
        if tail < last:
            length = min(length, self._time[tail + 1] - window.start_ms)
        if tail >= 0:
            tail_left = self._time[tail] + self._hold[tail] - window.start_ms
            if tail_left > 0:
                length = min(length, tail_left)
                slope -= self._value[tail] - limit
                held_slope -= 1
        return length, slope, held_slope

    # the storage

    def _append(self, time_ms: int, value: int, hold_ms: int, sample: SampleId, area: int, held: int) -> None:
        self._time.append(time_ms)
        self._value.append(value)
        self._hold.append(hold_ms)
        self._area.append(area)
        self._held.append(held)
        self._seq.append(-1 if sample.seq is None else sample.seq)
        self._origin.append(self._origin_index(sample))

    def _insert(self, index: int, time_ms: int, value: int, hold_ms: int, sample: SampleId) -> None:
        if index == 0 and self._time[0] <= self._time[-1] - self.retention_ms:
            return  # what it held ended before any window begins
        self._time.insert(index, time_ms)
        self._value.insert(index, value)
        self._hold.insert(index, hold_ms)
        self._area.insert(index, 0)
        self._held.insert(index, 0)
        self._seq.insert(index, -1 if sample.seq is None else sample.seq)
        self._origin.insert(index, self._origin_index(sample))
        for later in range(max(index, 1), len(self._time)):
            self._area[later], self._held[later] = self._totals_at(later - 1, self._time[later])
        if index == 0:
            self._rebase()
        self._tails.clear()

    def _rebase(self) -> None:
        self._area[0] = self._held[0] = 0
        for later in range(1, len(self._time)):
            self._area[later], self._held[later] = self._totals_at(later - 1, self._time[later])

    def _forget(self, before_ms: int) -> None:
        """Cut off what no window reaches, keeping the sample that holds at the oldest start."""
        if len(self._time) <= COMPACT_AFTER or self._time[COMPACT_AFTER] > before_ms:
            return
        for column in (
            self._time,
            self._value,
            self._hold,
            self._area,
            self._held,
            self._seq,
            self._origin,
        ):
            del column[:COMPACT_AFTER]
        self._narrow()
        for span_ms in self._tails:
            self._tails[span_ms] = max(-1, self._tails[span_ms] - COMPACT_AFTER)

    def _narrow(self) -> None:
        self.lowest, self.highest = min(self._value, default=NEVER), max(self._value, default=-NEVER)

    def _origin_index(self, sample: SampleId) -> int:
        origin = (sample.device, sample.boot)
        if self._origins and self._origins[-1] == origin:
            return len(self._origins) - 1
        if origin in self._origins:
            return self._origins.index(origin)
        if len(self._origins) > 2 * len(self._time) + 16:
            self._drop_unused_origins()
        self._origins.append(origin)
        return len(self._origins) - 1

    def _drop_unused_origins(self) -> None:
        """Devices come and go; only those with a sample still kept need a place."""
        used = sorted(set(self._origin))
        place = {old: new for new, old in enumerate(used)}
        self._origins = [self._origins[old] for old in used]
        self._origin = array("i", (place[old] for old in self._origin))

    def _id(self, index: int) -> SampleId:
        device, boot = self._origins[self._origin[index]]
        return SampleId(device, boot, None if self._seq[index] < 0 else self._seq[index])

    def snapshot(self, newer_than_ms: int | None = None) -> dict[str, Any]:
        """All state as plain JSON values; without those up to an instant, `completed` is needed first.

        A column is its whole numbers, the lowest byte first on every machine, as hex: lists would take four
        times as long to write and to read."""
        left_out = 0 if newer_than_ms is None else bisect_right(self._time, newer_than_ms)
        columns = (self._time, self._value, self._hold, self._area, self._held, self._seq, self._origin)
        return {
            "columns": [_hex(column[left_out:]) for column in columns],
            "origins": [list(origin) for origin in self._origins],
            "left_out": left_out,
        }

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Take over what `snapshot` gave."""
        columns = [_column(code, text) for code, text in zip(CODES, kept["columns"], strict=True)]
        (self._time, self._value, self._hold, self._area, self._held, self._seq, self._origin) = columns
        self._origins = [(device, boot) for device, boot in kept["origins"]]
        self._tails, self._asked_ms = {}, -1
        self._narrow()
        self._means.clear()


def completed(kept: Mapping[str, Any], base: Mapping[str, Any], newer_than_ms: int) -> dict[str, Any]:
    """A snapshot's trend with the samples that it left out, out of the older one that it goes on from."""
    left_out = kept["left_out"]
    end = bisect_right(_column(CODES[0], base["columns"][0]), newer_than_ms)
    if left_out > end:
        raise ValueError("the snapshot that this one goes on from holds too little")
    columns = [
        older[(end - left_out) * _digits(code) : end * _digits(code)] + newer
        for code, older, newer in zip(CODES, base["columns"], kept["columns"], strict=True)
    ]
    origins = kept["origins"]
    if left_out and origins != base["origins"]:
        place = _column(CODES[-1], columns[-1])
        for index in range(left_out):
            place[index] += len(origins)
        columns[-1], origins = _hex(place), [*origins, *base["origins"]]
    return {"columns": columns, "origins": origins, "left_out": 0}


def _hex(column: array[int]) -> str:
    """Of a column that is nobody else's."""
    if not LOWEST_BYTE_FIRST:
        column.byteswap()
    return column.tobytes().hex()


def _column(code: str, text: str) -> array[int]:
    column = array(code)
    column.frombytes(bytes.fromhex(text))
    if not LOWEST_BYTE_FIRST:
        column.byteswap()
    return column


def _digits(code: str) -> int:
    """How many hexadecimal digits a number of the column takes."""
    return 2 * array(code).itemsize
