"""The norepinephrine of a history: the dose at each instant, or None where it is unknown.

Must never take a lost pump for a stopped one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from tests.reference.course import DAWN_MS, Course, course, together
from tests.reference.facts import Report, Terms
from tests.reference.pressure import silences

QUIET_WHEN_SILENT = {"stopped", "standby"}
TOLERANCE = Fraction(5, 1000)


@dataclass(frozen=True)
class Channel:
    """What one pump channel delivers and says, step by step; its dose is None where unknown."""

    drug: str
    dose: Course[Fraction | None]
    state: Course[str]
    lost: Course[bool]
    no_figure: Course[bool]


def channels(reports: Sequence[Report], terms: Terms) -> list[Channel]:
    """Every channel that was ever heard."""
    names = sorted({each.channel for each in reports})
    return [_channel([each for each in reports if each.channel == name], terms) for name in names]


def _channel(reports: Sequence[Report], terms: Terms) -> Channel:
    times_ms = [each.time_ms for each in reports]
    waits = silences(times_ms, terms.pump_interval_ms, terms.pump_interval_max_ms, terms.pump_lost_ms)
    ends = [*(each.time_ms for each in reports[1:]), -DAWN_MS]
    dose: list[tuple[int, Fraction | None]] = []
    lost: list[tuple[int, bool]] = []
    for each, (_, lost_ms), end in zip(reports, waits, ends, strict=True):
        dose.append((each.time_ms, each.rate if each.state == "infusing" else Fraction(0)))
        lost.append((each.time_ms, False))
        if lost_ms < end and each.state not in QUIET_WHEN_SILENT:
            dose.append((lost_ms, None))
            lost.append((lost_ms, each.state == "infusing"))
    return Channel(
        reports[0].drug,
        course(Fraction(0), dose),
        course("", [(each.time_ms, each.state) for each in reports]),
        course(False, lost),
        course(False, [(e.time_ms, e.state == "infusing" and e.rate is None) for e in reports]),
    )


def by_last_word(channel: Channel) -> Course[Fraction | None]:
    """What a channel delivers if it does what it last said; a lost one that infused may do anything."""
    return together(
        lambda dose, state: Fraction(0) if dose is None and state != "infusing" else dose,
        channel.dose,
        channel.state,
    )


def total(each: Sequence[Channel]) -> Course[Fraction | None]:
    """The sum of what the channels of one drug deliver; unknown as soon as one of them is."""

    def add(*doses: Fraction | None) -> Fraction | None:
        known = [dose for dose in doses if dose is not None]
        return sum(known, Fraction(0)) if len(known) == len(doses) else None

    return together(add, course(None, [(DAWN_MS, Fraction(0))]), *(channel.dose for channel in each))


def any_of(each: Sequence[Course[bool]]) -> Course[bool]:
    """True where one of them is."""
    return together(lambda *said: any(said), course(False, []), *each)


def dose_changes(dose: Course[Fraction | None], first_ms: int) -> list[int]:
    """When a known dose differs from the last known one by more than the tolerance."""
    times: list[int] = []
    last = dose.at(first_ms)
    for since_ms, _, value in dose.runs():
        if value is None or since_ms <= first_ms:
            continue
        if last is not None and abs(value - last) > TOLERANCE * last:
            times.append(since_ms)
        last = value
    return times
