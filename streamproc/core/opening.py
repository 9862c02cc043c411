"""How an infusion began: the mean of its first minutes.

Nothing is told of a beginning that nobody saw, or of a stretch that was unknown in part.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from streamproc.core.dose import Dose


@dataclass(frozen=True, slots=True)
class Opening:
    """Means of the first stretch of the infusion that began at `began_ms`: 1e-9 mcg/kg/min and 1e-9
    mcg/min, rounded to the nearest; None where any of it was unknown."""

    began_ms: int
    per_kg_nano: int | None
    per_min_nano: int | None

    def plain(self) -> list[int | None]:
        """As plain values."""
        return [self.began_ms, self.per_kg_nano, self.per_min_nano]


def opening_of(doses: Sequence[Dose], began_ms: int, span_ms: int) -> Opening:
    """The opening of an infusion, from the steps of its dose, oldest first."""
    first = bisect_left(doses, began_ms, key=lambda dose: dose.since_ms)
    if first == len(doses) or (first and not _known_zero(doses[first - 1])):
        return Opening(began_ms, None, None)
    end_ms = began_ms + span_ms
    last = bisect_left(doses, end_ms, key=lambda dose: dose.since_ms)
    parts = doses[first:last]
    until = [*(dose.since_ms for dose in parts[1:]), end_ms]
    lengths = [to_ms - dose.since_ms for dose, to_ms in zip(parts, until, strict=True)]
    return Opening(
        began_ms,
        _mean([dose.per_kg_nano for dose in parts], lengths),
        _mean([dose.per_min_nano for dose in parts], lengths),
    )


def _known_zero(dose: Dose) -> bool:
    return 0 in (dose.per_kg_nano, dose.per_min_nano)


def _mean(amounts: Sequence[int | None], lengths_ms: Sequence[int]) -> int | None:
    known = [amount for amount in amounts if amount is not None]
    if len(known) != len(amounts):
        return None
    whole_ms = sum(lengths_ms)
    area = sum(amount * length_ms for amount, length_ms in zip(known, lengths_ms, strict=True))
    return (2 * area + whole_ms) // (2 * whole_ms)
