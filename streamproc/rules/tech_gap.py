"""TECH-GAP: messages that a device must have sent never came; what they said, nobody knows."""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Gap, Reads, ms
from streamproc.core.finding import Finding, any_of, found, negated
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.rules.parameters import Seconds
from streamproc.rules.phrase import minutes


@dataclass(frozen=True, slots=True)
class TechGap:
    """How long a gap is shown that nobody acknowledges."""

    shown_s: Seconds


def judge(chart: Chart, p: TechGap) -> Judgement:
    missing = recently_missing(chart, p)
    alert = chart.alert("TECH-GAP")
    seen = found("acknowledged", alert.open and alert.acknowledged_ms is not None)
    return Judgement(levels=(Level(Priority.LOW, missing),), clears=(Clear(any_of(seen, negated(missing))),))


def recently_missing(chart: Chart, p: TechGap) -> Finding:
    """Whether a gap was noticed not long ago that has not been acknowledged already."""
    gap = chart.gap
    if gap is None or _dealt_with(chart, gap):
        return found("messages missing", False)
    until_ms = gap.noticed_ms + ms(p.shown_s)
    if chart.now_ms >= until_ms:
        return found("messages missing", False)
    return found("messages missing", True, until_ms, gap.messages, 0)


def _dealt_with(chart: Chart, gap: Gap) -> bool:
    """Whether the alert that told of this gap has ended: the same gap does not raise it again."""
    alert = chart.alert("TECH-GAP")
    return not alert.open and alert.ended_ms is not None and gap.noticed_ms <= alert.ended_ms


def word(chart: Chart, p: TechGap, alert: Alert) -> Wording:
    gap = chart.gap
    lost, device = (gap.messages, gap.device) if gap else (0, "the device")
    return Wording(
        text=f"{lost} message{'' if lost == 1 else 's'} of {device} lost",
        advice="Check the device's network; what these messages said is missing from every window.",
        figure=f"acknowledged, or none lost for {minutes(p.shown_s)}",
        value=float(lost),
        limit=0.0,
    )


RULE = RuleDefinition(
    id="TECH-GAP",
    version=1,
    kind=Kind.TECHNICAL,
    citation=Citation("Target Blood Pressure and Monitoring", "Technical", "E"),
    reads=Reads.DOUBTS | Reads.ALERTS,
    sentence=(
        "If the numbers of a device's messages leave a gap within one of its starts, alert (low) with how "
        "many were lost. Clear when acknowledged, or {shown_s} s after the last gap."
    ),
    parameters=TechGap,
    judge=judge,
    word=word,
)
