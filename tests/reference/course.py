"""Step functions of time: what was so, and from which millisecond on.

The reference's whole arithmetic. Must stay plain: no window slides, nothing is kept up to date,
every question is answered from the complete history.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

DAWN_MS = -(10**15)
"""Before anything that a history tells."""

T = TypeVar("T")


@dataclass(frozen=True)
class Course(Generic[T]):
    """Value number i holds from time number i until the next time."""

    times: tuple[int, ...]
    values: tuple[T, ...]

    def at(self, time_ms: int) -> T:
        """The value that holds at this millisecond."""
        return self.values[bisect_right(self.times, time_ms) - 1]

    def runs(self) -> Iterable[tuple[int, int, T]]:
        """(from, until, value) of each step; the last never ends."""
        return zip(self.times, (*self.times[1:], -DAWN_MS), self.values, strict=True)


def course(before: T, changes: Iterable[tuple[int, T]]) -> Course[T]:
    """The step function of these changes; of two in one millisecond the later one counts."""
    latest = dict(sorted(changes, key=lambda change: change[0]))
    times, values = [DAWN_MS], [before]
    for time_ms, value in latest.items():
        if value != values[-1]:
            times.append(time_ms)
            values.append(value)
    return Course(tuple(times), tuple(values))


def together(judge: Callable[..., T], *courses: Course[Any]) -> Course[T]:
    """What a judgement of several courses says at each instant."""
    times = sorted({time_ms for each in courses for time_ms in each.times})
    said = [(time_ms, judge(*(each.at(time_ms) for each in courses))) for time_ms in times]
    return course(said[0][1], said[1:])


def lasting(condition: Course[bool], for_ms: int) -> Course[bool]:
    """True where the condition is true, and has been so without interruption for `for_ms`."""
    changes = []
    for begin, end, value in condition.runs():
        if value and begin + for_ms < end:
            changes += [(begin + for_ms, True), (end, False)]
    return course(False, changes)


def recently(condition: Course[bool], within_ms: int) -> Course[bool]:
    """True where the condition was true at some instant of the last `within_ms`, both ends included."""
    changes: dict[int, int] = {}
    for begin, end, value in condition.runs():
        if value:
            changes[begin] = changes.get(begin, 0) + 1
            changes[end + within_ms] = changes.get(end + within_ms, 0) - 1
    depth, counted = 0, []
    for time_ms in sorted(changes):
        depth += changes[time_ms]
        counted.append((time_ms, depth > 0))
    return course(False, counted)


def judged(condition: Callable[[int], bool], breaks: Iterable[int]) -> Course[bool]:
    """A condition that changes its mind at most once between two breaks, found to the millisecond."""
    times = sorted(set(breaks))
    changes: list[tuple[int, bool]] = []
    for begin, end in zip(times, [*times[1:], times[-1] + 1] if times else [], strict=True):
        first, last = condition(begin), condition(end - 1)
        changes.append((begin, first))
        if first != last:
            changes.append((_turn(condition, begin, end - 1), last))
    return course(condition(DAWN_MS), changes)


def _turn(condition: Callable[[int], bool], low: int, high: int) -> int:
    """The first millisecond at which the condition is as it is at `high`."""
    wanted = condition(high)
    while high - low > 1:
        middle = (low + high) // 2
        if condition(middle) == wanted:
            high = middle
        else:
            low = middle
    return high
