"""TECH-CLOCK: a device's clock is wrong, so that what it says cannot be put in its place in time.

The ward notices it at receipt, by the shared terms; the message itself may have been refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads, ms
from streamproc.core.events import Doubt
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.rules.parameters import Seconds
from streamproc.rules.phrase import minutes


@dataclass(frozen=True, slots=True)
class TechClock:
    """How long all messages must have been in bounds; the bounds are `clock_ahead_s`, `clock_behind_s`."""

    in_bounds_s: Seconds


def judge(chart: Chart, p: TechClock) -> Judgement:
    in_bounds_ms = ms(p.in_bounds_s)
    return Judgement(
        levels=(Level(Priority.LOW, chart.doubt_within(Doubt.CLOCK, in_bounds_ms)),),
        clears=(Clear(chart.doubt_over(Doubt.CLOCK, in_bounds_ms)),),
    )


def word(chart: Chart, p: TechClock, alert: Alert) -> Wording:
    last = chart.doubts.get(Doubt.CLOCK)
    told = last.detail if last else "in bounds"
    ahead_s, behind_s = chart.terms.clock_ahead_ms / 1000, chart.terms.clock_behind_ms / 1000
    return Wording(
        text=f"Clock out of bounds: {told}",
        advice=(
            f"Set the device's clock: more than {ahead_s:g} s ahead of or {behind_s:g} s behind receipt, its "
            "messages are judged late, at the wrong place, or not at all."
        ),
        figure=f"clocks in bounds for {minutes(p.in_bounds_s)}",
    )


RULE = RuleDefinition(
    id="TECH-CLOCK",
    version=1,
    kind=Kind.TECHNICAL,
    citation=Citation("Target Blood Pressure and Monitoring", "Technical", "E"),
    reads=Reads.DOUBTS,
    sentence=(
        "If the time in a device's message is more than {clock_ahead_s} s ahead of its receipt or more than "
        "{clock_behind_s} s behind it, alert (low). Clear once the bed's messages have been in bounds "
        "for {in_bounds_s} s."
    ),
    parameters=TechClock,
    judge=judge,
    word=word,
)
