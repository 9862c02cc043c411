"""MAP-CRIT: the pressure is so low that a minute of it is too much."""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads, milli, ms
from streamproc.core.finding import all_of
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.rules.parameters import Mmhg, Seconds
from streamproc.rules.phrase import below, map_figure, map_now_mmhg, minutes


@dataclass(frozen=True, slots=True)
class MapCrit:
    """The critical pressure, the pressure that counts as recovered, and the waits for both."""

    critical_mmhg: Mmhg
    for_s: Seconds
    recovered_mmhg: Mmhg
    recovered_for_s: Seconds


def judge(chart: Chart, p: MapCrit) -> Judgement:
    recovered = all_of(chart.map_heard(), chart.map_at_least(milli(p.recovered_mmhg)))
    return Judgement(
        levels=(Level(Priority.HIGH, chart.map_below(milli(p.critical_mmhg)), ms(p.for_s)),),
        clears=(Clear(recovered, ms(p.recovered_for_s)),),
    )


def word(chart: Chart, p: MapCrit, alert: Alert) -> Wording:
    value = map_now_mmhg(chart)
    return Wording(
        text=f"MAP {below(value, p.critical_mmhg)} for {minutes(p.for_s)}",
        advice="Go to the patient now: check line and pump, treat the hypotension.",
        figure=map_figure(value),
        value=value,
        limit=p.critical_mmhg,
        unit="mm[Hg]",
        window_s=p.for_s,
    )


RULE = RuleDefinition(
    id="MAP-CRIT",
    version=1,
    kind=Kind.PHYSIOLOGICAL,
    citation=Citation("Target Blood Pressure and Monitoring", "MAP (target and monitoring)", "E"),
    reads=Reads.MAP,
    sentence=(
        "If MAP is below {critical_mmhg} mmHg without interruption for {for_s} s, alert (high). Clear "
        "once MAP is at least {recovered_mmhg} mmHg for {recovered_for_s} s."
    ),
    parameters=MapCrit,
    judge=judge,
    word=word,
)
