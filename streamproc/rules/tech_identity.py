"""TECH-IDENTITY: one device speaks for two beds; nobody can say whose pressure or dose it is.

Raised on both beds. As a technical alert it also keeps both from being ready to wean.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads
from streamproc.core.events import Doubt
from streamproc.core.finding import negated
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.rules.phrase import minutes


@dataclass(frozen=True, slots=True)
class TechIdentity:
    """No number of its own: the time that counts is the shared term `identity_window_s`."""


def judge(chart: Chart, p: TechIdentity) -> Judgement:
    at_two_beds = chart.doubt_within(Doubt.IDENTITY, chart.terms.identity_window_ms)
    return Judgement(
        levels=(Level(Priority.HIGH, at_two_beds),),
        clears=(Clear(negated(at_two_beds)),),
    )


def word(chart: Chart, p: TechIdentity, alert: Alert) -> Wording:
    last = chart.doubts.get(Doubt.IDENTITY)
    window_s = chart.terms.identity_window_ms / 1000
    return Wording(
        text=f"Two beds, one device: {last.detail if last else 'resolved'}",
        advice=(
            "Check which bed the device is at and mend the assignment at its gateway. Trust neither bed's "
            "figures until then, and wean neither."
        ),
        figure=f"not seen again for {minutes(window_s)}",
    )


RULE = RuleDefinition(
    id="TECH-IDENTITY",
    version=1,
    kind=Kind.TECHNICAL,
    citation=Citation("Target Blood Pressure and Monitoring", "Technical", "E"),
    reads=Reads.DOUBTS,
    sentence=(
        "If one device speaks for two beds within {identity_window_s} s, or a message names another bed than "
        "its topic, alert (high) on both; neither is ready to wean meanwhile. Clear once it was not seen "
        "again for {identity_window_s} s."
    ),
    parameters=TechIdentity,
    judge=judge,
    word=word,
)
