"""What was observed besides MAP and pumps: readings by kind, and what rules ask of them.

A reading stands until the next of its kind; how old it may be is the rule's to say. Kept for as
long as the longest look-back, and never more than a bounded number.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any

from streamproc.core.dose import exact
from streamproc.core.events import Observation, ObservationKind
from streamproc.core.finding import Finding, found, unknown
from streamproc.core.samples import SampleId
from streamproc.core.sight import Of, sight
from streamproc.core.site import spelled

MOST_READINGS = 2_000
"""Of one kind; the oldest are given up first."""

Value = float | str | bool | None

UNITS = {ObservationKind.SYSTOLIC: "mm[Hg]", ObservationKind.LACTATE: "mmol/L"}
"""In what the readings that are compared are kept."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One observation: of what, when, how much, and which message said so. `fluid` belongs to a bolus."""

    kind: ObservationKind
    time_ms: int
    value: Value
    sample: SampleId
    fluid: str | None = None

    @property
    def figure(self) -> float:
        """The value of a kind that is measured."""
        assert isinstance(self.value, int | float), "a sign has no figure"
        return float(self.value)

    @property
    def present(self) -> bool:
        """Whether a sign is there: `true`, or any word but those that say it is not."""
        if isinstance(self.value, str):
            return spelled(self.value) not in ABSENT
        return bool(self.value)


ABSENT = frozenset(
    {
        "none",
        "no",
        "absent",
        "normal",
        "false",
        "resolved",
        "sinus",
        "sinus_rhythm",
        "normal_sinus_rhythm",
        "nsr",
    }
)
"""Words for a sign that is not there."""


def _part_of(reading: Reading, since_ms: int, start_ms: int, end_ms: int) -> Fraction:
    """How much of what was measured since the reading before falls into a span."""
    length_ms = reading.time_ms - since_ms
    if not length_ms:
        return exact(reading.figure) if start_ms < reading.time_ms <= end_ms else Fraction(0)
    inside_ms = max(0, min(reading.time_ms, end_ms) - max(since_ms, start_ms))
    return exact(reading.figure) * inside_ms / length_ms


@dataclass(slots=True)
class Observations:
    """The readings of one stay, by kind, oldest first."""

    retention_ms: int
    readings: dict[ObservationKind, list[Reading]] = field(default_factory=dict)

    def take(self, observation: Observation) -> None:
        """Enter a reading at its own place."""
        kept = self.readings.setdefault(observation.kind, [])
        reading = Reading(
            observation.kind,
            observation.time_ms,
            observation.value,
            SampleId(observation.device, observation.boot, observation.seq),
            observation.fluid,
        )
        index = len(kept)
        while index and kept[index - 1].time_ms > reading.time_ms:
            index -= 1
        kept.insert(index, reading)
        first = 0
        while first + 1 < len(kept) and kept[first + 1].time_ms <= kept[-1].time_ms - self.retention_ms:
            first += 1
        del kept[: max(first, len(kept) - MOST_READINGS)]

    def of(self, kind: ObservationKind) -> Sequence[Reading]:
        """The readings of a kind, oldest first."""
        return self.readings.get(kind, ())

    def last(self, kind: ObservationKind) -> Reading | None:
        """The newest reading of a kind."""
        kept = self.readings.get(kind)
        return kept[-1] if kept else None

    def newest(self, kind: ObservationKind, count: int = 1) -> tuple[Reading, ...]:
        """The newest readings of a kind, at most so many, oldest first."""
        return tuple(self.of(kind)[-count:])

    def over(self, kind: ObservationKind, span_ms: int) -> tuple[Reading, ...]:
        """What a sum over the span that ends with the newest reading is made of: from the reading that
        begins it on."""
        readings = self.of(kind)
        if not readings:
            return ()
        start_ms = readings[-1].time_ms - span_ms
        first = bisect_right(readings, start_ms, key=lambda reading: reading.time_ms) - 1
        return tuple(readings[max(first, 0) :])

    def after(self, kind: ObservationKind, start_ms: int) -> list[Reading]:
        """The readings of a kind later than `start_ms`."""
        return [reading for reading in self.of(kind) if reading.time_ms > start_ms]

    def last_all_below(self, kind: ObservationKind, count: int, limit: float) -> Finding:
        """Whether the last `count` readings are all below the limit; unknown with fewer."""
        return self._last_all(kind, count, limit, below=True)

    def last_all_at_least(self, kind: ObservationKind, count: int, limit: float) -> Finding:
        """Whether the last `count` readings are all at or above the limit; unknown with fewer."""
        return self._last_all(kind, count, limit, below=False)

    def _last_all(self, kind: ObservationKind, count: int, limit: float, *, below: bool) -> Finding:
        readings, saw = self.of(kind)[-count:], sight(Of.READINGS, kind, 0, count)
        if len(readings) != count:
            return unknown(kind.value, f"fewer than {count} readings", saw=saw)
        holds = all((reading.figure < limit) == below for reading in readings)
        value, unit = readings[-1].figure, UNITS.get(kind, "")
        return found(kind.value, holds, value=value, limit=limit, unit=unit, saw=saw)

    def falling(self, kind: ObservationKind) -> Finding:
        """Whether the newest reading is below the one before; unknown with fewer than two."""
        readings, saw, name = self.of(kind)[-2:], sight(Of.READINGS, kind, 0, 2), f"{kind.value} falling"
        if len(readings) != 2:
            return unknown(name, "fewer than 2 readings", saw=saw)
        before, newest = (reading.figure for reading in readings)
        return found(name, newest < before, value=newest, limit=before, unit=UNITS.get(kind, ""), saw=saw)

    def sum_before(self, kind: ObservationKind, end_ms: int, span_ms: int) -> Fraction | None:
        """What a kind that is measured since its last reading adds up to in the `span_ms` before `end_ms`.

        A reading that reaches beyond the span counts by its part of the time. None unless a reading stands
        at or before the span's beginning: else a part of it was not measured."""
        readings, start_ms = self.of(kind), end_ms - span_ms
        if not readings or readings[0].time_ms > start_ms:
            return None
        parts = (
            _part_of(reading, before.time_ms, start_ms, end_ms) for before, reading in pairwise(readings)
        )
        return sum(parts, Fraction(0))

    def present(self, kind: ObservationKind) -> Finding:
        """Whether a sign's newest observation says that it is there; not met if nobody observed it."""
        newest, saw = self.last(kind), sight(Of.READINGS, kind)
        if newest is None:
            return found(kind.value, False, value="never observed", saw=saw)
        return found(kind.value, newest.present, value=str(newest.value), saw=saw)

    def snapshot(self) -> dict[str, Any]:
        """All state as plain values."""
        return {
            kind.value: [
                [r.time_ms, r.value, r.sample.device, r.sample.boot, r.sample.seq, r.fluid] for r in readings
            ]
            for kind, readings in self.readings.items()
        }

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Take over what `snapshot` gave."""
        self.readings = {
            ObservationKind(kind): [
                Reading(ObservationKind(kind), time_ms, value, SampleId(device, boot, seq), fluid)
                for time_ms, value, device, boot, seq, fluid in readings
            ]
            for kind, readings in kept.items()
        }
