"""The steps of one infusion in one measure: what it was changed from, to what, and when.

Charting noise is no step. A gap of nothing or of the unknown that is no longer than a change-over is
bridged, so a new bag at another strength is a step, and never a start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from streamproc.core.dose import Dose


@dataclass(frozen=True, slots=True)
class Step:
    """A change between two doses that were both known and above 0."""

    at_ms: int
    before: Dose
    after: Dose

    @property
    def up(self) -> bool:
        """Whether more flows since."""
        before, after = self.amounts
        return after > before

    @property
    def by_weight(self) -> bool:
        """Whether both doses are known per kg."""
        return bool(self.before.per_kg_nano and self.after.per_kg_nano)

    @property
    def amounts(self) -> tuple[int, int]:
        """Before and after in 1e-9 mcg/kg/min, or in 1e-9 mcg/min where a weight is missing."""
        before, after = self.before.per_kg_nano, self.after.per_kg_nano
        if before and after:
            return before, after
        return self.before.per_min_nano or 0, self.after.per_min_nano or 0


@dataclass(slots=True)
class Ladder:
    """The last two steps of an infusion, by what reaches each kg or by what flows."""

    per_kg: bool
    tolerance: Fraction
    grace_ms: int
    steps: list[Step] = field(default_factory=list)
    standing: Dose | None = None
    reference: int = 0
    left_ms: int | None = None

    def follow(self, dose: Dose) -> None:
        """The dose is this from now on."""
        amount = self._amount(dose)
        if not amount:
            self.left_ms = dose.since_ms if self.left_ms is None else self.left_ms
            return
        gap_ms = 0 if self.left_ms is None else dose.since_ms - self.left_ms
        if self.standing is None or gap_ms > self.grace_ms:
            self.reference = amount
        elif abs(amount - self.reference) > self.tolerance * self.reference:
            self.steps = [*self.steps[-1:], Step(dose.since_ms, self.standing, dose)]
            self.reference = amount
        self.standing, self.left_ms = dose, None

    def begin(self) -> None:
        """A new infusion: its start is no step."""
        self.steps, self.standing, self.left_ms = [], None, None

    @property
    def last(self) -> Step | None:
        """The last step of this infusion."""
        return self.steps[-1] if self.steps else None

    @property
    def before_last(self) -> Step | None:
        """The step before the last one."""
        return self.steps[0] if len(self.steps) > 1 else None

    def _amount(self, dose: Dose) -> int | None:
        return dose.per_kg_nano if self.per_kg else dose.per_min_nano

    def snapshot(self) -> dict[str, Any]:
        """All state as plain values."""
        return {
            "steps": [[step.at_ms, step.before.plain(), step.after.plain()] for step in self.steps],
            "standing": self.standing and self.standing.plain(),
            "reference": self.reference,
            "left_ms": self.left_ms,
        }

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Take over what `snapshot` gave."""
        self.steps = [
            Step(at_ms, Dose.from_plain(before), Dose.from_plain(after))
            for at_ms, before, after in kept["steps"]
        ]
        self.standing = kept["standing"] and Dose.from_plain(kept["standing"])
        self.reference, self.left_ms = kept["reference"], kept["left_ms"]
