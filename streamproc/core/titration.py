"""One drug's dose over event time: what it is, its peak, its last change, its last stop.

Kept as steps, one a change, so a pump that repeats itself costs nothing; every question is O(1)
amortised. Unknown steps are kept as such: a peak with an unknown part in its window is a lower
bound, and a steady dose with one is not steady.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import Any

from streamproc.core.course import Course
from streamproc.core.dose import Dose


@dataclass(frozen=True, slots=True)
class Stop:
    """The drug stopped flowing, by the last word of its pumps: when, and from what dose (1e-9 mcg/kg/min)."""

    at_ms: int
    from_nano: int


@dataclass(slots=True)
class Titration:
    """The steps of one drug's dose, oldest first, and what the rules ask of them."""

    retention_ms: int
    peak_span_ms: int
    tolerance: Fraction
    course: Course | None = None
    steps: list[Dose] = field(default_factory=list)
    _peaks: deque[tuple[int, int]] = field(default_factory=deque)
    unknown_until_ms: int | None = None
    changed_ms: int | None = None
    changed_up: bool = False
    _reference: int | None = None
    unweighed_change_ms: int | None = None
    """The last change of what flows (mcg/min) while the dose by weight was unknown."""
    _flow_reference: int | None = None
    last_positive: Dose | None = None
    stop: Stop | None = None

    @property
    def now(self) -> Dose | None:
        """The present dose; None before anything of the drug was heard."""
        return self.steps[-1] if self.steps else None

    def enter(self, step: Dose) -> None:
        """The dose is this from `step.since_ms` on; equal to the present one, it changes nothing."""
        if self.steps and _same(self.steps[-1], step):
            return
        self._leave(step.since_ms)
        if self.course is not None:
            self.course.follow(self.now, step)
        self.steps.append(step)
        self._note(step)
        self._forget(step.since_ms - self.retention_ms)

    def replace_from(self, from_ms: int, steps: Iterable[Dose]) -> None:
        """Write history anew from an instant on (a late report); costs what is kept."""
        kept = [step for step in self.steps if step.since_ms < from_ms]
        course = None if self.course is None else self.course.anew(kept[0] if kept else None)
        fresh = Titration(self.retention_ms, self.peak_span_ms, self.tolerance, course)
        for step in [*kept, *steps]:
            fresh.enter(step)
        for each in fields(self):
            setattr(self, each.name, getattr(fresh, each.name))

    def peak_nano(self, at_ms: int) -> tuple[int, bool]:
        """The highest known dose in effect in the last `peak_span_ms`, and whether all of it is known."""
        start_ms = at_ms - self.peak_span_ms
        while self._peaks and self._peaks[0][1] <= start_ms:
            self._peaks.popleft()
        present = None if self.now is None else self.now.per_kg_nano
        past = self._peaks[0][0] if self._peaks else None
        highest = max((amount for amount in (present, past) if amount is not None), default=0)
        known = self.now is None or present is not None
        unknown_ms = self.unknown_until_ms
        return highest, known and (unknown_ms is None or unknown_ms <= start_ms)

    def peak_ends_ms(self, at_ms: int) -> int | None:
        """When the window will have passed the peak or the unknown stretch that it holds now."""
        start_ms = at_ms - self.peak_span_ms
        ends = [end for _, end in self._peaks if end > start_ms]
        if self.unknown_until_ms is not None and self.unknown_until_ms > start_ms:
            ends.append(self.unknown_until_ms)
        return min(ends) + self.peak_span_ms if ends else None

    def steady_since_ms(self) -> int | None:
        """Since when the dose is known and unchanged; None while it is unknown or never heard of."""
        if not self.steps or self.steps[-1].per_kg_nano is None:
            return None
        since_ms = self.steps[0].since_ms
        for break_ms in (self.changed_ms, self.unknown_until_ms):
            if break_ms is not None and break_ms > since_ms:
                since_ms = break_ms
        return since_ms

    def _leave(self, at_ms: int) -> None:
        """The present step ends: remember it as a peak, or as an unknown stretch."""
        if not self.steps:
            return
        value = self.steps[-1].per_kg_nano
        if value is None:
            self.unknown_until_ms = at_ms
            return
        while self._peaks and self._peaks[-1][0] <= value:
            self._peaks.pop()
        self._peaks.append((value, at_ms))

    def _note(self, step: Dose) -> None:
        """Follow the last change, the last positive dose and the last stop."""
        self._note_stop(step)
        self._note_flow(step)
        value = step.per_kg_nano
        if value is None:
            return
        if self._reference is None:
            self._reference = value
        elif self._differs(value, self._reference):
            self.changed_ms, self.changed_up = step.since_ms, value > self._reference
            self._reference = value

    def _note_flow(self, step: Dose) -> None:
        """Follow what flows, which is known without a weight, too."""
        flow, before = step.per_min_nano, self._flow_reference
        if flow is None or (before is not None and not self._differs(flow, before)):
            return
        self._flow_reference = flow
        if before is not None and step.per_kg_nano is None:
            self.unweighed_change_ms = step.since_ms

    def _differs(self, amount: int, reference: int) -> bool:
        return abs(amount - reference) > self.tolerance * reference

    @property
    def any_change_ms(self) -> int | None:
        """The last change of the dose, by weight or, where that is unknown, of what flows."""
        known = [at_ms for at_ms in (self.changed_ms, self.unweighed_change_ms) if at_ms is not None]
        return max(known, default=None)

    def _note_stop(self, step: Dose) -> None:
        """A pump that paused and fell silent has not been heard to resume: it hides no stop of another."""
        value = step.by_last_word_nano
        if value is None:
            return
        if value > 0:
            self.last_positive, self.stop = step, None
        elif self.last_positive is not None and self.stop is None:
            stopped_nano = self.last_positive.by_last_word_nano
            assert stopped_nano is not None, "what was positive was known"
            self.stop = Stop(step.since_ms, stopped_nano)

    def _forget(self, before_ms: int) -> None:
        if len(self.steps) > 64 and self.steps[32].since_ms <= before_ms:
            del self.steps[:32]

    def snapshot(self) -> dict[str, Any]:
        """All state as plain values."""
        return {
            "steps": [step.plain() for step in self.steps],
            "peaks": [list(peak) for peak in self._peaks],
            "unknown_until_ms": self.unknown_until_ms,
            "changed": [self.changed_ms, self.changed_up, self._reference],
            "flow_changed": [self.unweighed_change_ms, self._flow_reference],
            "last_positive": self.last_positive and self.last_positive.plain(),
            "stop": self.stop and [self.stop.at_ms, self.stop.from_nano],
            "course": self.course and self.course.snapshot(),
        }

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Take over what `snapshot` gave."""
        self.steps = [Dose.from_plain(step) for step in kept["steps"]]
        self._peaks = deque((value, end) for value, end in kept["peaks"])
        self.unknown_until_ms = kept["unknown_until_ms"]
        self.changed_ms, self.changed_up, self._reference = kept["changed"]
        self.unweighed_change_ms, self._flow_reference = kept["flow_changed"]
        self.last_positive = kept["last_positive"] and Dose.from_plain(kept["last_positive"])
        self.stop = kept["stop"] and Stop(*kept["stop"])
        if self.course is not None:
            self.course.restore(kept["course"])


def _same(one: Dose, other: Dose) -> bool:
    return one.plain()[1:] == other.plain()[1:]
