"""ESC-THRESHOLD: norepinephrine has reached the dose at which the source says to add, not to raise.

Under the hepatorenal profile HRS-* take its place.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads, ms
from streamproc.core.events import Profile
from streamproc.core.finding import all_of, negated
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.rules.parameters import McgPerKgMin, Seconds
from streamproc.rules.phrase import at_least, dose_figure, dose_mcg_per_kg_min, minutes


@dataclass(frozen=True, slots=True)
class EscThreshold:
    """The threshold, the dose that counts as back below it, and the waits for both."""

    threshold_mcg_per_kg_min: McgPerKgMin
    for_s: Seconds
    clear_mcg_per_kg_min: McgPerKgMin
    clear_for_s: Seconds


def judge(chart: Chart, p: EscThreshold) -> Judgement:
    replaced = chart.under(Profile.HEPATORENAL)
    reached = all_of(chart.dose_at_least(p.threshold_mcg_per_kg_min), negated(replaced))
    back_below = chart.dose_below(p.clear_mcg_per_kg_min)
    return Judgement(
        levels=(Level(Priority.MEDIUM, reached, ms(p.for_s)),),
        clears=(Clear(back_below, ms(p.clear_for_s)), Clear(replaced)),
    )


def word(chart: Chart, p: EscThreshold, alert: Alert) -> Wording:
    value, limit = dose_mcg_per_kg_min(chart), p.threshold_mcg_per_kg_min
    return Wording(
        text=f"Norepinephrine {at_least(value, limit, 2)} mcg/kg/min for {minutes(p.for_s)}",
        advice="Consider a second agent rather than more norepinephrine; look for hypovolemia.",
        figure=dose_figure(value),
        value=value,
        limit=limit,
        unit="ug/kg/min",
        with_dose=True,
    )


RULE = RuleDefinition(
    id="ESC-THRESHOLD",
    version=1,
    kind=Kind.PHYSIOLOGICAL,
    citation=Citation("Escalation for Refractory Hypotension", "Dose, titration, escalation; C4, C5", "S, E"),
    reads=Reads.DOSE | Reads.CONTEXT,
    sentence=(
        "If the norepinephrine dose is at least {threshold_mcg_per_kg_min} mcg/kg/min for {for_s} s, "
        "alert (medium). Not under the hepatorenal profile, which has its own rules. Clear once it is below "
        "{clear_mcg_per_kg_min} mcg/kg/min for {clear_for_s} s."
    ),
    parameters=EscThreshold,
    judge=judge,
    word=word,
)
