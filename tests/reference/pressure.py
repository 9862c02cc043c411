"""The MAP of a history: which reading holds when, means of windows, and when the signal was lost.

Must never mix cuff and line, nor let an artefact into a mean.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from statistics import median_low

from tests.reference.course import DAWN_MS, Course, course, judged
from tests.reference.facts import Pressure, Terms

COVERAGE = Fraction(8, 10)


def in_force(readings: Sequence[Pressure], terms: Terms) -> list[Pressure]:
    """The valid readings, without those of a cuff that were taken while one of the line holds."""
    entered: list[Pressure] = []
    hold_ms = dict(terms.hold_ms)
    for each in readings:
        last = entered[-1] if entered else None
        beside = (
            each.source == "cuff"
            and last is not None
            and last.source == "arterial"
            and each.time_ms < last.time_ms + hold_ms["arterial"]
        )
        if each.valid and not beside:
            entered.append(each)
    return entered


def holding(entered: Sequence[Pressure], terms: Terms) -> Course[int | None]:
    """The MAP that holds at each instant, or None."""
    hold_ms = dict(terms.hold_ms)
    changes: list[tuple[int, int | None]] = []
    for each, following in zip(entered, [*entered[1:], None], strict=False):
        changes.append((each.time_ms, each.milli_mmhg))
        over_ms = each.time_ms + hold_ms[each.source]
        if following is None or over_ms < following.time_ms:
            changes.append((over_ms, None))
    return course(None, changes)


@dataclass(frozen=True)
class Window:
    """Time-weighted means of a course over the last `width_ms`, by the area under its steps."""

    of: Course[int | None]
    width_ms: int

    def __post_init__(self) -> None:
        """Sum up once, so that an hour of samples is not summed for each of its instants."""
        areas = [(v or 0) * (b - a) if v is not None else 0 for a, b, v in self.of.runs()]
        helds = [b - a if v is not None else 0 for a, b, v in self.of.runs()]
        object.__setattr__(self, "areas", [0, *accumulate(areas)])
        object.__setattr__(self, "helds", [0, *accumulate(helds)])

    areas: Sequence[int] = ()
    helds: Sequence[int] = ()

    def _sums(self, time_ms: int) -> tuple[int, int]:
        step = bisect_right(self.of.times, time_ms) - 1
        value, since_ms = self.of.values[step], self.of.times[step]
        if value is None:
            return self.areas[step], self.helds[step]
        return self.areas[step] + value * (time_ms - since_ms), self.helds[step] + time_ms - since_ms

    def sums(self, time_ms: int) -> tuple[int, int]:
        """(area, time held) of the window that ends here."""
        if time_ms <= DAWN_MS + self.width_ms:
            return 0, 0
        (area, held), (old_area, old_held) = self._sums(time_ms), self._sums(time_ms - self.width_ms)
        return area - old_area, held - old_held

    def breaks(self) -> list[int]:
        """The instants at which the window's head or tail meets another step."""
        return [time_ms + late for time_ms in self.of.times[1:] for late in (0, self.width_ms)]

    def covered(self, part: Fraction = COVERAGE) -> Course[bool]:
        """Whether enough of the window is held to speak of a mean."""
        enough = part * self.width_ms
        return judged(lambda time_ms: self.sums(time_ms)[1] >= enough, self.breaks())

    def below(self, limit: Course[int]) -> Course[bool]:
        """Whether the mean is below a limit (say nothing of it where the window is not covered)."""

        def low(time_ms: int) -> bool:
            area, held = self.sums(time_ms)
            return area < limit.at(time_ms) * held

        return judged(low, [*self.breaks(), *limit.times[1:]])


def usual(gaps_ms: Sequence[int], unknown_ms: int) -> int:
    """The median of the last five intervals (of two, the lower), or what is taken for it at first."""
    return median_low(gaps_ms[-5:]) if gaps_ms else unknown_ms


def silences(
    times_ms: Sequence[int], unknown_ms: int, longest_ms: int, least_ms: int
) -> list[tuple[int, int]]:
    """(time, since when silence after it would be loss) of each of these instants.

    A pause longer than the longest interval was a loss, and tells nothing of what is usual."""
    gaps_ms: list[int] = []
    waits: list[tuple[int, int]] = []
    for earlier, time_ms in pairwise([None, *times_ms]):
        if earlier is not None and 0 < time_ms - earlier <= longest_ms:
            gaps_ms.append(time_ms - earlier)
        waits.append((time_ms, time_ms + max(3 * usual(gaps_ms, unknown_ms), least_ms)))
    return waits


def patience(readings: Sequence[Pressure], terms: Terms) -> list[int]:
    """How long the silence after each reading may be, by the source in force and its usual interval.

    Until a valid one came, the first reading's source; artefacts tell nothing of the interval, nor
    does a cuff beside a line."""
    entered = set(map(id, in_force(readings, terms)))
    unknown_ms, longest_ms = dict(terms.interval_ms), dict(terms.hold_ms)
    source, last_ms, gaps_ms = readings[0].source if readings else "", DAWN_MS, list[int]()
    allowed: list[int] = []
    for each in readings:
        if id(each) in entered:
            if each.source != source:
                source, gaps_ms = each.source, []
            elif 0 < each.time_ms - last_ms <= longest_ms[source]:
                gaps_ms.append(each.time_ms - last_ms)
            last_ms = each.time_ms
        allowed.append(max(3 * usual(gaps_ms, unknown_ms[source]), terms.map_lost_ms))
    return allowed


def lost(readings: Sequence[Pressure], terms: Terms) -> Course[int]:
    """0: there is a signal (or never was); 1: lost; 2: lost, and nothing for a minute.

    Any valid reading is a signal, and before one came, the first of any kind."""
    signs = [
        (each.time_ms, wait_ms)
        for n, (each, wait_ms) in enumerate(zip(readings, patience(readings, terms), strict=True))
        if each.valid or n == 0
    ]
    changes: list[tuple[int, int]] = []
    for (time_ms, wait_ms), following_ms in zip(signs, [*(t for t, _ in signs[1:]), -DAWN_MS], strict=False):
        steps = [(time_ms, 0), (time_ms + wait_ms, 1), (time_ms + max(wait_ms, 60_000), 2)]
        changes += [step for step in steps if step[0] < following_ms]
    return course(0, changes)


def sends(readings: Sequence[Pressure], terms: Terms) -> Course[bool]:
    """Whether readings of any kind, artefacts too, still come."""
    changes: list[tuple[int, bool]] = []
    following = [*(each.time_ms for each in readings[1:]), -DAWN_MS]
    for each, wait_ms, following_ms in zip(readings, patience(readings, terms), following, strict=False):
        changes.append((each.time_ms, True))
        if each.time_ms + wait_ms < following_ms:
            changes.append((each.time_ms + wait_ms, False))
    return course(False, changes)


def artefact_share(readings: Sequence[Pressure]) -> Window:
    """The last minute, with 1 where the last reading is an artefact and 0 where it is none."""
    changes: list[tuple[int, int | None]] = []
    for each, following in zip(readings, [*readings[1:], None], strict=False):
        changes.append((each.time_ms, 0 if each.valid else 1))
        if following is None or each.time_ms + 60_000 < following.time_ms:
            changes.append((each.time_ms + 60_000, None))
    return Window(course(None, changes), 60_000)
