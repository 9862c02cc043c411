"""How one drug's infusion has gone: when it began, its last steps, how much of it was given.

Follows the dose step by step, so each question is answered at once. A change-over is not a new
infusion: a gap no longer than the grace is bridged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from streamproc.core.dose import NANO, Dose, DoseUnknown
from streamproc.core.finding import NEVER, Finding, found
from streamproc.core.ladder import Ladder, Step
from streamproc.core.samples import SampleId
from streamproc.core.sight import Of, sight
from streamproc.core.trend import Trend

PER_MICRO = 1_000
"""Amounts are summed in 1e-6 mcg: a day of them stays far below what a column holds."""

MINUTE_MS = 60_000
NOBODY = SampleId("", None, None)


@dataclass(slots=True)
class Course:
    """The infusion under way, or the last one."""

    grace_ms: int
    day_ms: int
    tolerance: Fraction
    given: Trend = field(init=False)
    began_ms: int | None = None
    ended_ms: int | None = None
    by_weight: Ladder = field(init=False)
    by_rate: Ladder = field(init=False)
    unmeasured_until_ms: int | None = None
    heard_ms: int | None = None
    runs: bool = False

    def __post_init__(self) -> None:
        self.by_weight = Ladder(True, self.tolerance, self.grace_ms)
        self.by_rate = Ladder(False, self.tolerance, self.grace_ms)
        self.given = Trend(self.day_ms, 0, 1 << 40, Of.DOSE)

    def follow(self, before: Dose | None, step: Dose) -> None:
        """The dose is `step` from now on; it was `before`."""
        amount = step.per_min_nano
        hold_ms = 0 if amount is None else NEVER
        self.given.add(step.since_ms, ((amount or 0) + PER_MICRO // 2) // PER_MICRO, hold_ms, NOBODY)
        self.heard_ms = step.since_ms if self.heard_ms is None else self.heard_ms
        if before is not None and before.per_min_nano is None:
            self.unmeasured_until_ms = step.since_ms
        unknown = step.per_kg_nano is None and step.per_min_nano is None
        infuses_unmeasured = unknown and step.unknown is not DoseUnknown.CONTACT_LOST
        flows = bool(amount or step.per_kg_nano) or infuses_unmeasured
        if flows and not self.runs:
            self._begin(step.since_ms)
        elif not flows and not unknown and self.runs:
            self.runs, self.ended_ms = False, step.since_ms
        self.by_weight.follow(step)
        self.by_rate.follow(step)

    def _begin(self, at_ms: int) -> None:
        bridged = self.ended_ms is not None and at_ms - self.ended_ms <= self.grace_ms
        if not bridged or self.began_ms is None:
            self.began_ms = at_ms
            self.by_weight.begin()
            self.by_rate.begin()
        self.runs, self.ended_ms = True, None

    def anew(self, first: Dose | None) -> Course:
        """A course to be followed again from `first` on; what began before it is kept in mind."""
        fresh = Course(self.grace_ms, self.day_ms, self.tolerance)
        if first is not None and self.runs and self.began_ms is not None and self.began_ms < first.since_ms:
            fresh.began_ms, fresh.runs = self.began_ms, True
        return fresh

    @property
    def step(self) -> Step | None:
        """The last change between two doses above 0 of this infusion, by weight."""
        return self.by_weight.last

    @property
    def step_before(self) -> Step | None:
        """The change before the last one."""
        return self.by_weight.before_last

    @property
    def newest_step(self) -> Step | None:
        """The last change by weight, or by rate where that is newer and the weight is not known.

        Where it is known, another weight at the same dose is no change, however much the flow is."""
        unweighed = [step for step in self.by_rate.steps if not step.by_weight]
        steps = [*unweighed[-1:], *self.by_weight.steps[-1:]]
        return max(steps, key=lambda step: step.at_ms, default=None)

    def under_way(self, at_ms: int) -> bool:
        """Whether it runs, or stopped so recently that the next bag may still come."""
        return self.runs or (self.ended_ms is not None and at_ms - self.ended_ms < self.grace_ms)

    def grace_ends_ms(self) -> int:
        """When a stop can no longer be a change-over; NEVER while nothing has stopped."""
        return NEVER if self.ended_ms is None else self.ended_ms + self.grace_ms

    def grace_ends_after(self, at_ms: int) -> int:
        """When a stop will no longer be a change-over; NEVER if nothing has stopped, or long ago."""
        ends_ms = self.grace_ends_ms()
        return ends_ms if ends_ms > at_ms else NEVER

    def given_mg(self, at_ms: int, span_ms: int) -> float:
        """What was given in the last `span_ms`, in mg (1000 U for drugs dosed in units)."""
        return self.given.window(at_ms, span_ms).area / _area_of_mg(1)

    def given_at_least(self, limit_mg: float, at_ms: int, span_ms: int) -> Finding:
        """Whether the last `span_ms` add up to the limit; times of unknown dose count as nothing."""
        mg = _area_of_mg(1)
        return self.given.area_at_least("given", round(limit_mg * mg), at_ms, span_ms, mg, "mg")

    def measured(self, at_ms: int, span_ms: int) -> Finding:
        """Whether no part of the last `span_ms` was given at an unknown rate."""
        saw, until_ms = sight(Of.DOSE, "", span_ms), self.unmeasured_until_ms
        if len(self.given) and self.given.now(at_ms) is None:
            return found("all of it measured", False, value="unknown now", saw=saw)
        if until_ms is None or until_ms <= at_ms - span_ms:
            return found("all of it measured", True, value="all known", saw=saw)
        return found("all of it measured", False, until_ms + span_ms, value="unknown in part", saw=saw)

    def unmeasured_ms(self, at_ms: int, span_ms: int) -> int:
        """For how much of the last `span_ms`, since the drug was first heard of, its rate was unknown."""
        if self.heard_ms is None:
            return 0
        return min(span_ms, at_ms - self.heard_ms) - self.given.window(at_ms, span_ms).held_ms

    def mean_per_min_nano(self, from_ms: int, to_ms: int) -> int | None:
        """The mean of a stretch in 1e-9 mcg/min; None if any of it was unknown."""
        window = self.given.window(to_ms, to_ms - from_ms)
        if window.held_ms != to_ms - from_ms:
            return None
        return window.area * PER_MICRO // window.held_ms

    def snapshot(self) -> dict[str, Any]:
        """All state as plain values."""
        return {
            "given": self.given.snapshot(),
            "began_ms": self.began_ms,
            "ended_ms": self.ended_ms,
            "runs": self.runs,
            "by_weight": self.by_weight.snapshot(),
            "by_rate": self.by_rate.snapshot(),
            "unmeasured_until_ms": self.unmeasured_until_ms,
            "heard_ms": self.heard_ms,
        }

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Take over what `snapshot` gave."""
        self.given.restore(kept["given"])
        self.began_ms, self.ended_ms, self.runs = kept["began_ms"], kept["ended_ms"], kept["runs"]
        self.by_weight.restore(kept["by_weight"])
        self.by_rate.restore(kept["by_rate"])
        self.unmeasured_until_ms, self.heard_ms = kept["unmeasured_until_ms"], kept["heard_ms"]


def _area_of_mg(mg: int) -> int:
    """An amount as the integral that `given` keeps: 1e-6 mcg/min times ms."""
    return mg * UG_PER_MG * NANO // PER_MICRO * MINUTE_MS


UG_PER_MG = 1_000
