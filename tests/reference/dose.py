"""The norepinephrine of a history: what flows and the dose at each instant, or None where unknown.

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
STRONGEST = 1_000
"""No bag holds more mcg/mL than the ampoule that it was mixed from."""
CHANGE_OVER_MS = 300_000


@dataclass(frozen=True)
class Channel:
    """What one pump channel delivers and says, step by step; None where unknown.

    `dose` is by weight, `flow` is what runs in a minute (mcg, or units of vasopressin)."""

    drug: str
    dose: Course[Fraction | None]
    flow: Course[Fraction | None]
    state: Course[str]
    lost: Course[bool]
    no_figure: Course[bool]


def channels(reports: Sequence[Report], weight: Course[Fraction | None], terms: Terms) -> list[Channel]:
    """Every channel that was ever heard."""
    names = sorted({each.channel for each in reports})
    return [_channel([each for each in reports if each.channel == name], weight, terms) for name in names]


def _channel(reports: Sequence[Report], weight: Course[Fraction | None], terms: Terms) -> Channel:
    heard: Course[Report | None] = course(None, [(each.time_ms, each) for each in reports])
    silent = _silent(reports, terms)
    state = course("", [(each.time_ms, each.state) for each in reports])
    return Channel(
        reports[0].drug,
        together(lambda said, gone, kg: None if gone else dose_of(said, kg), heard, silent, weight),
        together(lambda said, gone, kg: None if gone else flow_of(said, kg), heard, silent, weight),
        state,
        together(lambda gone, said: gone and said == "infusing", silent, state),
        together(lambda said, kg: dose_of(said, kg) is None, heard, weight),
    )


def by_last_word(channel: Channel) -> Course[Fraction | None]:
    """What a channel delivers if it does what it last said; a lost one that infused may do anything."""
    return together(
        lambda dose, state: Fraction(0) if dose is None and state != "infusing" else dose,
        channel.dose,
        channel.state,
    )


def _silent(reports: Sequence[Report], terms: Terms) -> Course[bool]:
    """Where contact is lost with a pump that did not say that it stopped."""
    times_ms = [each.time_ms for each in reports]
    waits = silences(times_ms, terms.pump_interval_ms, terms.pump_interval_max_ms, terms.pump_lost_ms)
    changes: list[tuple[int, bool]] = []
    for each, (_, lost_ms), end in zip(reports, waits, [*times_ms[1:], -DAWN_MS], strict=True):
        changes.append((each.time_ms, False))
        if lost_ms < end and each.state not in QUIET_WHEN_SILENT:
            changes.append((lost_ms, True))
    return course(False, changes)


def flow_of(said: Report | None, kg: Fraction | None) -> Fraction | None:
    """What runs in a minute."""
    if said is None or said.state != "infusing":
        return Fraction(0)
    if said.rate is None:
        return None
    match said.unit:
        case "ug/kg/min":
            return None if kg is None else said.rate * kg
        case "mg/h":
            return said.rate * 1000 / 60
        case "mL/h":
            strength = said.concentration
            return None if strength is None or strength > STRONGEST else said.rate * strength / 60
        case _:
            return said.rate


def dose_of(said: Report | None, kg: Fraction | None) -> Fraction | None:
    """The dose by weight."""
    if said is not None and said.state == "infusing" and said.unit == "ug/kg/min":
        return said.rate
    flow = flow_of(said, kg)
    if flow == 0:
        return flow
    return None if flow is None or kg is None else flow / kg


def total(each: Sequence[Course[Fraction | None]]) -> Course[Fraction | None]:
    """The sum of what the channels of one drug deliver; unknown as soon as one of them is.

    Rounded once, to 1e-9: a rate that a pump divided out is where its order was (decision 004)."""

    def add(*doses: Fraction | None) -> Fraction | None:
        known = [dose for dose in doses if dose is not None]
        return round(sum(known, Fraction(0)), 9) if len(known) == len(doses) else None

    return together(add, course(None, [(DAWN_MS, Fraction(0))]), *each)


def any_of(each: Sequence[Course[bool]]) -> Course[bool]:
    """True where one of them is."""
    return together(lambda *said: any(said), course(False, []), *each)


def dose_changes(dose: Course[Fraction | None], first_ms: int) -> list[int]:
    """When a known dose is off the one at the last change by more than the tolerance: small ones add up."""
    times: list[int] = []
    last = dose.at(first_ms)
    for since_ms, _, value in dose.runs():
        if value is None or since_ms <= first_ms:
            continue
        if last is None:
            last = value
        elif abs(value - last) > TOLERANCE * last:
            times.append(since_ms)
            last = value
    return times


def infusions(on: Course[bool]) -> list[tuple[int, int]]:
    """(begin, end) of each infusion; a gap that may be a change-over does not end it.

    Its end is where it stopped: known only once the gap has lasted longer than a change-over."""
    spans: list[tuple[int, int]] = []
    for begin, end, runs in on.runs():
        if not runs:
            continue
        if spans and begin - spans[-1][1] <= CHANGE_OVER_MS:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((begin, end))
    return spans
