"""TECH-MAP-ARTEFACT: too much of what the monitor sends is no pressure at all.

Such samples never enter a window, so a bed that sends mostly artefacts is a bed half watched.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads
from streamproc.core.finding import all_of
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.rules.parameters import Share
from streamproc.rules.phrase import minutes


@dataclass(frozen=True, slots=True)
class TechMapArtefact:
    """Shares of the shared term `artefact_window_s`: above which to alert, below which it is over."""

    share_max: Share
    clear_share: Share


def judge(chart: Chart, p: TechMapArtefact) -> Judgement:
    artefacts, span_ms = chart.pressure.artefacts, chart.terms.artefact_window_ms
    many = artefacts.share_above("artefact share", p.share_max, chart.now_ms, span_ms)
    few = artefacts.share_below("artefact share", p.clear_share, chart.now_ms, span_ms)
    better = all_of(few, chart.monitor_sends())  # silence is no improvement
    return Judgement(levels=(Level(Priority.LOW, many),), clears=(Clear(better),))


def word(chart: Chart, p: TechMapArtefact, alert: Alert) -> Wording:
    span_ms = chart.terms.artefact_window_ms
    share = chart.pressure.artefacts.window(chart.now_ms, span_ms).area / span_ms
    return Wording(
        text=f"{share:.0%} of the last {minutes(span_ms / 1000)} of MAP are artefacts",
        advice="Check the arterial line: flush, damping, level and zero of the transducer.",
        figure=f"{share:.0%} artefacts",
        value=share,
        limit=p.share_max,
        unit="1",
    )


RULE = RuleDefinition(
    id="TECH-MAP-ARTEFACT",
    version=1,
    kind=Kind.TECHNICAL,
    citation=Citation("Target Blood Pressure and Monitoring", "Technical", "E"),
    reads=Reads.MAP,
    sentence=(
        "If MAP samples below {map_low_mmhg} or above {map_high_mmhg} mmHg, or not of good quality, fill "
        "more than {share_max} of {artefact_window_s} s, alert (low). Clear below {clear_share}."
    ),
    parameters=TechMapArtefact,
    judge=judge,
    word=word,
)
