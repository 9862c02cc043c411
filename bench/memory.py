"""Bytes a bed after half an hour at 1 Hz, all state counted; and whether a week leaves more than a day does.

Replayed, not waited for: the clock is the messages' own.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

from bench.stage.figures import table
from bench.stage.footprint import bytes_of
from bench.stage.telemetry import HIGH_ML_PER_H, LOW_ML_PER_H, Ward, interval
from streamproc.config import load
from streamproc.shell.intake import Intake
from streamproc.shell.journal import Recorded

START_MS = 1_790_000_000_000
HALF_AN_HOUR_S, HOUR_S, DAY_S = 1_800, 3_600, 86_400
KIB = 1024
EVERY_S = 30
"""Between two messages of a device in the simulated week: every window is full, and it replays in seconds."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes a bed after half an hour, and the most of one bed on each day of a week, looked at every hour."""

    bed_bytes: float
    day_bytes: list[int]

    @property
    def growth(self) -> float:
        """The most of the days from the fifth on against that of the three before: 1 where nothing grows.

        The first is apart: the longest window is a day, and old entries are given up in runs."""
        before, after = self.day_bytes[1:4], self.day_bytes[4:]
        return max(after) / max(before) if after else 1.0


def after_half_an_hour(beds: int, seconds: int = HALF_AN_HOUR_S) -> float:
    """Bytes a bed, over some beds that all have lived so long."""
    ward = Ward(beds, seconds, quiet=True)
    intake = Intake.from_settings(load())
    for at_s in range(seconds):
        live(intake, ward, at_s, 1_000)
    return held(intake) / beds


def each_day(days: int, every_s: int) -> list[int]:
    """The most bytes of one bed on each day; its dose changes every hour, as a titrated one does."""
    ward = Ward(1, 1, quiet=True)
    intake, most = Intake.from_settings(load()), [0] * days
    for at_s in range(0, days * DAY_S, every_s):
        raised = at_s // HOUR_S % 2
        live(intake, ward, at_s, 1_000 * every_s, LOW_ML_PER_H + raised * (HIGH_ML_PER_H - LOW_ML_PER_H) / 2)
        if (at_s + every_s) % HOUR_S == 0:
            most[at_s // DAY_S] = max(most[at_s // DAY_S], held(intake))
    return most


def live(intake: Intake, ward: Ward, at_s: int, every_ms: int, ml_per_h: float = LOW_ML_PER_H) -> None:
    """One interval of the ward, taken in when it is over."""
    start_ms = START_MS + 1000 * at_s
    intake.ward.tick(start_ms + every_ms)
    intake.take(
        start_ms + every_ms, list(recorded(ward, at_s * 1000 // every_ms, start_ms, every_ms, ml_per_h))
    )
    intake.ward.tick(start_ms + every_ms)


def recorded(ward: Ward, beat: int, start_ms: int, every_ms: int, ml_per_h: float) -> Iterator[Recorded]:
    """What all beds send in one interval."""
    for number in range(1, ward.beds + 1):
        for sent in interval(ward, number, beat, every_ms, ml_per_h):
            yield Recorded(sent.topic, sent.payload(start_ms - beat * every_ms), False)


def held(intake: Intake) -> int:
    """What the beds hold, what is remembered and what is known of their topics; all else is the program's."""
    ward = intake.ward
    shared = [ward.rules, ward.terms, ward.limits, intake.settings, intake.decoder]
    return bytes_of([ward.beds, ward.devices, intake.known], shared)


def report(memory: Memory) -> str:
    """Both tables."""
    rows = [("bytes a bed, 30 min at 1 Hz", round(memory.bed_bytes), f"{memory.bed_bytes / KIB:.1f} KiB")]
    rows += [
        (f"one bed on day {day}, at most", number, f"{number / KIB:.1f} KiB")
        for day, number in enumerate(memory.day_bytes, start=1)
    ]
    return table(("memory", "bytes", ""), rows)


def measure(beds: int, days: int, every_s: int) -> Memory:
    """Both measurements."""
    return Memory(after_half_an_hour(beds), each_day(days, every_s))


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="bench memory", description=__doc__)
    parser.add_argument("--beds", type=int, default=4)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument(
        "--every-s", type=int, default=EVERY_S, help="between two messages of a device in that week"
    )
    asked = parser.parse_args()
    print(report(measure(asked.beds, asked.days, asked.every_s)))


if __name__ == "__main__":
    main()
