"""MAP-OVERDUE: a patient on a vasopressor has not had a pressure taken for too long.

After a dose change the pressure is due sooner. Only a pressure ends this, not the passing of time.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads, ms
from streamproc.core.finding import NEVER, Finding, all_of, negated
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.rules.parameters import Seconds
from streamproc.rules.phrase import minutes


@dataclass(frozen=True, slots=True)
class MapOverdue:
    """The two limits in steady state, and the tighter two for a while after each dose change."""

    low_s: Seconds
    medium_s: Seconds
    titrating_low_s: Seconds
    titrating_medium_s: Seconds
    titrating_for_s: Seconds


def judge(chart: Chart, p: MapOverdue) -> Judgement:
    low_s, medium_s, until_ms = _limits(chart, p)
    treated = chart.on_vasopressor()
    measured = negated(_silent(chart, p.titrating_low_s))
    return Judgement(
        levels=(
            Level(
                Priority.MEDIUM,
                all_of(treated, _silent(chart, medium_s)).until(until_ms),
                left_when=measured,
            ),
            Level(Priority.LOW, all_of(treated, _silent(chart, low_s)).until(until_ms), left_when=measured),
        ),
        clears=(Clear(measured),),
    )


def _silent(chart: Chart, limit_s: int) -> Finding:
    """No valid MAP for so long, counted from the first word of the stay where there never was one."""
    return chart.map_silent_for(ms(limit_s), chart.stay_heard_ms)


def _limits(chart: Chart, p: MapOverdue) -> tuple[int, int, int]:
    """The limits in force, and until when they are."""
    changed_ms = chart.norepinephrine.any_change_ms
    if changed_ms is None or chart.now_ms >= changed_ms + ms(p.titrating_for_s):
        return p.low_s, p.medium_s, NEVER
    return p.titrating_low_s, p.titrating_medium_s, changed_ms + ms(p.titrating_for_s)


def word(chart: Chart, p: MapOverdue, alert: Alert) -> Wording:
    low_s, medium_s, _ = _limits(chart, p)
    limit_s = medium_s if alert.priority is Priority.MEDIUM else low_s
    last_ms = chart.pressure.cadence.last_ms
    age_s = None if last_ms is None else (chart.now_ms - last_ms) / 1000
    told = "No MAP ever" if age_s is None else f"No MAP for {minutes(int(age_s))}"
    return Wording(
        text=f"{told} on norepinephrine, due within {minutes(limit_s)}",
        advice=f"Measure MAP now, and every {minutes(p.low_s)} to {minutes(p.medium_s)} while titrating.",
        figure="a valid MAP came" if age_s is not None else "",
        value=age_s,
        limit=limit_s,
        unit="s",
        with_dose=True,
    )


RULE = RuleDefinition(
    id="MAP-OVERDUE",
    version=1,
    kind=Kind.TECHNICAL,
    citation=Citation("Target Blood Pressure and Monitoring", "MAP (target and monitoring)", "S, L"),
    reads=Reads.MAP | Reads.DOSE | Reads.PUMPS | Reads.PRESENCE,
    sentence=(
        "If the patient is on a vasopressor and no valid MAP came for {low_s} s, alert (low); for "
        "{medium_s} s, escalate (medium). For {titrating_for_s} s after each dose change the limits are "
        "{titrating_low_s} s and {titrating_medium_s} s. Clear at the next valid MAP."
    ),
    parameters=MapOverdue,
    judge=judge,
    word=word,
)
