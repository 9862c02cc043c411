"""DOSE-10: norepinephrine runs at a rate that the source associates with increased mortality.

Information only: the source contradicts itself here (C5), as it starts and escalates above this.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads, ms
from streamproc.core.finding import negated
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.rules.parameters import McgPerMin, Seconds
from streamproc.rules.phrase import minutes, rate_per_min, shown


@dataclass(frozen=True, slots=True)
class Dose10:
    """The rate above which it counts, and for how long."""

    limit_mcg_per_min: McgPerMin
    for_s: Seconds


def judge(chart: Chart, p: Dose10) -> Judgement:
    above = chart.per_min_above(chart.terms.titrated_drug, p.limit_mcg_per_min)
    return Judgement(levels=(Level(Priority.INFO, above, ms(p.for_s)),), clears=(Clear(negated(above)),))


def word(chart: Chart, p: Dose10, alert: Alert) -> Wording:
    value, limit = rate_per_min(chart, chart.terms.titrated_drug), p.limit_mcg_per_min
    told = "unknown" if value is None else shown(value, limit)
    return Wording(
        text=f"Norepinephrine {told} > {limit:g} mcg/min for {minutes(p.for_s)}",
        advice=(
            f"More than {limit:g} mcg/min is associated with increased mortality: avoid it if possible, look "
            "for hypovolemia, consider a second agent."
        ),
        figure=f"{told} mcg/min",
        value=value,
        limit=limit,
        unit="ug/min",
        with_dose=True,
    )


RULE = RuleDefinition(
    id="DOSE-10",
    version=1,
    kind=Kind.ADVISORY,
    citation=Citation("Monitoring for Adverse Effects", "Dose, titration, escalation; C5", "S, E"),
    reads=Reads.DOSE,
    sentence=(
        "If norepinephrine runs above {limit_mcg_per_min} mcg/min for {for_s} s, inform. Clear once it is at "
        "{limit_mcg_per_min} mcg/min or below."
    ),
    parameters=Dose10,
    judge=judge,
    word=word,
)
