"""TECH-PUMP-LOST: a pump was infusing and has fallen silent; what it delivers is unknown, not 0."""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads
from streamproc.core.finding import NEVER, Finding, found, negated
from streamproc.core.infusion import Channel
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.core.sight import ALL_PUMPS


@dataclass(frozen=True, slots=True)
class TechPumpLost:
    """No number of its own: the silence that counts is the shared term `pump_lost_s`."""


def judge(chart: Chart, p: TechPumpLost) -> Judgement:
    lost = _lost(chart)
    raised = _silent([c for c in lost if _due_ms(chart, c) <= chart.now_ms], _next_ms(chart, lost))
    return Judgement(levels=(Level(Priority.MEDIUM, raised),), clears=(Clear(negated(_silent(lost))),))


def _silent(channels: list[Channel], until_ms: int = NEVER) -> Finding:
    """Whether a channel that last reported `infusing`, of any drug, is out of contact."""
    named = ", ".join(c.status.channel for c in channels)
    return found("pump silent", bool(channels), until_ms, value=named or "none", saw=ALL_PUMPS)


def _lost(chart: Chart) -> list[Channel]:
    return [channel for channel in chart.infusions.running() if channel.lost]


def _due_ms(chart: Chart, channel: Channel) -> int:
    """When the silence that we watched has been long enough."""
    return channel.loss_due_ms(chart.terms) + chart.unwatched_ms(channel.heard_ms)


def _next_ms(chart: Chart, lost: list[Channel]) -> int:
    return min((due for c in lost if (due := _due_ms(chart, c)) > chart.now_ms), default=NEVER)


def word(chart: Chart, p: TechPumpLost, alert: Alert) -> Wording:
    lost = _lost(chart)
    drugs = ", ".join(sorted({channel.status.drug for channel in lost}))
    silent_s = max(((chart.now_ms - c.status.time_ms) / 1000 for c in lost), default=None)
    channels = ", ".join(channel.status.channel for channel in lost)
    return Wording(
        text=f"No word from the {drugs or 'infusion'} pump, channel {channels}",
        advice="Check the pump and its network; its dose is unknown until it reports again.",
        figure="the pump reports",
        value=silent_s,
        limit=chart.terms.pump_lost_ms / 1000,
        unit="s",
        with_dose=True,
    )


RULE = RuleDefinition(
    id="TECH-PUMP-LOST",
    version=2,
    kind=Kind.TECHNICAL,
    citation=Citation("Administration Route", "Technical", "E"),
    reads=Reads.PUMPS | Reads.UNWATCHED,
    sentence=(
        "If a pump was infusing and no status came for {lost_intervals} of its usual intervals, at least "
        "{pump_lost_s} s, alert (medium). A time that nobody watched does not count. Clear at the next "
        "status."
    ),
    parameters=TechPumpLost,
    judge=judge,
    word=word,
)
