"""TECH-MAP-LOST: the monitor was sending and has fallen silent. Silence is never health."""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads, ms
from streamproc.core.finding import negated
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.rules.parameters import Seconds
from streamproc.rules.phrase import minutes


@dataclass(frozen=True, slots=True)
class TechMapLost:
    """The silence that counts as long; the shorter one is the shared term `map_lost_s`."""

    medium_s: Seconds


def judge(chart: Chart, p: TechMapLost) -> Judgement:
    low_ms, first_ms = chart.pressure.loss_ms(chart.terms.map_lost_ms), chart.pressure.first_ms
    unwatched_ms = chart.unwatched_ms(silent_since_ms(chart))
    back = negated(chart.map_silent_for(low_ms, first_ms))
    return Judgement(
        levels=(
            Level(
                Priority.MEDIUM,
                chart.map_silent_for(max(low_ms, ms(p.medium_s)) + unwatched_ms, first_ms),
                left_when=back,
            ),
            Level(Priority.LOW, chart.map_silent_for(low_ms + unwatched_ms, first_ms), left_when=back),
        ),
        clears=(Clear(back),),
    )


def silent_since_ms(chart: Chart) -> int | None:
    """The last valid MAP, or where there never was one the first sample of any kind."""
    last_ms = chart.pressure.cadence.last_ms
    return chart.pressure.first_ms if last_ms is None else last_ms


def word(chart: Chart, p: TechMapLost, alert: Alert) -> Wording:
    since_ms = silent_since_ms(chart)
    assert since_ms is not None, "what was never heard is not lost"
    age_s = (chart.now_ms - since_ms) / 1000
    low_ms = chart.pressure.loss_ms(chart.terms.map_lost_ms)
    limit_s = (max(low_ms, ms(p.medium_s)) if alert.priority is Priority.MEDIUM else low_ms) / 1000
    return Wording(
        text=f"No valid MAP for {minutes(age_s)}",
        advice="Check monitor, transducer and network; until then pressure alarms cannot be judged.",
        figure="a valid MAP came",
        value=age_s,
        limit=limit_s,
        unit="s",
    )


RULE = RuleDefinition(
    id="TECH-MAP-LOST",
    version=2,
    kind=Kind.TECHNICAL,
    citation=Citation("Target Blood Pressure and Monitoring", "Technical", "E"),
    reads=Reads.MAP | Reads.UNWATCHED,
    sentence=(
        "If a monitor was sending and no valid MAP came for {lost_intervals} of its usual intervals, at "
        "least {map_lost_s} s, alert (low); for {medium_s} s, escalate (medium). A time that nobody "
        "watched does not count. Clear at the next valid MAP."
    ),
    parameters=TechMapLost,
    judge=judge,
    word=word,
)
