"""TECH-BED-SILENT: a bed on the roster has never been heard; nobody watches it although all think so."""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads, ms
from streamproc.core.finding import NEVER, Finding, found, negated
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.core.sight import BED
from streamproc.rules.parameters import Seconds
from streamproc.rules.phrase import minutes


@dataclass(frozen=True, slots=True)
class TechBedSilent:
    """How long after the start a bed of the roster may stay silent."""

    after_s: Seconds


def judge(chart: Chart, p: TechBedSilent) -> Judgement:
    raised = never_heard(chart, p.after_s, chart.unwatched_ms(chart.waiting_since_ms))
    heard = negated(never_heard(chart, p.after_s))
    return Judgement(levels=(Level(Priority.LOW, raised),), clears=(Clear(heard),))


def never_heard(chart: Chart, after_s: int, unwatched_ms: int = 0) -> Finding:
    """Whether the bed is expected, since the start or an admission, and was not heard in time."""
    if chart.waiting_since_ms is None or chart.stay_heard_ms is not None:
        told = "not expected" if chart.stay_heard_ms is None else "heard"
        return found("never heard", False, value=told, limit=after_s, unit="s", saw=BED)
    due_ms = chart.waiting_since_ms + ms(after_s) + unwatched_ms
    waited_s = max(0, chart.now_ms - chart.waiting_since_ms) / 1000  # a bed is judged up to the hold-back
    silent = chart.now_ms >= due_ms
    until_ms = NEVER if silent else due_ms
    return found("never heard", silent, until_ms, value=waited_s, limit=after_s, unit="s", saw=BED)


def word(chart: Chart, p: TechBedSilent, alert: Alert) -> Wording:
    return Wording(
        text=f"Nothing heard from this bed for {minutes(p.after_s)} since it is expected",
        advice="Check monitor and pump gateways of this bed, or take it off the roster.",
        figure="no longer expected" if chart.waiting_since_ms is None else "first sample came",
        value=float(p.after_s),
        limit=float(p.after_s),
        unit="s",
    )


RULE = RuleDefinition(
    id="TECH-BED-SILENT",
    version=2,
    kind=Kind.TECHNICAL,
    citation=Citation("Target Blood Pressure and Monitoring", "Technical", "E"),
    reads=Reads.PRESENCE | Reads.UNWATCHED,
    sentence=(
        "If a bed on the roster has not been heard {after_s} s after the start, or a bed {after_s} s after"
        " another patient's admission, alert (low). A time that nobody watched does not count. Clear at its "
        "first sample."
    ),
    parameters=TechBedSilent,
    judge=judge,
    word=word,
)
