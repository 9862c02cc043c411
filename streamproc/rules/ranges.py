"""VASO-RANGE, EPI-RANGE, DOBU-RANGE: a second agent runs outside the range that the source gives it.

A drug that does not flow is in range, and one whose rate nobody knows neither raises nor clears.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads, ms
from streamproc.core.finding import Finding, all_of, any_of, negated
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.rules.parameters import InotropeMcgPerKgMin, McgPerKgMin, Seconds, UnitsPerMin
from streamproc.rules.phrase import rate_per_kg_min, rate_per_min, shown

DECIMALS = 3
ABOVE, BELOW = "above", "below"


@dataclass(frozen=True, slots=True)
class VasoRange:
    """The highest rate of vasopressin, and for how long it must be back in range."""

    max_u_per_min: UnitsPerMin
    clear_for_s: Seconds


@dataclass(frozen=True, slots=True)
class EpiRange:
    """The range of epinephrine, and for how long it must be back in it."""

    min_mcg_per_kg_min: McgPerKgMin
    max_mcg_per_kg_min: McgPerKgMin
    clear_for_s: Seconds


@dataclass(frozen=True, slots=True)
class DobuRange:
    """The highest dose of dobutamine, and for how long it must be back in range."""

    max_mcg_per_kg_min: InotropeMcgPerKgMin
    clear_for_s: Seconds


def judge_vasopressin(chart: Chart, p: VasoRange) -> Judgement:
    above = chart.per_min_above("vasopressin", p.max_u_per_min)
    return _judgement(Priority.MEDIUM, above, p.clear_for_s)


def judge_epinephrine(chart: Chart, p: EpiRange) -> Judgement:
    above = chart.per_kg_min_above("epinephrine", p.max_mcg_per_kg_min)
    below = all_of(
        chart.per_kg_min_above("epinephrine", 0),
        negated(chart.per_kg_min_at_least("epinephrine", p.min_mcg_per_kg_min)),
    )
    side = BELOW if below.met else ABOVE if above.met else chart.alert("EPI-RANGE").variant
    return _judgement(Priority.LOW, any_of(above, below), p.clear_for_s, side)


def judge_dobutamine(chart: Chart, p: DobuRange) -> Judgement:
    above = chart.per_kg_min_above("dobutamine", p.max_mcg_per_kg_min)
    return _judgement(Priority.LOW, above, p.clear_for_s)


def _judgement(priority: Priority, outside: Finding, clear_for_s: int, side: str = ABOVE) -> Judgement:
    back = Clear(negated(outside), ms(clear_for_s))
    return Judgement(levels=(Level(priority, outside),), clears=(back,), variant=side)


def word_vasopressin(chart: Chart, p: VasoRange, alert: Alert) -> Wording:
    value = rate_per_min(chart, "vasopressin")
    return _wording(
        "Vasopressin",
        value,
        p.max_u_per_min,
        "U/min",
        f"Check the rate: the source gives vasopressin at up to {p.max_u_per_min:g} U/min as second agent.",
    )


def word_epinephrine(chart: Chart, p: EpiRange, alert: Alert) -> Wording:
    value = rate_per_kg_min(chart, "epinephrine")
    return _wording(
        "Epinephrine",
        value,
        p.min_mcg_per_kg_min if alert.variant == BELOW else p.max_mcg_per_kg_min,
        "mcg/kg/min",
        f"Check the rate: the source gives epinephrine at {p.min_mcg_per_kg_min:g}-"
        f"{p.max_mcg_per_kg_min:g} mcg/kg/min, where vasopressin is unavailable or contraindicated.",
        alert.variant,
    )


def word_dobutamine(chart: Chart, p: DobuRange, alert: Alert) -> Wording:
    return _wording(
        "Dobutamine",
        rate_per_kg_min(chart, "dobutamine"),
        p.max_mcg_per_kg_min,
        "mcg/kg/min",
        f"Check the rate: the source gives dobutamine at up to {p.max_mcg_per_kg_min:g} mcg/kg/min, for "
        "hypoperfusion that persists with a failing myocardium.",
    )


def _wording(
    drug: str, value: float | None, limit: float, unit: str, advice: str, side: str = ABOVE
) -> Wording:
    told = "unknown" if value is None else shown(value, limit, DECIMALS)
    outside = value is not None and (value < limit if side == BELOW else value > limit)
    met = f"{'<' if side == BELOW else '>'} {limit:g} {unit}"
    return Wording(
        text=f"{drug} {told} {met}" if outside else f"{drug} {told}, was {met}",
        advice=advice,
        figure=f"{drug.lower()} {told} {unit}",
        value=value,
        limit=limit,
        unit=unit.replace("mcg", "ug"),
    )


VASOPRESSIN = RuleDefinition(
    id="VASO-RANGE",
    version=1,
    kind=Kind.PHYSIOLOGICAL,
    citation=Citation("Escalation for Refractory Hypotension", "Dose, titration, escalation", "S, E"),
    reads=Reads.DOSE,
    sentence=(
        "If vasopressin runs above {max_u_per_min} U/min, alert (medium). Clear once it has been back in "
        "range for {clear_for_s} s."
    ),
    parameters=VasoRange,
    judge=judge_vasopressin,
    word=word_vasopressin,
)

EPINEPHRINE = RuleDefinition(
    id="EPI-RANGE",
    version=1,
    kind=Kind.PHYSIOLOGICAL,
    citation=Citation("Escalation for Refractory Hypotension", "Dose, titration, escalation", "S, E"),
    reads=Reads.DOSE,
    sentence=(
        "If epinephrine runs outside {min_mcg_per_kg_min}-{max_mcg_per_kg_min} mcg/kg/min, alert (low). "
        "Clear once it has been back in range, or stopped, for {clear_for_s} s."
    ),
    parameters=EpiRange,
    judge=judge_epinephrine,
    word=word_epinephrine,
)

DOBUTAMINE = RuleDefinition(
    id="DOBU-RANGE",
    version=1,
    kind=Kind.PHYSIOLOGICAL,
    citation=Citation("Escalation for Refractory Hypotension", "Dose, titration, escalation", "S, E"),
    reads=Reads.DOSE,
    sentence=(
        "If dobutamine runs above {max_mcg_per_kg_min} mcg/kg/min, alert (low). Clear once it has been back "
        "in range for {clear_for_s} s."
    ),
    parameters=DobuRange,
    judge=judge_dobutamine,
    word=word_dobutamine,
)
