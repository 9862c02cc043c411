"""TECH-GAP: messages of a device never came, or nobody watched for a while; what was then, nobody knows."""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads, ms
from streamproc.core.finding import Finding, any_of, found, negated
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.core.sight import Of, Sight, sight
from streamproc.rules.parameters import Seconds
from streamproc.rules.phrase import minutes

MISSING, UNWATCHED = sight(Of.GAP), sight(Of.UNWATCHED)


@dataclass(frozen=True, slots=True)
class TechGap:
    """How long a gap is shown that nobody acknowledges, and how long we may be away without saying so."""

    shown_s: Seconds
    unwatched_s: Seconds


def judge(chart: Chart, p: TechGap) -> Judgement:
    gap = any_of(recently_missing(chart, p), recently_unwatched(chart, p))
    seen = chart.acknowledged("TECH-GAP")
    return Judgement(
        levels=(Level(Priority.LOW, gap),),
        clears=(Clear(any_of(seen, negated(gap))),),
        variant="" if chart.unwatched is None else f"unwatched until {chart.unwatched.time_ms}",
    )


def recently_missing(chart: Chart, p: TechGap) -> Finding:
    """Whether messages were found missing not long ago, and that has not been acknowledged already."""
    gap = chart.gap
    if gap is None:
        return found("messages missing", False, value=0, limit=0, unit="1", saw=MISSING)
    shown_ms = gap.noticed_ms + ms(p.shown_s)
    return _recently(chart, "messages missing", gap.noticed_ms, shown_ms, gap.messages, "1", MISSING)


def recently_unwatched(chart: Chart, p: TechGap) -> Finding:
    """Whether the bed was not watched until not long ago, and that has not been acknowledged already."""
    gap = chart.unwatched
    if gap is None:
        return found("not watched", False, value=0, limit=0, unit="s", saw=UNWATCHED)
    value = (gap.until_ms - gap.from_ms) / 1000
    shown_ms = max(gap.time_ms, gap.until_ms) + ms(p.shown_s)
    return _recently(chart, "not watched", gap.time_ms, shown_ms, value, "s", UNWATCHED)


def _recently(
    chart: Chart, name: str, noticed_ms: int, until_ms: int, value: float, unit: str, saw: Sight
) -> Finding:
    """What is over by itself, or was told by an alert that has ended, does not raise another."""
    alert = chart.alert("TECH-GAP")
    told = not alert.open and alert.ended_ms is not None and noticed_ms <= alert.ended_ms
    if told or chart.now_ms >= until_ms:
        return found(name, False, value="told, or long ago", limit=0, unit=unit, saw=saw)
    return found(name, True, until_ms, value=value, limit=0, unit=unit, saw=saw)


def word(chart: Chart, p: TechGap, alert: Alert) -> Wording:
    gap, unwatched = chart.gap, chart.unwatched
    figure = f"acknowledged, or none for {minutes(p.shown_s)}"
    if unwatched is not None and (gap is None or gap.noticed_ms <= unwatched.time_ms):
        away_s = (unwatched.until_ms - unwatched.from_ms) / 1000
        return Wording(
            text=f"Not watched for {minutes(away_s)}: {unwatched.why}",
            advice="Look at the bed: what happened meanwhile was not judged, or was judged late.",
            figure=figure,
            value=away_s,
            limit=0.0,
            unit="s",
        )
    lost, device = (gap.messages, gap.device) if gap else (0, "the device")
    return Wording(
        text=f"{lost} message{'' if lost == 1 else 's'} of {device} lost",
        advice="Check the device's network; what these messages said is missing from every window.",
        figure=figure,
        value=float(lost),
        limit=0.0,
    )


RULE = RuleDefinition(
    id="TECH-GAP",
    version=3,
    kind=Kind.TECHNICAL,
    citation=Citation("Target Blood Pressure and Monitoring", "Technical", "E"),
    reads=Reads.DOUBTS | Reads.ALERTS | Reads.UNWATCHED,
    sentence=(
        "If the numbers of a device's messages leave a gap within one of its starts, alert (low) with how "
        "many were lost; likewise if this program did not watch the bed for {unwatched_s} s, or its session "
        "at the broker was lost. Clear when acknowledged, or {shown_s} s after the last gap."
    ),
    parameters=TechGap,
    judge=judge,
    word=word,
)
