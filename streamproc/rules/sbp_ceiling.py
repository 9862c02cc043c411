"""SBP-CEILING: a previously hypertensive patient's pressure is being raised further than it should be.

Without a known baseline there is no ceiling, and none is assumed.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads, milli, ms
from streamproc.core.events import MILLI, ObservationKind
from streamproc.core.finding import Finding, all_of, found, negated, unknown
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.core.sight import PATIENT
from streamproc.rules.parameters import Mmhg, Seconds
from streamproc.rules.phrase import minutes, shown


@dataclass(frozen=True, slots=True)
class SbpCeiling:
    """Window of the mean, and how far below the baseline the ceiling lies."""

    window_s: Seconds
    below_baseline_mmhg: Mmhg


def judge(chart: Chart, p: SbpCeiling) -> Judgement:
    treated, above = chart.under_way(chart.terms.titrated_drug), _above_ceiling(chart, p)
    return Judgement(
        levels=(Level(Priority.LOW, all_of(chart.on_vasopressor(), above)),),
        clears=(
            Clear(all_of(chart.systolic_heard(), negated(above))),
            Clear(negated(treated)),
            Clear(negated(_baseline_known(chart))),
        ),
    )


def _baseline_known(chart: Chart) -> Finding:
    baseline = chart.context.baseline_systolic_mmhg if chart.context else None
    told = "withdrawn, or never said" if baseline is None else f"{baseline:g} mmHg"
    return found("baseline known", baseline is not None, value=told, saw=PATIENT)


def _above_ceiling(chart: Chart, p: SbpCeiling) -> Finding:
    ceiling = _ceiling_mmhg(chart, p)
    if ceiling is None:
        return unknown("systolic above ceiling", "no baseline systolic pressure is known", saw=PATIENT)
    return chart.mean_systolic_above(milli(ceiling), p.window_s)


def _ceiling_mmhg(chart: Chart, p: SbpCeiling) -> float | None:
    baseline = chart.context.baseline_systolic_mmhg if chart.context else None
    return None if baseline is None else (milli(baseline) - milli(p.below_baseline_mmhg)) / MILLI


def word(chart: Chart, p: SbpCeiling, alert: Alert) -> Wording:
    window = chart.systolic.window(chart.now_ms, ms(p.window_s))
    value = round(window.area / window.held_ms / MILLI, 9) if window.held_ms else None
    ceiling = _ceiling_mmhg(chart, p)
    told = "unknown" if value is None else f"{value:g}" if ceiling is None else shown(value, ceiling)
    limit = "unknown" if ceiling is None else f"{ceiling:g}"
    return Wording(
        text=f"Mean systolic {told} > {limit} for {minutes(p.window_s)}",
        advice=(
            "Previously hypertensive: raise systolic pressure no higher than "
            f"{p.below_baseline_mmhg:g} mmHg below its baseline; consider less norepinephrine."
        ),
        figure=f"mean systolic {told}",
        value=value,
        limit=ceiling,
        unit="mm[Hg]",
        with_dose=True,
        observed=chart.observations.over(ObservationKind.SYSTOLIC, ms(p.window_s)),
    )


RULE = RuleDefinition(
    id="SBP-CEILING",
    version=1,
    kind=Kind.ADVISORY,
    citation=Citation("Target Blood Pressure and Monitoring", "MAP (target and monitoring)", "S"),
    reads=Reads.SYSTOLIC | Reads.DOSE | Reads.PUMPS | Reads.CONTEXT,
    sentence=(
        "If the patient's baseline systolic pressure is known and the mean systolic pressure of {window_s} s "
        "is above that less {below_baseline_mmhg} mmHg on a vasopressor, alert (low). Clear once it is not "
        "above it, the infusion has ended, or the baseline was withdrawn."
    ),
    parameters=SbpCeiling,
    judge=judge,
    word=word,
)
