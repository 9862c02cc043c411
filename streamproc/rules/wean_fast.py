"""WEAN-FAST: the dose was reduced by more than one step within the time of one step."""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads, why_unknown
from streamproc.core.dose import NANO, exact
from streamproc.core.finding import NEVER, Finding, all_of, found, negated, unknown
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.core.sight import Of, sight
from streamproc.rules.parameters import Percent
from streamproc.rules.phrase import dose_figure, dose_mcg_per_kg_min, minutes

WHOLE_PERCENT = 100


@dataclass(frozen=True, slots=True)
class WeanFast:
    """The part of the highest recent dose that may remain, and the tolerance of that part; the look-back
    is the shared term `wean_interval_s`."""

    remaining_percent: Percent
    tolerance_percent: Percent


def judge(chart: Chart, p: WeanFast) -> Judgement:
    too_low = far_below_peak(chart, p)
    return Judgement(
        levels=(Level(Priority.MEDIUM, all_of(chart.on_norepinephrine(), too_low)),),
        clears=(Clear(negated(too_low)),),  # a stop below the step ends nothing: it hides the fall
    )


def far_below_peak(chart: Chart, p: WeanFast) -> Finding:
    """Whether the dose is below the allowed part of the highest dose of the look-back.

    A peak that is partly unknown is a lower bound: enough to say yes, not enough to say no."""
    titration, saw = chart.norepinephrine, sight(Of.DOSE, "", chart.terms.peak_span_ms)
    dose, name, unit = titration.now, "dose against its peak", "ug/kg/min"
    if dose is None or dose.per_kg_nano is None:
        why = why_unknown(dose) if dose else "no norepinephrine pump was heard"
        return unknown(name, why, saw=saw)
    peak, complete = titration.peak_nano(chart.now_ms)
    ends_ms = titration.peak_ends_ms(chart.now_ms)
    until_ms = NEVER if ends_ms is None else ends_ms
    allowed = peak * exact(p.remaining_percent) * (100 - exact(p.tolerance_percent)) / 10_000
    too_low, value = dose.per_kg_nano < allowed, dose.per_kg_nano / NANO
    if not too_low and not complete:
        return unknown(name, "the dose was unknown for a part of the look-back", until_ms, saw=saw)
    return found(name, too_low, until_ms, value=value, limit=float(allowed / NANO), unit=unit, saw=saw)


def word(chart: Chart, p: WeanFast, alert: Alert) -> Wording:
    value = dose_mcg_per_kg_min(chart)
    peak_nano, _ = chart.norepinephrine.peak_nano(chart.now_ms)
    limit_nano = peak_nano * exact(p.remaining_percent) / WHOLE_PERCENT
    peak = peak_nano / NANO
    span = minutes(chart.terms.peak_span_ms / 1000)
    part = "?" if value is None or not peak else f"{value / peak:.0%}"
    return Wording(
        text=f"Norepinephrine reduced to {part} of {peak:.4g} mcg/kg/min within {span}",
        advice=(
            f"Reduce by {100 - p.remaining_percent:g} % of the current dose every {span}; watch MAP closely, "
            "go back if it falls."
        ),
        figure=dose_figure(value),
        value=value,
        limit=float(limit_nano / NANO),
        unit="ug/kg/min",
        with_dose=True,
    )


RULE = RuleDefinition(
    id="WEAN-FAST",
    version=1,
    kind=Kind.PHYSIOLOGICAL,
    citation=Citation("Weaning Protocol", "Weaning", "S"),
    reads=Reads.DOSE,
    sentence=(
        "If the dose is above 0 and below {remaining_percent} % (tolerance {tolerance_percent} %) of the "
        "highest dose of the last {wean_interval_s} s, alert (medium). Clear {wean_interval_s} s after the "
        "reduction, or when the dose is back."
    ),
    parameters=WeanFast,
    judge=judge,
    word=word,
)
