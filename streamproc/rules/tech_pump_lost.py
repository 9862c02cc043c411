"""TECH-PUMP-LOST: a pump was infusing and has fallen silent; what it delivers is unknown, not 0."""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads
from streamproc.core.finding import Finding, found, negated
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.core.sight import ALL_PUMPS


@dataclass(frozen=True, slots=True)
class TechPumpLost:
    """No number of its own: the silence that counts is the shared term `pump_lost_s`."""


def judge(chart: Chart, p: TechPumpLost) -> Judgement:
    lost = any_pump_lost(chart)
    return Judgement(levels=(Level(Priority.MEDIUM, lost),), clears=(Clear(negated(lost)),))


def any_pump_lost(chart: Chart) -> Finding:
    """Whether a channel that last reported `infusing`, of any drug, is out of contact."""
    lost = _lost_channels(chart)
    return found("pump silent", bool(lost), value=", ".join(lost) or "none", saw=ALL_PUMPS)


def _lost_channels(chart: Chart) -> list[str]:
    return [c.status.channel for c in chart.infusions.running() if c.lost]


def word(chart: Chart, p: TechPumpLost, alert: Alert) -> Wording:
    lost = [c for c in chart.infusions.running() if c.lost]
    drugs = ", ".join(sorted({channel.status.drug for channel in lost}))
    silent_s = max(((chart.now_ms - c.status.time_ms) / 1000 for c in lost), default=None)
    return Wording(
        text=f"No word from the {drugs or 'infusion'} pump, channel {', '.join(_lost_channels(chart))}",
        advice="Check the pump and its network; its dose is unknown until it reports again.",
        figure="the pump reports",
        value=silent_s,
        limit=chart.terms.pump_lost_ms / 1000,
        unit="s",
        with_dose=True,
    )


RULE = RuleDefinition(
    id="TECH-PUMP-LOST",
    version=1,
    kind=Kind.TECHNICAL,
    citation=Citation("Administration Route", "Technical", "E"),
    reads=Reads.PUMPS,
    sentence=(
        "If a pump was infusing and no status came for {lost_intervals} of its usual intervals, at least "
        "{pump_lost_s} s, alert (medium). Clear at the next status."
    ),
    parameters=TechPumpLost,
    judge=judge,
    word=word,
)
