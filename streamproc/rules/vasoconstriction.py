"""VASOCONSTRICTION: the skin or the kidney gets too little blood while the dose rises.

Judged from reading to reading; only a later reading of the same sign ends it.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads, ms
from streamproc.core.dose import exact
from streamproc.core.events import MILLI, ObservationKind
from streamproc.core.finding import NEVER, Finding, all_of, any_of, found, unknown
from streamproc.core.observations import Reading
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.core.sight import DOSE, Of, sight
from streamproc.rules.parameters import RefillSeconds, Seconds, Share
from streamproc.rules.phrase import SECONDS_PER_HOUR
from streamproc.rules.signs import Signs, mended, shown_signs

REFILL = "poor capillary refill"
URINE = "urine output falling"


@dataclass(frozen=True, slots=True)
class Vasoconstriction:
    """When refill is poor, when urine has fallen, and how long after an increase the dose is rising."""

    refill_max_s: RefillSeconds
    urine_span_s: Seconds
    urine_share: Share
    rising_for_s: Seconds


def judge(chart: Chart, p: Vasoconstriction) -> Judgement:
    signs, alert = _signs(chart, p), chart.alert("VASOCONSTRICTION")
    return Judgement(
        levels=(Level(Priority.LOW, all_of(_dose_rising(chart, p), any_of(*signs.values()))),),
        clears=(Clear(mended(signs, alert)),),
        variant=shown_signs(signs, alert),
    )


def _signs(chart: Chart, p: Vasoconstriction) -> Signs:
    return {REFILL: _refill_poor(chart, p), URINE: _urine_falling(chart, p)}


def _refill_poor(chart: Chart, p: Vasoconstriction) -> Finding:
    newest, limit = chart.observations.last(ObservationKind.CAPILLARY_REFILL), p.refill_max_s
    saw = sight(Of.READINGS, ObservationKind.CAPILLARY_REFILL)
    if newest is None:
        return unknown(REFILL, "never observed", saw=saw)
    return found(REFILL, newest.figure > limit, value=newest.figure, limit=limit, unit="s", saw=saw)


def _urine_falling(chart: Chart, p: Vasoconstriction) -> Finding:
    """Whether the span that ends with the newest reading gave less than a share of the span before."""
    kind, seen = ObservationKind.URINE_OUTPUT, chart.observations
    newest, span_ms = seen.last(kind), ms(p.urine_span_s)
    saw = sight(Of.SUM, kind, 2 * span_ms)
    if newest is None:
        return unknown(URINE, "never measured", saw=saw)
    before = seen.sum_before(kind, newest.time_ms - span_ms, span_ms)
    now = seen.sum_before(kind, newest.time_ms, span_ms)
    if before is None or now is None:
        return unknown(URINE, f"not measured over twice {p.urine_span_s // SECONDS_PER_HOUR} h", saw=saw)
    limit = exact(p.urine_share) * before
    return found(URINE, now < limit, value=float(now), limit=float(limit), unit="mL", saw=saw)


def _dose_rising(chart: Chart, p: Vasoconstriction) -> Finding:
    """Whether the last change of the dose was an increase, not long ago."""
    titration = chart.norepinephrine
    if titration.changed_ms is None or not titration.changed_up:
        told = "last change was down" if titration.changed_ms is not None else "no change"
        return found("dose rising", False, value=told, limit=p.rising_for_s, unit="s", saw=DOSE)
    ends_ms, age_s = titration.changed_ms + ms(p.rising_for_s), (chart.now_ms - titration.changed_ms) / MILLI
    rising, limit = chart.now_ms < ends_ms, p.rising_for_s
    until_ms = ends_ms if rising else NEVER
    return found("dose rising", rising, until_ms, value=age_s, limit=limit, unit="s", saw=DOSE)


def word(chart: Chart, p: Vasoconstriction, alert: Alert) -> Wording:
    refill = chart.observations.last(ObservationKind.CAPILLARY_REFILL)
    poor = refill if REFILL in alert.variant else None
    return Wording(
        text=f"Excessive vasoconstriction? {alert.variant.capitalize()} while the dose rises",
        advice="Feel the extremities; look for hypovolaemia, and the lowest dose that holds the pressure.",
        figure="" if refill is None else f"refill {refill.figure:g} s",
        value=None if poor is None else poor.figure,
        limit=None if poor is None else p.refill_max_s,
        unit="mL" if poor is None else "s",
        with_dose=True,
        observed=_readings(chart, p),
    )


def _readings(chart: Chart, p: Vasoconstriction) -> tuple[Reading, ...]:
    seen = chart.observations
    urine = seen.over(ObservationKind.URINE_OUTPUT, 2 * ms(p.urine_span_s))
    return (*urine, *seen.newest(ObservationKind.CAPILLARY_REFILL))


RULE = RuleDefinition(
    id="VASOCONSTRICTION",
    version=1,
    kind=Kind.PHYSIOLOGICAL,
    citation=Citation("Monitoring for Adverse Effects", "Before and around the infusion", "S, E"),
    reads=Reads.OBSERVATIONS | Reads.DOSE,
    sentence=(
        "If, within {rising_for_s} s after an increase of the dose, capillary refill takes more than "
        "{refill_max_s} s, or urine over {urine_span_s} s is less than {urine_share} of that of the "
        "{urine_span_s} s before, alert (low). Clear at the next reading that is better."
    ),
    parameters=Vasoconstriction,
    judge=judge,
    word=word,
)
