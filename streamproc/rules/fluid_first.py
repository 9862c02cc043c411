"""FLUID-FIRST: norepinephrine runs, and too little crystalloid was given before or with it.

Advice, never an interlock (C11): it holds nothing back, and in life-threatening hypotension it is
information only. Once the volume has been reached, it has been reached for this infusion.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads, ms
from streamproc.core.dose import exact
from streamproc.core.events import ObservationKind
from streamproc.core.finding import Finding, all_of, any_of, found, negated, unknown
from streamproc.core.observations import Reading
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.core.sight import Of, sight
from streamproc.rules.parameters import Ml, MlPerKg, Seconds
from streamproc.rules.phrase import SECONDS_PER_HOUR, filled

NOT_CHARTED = "no fluid charted"
EMERGENCY = "emergency"
SHORT = "short"
NEWEST_BOLUS = sight(Of.READINGS, ObservationKind.FLUID_BOLUS)

ADVICE = {
    NOT_CHARTED: (
        "Fluid status unknown: chart what was given. At least {volume_ml_per_kg:g} mL/kg of crystalloid "
        "belong before or beside norepinephrine ({pregnancy_volume_ml:g} mL in pregnancy)."
    ),
    EMERGENCY: "Life-threatening hypotension: norepinephrine is right now; let fluid go on beside it.",
    SHORT: (
        "Give crystalloid, balanced preferred, beside norepinephrine up to {volume_ml_per_kg:g} mL/kg "
        "({pregnancy_volume_ml:g} mL in pregnancy): vasoconstriction without volume starves the organs."
    ),
}


@dataclass(frozen=True, slots=True)
class FluidFirst:
    """How much crystalloid within what time is enough, and how long an emergency excuses."""

    look_back_s: Seconds
    volume_ml_per_kg: MlPerKg
    pregnancy_volume_ml: Ml
    emergency_s: Seconds


def judge(chart: Chart, p: FluidFirst) -> Judgement:
    treated = chart.under_way(chart.terms.titrated_drug)
    boluses = len(chart.observations.of(ObservationKind.FLUID_BOLUS))
    charted = found("fluid charted", bool(boluses), value=boluses, limit=1, unit="1", saw=NEWEST_BOLUS)
    reached = _reached(chart, p, treated)
    emergency = chart.open_within("SBP-CRIT", ms(p.emergency_s))
    short = negated(reached)
    return Judgement(
        levels=(
            Level(Priority.LOW, all_of(treated, charted, short, negated(emergency))),
            Level(Priority.INFO, all_of(treated, any_of(negated(charted), short))),
        ),
        clears=(Clear(reached), Clear(negated(treated))),
        variant=NOT_CHARTED if not charted.met else EMERGENCY if emergency.met else SHORT,
    )


def _reached(chart: Chart, p: FluidFirst, treated: Finding) -> Finding:
    """Whether the volume was there at any instant of this infusion."""
    need_ml, given_ml = volume_needed_ml(chart, p), crystalloid_ml(chart, p)
    saw = sight(Of.SINCE, ObservationKind.FLUID_BOLUS, ms(p.look_back_s))
    if need_ml is None:
        enough = unknown("fluid volume", "no weight is known", saw=saw)
    else:
        reached = given_ml >= need_ml
        enough = found("fluid volume", reached, value=given_ml, limit=need_ml, unit="mL", saw=saw)
    began_ms = chart.met_since("FLUID-FIRST infusion", treated)
    return enough if began_ms is None else chart.ever_since("FLUID-FIRST volume", enough, began_ms)


def volume_needed_ml(chart: Chart, p: FluidFirst) -> float | None:
    """What this patient should have been given; None without a weight."""
    if chart.context is not None and chart.context.pregnant:
        return p.pregnancy_volume_ml
    weight_kg = chart.weight_kg
    return None if weight_kg is None else _volume_ml(p.volume_ml_per_kg, weight_kg)


@lru_cache(maxsize=4096)
def _volume_ml(ml_per_kg: float, weight_kg: float) -> float:
    return float(exact(ml_per_kg) * exact(weight_kg))


def crystalloid_ml(chart: Chart, p: FluidFirst) -> float:
    """The crystalloid of the last hours; other fluids do not count."""
    return sum(bolus.figure for bolus in _boluses(chart, p) if chart.terms.site.is_crystalloid(bolus.fluid))


def _boluses(chart: Chart, p: FluidFirst) -> list[Reading]:
    return chart.observations.after(ObservationKind.FLUID_BOLUS, chart.now_ms - ms(p.look_back_s))


def told(chart: Chart, p: FluidFirst, alert: Alert) -> str:
    """The line of an open alert: how much was given, of how much."""
    if alert.variant == NOT_CHARTED:
        return "Norepinephrine runs, fluid status unknown"
    need = volume_needed_ml(chart, p)
    least = "an unknown volume (no weight)" if need is None else f"{need:g} mL"
    return f"Norepinephrine with {_given_told(crystalloid_ml(chart, p), p)}, of {least}"


def _given_told(given_ml: float, p: FluidFirst) -> str:
    return f"{given_ml:g} mL crystalloid in {p.look_back_s / SECONDS_PER_HOUR:g} h"


def word(chart: Chart, p: FluidFirst, alert: Alert) -> Wording:
    given = crystalloid_ml(chart, p)
    return Wording(
        text=told(chart, p, alert),
        advice=filled(ADVICE[alert.variant], p),
        figure=_given_told(given, p),
        value=None if alert.variant == NOT_CHARTED else given,
        limit=volume_needed_ml(chart, p),
        unit="mL",
        with_dose=True,
        observed=tuple(_boluses(chart, p)),
    )


RULE = RuleDefinition(
    id="FLUID-FIRST",
    version=1,
    kind=Kind.ADVISORY,
    citation=Citation(
        "Critical Pre-Administration Requirements", "Before and around the infusion; C11", "S, E"
    ),
    reads=Reads.OBSERVATIONS | Reads.DOSE | Reads.PUMPS | Reads.CONTEXT | Reads.ALERTS,
    sentence=(
        "If norepinephrine runs and the crystalloid given in {look_back_s} s has at no time of the infusion "
        "come to {volume_ml_per_kg} mL/kg (pregnancy: {pregnancy_volume_ml} mL), advise (low); while "
        "SBP-CRIT is open, and for {emergency_s} s after it, only inform (info). If no fluid was charted in "
        "the whole stay, inform once an infusion that the fluid status is unknown. Clear once the volume is "
        "reached, or the infusion has ended."
    ),
    parameters=FluidFirst,
    judge=judge,
    word=word,
    text=told,
)
