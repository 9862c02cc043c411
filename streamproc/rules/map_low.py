"""MAP-LOW: the patient's mean arterial pressure has been below target for minutes.

One low beat says nothing; the mean over minutes does. Low over the short window asks for a look,
low over the long one as well asks for help.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads, milli
from streamproc.core.finding import all_of, negated
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.rules.parameters import Mmhg, Seconds
from streamproc.rules.phrase import below, map_figure, mean_map_mmhg, minutes


@dataclass(frozen=True, slots=True)
class MapLow:
    """The two windows, and how far above target the mean must be before it counts as recovered."""

    window_s: Seconds
    long_window_s: Seconds
    hysteresis_mmhg: Mmhg


def judge(chart: Chart, p: MapLow) -> Judgement:
    recovered_milli, heard = chart.target_milli + milli(p.hysteresis_mmhg), chart.map_heard()
    low = chart.mean_map_below(chart.target_milli, p.window_s)
    low_for_long = chart.mean_map_below(chart.target_milli, p.long_window_s)
    recovered = all_of(heard, negated(chart.mean_map_below(recovered_milli, p.window_s)))
    recovered_for_long = all_of(heard, negated(chart.mean_map_below(recovered_milli, p.long_window_s)))
    return Judgement(
        levels=(
            Level(Priority.HIGH, all_of(low, low_for_long), left_when=recovered_for_long),
            Level(Priority.MEDIUM, low),
        ),
        clears=(Clear(recovered),),
    )


def word(chart: Chart, p: MapLow, alert: Alert) -> Wording:
    window_s = p.long_window_s if alert.priority is Priority.HIGH else p.window_s
    value, limit = mean_map_mmhg(chart, window_s), chart.target_milli / 1000
    return Wording(
        text=f"MAP {below(value, limit)} for {minutes(window_s)}",
        advice=(
            f"Titrate towards MAP {limit:g} mmHg and check again within {minutes(p.window_s)} to "
            f"{minutes(p.long_window_s)}; look for hypovolemia."
        ),
        figure=f"{map_figure(mean_map_mmhg(chart, p.window_s))} over {minutes(p.window_s)}",
        value=value,
        limit=limit,
        unit="mm[Hg]",
        window_s=window_s,
    )


RULE = RuleDefinition(
    id="MAP-LOW",
    version=1,
    kind=Kind.PHYSIOLOGICAL,
    citation=Citation("Target Blood Pressure and Monitoring", "MAP (target and monitoring)", "S, E"),
    reads=Reads.MAP | Reads.CONTEXT,
    sentence=(
        "If the time-weighted mean MAP of {window_s} s is below the patient's target ({map_target_mmhg} mmHg "
        "where nobody set one), alert (medium); if that of {long_window_s} s is as well, escalate (high). A "
        "mean of less than {coverage_min} of its window is none. Clear at target + {hysteresis_mmhg} mmHg "
        "over {window_s} s."
    ),
    parameters=MapLow,
    judge=judge,
    word=word,
)
