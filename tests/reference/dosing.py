"""The DOSE-* rows of the rule page read literally, a function a row: from a bed to alert events.

Written from the rule page and the agreed readings of it alone. Must never import the product.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from tests.reference.bed import MINUTE_MS, Bed
from tests.reference.course import DAWN_MS, Course, judged, lasting, together
from tests.reference.dose import CHANGE_OVER_MS
from tests.reference.facts import Patient, Said
from tests.reference.life import alerts, always
from tests.reference.pressure import Window

START_MS = 10 * MINUTE_MS
DAY_MS = 24 * 60 * MINUTE_MS
MCG_PER_MG = 1_000
HALF = Fraction(5, 10**10)


class Band(NamedTuple):
    """A start band and its unit: `dose` (mcg/kg/min) or `flow` (mcg/min)."""

    of: str
    least: Fraction
    most: Fraction


def single(of: str, figure: Fraction) -> Band:
    """A figure that is met within 10 %."""
    return Band(of, figure * Fraction(9, 10), figure * Fraction(11, 10))


SEPTIC_SHOCK = [Band("dose", Fraction("0.02"), Fraction("0.5"))]
GENERAL = [Band("flow", Fraction(8), Fraction(12)), Band("dose", Fraction("0.1"), Fraction("0.5"))]
HEPATORENAL = [single("flow", Fraction("0.5") * MCG_PER_MG / 60)]
PREGNANCY = [single("dose", Fraction("0.02"))]
PEDIATRIC = [single("dose", Fraction("0.1"))]


def bands(patient: Patient) -> list[Band]:
    """The profile decides, then pregnancy, then septic shock; a child without a profile has none."""
    if patient.profile == "pediatric":
        return PEDIATRIC
    if patient.age_group == "pediatric":
        return []
    if patient.profile == "hepatorenal":
        return HEPATORENAL
    if patient.pregnant:
        return PREGNANCY
    return SEPTIC_SHOCK if patient.profile == "septic_shock" else GENERAL


def dose_start(bed: Bed) -> list[Said]:
    """DOSE-START: the mean of an infusion's first 10 min is outside the band; until seen, or its end."""
    said: list[Said] = []
    for begin, end in bed.infusions:
        at_ms = _runs_from(bed, begin + START_MS, end)
        if bed.dose.at(begin - 1) == 0 and at_ms < end and _outside(bed, begin + START_MS, at_ms):
            said.append(Said(at_ms, "DOSE-START", "start", "info"))
            said += _ended("DOSE-START", "info", [end + CHANGE_OVER_MS, bed.seen("DOSE-START", at_ms)])
    return said


def _runs_from(bed: Bed, due: int, end: int) -> int:
    """The first instant from `due` on at which the infusion runs, or its end."""
    on = bed.on_vasopressor
    return min((t for t in (due, *on.times) if due <= t < end and on.at(t)), default=end)


def _outside(bed: Bed, over_ms: int, at_ms: int) -> bool:
    means = {"dose": _mean(bed.dose, over_ms), "flow": _mean(bed.flow, over_ms)}
    within = [
        None if (mean := means[band.of]) is None else band.least <= mean <= band.most
        for band in bands(bed.patient.at(at_ms))
    ]
    return bool(within) and all(each is False for each in within)


def _mean(of: Course[Fraction | None], at_ms: int) -> Fraction | None:
    area, held = Window(of, START_MS).sums(at_ms)
    return Fraction(area) / START_MS if held == START_MS else None


def _ended(rule: str, priority: str, at_ms: Iterable[int]) -> list[Said]:
    """The end of an alert at the first of these instants, if any ever comes."""
    first = min(at_ms)
    return [Said(first, rule, "end", priority)] if first < -DAWN_MS else []


def dose_10(bed: Bed) -> list[Said]:
    """DOSE-10: more than 10 mcg/min for 10 min, until at 10 or below."""
    high = together(lambda flow: flow is not None and flow > 10, bed.flow)
    low = together(lambda flow: flow is not None and flow <= 10, bed.flow)
    return alerts("DOSE-10", together(always("info"), lasting(high, 10 * MINUTE_MS)), low)


def dose_daily(bed: Bed) -> list[Said]:
    """DOSE-DAILY: 68 mg in 24 h, until below 65 mg and nothing of the look-back is unknown.

    Summed of rates to 1e-6 mcg/min (decision 004)."""
    window = Window(together(lambda rate: None if rate is None else to_micro(rate), bed.flow), DAY_MS)

    def given_mg(time_ms: int) -> Fraction:
        return Fraction(window.sums(time_ms)[0]) / MINUTE_MS / MCG_PER_MG

    much = judged(lambda time_ms: given_mg(time_ms) >= 68, window.breaks())
    less = judged(lambda time_ms: given_mg(time_ms) < 65, window.breaks())
    whole = judged(lambda time_ms: window.sums(time_ms)[1] == DAY_MS, window.breaks())
    clear = together(lambda less, whole: less and whole, less, whole)
    return alerts("DOSE-DAILY", together(always("medium"), much), clear)


def to_micro(rate: Fraction) -> Fraction:
    """A rate of 1e-9 mcg/min in whole 1e-6, half of one upwards."""
    return Fraction(math.floor(rate * 10**6 + Fraction(1, 2)), 10**6)


def dose_duration(bed: Bed) -> list[Said]:
    """DOSE-DURATION: it has run for 6 days and still runs, until it ends."""
    said: list[Said] = []
    for begin, end in bed.infusions:
        raised = _runs_from(bed, begin + 6 * DAY_MS, end)
        if raised < end:
            said.append(Said(raised, "DOSE-DURATION", "start", "info"))
            said += _ended("DOSE-DURATION", "info", [end + CHANGE_OVER_MS])
    return said


class Running(NamedTuple):
    """What runs: by weight, and in a minute."""

    dose: Fraction | None
    flow: Fraction | None


def ratio(one: Fraction, other: Fraction) -> tuple[Fraction, Fraction]:
    """How many times the larger is the smaller, at least and at most: each is known to half of 1e-9
    (decision 004)."""
    low, high = sorted((one, other))
    return (high - HALF) / (low + HALF), (high + HALF) / (low - HALF)


def dose_step(bed: Bed) -> list[Said]:
    """DOSE-STEP: one change by a factor of 3, until seen or back within 1.5 times the dose before.

    While it is open, a further leap counts only if it is one of the other measure, which takes over."""
    said: list[Said] = []
    raised, end, measured = DAWN_MS, DAWN_MS, bed.dose
    for at_ms, before, of in _leaps(bed):
        is_open = at_ms <= end
        if is_open and of is measured:
            continue
        if not is_open:
            said += _ended("DOSE-STEP", "high", [end]) if said else []
            said.append(Said(at_ms, "DOSE-STEP", "start", "high"))
            raised = at_ms
        end, measured = min(_back(of, at_ms, before), bed.seen("DOSE-STEP", raised)), of
    return said + (_ended("DOSE-STEP", "high", [end]) if said else [])


def _leaps(bed: Bed) -> list[tuple[int, Fraction, Course[Fraction | None]]]:
    """(when, what ran before, of what) of each change by a factor of 3 that is neither a start nor a stop.

    By weight, or of what flows where no weight is known."""
    leaps: list[tuple[int, Fraction, Course[Fraction | None]]] = []
    before, gap_ms = None, None
    for begin, _, now in together(Running, bed.dose, bed.flow).runs():
        if not (now.dose or now.flow):
            gap_ms = begin if gap_ms is None else gap_ms
            continue
        if before and (gap_ms is None or begin - gap_ms <= CHANGE_OVER_MS):
            for was, amount, of in zip(before, now, (bed.dose, bed.flow), strict=True):
                if was is not None and amount is not None:
                    leaps += [(begin, was, of)] if ratio(was, amount)[1] >= 3 else []
                    break
        before, gap_ms = now, None
    return leaps


def _back(of: Course[Fraction | None], raised: int, before: Fraction) -> int:
    """When it is near what it was; one that leapt by weight is back by weight alone."""
    for begin, _, now in of.runs():
        if begin > raised and now is not None and ratio(before, now)[0] <= Fraction(3, 2):
            return begin
    return -DAWN_MS
