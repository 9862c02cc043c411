"""SBP-CRIT: the systolic pressure is so low that norepinephrine does not wait for fluid."""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads
from streamproc.core.events import ObservationKind
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.rules.parameters import Mmhg, Readings
from streamproc.rules.phrase import below, shown


@dataclass(frozen=True, slots=True)
class SbpCrit:
    """The critical and the recovered systolic pressure, and how many readings show either."""

    critical_mmhg: Mmhg
    recovered_mmhg: Mmhg
    readings: Readings


def judge(chart: Chart, p: SbpCrit) -> Judgement:
    seen = chart.observations
    critical = seen.last_all_below(ObservationKind.SYSTOLIC, p.readings, p.critical_mmhg)
    recovered = seen.last_all_at_least(ObservationKind.SYSTOLIC, p.readings, p.recovered_mmhg)
    return Judgement(levels=(Level(Priority.HIGH, critical),), clears=(Clear(recovered),))


def word(chart: Chart, p: SbpCrit, alert: Alert) -> Wording:
    newest = chart.observations.last(ObservationKind.SYSTOLIC)
    value = None if newest is None else newest.figure
    told = "unknown" if value is None else shown(value, p.critical_mmhg)
    return Wording(
        text=f"Systolic {below(value, p.critical_mmhg)} in {p.readings} readings",
        advice=(
            "Life-threatening hypotension: start norepinephrine as an emergency measure while fluid goes on, "
            "rather than wait for the full volume."
        ),
        figure=f"systolic {told}",
        value=value,
        limit=p.critical_mmhg,
        unit="mm[Hg]",
        observed=chart.observations.newest(ObservationKind.SYSTOLIC, p.readings),
    )


RULE = RuleDefinition(
    id="SBP-CRIT",
    version=1,
    kind=Kind.PHYSIOLOGICAL,
    citation=Citation("Critical Pre-Administration Requirements", "MAP (target and monitoring)", "S"),
    reads=Reads.SYSTOLIC,
    sentence=(
        "If {readings} consecutive systolic readings are below {critical_mmhg} mmHg, alert (high): "
        "life-threatening, start norepinephrine as an emergency measure while fluid goes on. Clear once "
        "{readings} consecutive readings are at least {recovered_mmhg} mmHg."
    ),
    parameters=SbpCrit,
    judge=judge,
    word=word,
)
