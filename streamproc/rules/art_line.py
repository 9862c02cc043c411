"""ART-LINE: a vasopressor has run for a while and the pressure still comes from a cuff."""

from __future__ import annotations

from dataclasses import dataclass

from streamproc.core.alert import Alert, Clear, Judgement, Kind, Level, Priority
from streamproc.core.chart import Chart, Reads, ms
from streamproc.core.events import MapSource
from streamproc.core.finding import all_of, found, negated
from streamproc.core.rule import Citation, RuleDefinition, Wording
from streamproc.core.sight import LAST_MAP
from streamproc.rules.parameters import Seconds
from streamproc.rules.phrase import minutes


@dataclass(frozen=True, slots=True)
class ArtLine:
    """How long a cuff is enough."""

    after_s: Seconds


def judge(chart: Chart, p: ArtLine) -> Judgement:
    treated = chart.under_way(chart.terms.titrated_drug)
    source = chart.pressure.source
    told = "none" if source is None else source.value
    cuff = found("cuff only", source is MapSource.CUFF, value=told, saw=LAST_MAP)
    arterial = found("arterial pressure", source is MapSource.ARTERIAL, value=told, saw=LAST_MAP)
    return Judgement(
        levels=(Level(Priority.INFO, all_of(treated, cuff), ms(p.after_s)),),
        clears=(Clear(arterial), Clear(negated(treated))),
    )


def word(chart: Chart, p: ArtLine, alert: Alert) -> Wording:
    lasted_s = (chart.now_ms - alert.onset_ms) // 1000
    return Wording(
        text=f"Vasopressor with cuff pressure only for {minutes(max(lasted_s, p.after_s))}",
        advice="Place an arterial catheter as soon as practical: every patient on a vasopressor needs one.",
        value=lasted_s,
        limit=p.after_s,
        unit="s",
        with_dose=True,
    )


RULE = RuleDefinition(
    id="ART-LINE",
    version=1,
    kind=Kind.ADVISORY,
    citation=Citation("Administration Route", "MAP (target and monitoring)", "S, E"),
    reads=Reads.MAP | Reads.DOSE | Reads.PUMPS,
    sentence=(
        "If a vasopressor has run for {after_s} s with cuff pressures only, advise (info) an arterial "
        "catheter. Clear at an arterial sample, or when the infusion has ended."
    ),
    parameters=ArtLine,
    judge=judge,
    word=word,
)
