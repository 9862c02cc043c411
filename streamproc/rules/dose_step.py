"""DOSE-STEP: one change of rate, concentration or weight moved the dose by a factor.

So published pump incidents look: a decimal point, a unit, a weight or a bag's strength taken for
another. It latches: the change is over at once, the alert stays until somebody has seen it or the
dose is back.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads, why_unknown
from streamproc.core.dose import NANO, exact
from streamproc.core.finding import Finding, found, unknown
from streamproc.core.ladder import Step
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.core.sight import DOSE, Of, sight
from streamproc.rules.parameters import Factor, Percent

BEFORE, AFTER, BY_WEIGHT = "dose before the step", "dose after the step", "step is by weight"
ONLY_A_STEP, THE_WEIGHT = "step", "the weight"
WHOLE_PERCENT = 100
LAST_STEP = sight(Of.STEP)


@dataclass(frozen=True, slots=True)
class DoseStep:
    """The factor that counts up or down, the factor that counts as back, and the factors of known errors
    with their tolerance."""

    factor: Factor
    back_factor: Factor
    telling_factors: list[Factor]
    telling_tolerance_percent: Percent


def judge(chart: Chart, p: DoseStep) -> Judgement:
    alert, leap = chart.alert("DOSE-STEP"), newest_leap(chart, p)
    if not alert.open:
        _forget(chart)
    if leap is not None:
        _remember(chart, leap)
    return Judgement(
        levels=(Level(Priority.HIGH, _leapt(chart, p, leap is not None)),),
        clears=(Clear(chart.acknowledged("DOSE-STEP")), Clear(back(chart, p), unlatches=True)),
        variant=alert.variant if leap is None else suspicion(chart, p, leap),
    )


def newest_leap(chart: Chart, p: DoseStep) -> Step | None:
    """The last step, if it is a leap that no alert has dealt with, nor whoever acknowledged one.

    Both doses are rounded by up to half of 1e-9: an exact threefold must not be missed by that."""
    step, alert = chart.course.newest_step, chart.alert("DOSE-STEP")
    dealt_with_ms = alert.ended_ms if alert.acknowledged_ms is None else alert.acknowledged_ms
    if step is None or (not alert.open and dealt_with_ms is not None and step.at_ms <= dealt_with_ms):
        return None
    low, high = sorted(step.amounts)
    return step if 2 * high + 1 >= exact(p.factor) * (2 * low - 1) else None


def _leapt(chart: Chart, p: DoseStep, leapt: bool) -> Finding:
    """The finding of the last step, as the factor by which it moved the dose."""
    step = chart.course.newest_step
    told: str | float = "no step"
    if step is not None:
        low, high = sorted(step.amounts)
        told = high / low
    return found("dose leapt", leapt, value=told, limit=p.factor, unit="1", saw=LAST_STEP)


def back(chart: Chart, p: DoseStep) -> Finding:
    """Whether the dose is near what it was before the leap."""
    before, dose = chart.noted.get(BEFORE), chart.dose
    if before is None or dose is None:
        return found("dose back", False, value="no step", limit=p.back_factor, unit="1", saw=DOSE)
    amount = dose.per_kg_nano if chart.noted[BY_WEIGHT] else dose.per_min_nano
    if amount is None:
        return unknown("dose back", why_unknown(dose), saw=DOSE)
    low, high = sorted((before, amount))
    near = 2 * high - 1 <= exact(p.back_factor) * (2 * low + 1)
    told = high / low if low else "stopped"
    return found("dose back", near, value=told, limit=p.back_factor, unit="1", saw=DOSE)


def suspicion(chart: Chart, p: DoseStep, leap: Step) -> str:
    """Which known error the leap looks like, or that it is only a step."""
    before, after = leap.amounts
    ratio = Fraction(max(before, after), min(before, after))
    near = exact(p.telling_tolerance_percent) / WHOLE_PERCENT
    for factor in p.telling_factors:
        if abs(ratio - exact(factor)) <= near * exact(factor):
            return f"{factor:g}"
    weight = chart.weight_kg
    if weight is not None and abs(ratio - exact(weight)) <= near * exact(weight):
        return THE_WEIGHT
    return ONLY_A_STEP


def _remember(chart: Chart, leap: Step) -> None:
    """Keep what the dose was before the first leap of this alert, and what the last one made of it."""
    before, after = leap.amounts
    if chart.note(BY_WEIGHT, leap.by_weight) != leap.by_weight:
        chart.noted.update({BEFORE: before, BY_WEIGHT: leap.by_weight})
    chart.note(BEFORE, before)
    chart.noted[AFTER] = after


def _forget(chart: Chart) -> None:
    for name in (BEFORE, AFTER, BY_WEIGHT):
        chart.noted.pop(name, None)


def word(chart: Chart, p: DoseStep, alert: Alert) -> Wording:
    before, after = chart.noted[BEFORE] / NANO, chart.noted[AFTER] / NANO
    unit = "mcg/kg/min" if chart.noted[BY_WEIGHT] else "mcg/min"
    direction = ">= " if after > before else "<= 1/"
    like = (
        "" if alert.variant == ONLY_A_STEP else f"; possible unit or concentration error (x {alert.variant})"
    )
    return Wording(
        text=f"Norepinephrine {before:.4g} -> {after:.4g} {unit} at once, {direction}{p.factor:g}x{like}",
        advice="Check rate, unit, concentration and weight at the pump now, and the patient's pressure.",
        figure=f"before the step {before:.4g} {unit}",
        value=after,
        limit=round(before * p.factor if after > before else before / p.factor, 9),
        unit=unit.replace("mcg", "ug"),
        with_dose=True,
    )


RULE = RuleDefinition(
    id="DOSE-STEP",
    version=1,
    kind=Kind.PHYSIOLOGICAL,
    citation=Citation("Titration Strategy", "Dose, titration, escalation", "E"),
    reads=Reads.DOSE | Reads.ALERTS,
    sentence=(
        "If one change of rate, concentration or weight moves the dose to {factor} times what it was or "
        "more, or down by that factor, alert (high); where the factor is within "
        "{telling_tolerance_percent} % of one of {telling_factors} or of the weight, say that it may be a "
        "unit or concentration error. A start or a stop is no step. Clear when acknowledged (it latches), "
        "or when the dose is back within {back_factor} times what it was."
    ),
    parameters=DoseStep,
    judge=judge,
    word=word,
    latches=True,
)
