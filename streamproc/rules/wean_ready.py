"""WEAN-READY: the pressure has held long enough, at a steady dose, for the next step down.

Fails closed: whatever is missing, late or unknown makes the bed not eligible. The bed's state
lists every clause of this rule, so that a nurse sees why or why not.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads, ms
from streamproc.core.events import MILLI
from streamproc.core.finding import NEVER, Finding, all_of, found, negated, not_shown, unknown
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.core.sight import Of, sight
from streamproc.rules.parameters import McgPerKgMin, Percent, Seconds, Share
from streamproc.rules.phrase import dose_mcg_per_kg_min, minutes


@dataclass(frozen=True, slots=True)
class WeanReady:
    """How long pressure and dose must have held, how well covered, and how large the step is."""

    window_s: Seconds
    held_s: Seconds
    coverage_min: Share
    step_percent: Percent
    floor_mcg_per_kg_min: McgPerKgMin


def ready(chart: Chart, p: WeanReady) -> Finding:
    """Every clause of eligibility; met only if each of them is known to be met."""
    at_target = negated(chart.mean_map_below(chart.target_milli, p.window_s))
    held = chart.unbroken("MAP at target", at_target, p.held_s)
    eligible = all_of(
        chart.on_norepinephrine(),
        held,
        chart.pressure.trend.coverage_at_least("coverage", p.coverage_min, chart.now_ms, ms(p.held_s)),
        dose_steady(chart, p.held_s),
        chart.no_open_alarm(),
        negated(chart.open_now("HRS-RESPONSE")),
    )
    return eligible.asked_with(held)  # a spell is only seen to begin and break while it is asked about


def dose_steady(chart: Chart, for_s: int) -> Finding:
    """Whether the dose has been known and unchanged for so long."""
    since_ms, for_ms = chart.norepinephrine.steady_since_ms(), ms(for_s)
    saw = sight(Of.DOSE, "", for_ms)
    if since_ms is None:
        return unknown("dose steady", "the dose is unknown", saw=saw)
    due_ms, steady_s = since_ms + for_ms, (chart.now_ms - since_ms) / MILLI
    steady = chart.now_ms >= due_ms
    until_ms = NEVER if steady else due_ms
    return found("dose steady", steady, until_ms, value=steady_s, limit=for_s, unit="s", saw=saw)


def judge(chart: Chart, p: WeanReady) -> Judgement:
    eligible = ready(chart, p)
    return Judgement(
        levels=(Level(Priority.INFO, eligible),),
        clears=(Clear(not_shown(eligible)),),
    )


def word(chart: Chart, p: WeanReady, alert: Alert) -> Wording:
    dose = dose_mcg_per_kg_min(chart)
    lower = next_dose(dose, p)
    proposal = _proposal(dose, lower)
    return Wording(
        text=f"Ready to wean: {proposal}",
        advice=(
            f"Reduce by {p.step_percent:g} % and watch MAP for {minutes(p.held_s)} before the next step: "
            f"{proposal}."
        ),
        value=dose,
        unit="ug/kg/min",
        window_s=p.held_s,
        with_dose=True,
        proposal=lower,
    )


def next_dose(dose: float | None, p: WeanReady) -> float | None:
    """One step down from a dose, mcg/kg/min; 0 (stop) where that is below the floor."""
    if dose is None:
        return None
    lower = round(dose * (100 - p.step_percent) / 100, 9)
    return lower if lower >= p.floor_mcg_per_kg_min else 0.0


def _proposal(dose: float | None, lower: float | None) -> str:
    if dose is None:
        return "dose unknown"
    if not lower:
        return f"norepinephrine {dose:.4g} -> stop"
    return f"norepinephrine {dose:.4g} -> {lower:.4g} mcg/kg/min"


RULE = RuleDefinition(
    id="WEAN-READY",
    version=1,
    kind=Kind.ADVISORY,
    citation=Citation("Weaning Protocol", "Weaning", "S, E"),
    reads=Reads.MAP | Reads.DOSE | Reads.CONTEXT | Reads.ALERTS,
    sentence=(
        "If the patient is on norepinephrine, the time-weighted mean MAP of {window_s} s has been at "
        "target without interruption for {held_s} s with at least {coverage_min} of that time covered, "
        "the dose has not changed in that time, and neither an alarm of the bed nor HRS-RESPONSE is open, "
        "advise (info) a reduction by {step_percent} %, or to stop once that is below {floor_mcg_per_kg_min} "
        "mcg/kg/min. Clear as soon as any of this is not known to hold."
    ),
    parameters=WeanReady,
    judge=judge,
    word=word,
)
