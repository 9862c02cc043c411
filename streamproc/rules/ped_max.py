"""PED-MAX: a child's norepinephrine runs above its usual range, or above its highest dose.

Only under the pediatric profile, which a site turns on (C12).
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads
from streamproc.core.events import Profile
from streamproc.core.finding import all_of, negated
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.rules.parameters import McgPerKgMin
from streamproc.rules.phrase import dose_mcg_per_kg_min, shown


@dataclass(frozen=True, slots=True)
class PedMax:
    """The upper end of the usual range, and the highest dose of exceptional circumstances."""

    usual_max_mcg_per_kg_min: McgPerKgMin
    max_mcg_per_kg_min: McgPerKgMin


def judge(chart: Chart, p: PedMax) -> Judgement:
    child, drug = chart.under(Profile.PEDIATRIC), chart.terms.titrated_drug
    above_usual = chart.per_kg_min_above(drug, p.usual_max_mcg_per_kg_min)
    return Judgement(
        levels=(
            Level(Priority.HIGH, all_of(child, chart.per_kg_min_above(drug, p.max_mcg_per_kg_min))),
            Level(Priority.LOW, all_of(child, above_usual)),
        ),
        clears=(Clear(negated(all_of(child, above_usual))),),
    )


def word(chart: Chart, p: PedMax, alert: Alert) -> Wording:
    value = dose_mcg_per_kg_min(chart)
    beyond = alert.priority is Priority.HIGH
    limit = p.max_mcg_per_kg_min if beyond else p.usual_max_mcg_per_kg_min
    told = "unknown" if value is None else shown(value, limit, 2)
    return Wording(
        text=f"Norepinephrine {told} > {limit:g} mcg/kg/min in a child",
        advice=(
            f"The usual pediatric range ends at {p.usual_max_mcg_per_kg_min:g} mcg/kg/min; up to "
            f"{p.max_mcg_per_kg_min:g} only in exceptional circumstances. Check weight and concentration."
        ),
        figure=f"dose {told}",
        value=value,
        limit=limit,
        unit="ug/kg/min",
        with_dose=True,
    )


RULE = RuleDefinition(
    id="PED-MAX",
    version=1,
    kind=Kind.PHYSIOLOGICAL,
    citation=Citation("Special Populations, Pediatric Patients", "Dose, titration, escalation; C12", "S"),
    reads=Reads.DOSE | Reads.CONTEXT,
    sentence=(
        "If the profile is pediatric and the norepinephrine dose above {usual_max_mcg_per_kg_min} "
        "mcg/kg/min, alert (low); above {max_mcg_per_kg_min}, high. Clear once it is back in range."
    ),
    parameters=PedMax,
    judge=judge,
    word=word,
)
