"""DOSE-DAILY: so much norepinephrine was given in a day that hidden hypovolemia must be suspected.

Time at an unknown dose counts as nothing and is told; it may hide a raise, and it never ends an alert.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads, ms
from streamproc.core.course import MINUTE_MS
from streamproc.core.finding import all_of, negated
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.rules.parameters import Mg, Seconds
from streamproc.rules.phrase import at_least, shown

SECONDS_PER_HOUR = 3600
DECIMALS = 1


@dataclass(frozen=True, slots=True)
class DoseDaily:
    """The look-back, the amount of base that counts, and the amount below which it no longer does."""

    span_s: Seconds
    limit_mg: Mg
    clear_mg: Mg


def judge(chart: Chart, p: DoseDaily) -> Judgement:
    course, now_ms, span_ms = chart.course, chart.now_ms, ms(p.span_s)
    much = course.given_at_least(p.limit_mg, now_ms, span_ms)
    still_much = course.given_at_least(p.clear_mg, now_ms, span_ms)
    return Judgement(
        levels=(Level(Priority.MEDIUM, much),),
        clears=(Clear(all_of(negated(still_much), course.measured(now_ms, span_ms))),),
    )


def word(chart: Chart, p: DoseDaily, alert: Alert) -> Wording:
    value = chart.course.given_mg(chart.now_ms, ms(p.span_s))
    told, span = shown(value, p.limit_mg), f"{p.span_s / SECONDS_PER_HOUR:g} h"
    unmeasured_min = round(chart.course.unmeasured_ms(chart.now_ms, ms(p.span_s)) / MINUTE_MS)
    gap = f"; unknown for {unmeasured_min} min of it" if unmeasured_min else ""
    return Wording(
        text=f"Norepinephrine {at_least(value, p.limit_mg, DECIMALS)} mg base in {span}{gap}",
        advice=(
            f"At doses near {p.limit_mg:g} mg a day always suspect occult blood volume depletion, and "
            "correct it."
        ),
        figure=f"{told} mg in {span}{gap}",
        value=round(value, 6),
        limit=p.limit_mg,
        unit="mg",
        with_dose=True,
    )


RULE = RuleDefinition(
    id="DOSE-DAILY",
    version=1,
    kind=Kind.PHYSIOLOGICAL,
    citation=Citation("Escalation for Refractory Hypotension", "Dose, titration, escalation", "S, E"),
    reads=Reads.DOSE,
    sentence=(
        "If the norepinephrine given in the last {span_s} s is at least {limit_mg} mg of base, alert "
        "(medium). Clear once it is below {clear_mg} mg and all of it was measured."
    ),
    parameters=DoseDaily,
    judge=judge,
    word=word,
)
