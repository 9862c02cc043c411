"""ESC-SECOND-AGENT: the pressure stays low although norepinephrine runs at an escalation dose.

The advice is the next step that the source names: vasopressin first; where that already runs,
epinephrine, or dobutamine for a failing heart. Vasopressin that runs keeps a new alert from
being raised, as the step has been taken; MAP-LOW and ESC-THRESHOLD go on regardless. Under the
hepatorenal profile HRS-* take its place.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads
from streamproc.core.events import Profile
from streamproc.core.finding import all_of, negated, not_shown
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.rules.parameters import InotropeMcgPerKgMin, McgPerKgMin, Seconds, UnitsPerMin
from streamproc.rules.phrase import (
    below,
    dose_figure,
    dose_mcg_per_kg_min,
    dose_told,
    filled,
    map_figure,
    mean_map_mmhg,
    minutes,
)

VASOPRESSIN_FIRST = "vasopressin"
NEXT_STEP = "next step"
FAILING_HEART = "dobutamine"

ADVICE = {
    VASOPRESSIN_FIRST: (
        "Add vasopressin {vasopressin_u_per_min:g}-{vasopressin_max_u_per_min:g} U/min rather than escalate "
        "norepinephrine alone; epinephrine {epinephrine_min_mcg_per_kg_min:g}-"
        "{epinephrine_max_mcg_per_kg_min:g} mcg/kg/min where vasopressin is unavailable or contraindicated."
    ),
    NEXT_STEP: (
        "Vasopressin runs. Next step: epinephrine {epinephrine_min_mcg_per_kg_min:g}-"
        "{epinephrine_max_mcg_per_kg_min:g} mcg/kg/min."
    ),
    FAILING_HEART: (
        "Vasopressin runs and the myocardium fails. Next step: dobutamine up to "
        "{dobutamine_max_mcg_per_kg_min:g} mcg/kg/min."
    ),
}


@dataclass(frozen=True, slots=True)
class EscSecondAgent:
    """Window of the MAP, the dose bounds of both priorities, what counts as vasopressin running, and the
    ranges that the advice names."""

    window_s: Seconds
    dose_mcg_per_kg_min: McgPerKgMin
    high_dose_mcg_per_kg_min: McgPerKgMin
    clear_dose_mcg_per_kg_min: McgPerKgMin
    vasopressin_u_per_min: UnitsPerMin
    vasopressin_max_u_per_min: UnitsPerMin
    epinephrine_min_mcg_per_kg_min: McgPerKgMin
    epinephrine_max_mcg_per_kg_min: McgPerKgMin
    dobutamine_max_mcg_per_kg_min: InotropeMcgPerKgMin


def judge(chart: Chart, p: EscSecondAgent) -> Judgement:
    hypotension = chart.mean_map_below(chart.target_milli, p.window_s)
    runs = chart.drug_per_min_at_least("vasopressin", p.vasopressin_u_per_min)
    is_open = chart.alert("ESC-SECOND-AGENT").open
    replaced = chart.under(Profile.HEPATORENAL)
    due = [hypotension, negated(replaced)] if is_open else [hypotension, negated(replaced), not_shown(runs)]
    high_dose = chart.dose_at_least(p.high_dose_mcg_per_kg_min)
    return Judgement(
        levels=(
            Level(Priority.HIGH, all_of(*due, high_dose), left_when=negated(high_dose)),
            Level(Priority.MEDIUM, all_of(*due, chart.dose_at_least(p.dose_mcg_per_kg_min))),
        ),
        clears=(
            Clear(all_of(chart.map_heard(), negated(hypotension))),
            Clear(chart.dose_below(p.clear_dose_mcg_per_kg_min)),
            Clear(replaced),
        ),
        variant=_variant(chart, runs.met),
    )


def _variant(chart: Chart, vasopressin_runs: bool) -> str:
    if not vasopressin_runs:
        return VASOPRESSIN_FIRST
    failing = chart.context is not None and chart.context.myocardial_dysfunction
    return FAILING_HEART if failing else NEXT_STEP


def word(chart: Chart, p: EscSecondAgent, alert: Alert) -> Wording:
    value, limit = mean_map_mmhg(chart, p.window_s), chart.target_milli / 1000
    dose = dose_mcg_per_kg_min(chart)
    return Wording(
        text=f"MAP {below(value, limit)} for {minutes(p.window_s)}, norepinephrine {dose_told(dose)}",
        advice=filled(ADVICE[alert.variant], p),
        figure=f"{map_figure(value)}, {dose_figure(dose)}",
        value=value,
        limit=limit,
        unit="mm[Hg]",
        window_s=p.window_s,
        with_dose=True,
    )


RULE = RuleDefinition(
    id="ESC-SECOND-AGENT",
    version=1,
    kind=Kind.PHYSIOLOGICAL,
    citation=Citation("Escalation for Refractory Hypotension", "Dose, titration, escalation; C4", "S"),
    reads=Reads.MAP | Reads.DOSE | Reads.CONTEXT,
    sentence=(
        "If the time-weighted mean MAP of {window_s} s is below target and the norepinephrine dose is at "
        "least {dose_mcg_per_kg_min} mcg/kg/min, alert (medium); at {high_dose_mcg_per_kg_min} or more, "
        "high: add vasopressin {vasopressin_u_per_min}-{vasopressin_max_u_per_min} U/min rather than "
        "escalate. Not raised while vasopressin runs at {vasopressin_u_per_min} U/min or more; an open alert "
        "then names the next step: epinephrine {epinephrine_min_mcg_per_kg_min}-"
        "{epinephrine_max_mcg_per_kg_min} mcg/kg/min, or with a failing myocardium dobutamine up to "
        "{dobutamine_max_mcg_per_kg_min} mcg/kg/min. Not under the hepatorenal profile, which has its own "
        "rules. Clear once the mean is at target, or the dose below {clear_dose_mcg_per_kg_min} mcg/kg/min."
    ),
    parameters=EscSecondAgent,
    judge=judge,
    word=word,
)
