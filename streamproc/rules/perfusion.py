"""PERFUSION: on a vasopressor, lactate does not fall or too little urine comes.

Judged from reading to reading; what was not measured is not called low.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads, ms
from streamproc.core.events import ObservationKind
from streamproc.core.finding import Finding, all_of, any_of, found, negated, unknown
from streamproc.core.observations import Reading
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.core.sight import Of, sight
from streamproc.rules.parameters import MlPerHour, MlPerKgPerHour, Seconds
from streamproc.rules.phrase import SECONDS_PER_HOUR
from streamproc.rules.signs import Signs, mended, shown_signs

LACTATE = "lactate not falling"
URINE = "urine output low"


@dataclass(frozen=True, slots=True)
class Perfusion:
    """Over what time urine is added up, and how much is enough: for adults, and for children by weight."""

    urine_window_s: Seconds
    urine_ml_per_h: MlPerHour
    pediatric_urine_ml_per_kg_h: MlPerKgPerHour


def judge(chart: Chart, p: Perfusion) -> Judgement:
    signs, alert = _signs(chart, p), chart.alert("PERFUSION")
    ended = negated(chart.under_way(chart.terms.titrated_drug))
    return Judgement(
        levels=(Level(Priority.INFO, all_of(chart.on_vasopressor(), any_of(*signs.values()))),),
        clears=(Clear(mended(signs, alert)), Clear(ended)),
        variant=shown_signs(signs, alert),
    )


def _signs(chart: Chart, p: Perfusion) -> Signs:
    falling = chart.observations.falling(ObservationKind.LACTATE)
    return {LACTATE: negated(falling), URINE: _urine_low(chart, p)}


def _urine_low(chart: Chart, p: Perfusion) -> Finding:
    """Whether less than enough came in the whole window that ends with the newest reading."""
    given, limit = urine_ml_per_h(chart, p.urine_window_s), _limit_ml_per_h(chart, p)
    saw = sight(Of.SUM, ObservationKind.URINE_OUTPUT, ms(p.urine_window_s))
    if given is None:
        return unknown(URINE, f"not measured over {p.urine_window_s // SECONDS_PER_HOUR} h", saw=saw)
    if limit is None:
        return unknown(URINE, "no weight is known", saw=saw)
    return found(URINE, given < limit, value=given, limit=limit, unit="mL/h", saw=saw)


def urine_ml_per_h(chart: Chart, window_s: int) -> float | None:
    """Urine per hour over the window that ends with the newest reading; None if a part was not measured."""
    newest = chart.observations.last(ObservationKind.URINE_OUTPUT)
    if newest is None:
        return None
    total = chart.observations.sum_before(ObservationKind.URINE_OUTPUT, newest.time_ms, ms(window_s))
    return None if total is None else float(total * SECONDS_PER_HOUR / window_s)


def _limit_ml_per_h(chart: Chart, p: Perfusion) -> float | None:
    if not chart.is_child:
        return p.urine_ml_per_h
    weight = chart.weight_kg
    return None if weight is None else p.pediatric_urine_ml_per_kg_h * weight


def word(chart: Chart, p: Perfusion, alert: Alert) -> Wording:
    urine, lactate = urine_ml_per_h(chart, p.urine_window_s), chart.observations.last(ObservationKind.LACTATE)
    figures = [] if lactate is None else [f"lactate {lactate.figure:g}"]
    figures += [] if urine is None else [f"urine {urine:.4g} mL/h"]
    lacks_urine = URINE in alert.variant
    return Wording(
        text=f"Perfusion: {alert.variant} ({', '.join(figures)})",
        advice=(
            "Assess perfusion beside MAP: lactate clearance, urine output above "
            f"{_told_limit(chart, p)}, mental status, capillary refill."
        ),
        figure=", ".join(figures),
        value=urine if lacks_urine else None if lactate is None else lactate.figure,
        limit=_limit_ml_per_h(chart, p) if lacks_urine else None,
        unit="mL/h" if lacks_urine else "mmol/L",
        with_dose=True,
        observed=_readings(chart, p),
    )


def _readings(chart: Chart, p: Perfusion) -> tuple[Reading, ...]:
    seen = chart.observations
    urine = seen.over(ObservationKind.URINE_OUTPUT, ms(p.urine_window_s))
    return (*urine, *seen.newest(ObservationKind.LACTATE, 2))


def _told_limit(chart: Chart, p: Perfusion) -> str:
    if chart.is_child:
        return f"{p.pediatric_urine_ml_per_kg_h:g} mL/kg/h"
    return f"{p.urine_ml_per_h:g} mL/h"


RULE = RuleDefinition(
    id="PERFUSION",
    version=1,
    kind=Kind.ADVISORY,
    citation=Citation("Target Blood Pressure and Monitoring", "MAP (target and monitoring)", "S"),
    reads=Reads.OBSERVATIONS | Reads.DOSE | Reads.PUMPS | Reads.CONTEXT,
    sentence=(
        "If, on a vasopressor, the newest lactate is not below the one before, or urine output over "
        "{urine_window_s} s is below {urine_ml_per_h} mL/h (children: {pediatric_urine_ml_per_kg_h} "
        "mL/kg/h), advise (info). Clear when the next reading mends it, or the "
        "infusion has ended."
    ),
    parameters=Perfusion,
    judge=judge,
    word=word,
)
