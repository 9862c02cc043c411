"""ARRHYTHMIA: an arrhythmia was observed at a dose at which norepinephrine may be its cause."""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads
from streamproc.core.events import ObservationKind
from streamproc.core.finding import all_of, negated
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.rules.parameters import McgPerKgMin
from streamproc.rules.phrase import dose_figure, dose_mcg_per_kg_min


@dataclass(frozen=True, slots=True)
class Arrhythmia:
    """Above which dose an arrhythmia is put down to norepinephrine."""

    above_mcg_per_kg_min: McgPerKgMin


def judge(chart: Chart, p: Arrhythmia) -> Judgement:
    there = chart.observations.present(ObservationKind.ARRHYTHMIA)
    dose_high = chart.per_kg_min_above(chart.terms.titrated_drug, p.above_mcg_per_kg_min)
    return Judgement(
        levels=(Level(Priority.MEDIUM, all_of(there, dose_high)),), clears=(Clear(negated(there)),)
    )


def word(chart: Chart, p: Arrhythmia, alert: Alert) -> Wording:
    newest = chart.observations.last(ObservationKind.ARRHYTHMIA)
    named = newest.value if newest is not None and isinstance(newest.value, str) else "arrhythmia"
    value = dose_mcg_per_kg_min(chart)
    return Wording(
        text=f"{named.replace('_', ' ').capitalize()} at norepinephrine {dose_figure(value)} mcg/kg/min",
        advice="Look for ischaemia and electrolytes; use the lowest dose that holds the pressure.",
        figure=f"last observation: {named}",
        value=value,
        limit=p.above_mcg_per_kg_min,
        unit="ug/kg/min",
        with_dose=True,
        observed=chart.observations.newest(ObservationKind.ARRHYTHMIA),
    )


RULE = RuleDefinition(
    id="ARRHYTHMIA",
    version=1,
    kind=Kind.PHYSIOLOGICAL,
    citation=Citation("Monitoring for Adverse Effects", "Before and around the infusion", "S, E"),
    reads=Reads.OBSERVATIONS | Reads.DOSE,
    sentence=(
        "If an arrhythmia is observed while the norepinephrine dose is above {above_mcg_per_kg_min} "
        "mcg/kg/min, alert (medium). Clear at the next normal observation."
    ),
    parameters=Arrhythmia,
    judge=judge,
    word=word,
)
