"""DOSE-DURATION: norepinephrine has run for longer than the source has seen it needed."""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads, ms
from streamproc.core.finding import NEVER, Finding, found
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.core.sight import DOSE
from streamproc.rules.parameters import Seconds

MS_PER_HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class DoseDuration:
    """For how long an infusion may run before it is told."""

    limit_s: Seconds


def judge(chart: Chart, p: DoseDuration) -> Judgement:
    return Judgement(
        levels=(Level(Priority.INFO, infused_long(chart, p)),), clears=(Clear(chart.infusion_over()),)
    )


def infused_long(chart: Chart, p: DoseDuration) -> Finding:
    """Whether the infusion, its change-overs included, has run for the whole limit."""
    began_ms, name, limit_h = chart.course.began_ms, "infusion lasts", ms(p.limit_s) / MS_PER_HOUR
    if began_ms is None or not chart.course.runs:
        return found(name, False, value="does not run", limit=limit_h, unit="h", saw=DOSE)
    due_ms = began_ms + ms(p.limit_s)
    long_enough, lasted_h = chart.now_ms >= due_ms, (chart.now_ms - began_ms) / MS_PER_HOUR
    until_ms = NEVER if long_enough else due_ms
    return found(name, long_enough, until_ms, value=lasted_h, limit=limit_h, unit="h", saw=DOSE)


def word(chart: Chart, p: DoseDuration, alert: Alert) -> Wording:
    lasted_h = (chart.now_ms - (chart.course.began_ms or chart.now_ms)) / MS_PER_HOUR
    limit_h = ms(p.limit_s) / MS_PER_HOUR
    return Wording(
        text=f"Norepinephrine for {lasted_h:g} h, {limit_h:g} h or more",
        advice=(
            "Duration varies, and some cases of vascular collapse need this long: look for what keeps the "
            "patient dependent, and whether weaning is possible."
        ),
        figure="the infusion has ended",
        value=round(lasted_h, 6),
        limit=limit_h,
        unit="h",
        with_dose=True,
    )


RULE = RuleDefinition(
    id="DOSE-DURATION",
    version=1,
    kind=Kind.ADVISORY,
    citation=Citation("Weaning Protocol", "Dose, titration, escalation", "S"),
    reads=Reads.DOSE,
    sentence=(
        "If norepinephrine has run for {limit_s} s, change-overs of up to {changeover_grace_s} s bridged, "
        "inform. Clear when the infusion ends."
    ),
    parameters=DoseDuration,
    judge=judge,
    word=word,
)
